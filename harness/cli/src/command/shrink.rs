//! `coalmine shrink`: the smallest case that shows a leak, and what kind of defect it is.

use std::time::Duration;

use coalmine_campaign::Allowance;
use coalmine_core::case::Retried;
use coalmine_core::diagnosis::Class;

use super::replay::{open, tell};
use super::{say, seed_or_chance, stop_on_ctrl_c};
use crate::args::ShrinkArgs;
use crate::exit::{Exit, Failed};
use crate::inputs::Inputs;
use crate::inquiry::{Inquiry, inquire};

/// Makes it smaller, tries what it depends on, and writes the case file.
pub(crate) async fn run(args: &ShrinkArgs) -> Result<Exit, Failed> {
    let recording = open(&args.recording)?;
    let inputs = Inputs::read(args.recording.variables.as_deref())?;
    tell(&recording, &recording.script);
    let allowance = Allowance::of_trials(args.trials);
    let inquiry = Inquiry {
        recording: &recording,
        inputs: &inputs,
        seed: seed_or_chance(args.recording.seed),
        allowance: args.time_ms.map_or(allowance, |time_ms| allowance.within(Duration::from_millis(time_ms))),
        progress: None,
        stop: stop_on_ctrl_c()?,
    };
    let Some(found) = inquire(&inquiry).await? else {
        say("INCONCLUSIVE", "it did not come back, so that nothing can be made smaller");
        return Ok(Exit::Inconclusive);
    };
    let out = args.out.clone().unwrap_or_else(|| format!("{}.yaml", recording.sought.fingerprint.0).into());
    std::fs::write(&out, &found.text).map_err(|e| Failed::fault("cannot write the case", e))?;
    let Retried { rate, tenants, operations, diagnosis } = &found.retried;
    say(
        "Smallest",
        format_args!("{tenants} tenants, {operations} operations, {} trials; shows it in {rate}", found.trials),
    );
    if let Some(diagnosis) = diagnosis {
        say("Diagnosis", diagnosis.sentence());
        for line in coalmine_report::ablations(diagnosis) {
            say("", line);
        }
        let patterns = diagnosis.class.map(Class::patterns).unwrap_or_default();
        if !patterns.is_empty() {
            let names: Vec<_> = patterns.iter().map(|pattern| pattern.name()).collect();
            say("Models", format_args!("coalmine models {}", names.join(" ")));
        }
    }
    say("Case", out.display());
    say("Reproduce", format_args!("coalmine replay {}", out.display()));
    Ok(Exit::Violation)
}
