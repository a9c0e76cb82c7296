//! Elements of an HTML page, as far as a capture needs them: no tree, one pass over the tokens.

use coalmine_core::selector::{Element, Selector};
use html5gum::{DefaultEmitter, Token, Tokenizer};

/// Elements that are open at the same time; what is deeper counts as standing at this depth.
const DEPTH_MAX: usize = 64;
/// Elements that a capture takes.
const FOUND_MAX: usize = 1_000;
/// Elements that never have an end tag.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// The attribute, or the text, of the elements that the selector means; only the first where `all` is not wanted.
pub(crate) fn values(page: &str, selector: &Selector, attribute: Option<&str>, all: bool) -> Vec<String> {
    let mut reader = Reader { selector, attribute, open: vec![], collecting: vec![], found: vec![] };
    let limit = if all { FOUND_MAX } else { 1 };
    let mut emitter = DefaultEmitter::default();
    // Scripts, styles and text areas hold text, not elements.
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(page, emitter) {
        // Reading from memory cannot fail.
        let Ok(token) = token;
        reader.token(token);
        if reader.found.len() >= limit && reader.collecting.is_empty() {
            break;
        }
    }
    reader.close_to(0);
    let mut found: Vec<String> = reader.found.into_iter().map(|(_, value)| value).collect();
    found.truncate(limit);
    found
}

struct Reader<'a> {
    selector: &'a Selector,
    attribute: Option<&'a str>,
    open: Vec<Element>,
    /// Depth, place in `found` and text so far of elements whose text is wanted and that are still open.
    collecting: Vec<(usize, usize, String)>,
    found: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn token(&mut self, token: Token) {
        match token {
            Token::StartTag(tag) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let attributes = tag.attributes.iter().map(|(name, value)| (text(name), text(value))).collect();
                self.begin(Element { name: text(&tag.name), attributes }, tag.self_closing);
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                if let Some(depth) = self.open.iter().rposition(|element| element.name == name) {
                    self.close_to(depth);
                }
            }
            Token::String(text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                self.collecting.iter_mut().for_each(|(_, _, collected)| collected.push_str(&text));
            }
            _ => {}
        }
    }

    fn begin(&mut self, element: Element, self_closing: bool) {
        let ends_at_once = self_closing || VOID.contains(&element.name.as_str());
        if self.open.len() == DEPTH_MAX {
            self.close_to(DEPTH_MAX - 1);
        }
        self.open.push(element);
        let path: Vec<&Element> = self.open.iter().collect();
        if self.found.len() < FOUND_MAX && self.selector.matches(&path) {
            self.take();
        }
        if ends_at_once {
            self.close_to(self.open.len() - 1);
        }
    }

    fn take(&mut self) {
        let depth = self.open.len() - 1;
        match self.attribute {
            Some(name) => {
                if let Some(value) = self.open[depth].attribute(name) {
                    self.found.push((depth, value.to_owned()));
                }
            }
            None => {
                self.collecting.push((depth, self.found.len(), String::new()));
                self.found.push((depth, String::new()));
            }
        }
    }

    fn close_to(&mut self, depth: usize) {
        self.open.truncate(depth);
        let found = &mut self.found;
        self.collecting.retain_mut(|(at, place, text)| {
            let is_open = *at < depth;
            if !is_open {
                text.trim().clone_into(&mut found[*place].1);
            }
            is_open
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!doctype html><title>a</title><meta name="csrf-token" content="m&amp;1">
        <script>if (a < b) "<input name=csrf value=no>"</script>
        <form id=login><p>One <b>two</b><p>three<input type=hidden name=csrf value='x1'><br></form>
        <ul><li>1</li><li>2 <i>3</i></li></ul>"#;

    fn first(selector: &str, attribute: Option<&str>) -> Option<String> {
        values(PAGE, &Selector::parse(selector).unwrap(), attribute, false).pop()
    }

    #[test]
    fn attributes_and_texts_are_found() {
        assert_eq!(first("meta[name=csrf-token]", Some("content")).unwrap(), "m&1");
        assert_eq!(first("form input[name=csrf]", Some("value")).unwrap(), "x1");
        assert_eq!(first("p b", None).unwrap(), "two");
        assert_eq!(first("li", None).unwrap(), "1");
        assert_eq!(first("input", Some("nothing")), None);
        assert_eq!(first("table", None), None);
    }

    #[test]
    fn a_script_is_no_page() {
        let inputs = values(PAGE, &Selector::parse("[name=csrf]").unwrap(), Some("value"), true);
        assert_eq!(inputs, ["x1"]);
    }

    #[test]
    fn all_are_found_in_their_order() {
        assert_eq!(values(PAGE, &Selector::parse("li").unwrap(), None, true), ["1", "2 3"]);
    }

    #[test]
    fn a_page_that_never_closes_costs_little() {
        let page = "<div a=b>x".repeat(20_000);
        assert_eq!(values(&page, &Selector::parse("div div > div").unwrap(), None, true).len(), FOUND_MAX);
    }
}
