//! The report as JSON, for machines. `reports/schema` describes it.

use std::fmt::Write;

use coalmine_core::Report;

use crate::escape::is_hidden;

/// Pretty, in the order of the types, with a newline at the end; the same report gives the same bytes.
pub fn json(report: &Report) -> String {
    let text = serde_json::to_string_pretty(report).expect("a report has string keys only");
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // Line breaks are the pretty printer's own; what else is hidden stands within a string, where an escape is its equal.
        if c != '\n' && is_hidden(c) {
            escape_into(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

fn escape_into(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("writing to memory does not fail");
    }
}
