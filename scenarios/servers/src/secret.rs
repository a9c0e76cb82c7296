//! Passwords of private servers: other accounts of the machine reach the port as well.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};

/// A password that nobody can guess, of letters and digits.
pub(crate) fn fresh() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    }))
}
