//! Text with holes as it is written: `{{ canary.title }}`.

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// A hole.
    Hole(Hole<'a>),
}

/// A hole: what stands between `{{` and `}}`, and the whole of it as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole<'a> {
    pub(crate) name: &'a str,
    pub(crate) written: &'a str,
}

/// A hole that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unclosed<'a>(pub(crate) &'a str);

/// Splits text at its holes. A hole with quoted text, as in `{{ "{{" }}`, is that text.
pub(crate) fn split(text: &str) -> Result<Vec<Piece<'_>>, Unclosed<'_>> {
    let mut pieces = vec![];
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        let inside_len = inside_len(&from[2..]).ok_or(Unclosed(from))?;
        let (written, after) = from.split_at(inside_len + 4);
        let name = written[2..written.len() - 2].trim();
        pieces.push(Piece::Text(before));
        pieces.push(quoted(name).map_or(Piece::Hole(Hole { name, written }), Piece::Text));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    Ok(pieces)
}

/// How many bytes there are before the closing `}}`, which may not stand in quotes.
fn inside_len(inside: &str) -> Option<usize> {
    let mut quote = None;
    for (at, letter) in inside.char_indices() {
        match quote {
            Some(open) if open == letter => quote = None,
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            None if inside[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

fn quoted(name: &str) -> Option<&str> {
    let inner = |quote| name.strip_prefix(quote)?.strip_suffix(quote).filter(|text| !text.contains(quote));
    inner('"').or_else(|| inner('\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole<'a>(name: &'a str, written: &'a str) -> Piece<'a> {
        Piece::Hole(Hole { name, written })
    }

    #[test]
    fn text_is_split_at_its_holes() {
        let pieces = split("/t/{{ thread }}/{{a.b}}").unwrap();
        assert_eq!(
            pieces,
            [Piece::Text("/t/"), hole("thread", "{{ thread }}"), Piece::Text("/"), hole("a.b", "{{a.b}}")]
        );
        assert_eq!(split("").unwrap(), []);
        assert_eq!(split("no } hole }} here").unwrap(), [Piece::Text("no } hole }} here")]);
    }

    #[test]
    fn quoted_text_in_a_hole_stands_for_itself() {
        assert_eq!(split(r#"a{{ "{{" }}b"#).unwrap(), [Piece::Text("a"), Piece::Text("{{"), Piece::Text("b")]);
        assert_eq!(split("{{'}}'}}").unwrap(), [Piece::Text("}}")]);
        let call = "{{ uuid('}}') }}";
        assert_eq!(split(call).unwrap(), [hole("uuid('}}')", call)]);
    }

    #[test]
    fn an_open_hole_is_an_error() {
        assert_eq!(split("a{{b"), Err(Unclosed("{{b")));
        assert_eq!(split("{{"), Err(Unclosed("{{")));
        assert_eq!(split("{{\"}}"), Err(Unclosed("{{\"}}")));
    }
}
