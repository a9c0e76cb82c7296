//! `coalmine gate`: test a service and block when it leaks.

use std::path::Path;

use coalmine_core::plan::Schedule;
use coalmine_plan::{Overrides, Scenario};

use super::{models, print, seed_or_chance, stop_on_ctrl_c};
use crate::args::{self, GateArgs, PlanArgs};
use crate::exit::{Exit, Failed};
use crate::folder::Folder;
use crate::pipeline::Job;

/// Runs, judges, reports.
pub(crate) async fn run(args: &GateArgs) -> Result<Exit, Failed> {
    let scenario = read(&args.scenario)?;
    let proved = if args.models { models::prove(&args.out)? } else { Exit::Pass };
    let seed = seed_or_chance(args.seed);
    let job = Job {
        scenario: &scenario,
        seed,
        rounds: args.rounds,
        overrides: overrides(args),
        command_line: command_line(args),
    };
    let folder =
        Folder::create(&args.out, scenario.name(), seed).map_err(|e| Failed::fault("cannot make the folder", e))?;
    let judged = job.run(&folder, &stop_on_ctrl_c()?).await?;
    print(&judged.report, args.format);
    Ok(judged.exit.merged(proved))
}

/// Reads a scenario file.
pub(super) fn read(path: &Path) -> Result<Scenario, Failed> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Failed::usage(format!("cannot read {name}: {e}")))?;
    Scenario::parse(&text, &name).map_err(|errors| Failed::usage(errors.render(false)))
}

/// What `coalmine plan` overrides.
pub(super) fn overrides_of(args: &PlanArgs) -> Overrides {
    Overrides { target_url: args.target.clone(), tenants: args.tenants, ..Overrides::default() }
}

fn overrides(args: &GateArgs) -> Overrides {
    Overrides {
        inputs: std::collections::BTreeMap::new(),
        target_url: args.target.clone(),
        tenants: args.tenants,
        repeat: args.repeat,
        shaking: coalmine_plan::Shaking::On,
        wanted: vec![],
        schedule: match args.schedule {
            args::Schedule::Together => Schedule::Together,
            args::Schedule::OneAtATime => Schedule::OneAtATime,
        },
    }
}

/// What was typed, without what the plan or the folder says better.
fn command_line(args: &GateArgs) -> String {
    let mut line = format!("coalmine gate {}", args.scenario.display());
    let numbers =
        [("--tenants", args.tenants), ("--repeat", args.repeat), ("--rounds", Some(args.rounds).filter(|n| *n > 1))];
    for (flag, number) in numbers {
        if let Some(number) = number {
            line = format!("{line} {flag} {number}");
        }
    }
    if args.models {
        line.push_str(" --models");
    }
    if args.schedule == args::Schedule::OneAtATime {
        line.push_str(" --schedule one-at-a-time");
    }
    line
}
