//! `coalmine fuzz`: a search that goes on for hours, keeps what it learns and tells each leak once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use coalmine_campaign::Limit;
use coalmine_plan::Overrides;

use super::{print, say, seed_or_chance, stop_on_ctrl_c};
use crate::args::{Format, FuzzArgs};
use crate::exit::{Exit, Failed};
use crate::folder::{Folder, SCENARIO};
use crate::fuzzing::{Campaign, Shrinking};
use crate::inputs::Inputs;
use crate::source;

/// Begins a campaign or goes on with one, and reports on all of it.
pub(crate) async fn run(args: &FuzzArgs) -> Result<Exit, Failed> {
    let scenario = source::read(&args.scenario.source)?;
    let text = source::resolved(&args.scenario.source)?;
    let inputs = Inputs::read(args.scenario.source.variables.as_deref())?;
    let seed = seed_or_chance(args.scenario.seed);
    let path = match &args.resume {
        Some(path) => of_same_scenario(path, &text)?,
        None => {
            let folder = Folder::create(&args.out, &format!("{}-fuzz", scenario.name()), seed);
            let folder = folder.map_err(|e| Failed::fault("cannot make the folder", e))?;
            folder.write_scenario(&text).map_err(|e| Failed::fault("cannot write the scenario", e))?;
            folder.path().to_owned()
        }
    };
    let campaign = Campaign {
        scenario: &scenario,
        text: &text,
        overrides: Overrides { repeat: args.repeat, ..source::overrides(&args.scenario) },
        inputs: &inputs,
        folder: &path,
        limit: args.rounds.map_or(Limit::Time(Duration::from_millis(args.time_ms)), Limit::Rounds),
        shrinking: if args.no_shrink { Shrinking::Off } else { Shrinking::On },
        command_line: command_line(args),
    };
    let stop = stop_on_ctrl_c()?;
    let judged = match args.resume {
        Some(_) => Box::pin(campaign.resume(&stop)).await?,
        None => campaign.begin(seed, &stop).await?,
    };
    let written = Folder::at(&path).write_reports(&judged.report);
    written.map_err(|e| Failed::fault("cannot write the reports", e))?;
    print(&judged.report, args.format);
    if args.format == Format::Text {
        say("Go on", format_args!("{} --resume {}", command_line(args), path.display()));
    }
    Ok(judged.exit)
}

/// The folder of a campaign with this scenario and no other: its corpus and its findings speak of that.
fn of_same_scenario(path: &Path, text: &str) -> Result<PathBuf, Failed> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let file = path.join(SCENARIO);
    let cannot = |error| Failed::usage(format!("{} is no campaign: cannot read {SCENARIO}: {error}", path.display()));
    if std::fs::read_to_string(&file).map_err(cannot)? != text {
        return Err(Failed::usage(format!(
            "the campaign in {} is of another scenario, or it has changed since: begin a new one",
            path.display()
        )));
    }
    Ok(path)
}

fn command_line(args: &FuzzArgs) -> String {
    let mut line = source::command_line("fuzz", &args.scenario);
    line = match args.rounds {
        Some(rounds) => format!("{line} --rounds {rounds}"),
        None => format!("{line} --for {}s", args.time_ms.div_ceil(1000)),
    };
    if let Some(repeat) = args.repeat {
        line = format!("{line} --repeat {repeat}");
    }
    if args.no_shrink {
        line.push_str(" --no-shrink");
    }
    line
}
