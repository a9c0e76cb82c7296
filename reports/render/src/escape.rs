//! Text of others, made harmless to look at.

use std::borrow::Cow;

/// Shows what would command a terminal or reorder its text: control characters, and Unicode's marks of direction and
/// invisibility.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_hidden) {
        let shown = text.chars().map(|c| if is_hidden(c) { c.escape_default().to_string() } else { c.to_string() });
        return Cow::Owned(shown.collect());
    }
    Cow::Borrowed(text)
}

/// Whether a reader would not see the character, or would see others elsewhere because of it.
pub(crate) fn is_hidden(c: char) -> bool {
    let marks = ['\u{ad}', '\u{61c}', '\u{feff}', '\u{2028}', '\u{2029}'];
    let ranges = ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{2069}', '\u{fff9}'..='\u{fffb}'];
    c.is_control() || marks.contains(&c) || ranges.iter().any(|range| range.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_shown() {
        assert_eq!(visible("a\u{1b}[31mb\r\n\u{9b}2J\u{7f}"), r"a\u{1b}[31mb\r\n\u{9b}2J\u{7f}");
        assert_eq!(visible("user\u{202e}nimda\u{200b}"), r"user\u{202e}nimda\u{200b}");
    }

    #[test]
    fn honest_text_stays() {
        assert_eq!(visible("größer, 日本語, \"quoted\", \\x"), "größer, 日本語, \"quoted\", \\x");
    }
}
