//! Canaries fit the fields they are planted in.

use std::collections::HashSet;

use coalmine_canary::{Detector, Found, MintError, Minter, Owner, Pattern, Serial, Shape, Strength};
use sha2::Digest;

use crate::forms::{is_exact, key, mint};

#[test]
fn a_short_field_gets_a_fragment_that_names_its_owner() {
    let minter = Minter::new(&key());
    for (shape, chars_max) in [(Shape::Token, 22), (Shape::Email, 40), (Shape::Name, 28), (Shape::ApiKey, 26)] {
        let canary = minter.mint_within(Owner(3), Serial(7), shape, chars_max).unwrap();
        assert!(canary.expose().len() <= chars_max);
        let found = Found::Canary { id: canary.id(), strength: Strength::Fragment };
        let sightings = Detector::new(&key()).scan(format!("<{}>", canary.expose()).as_bytes());
        assert_eq!(sightings[0].found, found, "{shape}");
    }
    let error = minter.mint_within(Owner(3), Serial(7), Shape::Token, 21).err();
    assert_eq!(error, Some(MintError::FieldTooShort { shape: Shape::Token, needed: 22, chars_max: 21 }));
    assert!(minter.mint_within(Owner(3), Serial(7), Shape::Uuid, 32).is_err());
}

#[test]
fn an_api_key_takes_any_prefix() {
    let canary = Minter::new(&key()).mint_behind(Owner(3), Serial(7), "sk_live_").unwrap();
    assert!(canary.expose().starts_with("sk_live_"));
    assert!(is_exact(&Detector::new(&key()).scan(canary.expose().as_bytes()), canary.id()));
}

#[test]
fn a_token_matches_a_pattern_and_names_its_owner() {
    let minter = Minter::new(&key());
    for (pattern, strength) in [
        ("^[a-z]{30,64}$", Strength::Exact),
        ("^[A-Z]{24}$", Strength::Fragment),
        ("^ORD-[0-9A-Z]{32}-[0-9]{4}$", Strength::Exact),
        ("^[A-Z][a-z]{5,40}( [A-Z][a-z]+)?$", Strength::Exact),
    ] {
        let canary = minter.mint_matching(Owner(3), Serial(7), &Pattern::parse(pattern).unwrap()).unwrap();
        assert!(regex::Regex::new(pattern).unwrap().is_match(canary.expose()), "{pattern}");
        let found = Found::Canary { id: canary.id(), strength };
        let sightings = Detector::new(&key()).scan(format!("<{}>", canary.expose()).as_bytes());
        assert_eq!(sightings[0].found, found, "{pattern}");
        let hash = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(canary.expose().as_bytes()));
        let detector = Detector::builder(&key()).planted([canary.clone()]).build();
        let found = Found::Canary { id: canary.id(), strength: Strength::Hash };
        assert_eq!(detector.scan(format!("\"{hash}\"").as_bytes())[0].found, found, "{pattern}");
    }
    let pattern = Pattern::parse("^[a-z]{24}$").unwrap();
    let error = minter.mint_matching(Owner(16_384), Serial(0), &pattern).unwrap_err();
    assert_eq!(error, MintError::PatternTooShort { needed: 31 });
}

#[test]
fn an_iban_is_one_by_its_check_digits() {
    let (_, text) = mint(3, 7, Shape::Iban);
    // ISO 13616: the first four characters go behind, letters count from 10, and the rest of a division by 97 is 1.
    let moved = format!("{}{}", &text[4..], &text[..4]);
    let digits = moved.chars().map(|letter| letter.to_digit(36).unwrap().to_string()).collect::<String>();
    let rest = digits.bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    assert_eq!((text.len(), rest), (22, 1), "{text}");
}

#[test]
fn canaries_have_the_look_of_their_shape() {
    let text = |shape| mint(3, 7, shape).1;
    assert!(text(Shape::Token).bytes().all(|byte| byte.is_ascii_lowercase()));
    assert!(text(Shape::Email).ends_with("@canary.example") && text(Shape::Email).find('@') <= Some(64));
    assert!(text(Shape::Integer).parse::<u64>().unwrap() < 1 << 53);
    assert!(text(Shape::BigInteger).parse::<i64>().is_ok());
    assert!(text(Shape::Phone).starts_with("+999") && text(Shape::Phone).len() == 16);
    assert!(text(Shape::Hostname).split('.').all(|label| label.len() <= 63));
    assert_eq!(text(Shape::Jwt).split('.').count(), 3);
    assert_eq!(text(Shape::DateTime).len(), 27);
}

#[test]
fn limits_are_said_by_the_error() {
    let minter = Minter::new(&key());
    let error = minter.mint(Owner(16_384), Serial(0), Shape::Integer).unwrap_err();
    assert_eq!(error.to_string(), "shape integer can name owners 0 to 16383, not 16384");
    let error = minter.mint(Owner(2000), Serial(256), Shape::Integer).unwrap_err();
    assert_eq!(error.to_string(), "shape integer has serials 0 to 255 for owner 2000, not 256");
    assert!(minter.mint(Owner(3), Serial(2559), Shape::Integer).is_ok());
}

#[test]
fn no_two_names_share_a_canary() {
    let mut seen = HashSet::new();
    for shape in Shape::ALL {
        for (owner, serial) in (0..300).flat_map(|owner| (0..12).map(move |serial| (owner, serial))) {
            assert!(seen.insert(mint(owner, serial, *shape).1));
        }
    }
}

/// `cargo test --release -p coalmine-canary -- --ignored ten_million`
#[test]
#[ignore = "takes half a minute and 1 GiB"]
fn no_two_of_ten_million_share_a_canary() {
    let minter = Minter::new(&key());
    let mut seen = HashSet::with_capacity(10_000_000);
    for (owner, serial) in (0..10_000).flat_map(|owner| (0..250).map(move |serial| (owner, serial))) {
        for shape in [Shape::Token, Shape::Uuid, Shape::Integer, Shape::Decimal] {
            let canary = minter.mint(Owner(owner), Serial(serial), shape).expect("within the limits");
            let text = canary.expose().as_bytes();
            // A token's and a UUID's beginning is the same for all; what tells them apart stands later.
            let rest = &text[text.len().saturating_sub(24)..];
            let mut hash = [0_u8; 25];
            hash[..rest.len()].copy_from_slice(rest);
            hash[24] = u8::try_from(text.len()).expect("short");
            assert!(seen.insert(hash), "owner {owner} serial {serial} {shape}");
        }
    }
}
