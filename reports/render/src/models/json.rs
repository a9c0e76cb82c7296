//! For machines.

use super::ModelsReport;

/// Pretty, in the order of the types, with a newline at the end.
pub fn models_json(report: &ModelsReport) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report has string keys only");
    text.push('\n');
    text
}
