//! The truth table as text.

use super::Row;
use crate::args::BenchFormat;
use crate::command::say;
use crate::output::print_line;

/// Prints the newest line of the table as it comes, and the head before the first.
pub(super) fn show(rows: &[Row], format: BenchFormat) {
    let Some(row) = rows.last() else { return };
    match format {
        BenchFormat::Json => return,
        BenchFormat::Text => {
            if rows.len() == 1 {
                print_line(text_head(row));
            }
            print_line(text_line(row));
        }
        BenchFormat::Markdown => {
            if rows.len() == 1 {
                print_line(markdown_head(row));
            }
            print_line(markdown_line(row));
        }
    }
    for wrong in &row.wrong {
        say("wrong", wrong);
    }
}

fn text_head(row: &Row) -> String {
    let head = format!(
        "{:<26} {:>7} {:>7} {:>12} {:>14} {:>8}",
        "flaw", "right", "missed", "false alarms", "one at a time", "seconds"
    );
    match row.search {
        None => head,
        Some(_) => format!("{head} {:>22} {:>22} {:>22}", "operations, median/worst", "nothing shaken", "one by one"),
    }
}

fn text_line(row: &Row) -> String {
    let alone = row.silent_alone.map_or("-".to_owned(), |silent| format!("{} silent", row.of_seeds(silent)));
    let Row { name, missed, false_alarms, seconds, .. } = row;
    let right = row.of_seeds(row.right);
    let line = format!("{name:<26} {right:>7} {missed:>7} {false_alarms:>12} {alone:>14} {seconds:>8.1}");
    match &row.search {
        None => line,
        Some(search) => format!("{line} {:>24} {:>22} {:>22}", search.engine, search.unshaken, search.one_at_a_time),
    }
}

fn markdown_head(row: &Row) -> &'static str {
    match row.search {
        None => "| flaw | right | missed | false alarms | one at a time |\n| --- | --: | --: | --: | --: |",
        Some(_) => {
            "| flaw | right | missed | false alarms | operations until found, median / worst | nothing shaken | one tenant after another |\n\
             | --- | --: | --: | --: | --: | --: | --: |"
        }
    }
}

fn markdown_line(row: &Row) -> String {
    let Row { name, missed, false_alarms, .. } = row;
    let line = format!("| {name} | {} | {missed} | {false_alarms} |", row.of_seeds(row.right));
    match &row.search {
        None => {
            let alone = row.silent_alone.map_or("-".to_owned(), |silent| format!("{} silent", row.of_seeds(silent)));
            format!("{line} {alone} |")
        }
        Some(search) => format!("{line} {} | {} | {} |", search.engine, search.unshaken, search.one_at_a_time),
    }
}
