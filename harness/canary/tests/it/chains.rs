//! Whatever chain of encodings a canary goes through, its owner comes back.

use coalmine_canary::{Detector, Shape};
use proptest::prelude::*;

use crate::forms::{FORMS, is_exact, key, mint};

/// Forms that may stand in any order, because each holds its text whole.
const LINKS: &[&str] = &[
    "base64, lines of 76",
    "hex",
    "percent, all",
    "HTML, decimal",
    "JSON, all",
    "base64 of UTF-16",
    "gzip",
    "zip",
    "zstd",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_owner_comes_back(
        owner in 0_u32..1024,
        serial in 0_u32..12,
        shape in proptest::sample::select(Shape::ALL),
        links in proptest::collection::vec(proptest::sample::select(LINKS), 0..3),
    ) {
        let (id, text) = mint(owner, serial, shape);
        let mut stream = format!("{{\"note\": \"{text}\", \"kind\": \"a text of some length\"}}").into_bytes();
        for link in &links {
            let form = FORMS.iter().find(|form| form.name == *link).expect("a link is a form");
            // Writers take text: bytes go in as base64, as they would in JSON.
            let text = String::from_utf8(stream).unwrap_or_else(|bytes| data_encoding::BASE64.encode(bytes.as_bytes()));
            stream = (form.write)(&text);
        }
        prop_assert!(is_exact(&Detector::new(&key()).scan(&stream), id), "{:?}", links);
    }
}
