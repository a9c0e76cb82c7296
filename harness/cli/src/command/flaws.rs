//! `coalmine flaws`: list what can be wrong with the built-in service.

use coalmine_models::catalogue;
use coalmine_target::Flaw;

use super::say;
use crate::args::FlawsArgs;
use crate::exit::Exit;
use crate::output::print_line;

/// Prints one flaw, or all of them.
pub(crate) fn run(args: &FlawsArgs) -> Exit {
    match args.id {
        Some(flaw) => describe(flaw),
        None => Flaw::ALL.iter().for_each(|flaw| print_line(format_args!("{:<26} {}", flaw.id(), flaw.mechanism()))),
    }
    Exit::Pass
}

fn describe(flaw: Flaw) {
    say("Flaw", flaw.id());
    say("mechanism", flaw.mechanism());
    say("trigger", flaw.trigger());
    say("from", flaw.source());
    say("overlap", if flaw.is_race() { "operations of different tenants at the same time" } else { "not needed" });
    let expected = flaw.expected();
    say("finding", format_args!("{} at {}", expected.oracles.join(" and "), expected.route));
    for (what, text) in flaw.page().lines().filter_map(|line| line.split_once(": ")) {
        say(&what.to_lowercase(), text);
    }
    if let Some(pattern) = pattern(flaw.id()) {
        say("model", format_args!("coalmine models {pattern}"));
    }
}

/// The pattern of concurrent code whose models show what the flaw does.
fn pattern(id: &str) -> Option<&'static str> {
    catalogue()
        .into_iter()
        .map(|model| model.pattern)
        .find(|pattern| pattern.flaws.contains(&id))
        .map(|pattern| pattern.name)
}
