//! Regular expressions that canaries must match, and where in them a core has its place.

use regex_syntax::hir::{Class, Hir, HirKind};
use thiserror::Error;

/// Longer repetitions than this are not needed for anything.
const REPEATS_MAX: u32 = 64;

/// A pattern of more pieces than this is no field's.
const PIECES_MAX: usize = 512;

/// Branches are tried one after the other, so many at most.
const BRANCHES_MAX: usize = 16;

/// A regular expression for the whole of a field, as a JSON Schema's `pattern` between `^` and `$`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    written: String,
    /// The ways through it, as alternatives make them.
    ways: Vec<Vec<Piece>>,
}

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It is no regular expression, or one of a kind that is not known.
    #[error("{0}")]
    Syntax(String),
    /// It is too long to be a field's.
    #[error("the pattern has more than {PIECES_MAX} pieces or {BRANCHES_MAX} ways through it")]
    TooLarge,
    /// No canary fits into it.
    #[error("the pattern has no place for {needed} letters in a row, which a canary needs to name its owner")]
    NoPlace {
        /// The letters that are needed.
        needed: usize,
    },
}

/// So many characters of a class, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    kind: Kind,
    min: usize,
    max: usize,
}

/// What a piece may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// All small letters.
    Lower,
    /// All capital letters, and not all small ones.
    Upper,
    /// This character, and too few letters.
    Filler(char),
}

impl Pattern {
    /// A canary needs so many letters in a row at least.
    pub const LETTERS_MIN: usize = FRAGMENT;

    /// Reads a regular expression.
    ///
    /// # Errors
    /// It cannot be read, or has no place for a canary.
    pub fn parse(written: &str) -> Result<Self, PatternError> {
        let hir = regex_syntax::parse(written).map_err(|error| PatternError::Syntax(brief(&error)))?;
        let mut ways = vec![Vec::new()];
        walk(&hir, &mut ways)?;
        let pattern = Self { written: written.to_owned(), ways };
        pattern.write(&"a".repeat(CORE), FRAGMENT).ok_or(PatternError::NoPlace { needed: FRAGMENT })?;
        Ok(pattern)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Text that matches and holds a core, or at least so many letters of its beginning. Of the ways through the pattern it
    /// takes the one with the most room.
    pub(crate) fn write(&self, core: &str, letters_min: usize) -> Option<String> {
        let places = self.ways.iter().flat_map(|way| places(way).map(move |place| (way, place)));
        let fits = places.filter(|(way, place)| room(&way[place.clone()]) >= letters_min);
        let missing = |way: &[Piece]| core.len().saturating_sub(room(way));
        let (way, place) = fits.min_by_key(|(way, place)| missing(&way[place.clone()]))?;
        let carriers = &way[place.clone()];
        let least: usize = carriers.iter().map(|piece| piece.min).sum();
        let len = core.len().min(room(carriers)).max(least);
        let mut letters = core.chars().take(len).chain(std::iter::repeat('x'));
        let mut text = fill(&way[..place.start]);
        let mut spare = len - least;
        for piece in carriers {
            let more = spare.min(piece.max - piece.min);
            spare -= more;
            let taken = letters.by_ref().take(piece.min + more);
            match piece.kind {
                Kind::Upper => text.extend(taken.map(|letter| letter.to_ascii_uppercase())),
                _ => text.extend(taken),
            }
        }
        text.push_str(&fill(&way[place.end..]));
        Some(text)
    }
}

/// Letters of a core of the short form, and of one that is cut as far as may be.
const CORE: usize = 30;
const FRAGMENT: usize = 22;

fn brief(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "not a regular expression".to_owned(),
    }
}

/// Puts the pieces of a part behind all ways that lead to it.
fn walk(hir: &Hir, ways: &mut Vec<Vec<Piece>>) -> Result<(), PatternError> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => {
            let text = str::from_utf8(&literal.0).map_err(|_| PatternError::Syntax("it is not of text".to_owned()))?;
            for letter in text.chars() {
                push(ways, &Piece { kind: Kind::Filler(letter), min: 1, max: 1 })?;
            }
        }
        HirKind::Class(class) => push(ways, &Piece { kind: kind(class)?, min: 1, max: 1 })?,
        HirKind::Capture(capture) => walk(&capture.sub, ways)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| walk(part, ways))?,
        HirKind::Repetition(repetition) => {
            let max = repetition.max.unwrap_or(REPEATS_MAX).min(REPEATS_MAX.max(repetition.min));
            match repetition.sub.kind() {
                HirKind::Class(class) => {
                    push(ways, &Piece { kind: kind(class)?, min: repetition.min as usize, max: max as usize })?;
                }
                _ => (0..repetition.min).try_for_each(|_| walk(&repetition.sub, ways))?,
            }
        }
        HirKind::Alternation(branches) => {
            let before = std::mem::take(ways);
            for branch in branches {
                let mut through = before.clone();
                walk(branch, &mut through)?;
                ways.extend(through);
            }
            if ways.len() > BRANCHES_MAX {
                return Err(PatternError::TooLarge);
            }
        }
    }
    Ok(())
}

fn push(ways: &mut [Vec<Piece>], piece: &Piece) -> Result<(), PatternError> {
    for way in ways {
        if way.len() == PIECES_MAX || piece.min > PIECES_MAX {
            return Err(PatternError::TooLarge);
        }
        way.push(piece.clone());
    }
    Ok(())
}

fn kind(class: &Class) -> Result<Kind, PatternError> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let holds = |letter: char| ranges.iter().any(|(start, end)| (*start..=*end).contains(&letter));
    if ('a'..='z').all(holds) {
        return Ok(Kind::Lower);
    } else if ('A'..='Z').all(holds) {
        return Ok(Kind::Upper);
    }
    let usual = ('0'..='9').chain('a'..='z').chain('A'..='Z').find(|letter| holds(*letter));
    let filler = usual.or_else(|| ranges.first().map(|range| range.0));
    filler.map(Kind::Filler).ok_or_else(|| PatternError::Syntax("nothing matches it".to_owned()))
}

/// The stretches of a way that hold letters only.
fn places(way: &[Piece]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let is_carrier = |piece: &Piece| !matches!(piece.kind, Kind::Filler(_));
    let is_start = move |at: &usize| is_carrier(&way[*at]) && (*at == 0 || !is_carrier(&way[at - 1]));
    (0..way.len()).filter(is_start).map(move |start| {
        let len = way[start..].iter().take_while(|piece| is_carrier(piece)).count();
        start..start + len
    })
}

/// The most letters that pieces hold.
fn room(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.max).sum()
}

/// As little as pieces may hold.
fn fill(pieces: &[Piece]) -> String {
    let letter = |piece: &Piece| match piece.kind {
        Kind::Lower => 'a',
        Kind::Upper => 'A',
        Kind::Filler(letter) => letter,
    };
    pieces.iter().flat_map(|piece| std::iter::repeat_n(letter(piece), piece.min)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_stands_where_letters_may() {
        let core = "uxqwvpabcdefghijklmnopqrstuvwx";
        for (pattern, text) in [
            ("^[a-z]{8,40}$", "uxqwvpabcdefghijklmnopqrstuvwx"),
            ("^[A-Z]{24}$", "UXQWVPABCDEFGHIJKLMNOPQR"),
            ("^sk_live_[a-zA-Z0-9]{32}$", "sk_live_uxqwvpabcdefghijklmnopqrstuvwxxx"),
            ("^[A-Z][a-z]{1,60}$", "Uxqwvpabcdefghijklmnopqrstuvwx"),
            (r"^\d{3}-(x|[\w-]{30})\.(com|net)$", "000-uxqwvpabcdefghijklmnopqrstuvwx.com"),
            ("^.+@.+$", "uxqwvpabcdefghijklmnopqrstuvwx@a"),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern.write(core, FRAGMENT).unwrap(), text, "{}", pattern.as_str());
        }
    }

    #[test]
    fn a_pattern_without_a_place_is_refused() {
        for pattern in ["^[a-z]{21}$", r"^\d{16}$", "^[a-z-]{10}:[a-z]{12}$", "^[b-z]{40}$"] {
            assert_eq!(Pattern::parse(pattern), Err(PatternError::NoPlace { needed: FRAGMENT }), "{pattern}");
        }
        assert!(matches!(Pattern::parse("["), Err(PatternError::Syntax(_))));
        assert_eq!(Pattern::parse("(ab|cd|ef){9}"), Err(PatternError::TooLarge));
    }
}
