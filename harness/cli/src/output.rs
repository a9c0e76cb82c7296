//! What is printed. Whoever reads it may go away, as `head` does: that is no fault, and no exit code depends on it.

use std::fmt::Display;
use std::io::Write;
use std::ops::ControlFlow;

/// A result, on stdout. Colours are taken out again where that is no terminal.
pub(crate) fn print(text: impl Display) {
    let _ = write!(anstream::stdout(), "{text}").and_then(|()| std::io::stdout().flush());
}

/// A result's line, on stdout.
pub(crate) fn print_line(text: impl Display) {
    print(format_args!("{text}\n"));
}

/// The same, for a command that has nothing else to do once nobody reads on.
pub(crate) fn print_line_while_read(text: impl Display) -> ControlFlow<()> {
    match writeln!(anstream::stdout(), "{text}") {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// A line about how it goes, on stderr.
pub(crate) fn tell(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}
