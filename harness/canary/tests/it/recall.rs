//! Every shape is found in every form, wherever it stands and however the stream is cut.

use crate::forms::{Dice, FORMS, KINDS, is_exact, key, mint, scan_in_chunks, surroundings};
use coalmine_canary::{Detector, Shape};

#[test]
fn every_shape_is_found_in_every_form() {
    let detector = Detector::new(&key());
    let mut dice = Dice(4711);
    for form in FORMS {
        for (shape, round) in Shape::ALL.iter().flat_map(|shape| (0..50).map(move |round| (*shape, round))) {
            let owner = u32::try_from(dice.roll(16_384)).unwrap();
            let (id, text) = mint(owner, round, shape);
            let written = (form.write)(&text);
            let kind = usize::try_from(round).unwrap() % KINDS;
            let len = dice.roll(300);
            let mut stream = surroundings(&mut dice, kind, len);
            stream.push(b' ');
            let at = stream.len();
            stream.extend(&written);
            stream.push(b' ');
            let len = dice.roll(300);
            stream.extend(surroundings(&mut dice, kind, len));
            let sightings = scan_in_chunks(&detector, &stream, &mut dice, 400);
            assert!(is_exact(&sightings, id), "{shape} as {} in kind {kind}, owner {owner} serial {round}", form.name);
            assert_eq!(sightings.len(), 1, "{shape} as {}: {sightings:?}", form.name);
            let end = sightings[0].offset + u64::from(sightings[0].len);
            let inside = at as u64 <= sightings[0].offset && end <= (at + written.len()) as u64;
            assert!(inside, "{shape} as {} at {at} of {}: {sightings:?}", form.name, written.len());
        }
    }
}

#[test]
fn a_canary_of_another_run_is_residue_and_no_canary() {
    let detector = Detector::new(&coalmine_canary::RunKey::derive(b"another"));
    for shape in [Shape::Token, Shape::Email, Shape::Text, Shape::Uuid] {
        let (_, text) = mint(1, 1, shape);
        let sightings = detector.scan(text.as_bytes());
        assert_eq!(sightings[0].found, coalmine_canary::Found::Residue { shape });
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
