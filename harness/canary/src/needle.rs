//! What the scanner looks for: the markers, in every form.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::{
    Encoding, Found, Strength,
    form::{Form, Reading},
    letters,
    seal::Seal,
    uuid,
    view::Hit,
};

/// One needle of the search.
#[derive(Clone, Copy)]
struct Needle {
    form: Form,
    family: Family,
}

#[derive(Clone, Copy)]
enum Family {
    Letters,
    Uuid,
}

/// All needles, and the automaton over them. They are the same for every run.
struct Needles {
    automaton: AhoCorasick,
    needles: Vec<Needle>,
}

static NEEDLES: LazyLock<Needles> = LazyLock::new(Needles::new);

/// The longest needle.
const LEN_MAX: usize = 16;

impl Needles {
    fn new() -> Self {
        let mut bytes = Vec::new();
        let mut needles = Vec::new();
        for form in Form::ALL {
            // The marker's first letter is left out, so that one needle finds it capitalised as well.
            for letters in [letters::MARKER[1..].to_vec(), letters::MARKER[1..].to_ascii_uppercase()] {
                bytes.push(form.write(&letters));
                needles.push(Needle { form, family: Family::Letters });
            }
            bytes.push(form.write(uuid::MARKER));
            needles.push(Needle { form, family: Family::Uuid });
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(&bytes)
            .expect("a few short needles make an automaton");
        Self { automaton, needles }
    }
}

/// Reports what stands at each needle that begins in `from..to`.
pub(crate) fn search(seal: &Seal, bytes: &[u8], from: usize, to: usize, report: &mut dyn FnMut(Hit)) {
    let end = bytes.len().min(to + LEN_MAX);
    let mut start = from;
    // Not find_iter: it passes over a needle that overlaps the last, and so would depend on where the chunk began.
    while let Some(found) = NEEDLES.automaton.find(Input::new(bytes).range(start..end)) {
        if found.start() >= to {
            break;
        }
        let needle = NEEDLES.needles[found.pattern().as_usize()];
        if let Some(hit) = needle.open(seal, bytes, found.start()) {
            report(hit);
        }
        start = found.start() + 1;
    }
}

impl Needle {
    fn open(self, seal: &Seal, bytes: &[u8], at: usize) -> Option<Hit> {
        match self.family {
            Family::Letters => open_letters(seal, &self.form.read(bytes, at, 1)?, self.form),
            Family::Uuid => open_uuid(seal, &self.form.read(bytes, at, 0)?, self.form),
        }
    }
}

fn open_letters(seal: &Seal, reading: &Reading, form: Form) -> Option<Hit> {
    let (found, letters) = match letters::open(seal, reading.text())? {
        letters::Opened::Exact(id, letters) => (Found::Canary { id, strength: Strength::Exact }, letters),
        letters::Opened::Fragment(id, letters) => (Found::Canary { id, strength: Strength::Fragment }, letters),
        letters::Opened::Residue(shape, letters) => (Found::Residue { shape }, letters),
    };
    Some(hit(found, form, reading, letters))
}

fn open_uuid(seal: &Seal, reading: &Reading, form: Form) -> Option<Hit> {
    let (bits, letters) = uuid::parse(reading.text())?;
    let found = match uuid::open(seal, bits)? {
        uuid::Opened::Exact(id) => Found::Canary { id, strength: Strength::Exact },
        uuid::Opened::Residue if letters == uuid::TEXT_LEN => Found::Residue { shape: crate::Shape::Uuid },
        uuid::Opened::Residue => return None,
    };
    Some(hit(found, form, reading, letters))
}

fn hit(found: Found, form: Form, reading: &Reading, letters: usize) -> Hit {
    let mut encodings: Vec<Encoding> = form.encoding().into_iter().collect();
    if reading.text()[1..letters].iter().any(u8::is_ascii_uppercase) {
        encodings.push(Encoding::Case);
    }
    Hit { found, encodings, span: reading.span(letters) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_needle_is_longer_than_the_search_looks_ahead() {
        assert_eq!(NEEDLES.automaton.max_pattern_len(), LEN_MAX);
    }
}
