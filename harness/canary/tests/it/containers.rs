//! Canaries inside the containers of everyday formats.

use std::io::Write;

use coalmine_canary::{CanaryId, Detector, Encoding, Owner, Serial, Shape};

use crate::forms::{Dice, is_exact, key, mint, scan_in_chunks};

/// Hides a canary of each of some shapes in a container and expects it found, at any place and however it is cut.
fn found_in(container: fn(&str) -> Vec<u8>, encodings: &[Encoding]) {
    let detector = Detector::new(&key());
    let mut dice = Dice(17);
    for shape in [Shape::Token, Shape::Email, Shape::Uuid, Shape::Integer, Shape::Text] {
        for round in 0..20 {
            let (id, text) = mint(3 + round, 1, shape);
            let mut stream = vec![b'\n'; dice.roll(100)];
            stream.extend(container(&text));
            let sightings = scan_in_chunks(&detector, &stream, &mut dice, 300);
            assert!(is_exact(&sightings, id), "{shape}: {}", stream.escape_ascii());
            let has_chain = sightings.iter().any(|sighting| sighting.encodings == encodings);
            assert!(has_chain, "{shape}: {sightings:?}");
        }
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).expect("in memory");
    writer.finish().expect("in memory")
}

fn padded(mut bytes: Vec<u8>, to: usize) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
    bytes
}

#[test]
fn tar() {
    let archive = |text: &str| {
        let mut header = b"notes.txt".to_vec();
        header.resize(100, 0);
        header.extend(b"0000644\x000001000\x000001000\x00");
        header.extend(format!("{:011o}\0", text.len()).bytes());
        [padded(header, 512), padded(text.as_bytes().to_vec(), 512), vec![0; 1024]].concat()
    };
    found_in(archive, &[]);
}

#[test]
fn cdata() {
    found_in(|text| format!("<note><![CDATA[{text}]]></note>").into_bytes(), &[]);
}

#[test]
fn mime_multipart() {
    let message = |text: &str| {
        let part = data_encoding::BASE64.encode(format!("Dear all, this is the word: {text} and no other.").as_bytes());
        let lines: Vec<&str> = part.as_bytes().chunks(76).map(|line| str::from_utf8(line).unwrap()).collect();
        let head =
            "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n";
        format!("{head}{}\r\n--b--\r\n", lines.join("\r\n")).into_bytes()
    };
    found_in(message, &[Encoding::Base64]);
}

#[test]
fn data_url() {
    let url = |text: &str| {
        let page = format!("<html><body>Here it is: {text}</body></html>");
        let encoded = data_encoding::BASE64.encode(page.as_bytes());
        format!("{{\"src\": \"data:text/html;base64,{encoded}\"}}").into_bytes()
    };
    found_in(url, &[Encoding::Base64]);
}

#[test]
fn pdf_stream() {
    let page = |text: &str| {
        let packed = zlib(format!("BT /F1 12 Tf 72 712 Td ({text}) Tj ET").as_bytes());
        let head = format!("%PDF-1.7\n4 0 obj\n<< /Length {} /Filter /FlateDecode >>\nstream\n", packed.len());
        [head.as_bytes(), &packed, b"\nendstream\nendobj\n"].concat()
    };
    found_in(page, &[Encoding::Zlib]);
}

#[test]
fn png_text() {
    let chunk = |kind: &[u8], data: &[u8]| {
        let len = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&len, kind, data, &[1, 2, 3, 4]].concat()
    };
    let plain = |text: &str| [&b"Comment\0"[..], text.as_bytes()].concat();
    let packed = |text: &str| [&b"Comment\0\0"[..], &zlib(text.as_bytes())].concat();
    let detector = Detector::new(&key());
    for (round, shape) in Shape::ALL.iter().enumerate() {
        let (id, text) = mint(u32::try_from(round).unwrap(), 1, *shape);
        for chunk in [chunk(b"tEXt", &plain(&text)), chunk(b"zTXt", &packed(&text))] {
            let image = [&b"\x89PNG\r\n\x1a\n"[..], &chunk].concat();
            assert!(is_exact(&detector.scan(&image), id), "{shape}");
        }
    }
}

#[test]
fn jwt_claims() {
    let token = |text: &str| {
        let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
        let claims = encode(format!("{{\"iss\":\"login\",\"name\":\"{text}\",\"admin\":false}}").as_bytes());
        format!("Authorization: Bearer {}.{claims}.c2ln", encode(br#"{"alg":"none"}"#)).into_bytes()
    };
    found_in(token, &[Encoding::Base64]);
}

#[test]
fn digits_in_groups() {
    for between in [",", ".", " ", "'", "_", "\u{a0}", "\u{202f}", "\u{2009}"] {
        let detector = Detector::new(&key());
        let mut dice = Dice(23);
        for round in 0..200 {
            let (id, text) = mint(round, 3, Shape::Integer);
            let groups: Vec<&str> = (0..6).map(|at: usize| &text[(at * 3).saturating_sub(2)..=at * 3]).collect();
            let mut stream = Vec::new();
            stream.resize(dice.roll(90), b'-');
            stream.extend(format!("\"{}\"", groups.join(between)).bytes());
            let sightings = scan_in_chunks(&detector, &stream, &mut dice, 200);
            assert!(is_exact(&sightings, id), "{between:?} {}", stream.escape_ascii());
            assert_eq!(sightings[0].encodings, [Encoding::Grouped]);
        }
    }
}

#[test]
fn a_detector_of_some_shapes_finds_these_and_no_others() {
    let ids = Shape::ALL.iter().map(|shape| mint(5, 1, *shape));
    let all: Vec<(CanaryId, String)> = ids.collect();
    let stream = all.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    for wanted in [Shape::Token, Shape::Uuid, Shape::Integer] {
        let detector = Detector::builder(&key()).shapes([wanted]).build();
        let sightings = detector.scan(stream.as_bytes());
        let id = CanaryId { owner: Owner(5), serial: Serial(1), shape: wanted };
        assert!(is_exact(&sightings, id), "{wanted}");
        let others = [Shape::Token, Shape::Uuid, Shape::Integer].into_iter().filter(|shape| *shape != wanted);
        for shape in others {
            assert!(!is_exact(&sightings, CanaryId { shape, ..id }), "{shape} beside {wanted}");
        }
    }
}
