//! `coalmine gate`: test a service and block when it leaks.

use std::sync::Arc;
use std::time::Duration;

use coalmine_campaign::{Limit, Until};
use coalmine_core::plan::Schedule;
use coalmine_core::report::Regression;
use coalmine_plan::{Overrides, Shaking};
use coalmine_run::{Progress, Stop};

use super::{models, print, seed_or_chance, stop_on_ctrl_c};
use crate::args::{self, GateArgs};
use crate::exit::{Exit, Failed};
use crate::explanation::{Depth, Ended, explain};
use crate::folder::Folder;
use crate::inputs::Inputs;
use crate::pipeline::{Job, Start};
use crate::regressions::{self, Regressions, Setting};
use crate::source;

/// What `--for` is where it is not said.
const DEFAULT_TIME_MS: u64 = 30_000;

/// Runs, judges, reports.
pub(crate) async fn run(args: &GateArgs) -> Result<Exit, Failed> {
    let scenario = source::read(&args.scenario.source)?;
    let proved = if args.models { models::prove(&args.out)? } else { Exit::Pass };
    let seed = seed_or_chance(args.scenario.seed);
    let source = &args.scenario.source;
    let regressions = Regressions::open(args.regressions.as_deref(), &source.scenario, scenario.name())?;
    let mut job = Job {
        scenario: &scenario,
        seed,
        limit: args.rounds.map_or(Limit::Time(Duration::from_millis(args.time_ms)), Limit::Rounds),
        until: match args.until {
            args::Until::Leak => Until::Leak,
            args::Until::Floor => Until::Floor,
            args::Until::Spent => Until::Spent,
        },
        overrides: overrides(args),
        inputs: Inputs::read(args.scenario.source.variables.as_deref())?,
        start: Start::Whole,
        spent: None,
        command_line: command_line(args),
    };
    let folder =
        Folder::create(&args.out, scenario.name(), seed).map_err(|e| Failed::fault("cannot make the folder", e))?;
    let text = source::resolved(&args.scenario.source)?;
    folder.write_scenario(&text).map_err(|e| Failed::fault("cannot write the scenario", e))?;
    let stop = stop_on_ctrl_c()?;
    let tried = play(&regressions, &mut job, &stop).await?;
    let mut judged = job.run(&folder, &stop).await?;
    if !tried.is_empty() {
        judged.exit = judged.exit.merged(regressions::add(&mut judged.report, tried));
        folder.write_reports(&judged.report).map_err(|e| Failed::fault("cannot write the reports", e))?;
    }
    let (scenario, inputs, folder, text) = (&scenario, &job.inputs, &folder, text.as_str());
    let depth = if args.explain { Depth::Explained } else { Depth::Noted };
    explain(&Ended { scenario, text, inputs, folder, seed, stop }, &mut judged.report, depth).await?;
    print(&judged.report, args.format);
    Ok(judged.exit.merged(proved))
}

/// Plays cases of leaks that were found before, within the budget of the run.
async fn play(regressions: &Regressions, job: &mut Job<'_>, stop: &Stop) -> Result<Vec<Regression>, Failed> {
    if regressions.is_empty() {
        return Ok(vec![]);
    }
    let first = job.first().map_err(Failed::usage)?;
    let progress = Arc::new(Progress::within(first.budget));
    job.spent = Some(Arc::clone(&progress));
    let target = &first.target.base_url;
    regressions.play(&Setting { inputs: &job.inputs, target, seed: job.seed, progress, stop: stop.clone() }).await
}

fn overrides(args: &GateArgs) -> Overrides {
    Overrides {
        repeat: args.repeat,
        shaking: match args.perturb {
            args::Perturb::On => Shaking::On,
            args::Perturb::Off => Shaking::Off,
        },
        schedule: match args.schedule {
            args::Schedule::Together => Schedule::Together,
            args::Schedule::OneAtATime => Schedule::OneAtATime,
        },
        ..source::overrides(&args.scenario)
    }
}

/// What was typed, without what the plan or the folder says better.
fn command_line(args: &GateArgs) -> String {
    let mut line = source::command_line("gate", &args.scenario);
    for (flag, number) in [("--repeat", args.repeat), ("--rounds", args.rounds)] {
        if let Some(number) = number {
            line = format!("{line} {flag} {number}");
        }
    }
    if args.rounds.is_none() && args.time_ms != DEFAULT_TIME_MS {
        line = format!("{line} --for {}ms", args.time_ms);
    }
    if args.perturb == args::Perturb::Off {
        line.push_str(" --perturb off");
    }
    if let Some(path) = &args.regressions {
        line = format!("{line} --regressions {}", path.display());
    }
    if args.explain {
        line.push_str(" --explain");
    }
    if args.models {
        line.push_str(" --models");
    }
    if args.schedule == args::Schedule::OneAtATime {
        line.push_str(" --schedule one-at-a-time");
    }
    line
}
