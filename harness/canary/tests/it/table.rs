//! The table of shapes and forms in the README is what the recall test claims.

use std::fs;

use coalmine_canary::Shape;

use crate::forms::FORMS;

const START: &str = "<!-- forms: start -->\n";
const END: &str = "<!-- forms: end -->";

fn table() -> String {
    let names: Vec<String> = Shape::ALL.iter().map(ToString::to_string).collect();
    let mut lines =
        vec![format!("| form | {} |", names.join(" | ")), format!("| --- |{}", " --- |".repeat(names.len()))];
    for form in FORMS {
        let cells: Vec<&str> = Shape::ALL.iter().map(|shape| if form.claim(*shape) { "found" } else { "-" }).collect();
        lines.push(format!("| {} | {} |", form.name, cells.join(" | ")));
    }
    lines.join("\n") + "\n"
}

/// When it fails: replace the lines between the two marks of the README by what the failure shows.
#[test]
fn the_readme_shows_what_is_claimed() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the crate has a README");
    let start = readme.find(START).expect("the table has a start") + START.len();
    let end = readme.find(END).expect("the table has an end");
    assert!(readme[start..end] == table(), "the README should say:\n{}", table());
}
