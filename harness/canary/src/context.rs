//! What of a sighting's surroundings may be shown.

use std::ops::Range;

/// This much is shown on each side, in bytes.
const SIDE: usize = 32;

/// Runs of letters this long could be a secret, or part of one.
const RUN_MAX: usize = 8;

/// The surroundings of a span, with the span and all that could be a secret masked: every digit, and every run of
/// more than a few letters. What a reader needs is the structure: quotes, field names, tags.
pub(crate) fn redact(bytes: &[u8], span: Range<usize>) -> String {
    let start = span.start.min(bytes.len());
    let end = span.end.min(bytes.len());
    let before = &bytes[start.saturating_sub(SIDE)..start];
    let after = &bytes[end..bytes.len().min(end + SIDE)];
    let cut_before = start > SIDE;
    let cut_after = bytes.len() - end > SIDE;
    let mut text = mask(before, cut_before, false);
    text.push_str("[canary]");
    text.push_str(&mask(after, false, cut_after));
    text
}

/// `cut_start` and `cut_end`: the run at that edge goes on outside, so its length is unknown.
fn mask(bytes: &[u8], cut_start: bool, cut_end: bool) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|byte| is_run(**byte)).count();
        let cut = (at == 0 && cut_start) || (at + run == bytes.len() && cut_end);
        if run > RUN_MAX || (run > 0 && cut) {
            text.push('~');
            at += run;
        } else {
            let shown = run.max(1);
            text.extend(bytes[at..at + shown].iter().map(|byte| show(*byte)));
            at += shown;
        }
    }
    text
}

/// NUL counts, because it stands between the letters of UTF-16.
fn is_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'%' | b'\\' | b'&' | b'#' | 0)
}

fn show(byte: u8) -> char {
    match byte {
        b'0'..=b'9' => '#',
        b' '..=b'~' => char::from(byte),
        _ => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_is_shown_and_secrets_are_not() {
        let text = b"{\"title\": \"SECRETSECRET\", \"id\": 12345, \"password\": \"hunter\"}";
        let at = 11..23;
        assert_eq!(redact(text, at), "{\"title\": \"[canary]\", \"id\": #####, \"password\": \"~");
    }

    #[test]
    fn a_run_that_the_window_cuts_is_masked() {
        let text = b"abcdefghijklmnopqrstuvwxyzabcdefghijklmnop \"SECRET\"";
        assert_eq!(redact(text, 44..50), "~ \"[canary]\"");
    }
}
