//! Scenario files, as the command line names them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use coalmine_core::Budget;
use coalmine_plan::{Overrides, Scenario};

use crate::args::{ScenarioArgs, SourceArgs};
use crate::exit::Failed;

/// Reads the scenario that was named, with the profile that was chosen.
pub(crate) fn read(args: &SourceArgs) -> Result<Scenario, Failed> {
    read_with(&args.scenario, args.profile.as_deref())
}

/// Reads a scenario file and everything that it includes.
pub(crate) fn read_with(path: &Path, profile: Option<&str>) -> Result<Scenario, Failed> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Failed::usage(format!("cannot read {name}: {e}")))?;
    let mut hand_out = |path: &str| text_of(path);
    let scenario = Scenario::parse_with(&text, &name, profile, &mut hand_out);
    scenario.map_err(|errors| Failed::usage(errors.render(false)))
}

/// A scenario as one text, with absolute paths of what is not taken in, so that it can lie anywhere.
pub(crate) fn resolved(args: &SourceArgs) -> Result<String, Failed> {
    let path = &args.scenario;
    let cannot = |error: std::io::Error| Failed::usage(format!("cannot read {}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    let name = std::path::absolute(path).map_err(cannot)?.display().to_string();
    let resolved = coalmine_plan::resolve(&text, &name, args.profile.as_deref(), &mut text_of);
    resolved.map_err(|errors| Failed::usage(errors.render(false)))
}

/// Longer files that a scenario names are not read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The text of a file that a scenario names.
pub(crate) fn text_of(path: &str) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot read it: {error}");
    let mut text = String::new();
    File::open(path).map_err(cannot)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > FILE_BYTES_MAX { Err(format!("it has more than {FILE_BYTES_MAX} bytes")) } else { Ok(text) }
}

/// What was said instead of the scenario.
pub(crate) fn overrides(args: &ScenarioArgs) -> Overrides {
    Overrides {
        target_url: args.target.clone(),
        tenants: args.tenants,
        budget: Budget::from(&args.budget),
        ..Overrides::default()
    }
}

/// The command with its scenario, as it is typed again; a target and a seed are added by whoever knows them.
pub(crate) fn command_line(command: &str, args: &ScenarioArgs) -> String {
    let mut line = format!("coalmine {command} {}", args.source.scenario.display());
    let texts = [
        ("--profile", args.source.profile.clone()),
        ("--variables", args.source.variables.as_ref().map(|file| file.display().to_string())),
        ("--tenants", args.tenants.map(|count| count.to_string())),
        ("--max-requests", args.budget.requests.map(|count| count.to_string())),
        ("--max-rate", args.budget.rate.map(|rate| rate.to_string().replace("min", "m"))),
        ("--max-bytes", args.budget.bytes.map(|bytes| bytes.to_string())),
        ("--max-time", args.budget.time.map(|ms| format!("{ms}ms"))),
        ("--max-connections", args.budget.connections.map(|count| count.to_string())),
    ];
    for (flag, text) in texts {
        if let Some(text) = text {
            line = format!("{line} {flag} {text}");
        }
    }
    line
}
