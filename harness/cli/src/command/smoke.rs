//! `coalmine smoke`: a careful run against a service that others use.

use coalmine_campaign::{Limit, Until};
use coalmine_core::Budget;
use coalmine_core::budget::Rate;
use coalmine_plan::{Overrides, Shaking, Writes};

use super::{print, seed_or_chance, stop_on_ctrl_c};
use crate::args::SmokeArgs;
use crate::exit::{Exit, Failed};
use crate::folder::Folder;
use crate::inputs::Inputs;
use crate::output::tell;
use crate::pipeline::{Job, Start};
use crate::source;

/// More tenants do not act, unless they are asked for.
const TENANTS_MAX: u32 = 4;
/// Users do not go through a flow more often.
const REPEAT_MAX: u32 = 2;
/// Where neither the scenario nor the command line says otherwise.
const BUDGET: Budget = Budget {
    requests_max: Some(500),
    rate_max: Some(Rate { interval_us: 200_000 }),
    bytes_max: Some(50_000_000),
    time_max_ms: Some(300_000),
    connections_max: Some(8),
};

/// One tenant first, then a few; judges and reports as a gate does, and says what it left behind.
pub(crate) async fn run(args: &SmokeArgs) -> Result<Exit, Failed> {
    let scenario = source::read(&args.scenario.source)?;
    let seed = seed_or_chance(args.scenario.seed);
    let job = Job {
        scenario: &scenario,
        seed,
        limit: Limit::Rounds(2),
        until: Until::Spent,
        overrides: overrides(args),
        inputs: Inputs::read(args.scenario.source.variables.as_deref())?,
        start: Start::Careful,
        spent: None,
        command_line: command_line(args),
    };
    let folder = Folder::create(&args.out, scenario.name(), seed);
    let folder = folder.map_err(|e| Failed::fault("cannot make the folder", e))?;
    let text = source::resolved(&args.scenario.source)?;
    folder.write_scenario(&text).map_err(|e| Failed::fault("cannot write the scenario", e))?;
    let judged = job.run(&folder, &stop_on_ctrl_c()?).await?;
    print(&judged.report, args.format);
    if judged.exit == Exit::Untestable {
        tell("error: the target is not healthy: what one tenant did did not go well, so no other tenant followed");
    }
    Ok(judged.exit)
}

fn overrides(args: &SmokeArgs) -> Overrides {
    Overrides {
        writes: if args.allow_writes { Writes::Sent } else { Writes::LeftOut },
        tenants_max: Some(TENANTS_MAX),
        repeat: args.repeat,
        shaking: Shaking::Off,
        repeat_max: Some(REPEAT_MAX),
        budget_default: BUDGET,
        ..source::overrides(&args.scenario)
    }
}

fn command_line(args: &SmokeArgs) -> String {
    let mut line = source::command_line("smoke", &args.scenario);
    if let Some(repeat) = args.repeat {
        line = format!("{line} --repeat {repeat}");
    }
    if args.allow_writes {
        line.push_str(" --allow-writes");
    }
    line
}
