//! Where a request goes: a path of the scenario, or a link that an answer gave.

use coalmine_core::template::{Fill, Segment, Template};

use super::request::Unsendable;
use crate::board::percent_encode;

/// The path with its query. Values are percent-encoded, but for a hole at the very beginning: that is a link, taken as it
/// is where it leads to the target, and refused where it leads elsewhere.
pub(super) fn fill_path(path: &Template, authority: &str, values: &impl Fill) -> Result<String, Unsendable> {
    let Some((link @ (Segment::Variable(_) | Segment::Call { .. } | Segment::Named(_)), rest)) =
        path.segments.split_first()
    else {
        return Ok(path.fill_encoded(values, percent_encode)?);
    };
    let link = Template { segments: vec![link.clone()] }.fill(values)?;
    let rest = Template { segments: rest.to_vec() }.fill_encoded(values, percent_encode)?;
    let link = local(&link, authority)
        .ok_or_else(|| Unsendable::Malformed("the link leads away from the target".to_owned()))?;
    let rest = if link.contains('?') { rest.replacen('?', "&", 1) } else { rest };
    Ok(format!("{link}{rest}"))
}

/// The part of a link that is sent to the target, without its fragment.
pub(super) fn local<'a>(link: &'a str, authority: &str) -> Option<&'a str> {
    let link = link.split('#').next().unwrap_or_default();
    if link.starts_with('/') && !link.starts_with("//") {
        return Some(link);
    }
    let after =
        ["http://", "https://", "ws://", "wss://", "//"].into_iter().find_map(|scheme| link.strip_prefix(scheme))?;
    let path = after.strip_prefix(authority)?;
    match path.chars().next() {
        None => Some("/"),
        Some('/') => Some(path),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_target_or_nowhere() {
        let table = [
            ("/a/b?c=d#e", Some("/a/b?c=d")),
            ("http://127.0.0.1:80/x", Some("/x")),
            ("http://127.0.0.1:80", Some("/")),
            ("//127.0.0.1:80/x", Some("/x")),
            ("http://127.0.0.1:8080/x", None),
            ("http://127.0.0.1:80@example.com/", None),
            ("//example.com/x", None),
            ("x/y", None),
            ("", None),
        ];
        for (link, expected) in table {
            assert_eq!(local(link, "127.0.0.1:80"), expected, "{link}");
        }
    }
}
