//! A small part of CSS selectors: enough to point at a field of a form, without a document tree.
//!
//! Types, `#id`, `.class`, `[name]`, `[name=value]` with `=`, `^=`, `$=`, `*=` and `~=`, descendants (a blank), children
//! (`>`) and lists (`,`). No pseudo-classes and no siblings.

use std::iter::Peekable;
use std::str::CharIndices;

/// Compounds in one chain; longer ones are refused, so that matching costs little on any page.
const PARTS_MAX: usize = 16;

/// A parsed selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    chains: Vec<Vec<Part>>,
}

/// An element of a page: its name in small letters, and its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The tag's name.
    pub name: String,
    /// Name and value of each attribute.
    pub attributes: Vec<(String, String)>,
}

/// The text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct SelectorError {
    /// The byte at which it goes wrong.
    pub at: usize,
    /// In words.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    is_child: bool,
    tests: Vec<Test>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Any,
    Name(String),
    Has(String),
    Attribute { name: String, relation: Relation, value: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equals,
    Begins,
    Ends,
    Contains,
    Word,
}

impl Selector {
    /// Reads a selector such as `form#login > input[name=csrf]`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parser = Parser { text, rest: text.char_indices().peekable() };
        let mut chains = vec![parser.chain()?];
        while parser.take(',') {
            chains.push(parser.chain()?);
        }
        match parser.rest.peek().copied() {
            None => Ok(Self { chains }),
            Some((_, wrong)) => Err(parser.error(format!("`{wrong}` is not known here"))),
        }
    }

    /// Whether the last element of the path is meant; those before it are its ancestors, the outermost first.
    pub fn matches(&self, path: &[&Element]) -> bool {
        self.chains.iter().any(|chain| chain_matches(chain, path))
    }
}

/// Which places of the path each part can stand at, from the first part to the last.
fn chain_matches(chain: &[Part], path: &[&Element]) -> bool {
    let mut reached: Option<Vec<bool>> = None;
    for part in chain {
        let mut above = false;
        let mut now = Vec::with_capacity(path.len());
        for (at, element) in path.iter().enumerate() {
            let allowed = match &reached {
                None => true,
                Some(before) if part.is_child => at > 0 && before[at - 1],
                Some(_) => above,
            };
            above |= reached.as_ref().is_some_and(|before| before[at]);
            now.push(allowed && part.tests.iter().all(|test| test.holds(element)));
        }
        reached = Some(now);
    }
    reached.and_then(|reached| reached.last().copied()).unwrap_or(false)
}

impl Element {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl Test {
    fn holds(&self, element: &Element) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => element.name == *name,
            Self::Has(name) => element.attribute(name).is_some(),
            Self::Attribute { name, relation, value } => {
                element.attribute(name).is_some_and(|found| relation.holds(found, value))
            }
        }
    }
}

impl Relation {
    fn holds(self, found: &str, value: &str) -> bool {
        match self {
            Self::Equals => found == value,
            Self::Begins => found.starts_with(value),
            Self::Ends => found.ends_with(value),
            Self::Contains => found.contains(value),
            Self::Word => found.split_ascii_whitespace().any(|word| word == value),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl Parser<'_> {
    fn chain(&mut self) -> Result<Vec<Part>, SelectorError> {
        self.blanks();
        let mut parts = vec![Part { is_child: false, tests: self.compound()? }];
        loop {
            self.blanks();
            let is_child = self.take('>');
            self.blanks();
            if !is_child && self.rest.peek().is_none_or(|(_, letter)| !begins_compound(*letter)) {
                return Ok(parts);
            }
            parts.push(Part { is_child, tests: self.compound()? });
            if parts.len() > PARTS_MAX {
                return Err(self.error(format!("there are more than {PARTS_MAX} parts")));
            }
        }
    }

    fn compound(&mut self) -> Result<Vec<Test>, SelectorError> {
        let mut tests = vec![];
        if self.take('*') {
            tests.push(Test::Any);
        } else if self.rest.peek().is_some_and(|(_, c)| is_name(*c)) {
            tests.push(Test::Name(self.name()?.to_ascii_lowercase()));
        }
        loop {
            let attribute = |name: &str, relation, value| Test::Attribute { name: name.to_owned(), relation, value };
            if self.take('#') {
                tests.push(attribute("id", Relation::Equals, self.name()?));
            } else if self.take('.') {
                tests.push(attribute("class", Relation::Word, self.name()?));
            } else if self.take('[') {
                tests.push(self.attribute()?);
            } else if tests.is_empty() {
                return Err(self.error("an element is missing here, such as `input[name=csrf]`".to_owned()));
            } else {
                return Ok(tests);
            }
        }
    }

    fn attribute(&mut self) -> Result<Test, SelectorError> {
        self.blanks();
        let name = self.name()?.to_ascii_lowercase();
        self.blanks();
        if self.take(']') {
            return Ok(Test::Has(name));
        }
        let signs = [('^', Relation::Begins), ('$', Relation::Ends), ('*', Relation::Contains), ('~', Relation::Word)];
        let sign = signs.into_iter().find(|(sign, _)| self.take(*sign));
        if !self.take('=') {
            return Err(self.error("`=` or `]` is missing here".to_owned()));
        }
        self.blanks();
        let value = self.value()?;
        self.blanks();
        let relation = sign.map_or(Relation::Equals, |(_, relation)| relation);
        if self.take(']') {
            Ok(Test::Attribute { name, relation, value })
        } else {
            Err(self.error("`]` is missing here".to_owned()))
        }
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        let Some(quote) = ['"', '\''].into_iter().find(|quote| self.take(*quote)) else { return self.name() };
        let mut value = String::new();
        for (_, letter) in self.rest.by_ref() {
            if letter == quote {
                return Ok(value);
            }
            value.push(letter);
        }
        Err(self.error("a quote is not closed".to_owned()))
    }

    fn name(&mut self) -> Result<String, SelectorError> {
        let mut name = String::new();
        while let Some((_, letter)) = self.rest.next_if(|(_, letter)| is_name(*letter)) {
            name.push(letter);
        }
        if name.is_empty() { Err(self.error("a name is missing here".to_owned())) } else { Ok(name) }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.rest.next_if(|(_, letter)| *letter == wanted).is_some()
    }

    fn blanks(&mut self) {
        while self.rest.next_if(|(_, letter)| letter.is_ascii_whitespace()).is_some() {}
    }

    fn error(&mut self, why: String) -> SelectorError {
        SelectorError { at: self.rest.peek().map_or(self.text.len(), |(at, _)| *at), why }
    }
}

fn begins_compound(letter: char) -> bool {
    is_name(letter) || "*#.[".contains(letter)
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '-' || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(name: &str, attributes: &[(&str, &str)]) -> Element {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Element { name: name.to_owned(), attributes: attributes.collect() }
    }

    #[test]
    fn a_field_of_a_form_is_found_in_many_ways() {
        let form = element("form", &[("id", "login"), ("class", "box wide")]);
        let (row, field) = (element("p", &[]), element("input", &[("name", "csrf_token"), ("value", "x y")]));
        let path = [&form, &row, &field];
        let table = [
            ("input", true),
            ("INPUT[name=csrf_token]", true),
            ("input[name='csrf_token'][value]", true),
            ("form input", true),
            ("form > input", false),
            ("form > p > input", true),
            ("#login .nothing input", false),
            ("form.wide *[name^=csrf]", true),
            ("[name$=token], a", true),
            ("a, b", false),
            ("[value~=y]", true),
            ("[name*=_]", true),
            ("form", false),
            ("p form input", false),
        ];
        for (text, expected) in table {
            assert_eq!(Selector::parse(text).unwrap().matches(&path), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_selector_is_said_where() {
        let table =
            [("", 0), ("a:first", 1), ("a[", 2), ("a[b=", 4), ("a[b='c]", 7), ("a > ", 4), ("a,,b", 2), ("a + b", 2)];
        for (text, at) in table {
            assert_eq!(Selector::parse(text).unwrap_err().at, at, "{text}");
        }
    }
}
