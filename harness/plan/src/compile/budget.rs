//! How much a run may cost the target.

use coalmine_core::Budget;
use coalmine_core::budget::{Rate, parse_bytes};

use crate::document::BudgetText;
use crate::problem::Problems;
use crate::span::Spanned;
use crate::time_limit;

pub(super) fn budget(written: &BudgetText, problems: &Problems<'_>) -> Budget {
    let rate = "write one such as `5/s`, `0.5/s` or `30/m`";
    let bytes = "write one such as `500KiB`, `10MB` or `1GiB`";
    let time = "write one such as `250ms`, `10s` or `2m`";
    Budget {
        requests_max: at_least_one(written.requests.as_ref(), "requests", problems),
        rate_max: read(written.rate.as_ref(), Rate::parse, rate, problems),
        bytes_max: read(written.bytes.as_ref(), parse_bytes, bytes, problems),
        time_max_ms: read(written.time.as_ref(), time_limit::parse_ms, time, problems),
        connections_max: at_least_one(written.connections.as_ref(), "connections", problems),
    }
}

fn read<T>(
    written: Option<&Spanned<String>>,
    parse: impl Fn(&str) -> Result<T, String>,
    help: &str,
    problems: &Problems<'_>,
) -> Option<T> {
    let written = written?;
    parse(written.as_str()).map_err(|message| problems.add(written.span, message, Some(help.to_owned()))).ok()
}

fn at_least_one<N: Copy + PartialEq + Default>(
    written: Option<&Spanned<N>>,
    what: &str,
    problems: &Problems<'_>,
) -> Option<N> {
    let written = written?;
    if written.value == N::default() {
        let help = "leave the key out where there is no limit".to_owned();
        problems.add(written.span, format!("a budget of no {what} leaves nothing to do"), Some(help));
    }
    Some(written.value)
}
