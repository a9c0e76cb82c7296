//! What the judge hands back.

use coalmine_canary::CanaryId;
use coalmine_core::Verdict;

/// A verdict, and how the run came to its end: an exit code needs both.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What the history shows.
    pub verdict: Verdict,
    /// How the run ended.
    pub ending: Ending,
    /// Canaries that answers showed to everybody, as the scenario allows: later rounds of a campaign may see them.
    pub public: Vec<CanaryId>,
}

/// How a run ended. Anything but [`Ending::Completed`] is a shortfall in the verdict as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every round was gone through.
    Completed,
    /// It was stopped from outside.
    Interrupted,
    /// The target could not be tested.
    Untestable {
        /// Name of the step that failed; none when the target was never ready.
        step: Option<String>,
        /// What was wrong.
        why: String,
    },
    /// The history has no end: the run was killed, or the file is damaged.
    BrokenOff {
        /// What is wrong with it.
        why: String,
    },
}

impl Ending {
    /// The graver of two: what could not be tested outweighs an interruption, and that a missing end.
    pub(crate) fn or_graver(self, other: Self) -> Self {
        if other.gravity() > self.gravity() { other } else { self }
    }

    fn gravity(&self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::BrokenOff { .. } => 1,
            Self::Interrupted => 2,
            Self::Untestable { .. } => 3,
        }
    }
}
