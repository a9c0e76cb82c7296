//! No body and no pattern make a capture panic or hang, and the first that it finds is the first of all that it finds.
//!
//! The first line of the input is the pattern, its first letter what it is; the rest is the body.

#![no_main]

use coalmine_core::step::{CaptureFrom, Which};
use coalmine_run::captured;
use libfuzzer_sys::fuzz_target;

/// Longer patterns only make regular expressions slow to compile.
const PATTERN_BYTES_MAX: usize = 256;

fn split(input: &[u8]) -> Option<(CaptureFrom, &[u8])> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let (line, body) = (std::str::from_utf8(&input[..end]).ok()?, &input[end + 1..]);
    let pattern = line.get(1..).filter(|pattern| pattern.len() <= PATTERN_BYTES_MAX)?.to_owned();
    let from = match line.as_bytes()[0] {
        b'j' => CaptureFrom::Json(pattern),
        b'r' => CaptureFrom::Regex(pattern),
        b'c' => CaptureFrom::Css { selector: pattern, attribute: None },
        b'a' => CaptureFrom::Css { selector: pattern, attribute: Some("value".to_owned()) },
        _ => return None,
    };
    Some((from, body))
}

fuzz_target!(|input: &[u8]| {
    let Some((from, body)) = split(input) else { return };
    let Ok(all) = captured(&from, Which::All, body) else { return };
    let first = captured(&from, Which::First, body).expect("the pattern was one before");
    assert_eq!(first.first(), all.first());
});
