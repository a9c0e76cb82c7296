//! Operations that were due and were not sent, where the policy bounds them.

use coalmine_core::plan::Policy;
use coalmine_core::verdict::{Shortfall, ShortfallKind};

/// More of them than the policy takes.
pub(super) fn shortfall(unsent: u64, policy: &Policy) -> Option<Shortfall> {
    let max = policy.unsent_max.filter(|max| unsent > u64::from(*max))?;
    let message = format!("{unsent} operations that were due were not sent; the policy takes {max}");
    Some(Shortfall { kind: ShortfallKind::Operation, operation: None, message })
}
