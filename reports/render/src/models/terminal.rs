//! For the one who waits for it.

use std::fmt::Write;

use anstyle::{AnsiColor, Style as Ansi};

use super::{ModelMark, ModelResult, ModelsReport};
use crate::escape::visible;
use crate::words::counted;

/// A line for each structure; the interleaving of each that is not what it should be, and of one that stands alone.
pub fn models_terminal(report: &ModelsReport, colour: bool) -> String {
    let mut out = String::new();
    let models = &report.models;
    let width = models.iter().map(|model| name(model).len()).max().unwrap_or(0);
    line(
        &mut out,
        colour,
        Ansi::new().bold(),
        "Models",
        &format!("{}, {}", counted(models.len() as u64, "model"), report.bounds),
    );
    for model in models {
        let text = format!(
            "{:width$} {:>7} interleavings, witnesses {}: {}",
            name(model),
            model.iterations,
            witnesses(model),
            visible(&model.result)
        );
        line(&mut out, colour, ansi(model.mark), verb(model.mark), &text);
    }
    for model in models.iter().filter(|model| !model.mark.is_good() || models.len() == 1) {
        for step in model.interleaving.iter().flat_map(|text| text.lines()) {
            writeln!(out, "             {}", visible(step)).expect("writing to memory does not fail");
        }
    }
    if models.iter().any(|model| model.mark == ModelMark::Sampled) {
        let note = "sampled, not exhausted: an interleaving that was not drawn was not seen";
        line(&mut out, colour, Ansi::new().bold(), "Note", note);
    }
    let good = models.iter().filter(|model| model.mark.is_good()).count();
    let style = ansi(if good == models.len() { ModelMark::Proved } else { ModelMark::Failed });
    line(&mut out, colour, style, "Summary", &format!("{good} of {} are what they should be", models.len()));
    line(&mut out, colour, Ansi::new().bold(), "Reproduce", &report.reproduce);
    out
}

fn name(model: &ModelResult) -> String {
    format!("{}/{}", model.pattern, model.implementation)
}

fn witnesses(model: &ModelResult) -> String {
    let counts: Vec<_> = model.witnesses.iter().map(|witness| witness.iterations.to_string()).collect();
    if counts.is_empty() { "-".to_owned() } else { counts.join("/") }
}

fn verb(mark: ModelMark) -> &'static str {
    match mark {
        ModelMark::Proved => "proved",
        ModelMark::Sampled => "sampled",
        ModelMark::Caught => "caught",
        ModelMark::Refused => "refused",
        ModelMark::Failed => "FAILED",
        ModelMark::Missed => "MISSED",
        ModelMark::Undecided => "UNDECIDED",
    }
}

fn ansi(mark: ModelMark) -> Ansi {
    let colour = match mark {
        ModelMark::Proved | ModelMark::Sampled | ModelMark::Caught | ModelMark::Refused => AnsiColor::Green,
        ModelMark::Failed => AnsiColor::Red,
        ModelMark::Missed | ModelMark::Undecided => AnsiColor::Yellow,
    };
    colour.on_default().bold()
}

fn line(out: &mut String, colour: bool, ansi: Ansi, verb: &str, text: &str) {
    let (on, off) =
        if colour { (ansi.render().to_string(), ansi.render_reset().to_string()) } else { Default::default() };
    writeln!(out, "{on}{verb:>12}{off} {text}").expect("writing to memory does not fail");
}
