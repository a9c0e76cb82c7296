//! However a stream is cut into chunks, its sightings are the same.

use crate::forms::{Dice, FORMS, KINDS, key, mint, scan_in_chunks, surroundings};
use coalmine_canary::{Detector, Shape};
use proptest::prelude::*;

fn stream(seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed | 1);
    let mut stream = Vec::new();
    for serial in 0..8 {
        let kind = dice.roll(KINDS);
        let len = dice.roll(1500);
        stream.extend(surroundings(&mut dice, kind, len));
        let shape = Shape::ALL[dice.roll(Shape::ALL.len())];
        let form = &FORMS[dice.roll(FORMS.len())];
        stream.extend((form.write)(&mint(7, serial, shape).1));
    }
    stream
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn chunks_change_nothing(seed: u64, cut: u64, chunk_max in prop_oneof![1_usize..20, 20_usize..3000]) {
        let stream = stream(seed);
        let detector = Detector::new(&key());
        let mut whole = detector.scan(&stream);
        whole.sort_by(|a, b| (a.offset, &a.encodings).cmp(&(b.offset, &b.encodings)));
        prop_assert_eq!(scan_in_chunks(&detector, &stream, &mut Dice(cut | 1), chunk_max), whole);
    }

    #[test]
    fn no_bytes_make_the_scanner_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        Detector::new(&key()).scan(&bytes);
    }

    #[test]
    fn no_escapes_make_the_scanner_panic(text in "([%&\\\\][0-9a-fux#;]{0,5}|[0-9a-z]){0,200}") {
        Detector::new(&key()).scan(text.as_bytes());
    }
}
