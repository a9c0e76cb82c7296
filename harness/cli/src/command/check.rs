//! `coalmine check`: judge a recorded history again, without the target.

use super::print;
use crate::args::CheckArgs;
use crate::exit::{Exit, Failed};
use crate::pipeline::judge;

/// Judges, reports.
pub(crate) fn run(args: &CheckArgs) -> Result<Exit, Failed> {
    let judged = judge(&args.history)?;
    print(&judged.report, args.format);
    Ok(judged.exit)
}
