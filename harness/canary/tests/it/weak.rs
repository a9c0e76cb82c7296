//! What only names a canary with the help of a list: hashes, masked ends, and the user's own secrets.

use coalmine_canary::{CanaryId, Detector, Encoding, Found, Owner, Serial, Shape, Strength};
use sha2::{Digest, Sha256};

use crate::forms::{Dice, key, mint, scan_in_chunks};

fn live() -> Detector {
    let ids = (0..50).flat_map(|owner| {
        Shape::ALL.iter().map(move |shape| CanaryId { owner: Owner(owner), serial: Serial(1), shape: *shape })
    });
    Detector::builder(&key()).live(ids).build()
}

#[test]
fn hashes_of_live_canaries_are_found() {
    let detector = live();
    for shape in Shape::ALL {
        let (id, text) = mint(17, 1, *shape);
        let sha256 = Sha256::digest(text.as_bytes());
        let md5 = md5::Md5::digest(text.as_bytes());
        let sha1 = sha1::Sha1::digest(text.as_bytes());
        let sha512 = sha2::Sha512::digest(text.as_bytes());
        let cases = [
            (data_encoding::HEXLOWER.encode(&sha256), vec![Encoding::Hex, Encoding::Sha256]),
            (data_encoding::HEXUPPER.encode(&sha1), vec![Encoding::Hex, Encoding::Sha1]),
            (data_encoding::HEXLOWER.encode(&md5), vec![Encoding::Hex, Encoding::Md5]),
            (data_encoding::HEXLOWER.encode(&sha512), vec![Encoding::Hex, Encoding::Sha512]),
            (data_encoding::BASE64.encode(&sha256), vec![Encoding::Base64, Encoding::Sha256]),
            (data_encoding::BASE64URL_NOPAD.encode(&md5), vec![Encoding::Base64, Encoding::Md5]),
            (data_encoding::BASE64.encode(&sha1), vec![Encoding::Base64, Encoding::Sha1]),
            (data_encoding::BASE64.encode(&sha512), vec![Encoding::Base64, Encoding::Sha512]),
        ];
        for (written, encodings) in cases {
            let body = format!("{{\"etag\": \"{written}\"}}");
            let sightings = scan_in_chunks(&detector, body.as_bytes(), &mut Dice(7), 50);
            let found = Found::Canary { id, strength: Strength::Hash };
            assert!(sightings.iter().any(|sighting| sighting.found == found && sighting.encodings == encodings));
        }
    }
}

#[test]
fn a_masked_end_is_a_hint() {
    let (id, text) = mint(17, 1, Shape::Token);
    let body = format!("card ******{} of you, **** none", &text[text.len() - 4..]);
    for chunk_max in [1, 7, 100] {
        let sightings = scan_in_chunks(&live(), body.as_bytes(), &mut Dice(7), chunk_max);
        assert_eq!(sightings.len(), 1);
        assert_eq!(sightings[0].found, Found::Canary { id, strength: Strength::Masked });
    }
}

#[test]
fn what_other_masks_leave_is_a_hint() {
    let (address, text) = mint(0, 0, Shape::Email);
    let (card, number) = mint(1, 0, Shape::Card);
    let detector = Detector::builder(&key()).live([address, card]).build();
    let (first, last) = (&text[..1], &text[29..30]);
    for (body, id) in [
        (format!("to {first}***@canary.example now"), address),
        (format!("<{first}********{last}@canary.example>"), address),
        (format!("card {}********", &number[..4]), card),
        (format!("card ************{}", &number[12..]), card),
    ] {
        for chunk_max in [1, 7, 100] {
            let sightings = scan_in_chunks(&detector, body.as_bytes(), &mut Dice(7), chunk_max);
            assert_eq!(sightings.len(), 1, "{body}");
            assert_eq!(sightings[0].found, Found::Canary { id, strength: Strength::Masked }, "{body}");
        }
    }
    for body in ["u**@canary.example", "y***@canary.example", "u***@other.example", "9999 ***", "x1234****5"] {
        assert_eq!(detector.scan(body.as_bytes()), [], "{body}");
    }
}

#[test]
fn a_checksum_is_a_hint_where_it_is_asked_for() {
    let (id, text) = mint(17, 1, Shape::Token);
    let body = format!("{{\"crc\": \"{:08X}\"}}", crc32fast::hash(text.as_bytes()));
    assert_eq!(live().scan(body.as_bytes()), []);
    let detector = Detector::builder(&key()).checksums([id]).build();
    for chunk_max in [1, 7, 100] {
        let sightings = scan_in_chunks(&detector, body.as_bytes(), &mut Dice(7), chunk_max);
        assert_eq!(sightings[0].found, Found::Canary { id, strength: Strength::Masked });
        assert_eq!(sightings[0].encodings, [Encoding::Hex, Encoding::Crc32]);
    }
}

#[test]
fn secrets_of_a_dictionary_are_found_in_their_forms() {
    let secrets = ["hunter2&\"more\"", "4111-2222 ünique", "sk_live_51Habcdefghijk"];
    let detector = Detector::builder(&key()).dictionary(secrets).unwrap().build();
    let base64 = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
    for (entry, secret) in secrets.iter().enumerate() {
        for written in [
            (*secret).to_owned(),
            secret.to_ascii_uppercase(),
            base64(secret),
            base64(&format!("x{secret}")),
            base64(&base64(&format!("user:{secret}@host and the rest of it"))),
            data_encoding::HEXLOWER.encode(secret.as_bytes()),
            secret.replace('&', "&amp;").replace('"', "&quot;"),
            secret.replace('"', "\\\""),
            secret.replace('&', "%26").replace('"', "%22").replace(' ', "%20").replace('ü', "%C3%BC"),
        ] {
            let sightings = scan_in_chunks(&detector, format!("<{written}>").as_bytes(), &mut Dice(7), 30);
            let found = Found::Dictionary { entry: u32::try_from(entry).unwrap() };
            assert!(sightings.iter().any(|sighting| sighting.found == found), "{written}");
        }
    }
}

#[test]
fn a_short_secret_is_refused() {
    let error = Detector::builder(&key()).dictionary(["long enough", "short"]).err().unwrap();
    assert!(error.to_string().starts_with("entry 1 of the dictionary has 5 bytes"));
}
