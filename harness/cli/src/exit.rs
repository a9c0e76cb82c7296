//! The exit codes, and the errors that lead to them.

use std::process::ExitCode;

use coalmine_core::Outcome;
use coalmine_judge::{Ending, Judgement};

/// What the caller's shell sees. Documented in README.md; scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Nothing leaked, and that means something.
    Pass = 0,
    /// A leak, or another violation.
    Violation = 1,
    /// The arguments or the scenario are wrong; nothing was sent.
    Usage = 2,
    /// The target could not be tested: unreachable, or a login was refused.
    Untestable = 3,
    /// Nothing leaked, but too little was exercised for that to mean something.
    Inconclusive = 4,
    /// A fault of Coalmine's own, or of the machine it runs on.
    Fault = 70,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// A violation found outweighs everything but the user's own interruption.
    pub(crate) fn of(judgement: &Judgement) -> Self {
        match (&judgement.ending, judgement.verdict.outcome) {
            (Ending::Interrupted, _) => Self::Interrupted,
            (_, Outcome::Leak) => Self::Violation,
            (Ending::Untestable { .. }, _) => Self::Untestable,
            (_, Outcome::Inconclusive) => Self::Inconclusive,
            (_, Outcome::Pass) => Self::Pass,
        }
    }
}

impl Exit {
    /// What two parts of one command come to: the graver of the two.
    pub(crate) fn merged(self, other: Self) -> Self {
        let gravity = |exit| match exit {
            Self::Pass => 0,
            Self::Inconclusive => 1,
            Self::Untestable => 2,
            Self::Usage => 3,
            Self::Fault => 4,
            Self::Violation => 5,
            Self::Interrupted => 6,
        };
        if gravity(other) > gravity(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command ended without a verdict.
#[derive(Debug)]
pub(crate) struct Failed {
    exit: Exit,
    message: String,
}

impl Failed {
    /// The user must change the arguments or the scenario.
    pub(crate) fn usage(message: impl ToString) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    /// The user ended it.
    pub(crate) fn interrupted() -> Self {
        Self { exit: Exit::Interrupted, message: "interrupted".to_owned() }
    }

    /// Coalmine or its machine failed while doing `what`.
    pub(crate) fn fault(what: &str, error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Fault, message: format!("{what}: {error}") }
    }

    /// The same, with what it is about.
    pub(crate) fn about(self, what: &str) -> Self {
        if self.exit == Exit::Interrupted {
            self
        } else {
            Self { message: format!("{what}: {}", self.message), ..self }
        }
    }

    /// Says it on stderr.
    pub(crate) fn report(self) -> Exit {
        let text = self.message.trim_end();
        // A message that draws its own frame, such as a scenario's problems, already says `error`.
        let prefix = if text.starts_with("error") { "" } else { "error: " };
        crate::output::tell(format_args!("{prefix}{text}"));
        self.exit
    }
}
