//! Where a request goes: a path of the scenario, an address that it writes out, or a link that an answer gave.

use coalmine_core::template::{Fill, Segment, Template, percent_encode};

use super::request::Unsendable;
use crate::allow::{Destinations, Elsewhere, Place};

impl From<Elsewhere> for Unsendable {
    fn from(elsewhere: Elsewhere) -> Self {
        Self::Malformed(elsewhere.to_string())
    }
}

/// The path with its query, and whose it is. Values are percent-encoded, but for a hole at the very beginning: that is a link,
/// taken as it is where it leads to the target or to a host that the scenario lists, and refused where it leads elsewhere.
pub(super) fn fill_path(path: &Template, to: &Destinations, values: &impl Fill) -> Result<Place, Unsendable> {
    let Some((link, rest)) = path.segments.split_first().filter(|(first, _)| !matches!(first, Segment::Text(_))) else {
        let filled = path.fill_encoded(values, percent_encode)?;
        return Ok(if filled.starts_with('/') { to.at_target(filled) } else { to.at(&filled)? });
    };
    let link = Template { segments: vec![link.clone()] }.fill(values)?;
    let rest = Template { segments: rest.to_vec() }.fill_encoded(values, percent_encode)?;
    Ok(to.at(&joined(&link, &rest))?)
}

/// A link has no end that could be written before it is known: what follows it stands before its fragment, and its first
/// field of a query may be the second. Behind a host alone, a path may follow.
fn joined(link: &str, rest: &str) -> String {
    let link = link.split('#').next().unwrap_or_default();
    let link = if rest.starts_with('/') { link.trim_end_matches('/') } else { link };
    if link.contains('?') { format!("{link}{}", rest.replacen('?', "&", 1)) } else { format!("{link}{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_link_continues_it() {
        let table = [
            ("/a?b=c#d", "?e=f", "/a?b=c&e=f"),
            ("/a#d", "?e=f", "/a?e=f"),
            ("https://auth.example.test", "/login", "https://auth.example.test/login"),
            ("https://auth.example.test/", "/login", "https://auth.example.test/login"),
        ];
        for (link, rest, expected) in table {
            assert_eq!(joined(link, rest), expected);
        }
    }
}
