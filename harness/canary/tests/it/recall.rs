//! Every shape is found in every form, wherever it stands and however the stream is cut.

use crate::forms::{Dice, FORMS, Form, KINDS, is_exact, key, mint, scan_in_chunks, surroundings};
use coalmine_canary::{Detector, Found, Shape};

/// Canaries of every shape in every form, each at so many random places.
const PLACES: u32 = 200;

#[test]
fn every_shape_is_found_in_every_form_that_is_claimed() {
    let detector = Detector::new(&key());
    for (index, form) in FORMS.iter().enumerate() {
        let mut dice = Dice(4711 + index as u64);
        for shape in Shape::ALL.iter().filter(|shape| form.claim(**shape)) {
            for round in 0..PLACES {
                place(&detector, form, *shape, round, &mut dice);
            }
        }
    }
}

fn place(detector: &Detector, form: &Form, shape: Shape, round: u32, dice: &mut Dice) {
    let owner = u32::try_from(dice.roll(1024)).expect("below 1024");
    let (id, text) = mint(owner, round % 12, shape);
    let written = (form.write)(&text);
    let kind = dice.roll(KINDS);
    let len = dice.roll(300);
    let mut stream = surroundings(dice, kind, len);
    // Digits apart by spaces could go on to the left.
    stream.push(if form.name == "hex, spaces" { b'"' } else { b' ' });
    let at = stream.len() as u64;
    stream.extend(&written);
    let end = stream.len() as u64;
    stream.push(b' ');
    let len = dice.roll(300);
    stream.extend(surroundings(dice, kind, len));
    let sightings = scan_in_chunks(detector, &stream, dice, 400);
    let shown = || format!("{shape} as {} in kind {kind}, owner {owner}: {}", form.name, stream.escape_ascii());
    assert!(is_exact(&sightings, id), "{}", shown());
    for sighting in &sightings {
        let named = matches!(sighting.found, Found::Canary { id: named, .. } if named == id);
        assert!(named && at <= sighting.offset && sighting.offset < end, "{sighting:?} {}", shown());
        let context = sighting.context.to_lowercase();
        let is_redacted = !context.contains("xqwvp") && !context.contains(|letter: char| letter.is_ascii_digit());
        assert!(is_redacted, "{sighting:?}");
    }
}

#[test]
fn a_canary_of_another_run_is_residue_and_no_canary() {
    let detector = Detector::new(&coalmine_canary::RunKey::derive(b"another"));
    for shape in [Shape::Token, Shape::Email, Shape::Text, Shape::Uuid] {
        let (_, text) = mint(1, 1, shape);
        let sightings = detector.scan(text.as_bytes());
        assert_eq!(sightings[0].found, Found::Residue { shape });
    }
}

#[test]
fn text_that_merely_looks_alike_is_no_sighting() {
    let detector = Detector::new(&key());
    let mut text = String::from("uxqwvp uxqwvpabc UXQWVP 84737359 84737359-0000-4000 ");
    for number in 0..200_000_u64 {
        text.push_str(&(1_700_000_000_000_000 + number * 7).to_string());
        text.push(' ');
    }
    assert_eq!(detector.scan(text.as_bytes()), []);
}
