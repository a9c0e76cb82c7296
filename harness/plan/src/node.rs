//! YAML as a tree of which every part knows its place.
//!
//! Only what JSON can say is accepted, plus comments and the several ways of YAML to write text: no aliases, no tags, no second
//! document. Words are those of the YAML 1.2 core schema, so that `NO` is text and not false.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::problem::Problems;
use crate::span::Span;

/// A text longer than this is not read.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;
const NODES_MAX: u32 = 100_000;
const DEPTH_MAX: u32 = 64;

/// A value in the text.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Unique in its tree; the root's is 0.
    pub(crate) id: u32,
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What the value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A word, a number or text; `plain` is without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map: keys, which are scalars, and values.
    Map(Vec<(Node, Node)>),
    /// Something that was reported already.
    Broken,
}

/// What a scalar means in the YAML 1.2 core schema.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Word<'a> {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number below 2^64.
    Unsigned(u64),
    /// A negative number down to -2^63.
    Signed(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A whole number too large for any of these.
    Huge(&'a str),
    /// Anything else.
    Text(&'a str),
}

impl Node {
    /// What a scalar means; none for lists and maps.
    pub(crate) fn word(&self) -> Option<Word<'_>> {
        match &self.kind {
            Kind::Scalar { text, plain: true } => Some(plain_word(text)),
            Kind::Scalar { text, plain: false } => Some(Word::Text(text)),
            _ => None,
        }
    }

    /// Whether nothing is written where a value should be.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if text.is_empty() || text == "~")
    }

    /// Whether it is a scalar that says something.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Scalar { .. }) && !self.is_empty()
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value at a key of a map.
    pub(crate) fn value_of(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(at, _)| at.written() == key).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub(crate) fn value_of_mut(&mut self, key: &str) -> Option<&mut Node> {
        let Kind::Map(entries) = &mut self.kind else { return None };
        entries.iter_mut().find(|(at, _)| at.written() == key).map(|(_, value)| value)
    }

    /// A list's items, or itself.
    pub(crate) fn one_or_more(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// A scalar as it is written; nothing for lists and maps.
    pub(crate) fn written(&self) -> &str {
        match &self.kind {
            Kind::Scalar { text, .. } => text,
            _ => "",
        }
    }

    /// What it is, for messages.
    pub(crate) fn describe(&self) -> String {
        match (&self.kind, self.word()) {
            (Kind::List(_), _) => "a list".to_owned(),
            (Kind::Broken, _) => "something else".to_owned(),
            (Kind::Map(_), _) => "a map".to_owned(),
            (_, Some(Word::Null)) => "nothing".to_owned(),
            (_, Some(Word::Text(text))) => format!("the text `{}`", shortened(text)),
            (Kind::Scalar { text, .. }, _) => format!("`{}`", shortened(text)),
        }
    }
}

fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(SHOWN_MAX).collect();
    if cut.len() < text.len() { format!("{cut}...") } else { cut }
}

fn plain_word(text: &str) -> Word<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Word::Null,
        "true" | "True" | "TRUE" => Word::Bool(true),
        "false" | "False" | "FALSE" => Word::Bool(false),
        _ => number(text).unwrap_or(Word::Text(text)),
    }
}

fn number(text: &str) -> Option<Word<'_>> {
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Word::Unsigned);
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())) {
        return radix(digits, 8);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let unsigned = text.parse().ok().map(Word::Unsigned);
        return Some(unsigned.or_else(|| text.parse().ok().map(Word::Signed)).unwrap_or(Word::Huge(text)));
    }
    let digit = digits.bytes().any(|b| b.is_ascii_digit());
    let float = digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    if digit && float { text.parse().ok().map(Word::Float) } else { None }
}

/// Reads the tree of a file; problems go to `problems`, and none means that there is no tree at all. Ids of values go on
/// counting from `next_id`.
pub(crate) fn read(problems: &Problems<'_>, file: usize, next_id: &mut u32) -> Option<Node> {
    let file_start = problems.sources().files[file].start;
    if problems.sources().text_of(file).len() > TEXT_BYTES_MAX {
        let span = Span { start: file_start, end: file_start };
        problems.misread(span, format!("a scenario has at most {TEXT_BYTES_MAX} bytes"), None);
        return None;
    }
    let mut builder = Builder::new(problems, file, *next_id);
    let read = builder.document();
    *next_id = builder.next_id;
    match read {
        Ok(node) => Some(node),
        Err(Refused { span, message, help }) => {
            problems.misread(span, message, help);
            None
        }
    }
}

/// The mistake that everybody makes once.
const QUOTE_HOLES: &str = "text with `{{` is put in quotes, where it begins with it or stands between braces";

struct Refused {
    span: Span,
    message: String,
    help: Option<String>,
}

type Piece<'a> = (Event<'a>, Span);

struct Builder<'a, 'p> {
    problems: &'p Problems<'a>,
    /// The file's text, and where it stands among all.
    text: &'a str,
    offset: usize,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Byte of each character, for texts that are not ASCII.
    bytes_of_chars: Option<Vec<u32>>,
    next_id: u32,
    depth: u32,
}

impl<'a, 'p> Builder<'a, 'p> {
    fn new(problems: &'p Problems<'a>, file: usize, next_id: u32) -> Self {
        let (text, offset) = (problems.sources().text_of(file), problems.sources().files[file].start);
        let offsets = || text.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect();
        let bytes_of_chars = (!text.is_ascii()).then(offsets);
        Self { problems, text, offset, parser: Parser::new_from_str(text), bytes_of_chars, next_id, depth: 0 }
    }

    fn document(&mut self) -> Result<Node, Refused> {
        let root = loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd | Event::DocumentEnd, span) => return Err(refused(span, "the scenario is empty")),
                piece => break self.node(piece)?,
            }
        };
        loop {
            match self.next()? {
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Ok(root),
                (_, span) => return Err(refused(span, "a scenario is one YAML document; here a second one begins")),
            }
        }
    }

    fn next(&mut self) -> Result<Piece<'a>, Refused> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.span(&span))),
            Some(Err(error)) => Err(self.not_yaml(&error)),
            None => Ok((Event::StreamEnd, Span { start: self.offset, end: self.offset })),
        }
    }

    fn not_yaml(&self, error: &ScanError) -> Refused {
        let at = self.byte(error.marker().index());
        let info = error.info();
        let line_start = self.text[..at].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let help = if line.contains("{{") {
            Some(QUOTE_HOLES.to_owned())
        } else {
            info.contains("flow").then(|| "close each `{` and `[`, and put text that contains one in quotes".to_owned())
        };
        let at = at + self.offset;
        Refused { span: Span { start: at, end: at }, message: format!("this is not YAML: {info}"), help }
    }

    fn span(&self, span: &saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index()) + self.offset;
        Span { start, end: (self.byte(span.end.index()) + self.offset).max(start) }
    }

    fn byte(&self, char_index: usize) -> usize {
        let len = self.text.len();
        match &self.bytes_of_chars {
            None => char_index.min(len),
            Some(bytes) => bytes.get(char_index).map_or(len, |byte| *byte as usize),
        }
    }

    fn node(&mut self, (event, span): Piece<'a>) -> Result<Node, Refused> {
        let id = self.next_id;
        self.next_id += 1;
        if id >= NODES_MAX {
            return Err(refused(span, format!("a scenario has at most {NODES_MAX} values")));
        }
        match event {
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                Err(refused(span, "tags (`!name`) are not part of this language"))
            }
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                Ok(Node { id, span, kind: Kind::Scalar { text: text.into_owned(), plain } })
            }
            Event::SequenceStart(..) => self.deeper(id, span, Self::list),
            Event::MappingStart(..) => self.deeper(id, span, Self::map),
            Event::Alias(_) => Err(Refused {
                span,
                message: "aliases (`*name`) are not part of this language".to_owned(),
                help: Some("write the value out".to_owned()),
            }),
            _ => Err(refused(span, "a value is missing here")),
        }
    }

    fn deeper(
        &mut self,
        id: u32,
        span: Span,
        read: impl FnOnce(&mut Self) -> Result<(Kind, Span), Refused>,
    ) -> Result<Node, Refused> {
        if self.depth == DEPTH_MAX {
            return Err(refused(span, format!("values are nested more than {DEPTH_MAX} deep")));
        }
        self.depth += 1;
        let (kind, end) = read(self)?;
        self.depth -= 1;
        Ok(Node { id, span: Span { start: span.start, end: end.end.max(span.end) }, kind })
    }

    fn list(&mut self) -> Result<(Kind, Span), Refused> {
        let mut items = vec![];
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => return Ok((Kind::List(items), end)),
                piece => items.push(self.node(piece)?),
            }
        }
    }

    fn map(&mut self) -> Result<(Kind, Span), Refused> {
        let mut entries: Vec<(Node, Node)> = vec![];
        let mut seen = BTreeMap::new();
        let mut is_broken = false;
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, end) if is_broken => return Ok((Kind::Broken, end)),
                (Event::MappingEnd, end) => return Ok((Kind::Map(entries), end)),
                piece => self.node(piece)?,
            };
            let piece = self.next()?;
            let value = self.node(piece)?;
            let Kind::Scalar { text, .. } = &key.kind else {
                self.problems.misread(key.span, "a key is a word, not a list or a map", Some(QUOTE_HOLES.to_owned()));
                is_broken = true;
                continue;
            };
            if let Some(first) = seen.insert(text.clone(), key.span) {
                self.twice(text, key.span, first);
            } else {
                entries.push((key, value));
            }
        }
    }

    fn twice(&self, key: &str, span: Span, first: Span) {
        let line = self.problems.line(first);
        self.problems.misread(span, format!("the key `{key}` stands here twice; the first is in line {line}"), None);
    }
}

fn refused(span: Span, message: impl Into<String>) -> Refused {
    Refused { span, message: message.into(), help: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn words_are_those_of_yaml_1_2() {
        assert_eq!(plain_word("NO"), Word::Text("NO"));
        assert_eq!(plain_word("off"), Word::Text("off"));
        assert_eq!(plain_word("022"), Word::Unsigned(22));
        assert_eq!(plain_word("-7"), Word::Signed(-7));
        assert_eq!(plain_word("1.5e3"), Word::Float(1500.0));
        assert_eq!(plain_word("1.2.3"), Word::Text("1.2.3"));
        assert_eq!(plain_word("2024-01-01"), Word::Text("2024-01-01"));
        assert_eq!(plain_word("99999999999999999999"), Word::Huge("99999999999999999999"));
        assert_eq!(plain_word("~"), Word::Null);
        assert_eq!(plain_word("e"), Word::Text("e"));
    }

    #[test]
    fn places_are_bytes_also_behind_umlauts() {
        let sources = Sources::single("ä: ö\nb: [c, dé]\n", "");
        let problems = Problems::of(&sources);
        let node = read(&problems, 0, &mut 0).unwrap();
        let Kind::Map(entries) = &node.kind else { panic!("{node:?}") };
        let span = entries[1].1.span;
        assert_eq!(&problems.text()[span.start..span.end], "[c, dé]");
    }
}
