//! The variables by which loom can be told to look at less.

use super::failure::Failure;

const VARIABLES: [&str; 6] = [
    "LOOM_MAX_PERMUTATIONS",
    "LOOM_MAX_DURATION",
    "LOOM_MAX_BRANCHES",
    "LOOM_MAX_PREEMPTIONS",
    "LOOM_CHECKPOINT_FILE",
    "LOOM_CHECKPOINT_INTERVAL",
];

/// Refuses to explore under a limit that nobody sees in the result.
pub(super) fn refuse() -> Result<(), Failure> {
    match VARIABLES.iter().find(|variable| std::env::var_os(variable).is_some()) {
        Some(variable) => Err(Failure::Limited { variable: (*variable).to_owned() }),
        None => Ok(()),
    }
}
