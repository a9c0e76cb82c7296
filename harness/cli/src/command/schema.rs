//! `coalmine schema`: what scenarios, histories, reports and models look like, for editors and programs.

use crate::args::{Described, SchemaArgs};
use crate::exit::{Exit, Failed};
use crate::output::{print, print_line};

/// Prints it.
pub(crate) fn run(args: &SchemaArgs) -> Result<Exit, Failed> {
    match (args.of, args.markdown) {
        (Described::Scenario, true) => print(coalmine_plan::reference()),
        (_, true) => return Err(Failed::usage("only the language of scenarios is described in Markdown")),
        (Described::Scenario, false) => print_line(format_args!("{:#}", coalmine_plan::schema())),
        (Described::History, false) => print(include_str!("../../../../reports/schema/history.schema.json")),
        (Described::Report, false) => print(include_str!("../../../../reports/schema/report.schema.json")),
        (Described::Models, false) => print(include_str!("../../../../reports/schema/models.schema.json")),
    }
    Ok(Exit::Pass)
}
