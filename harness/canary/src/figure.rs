//! How the numbers of canaries are written, and read back.

use crate::{CanaryId, Encoding, Shape, number::Range, seal::Seal};

/// A number that is a canary, and how it was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) id: CanaryId,
    pub(crate) len: usize,
    pub(crate) encoding: Option<Encoding>,
}

/// The country code that phone numbers begin with. It is nobody's.
const COUNTRY: &[u8; 3] = b"999";

/// Writes a number in the way of its shape.
pub(crate) fn write(shape: Shape, number: u64) -> String {
    match shape {
        Shape::Decimal => format!("{}.{:02}", number / 100, number % 100),
        Shape::Phone => format!("+999{number:012}"),
        Shape::Card => {
            let digits = format!("9{number:014}");
            let check = luhn(digits.as_bytes());
            format!("{digits}{check}")
        }
        Shape::DateTime => write_time(number),
        Shape::Iban => format!("DE{:02}9{number:017}", iban_check(9 * IBAN_BANK + number)),
        _ => number.to_string(),
    }
}

/// Reads a figure that begins with the group of digits at `at`, which must be the beginning of that group.
pub(crate) fn read(seal: &Seal, text: &[u8], at: usize) -> Option<Figure> {
    let text = &text[at..];
    match digits(text) {
        16 => sixteen(seal, &text[..16]),
        20 => iban(seal, &text[..20], 20, None),
        19 => open(seal, Shape::BigInteger, value(&text[..19]), 19, None)
            .or_else(|| open(seal, Shape::BigInteger, backward(&text[..19]), 19, Some(Encoding::Reversed))),
        15 if text.starts_with(COUNTRY) => open(seal, Shape::Phone, value(&text[3..15]), 15, None),
        14 => decimal(seal, text),
        4 => time(seal, text).or_else(|| card_in_fours(seal, text)),
        1 => scientific(seal, text).or_else(|| grouped(seal, text)),
        2 => grouped(seal, text).or_else(|| iban_in_fours(seal, text)),
        3 => grouped(seal, text),
        _ => None,
    }
}

/// Digits at the start of text; no more are counted than any figure has.
fn digits(text: &[u8]) -> usize {
    text.iter().take(21).take_while(|byte| byte.is_ascii_digit()).count()
}

fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

fn backward(digits: &[u8]) -> u64 {
    digits.iter().rev().fold(0_u64, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

#[expect(clippy::inline_always, reason = "the shape is known to the compiler then")]
#[inline(always)]
fn open(seal: &Seal, shape: Shape, number: u64, len: usize, encoding: Option<Encoding>) -> Option<Figure> {
    let id = Range::of(shape)?.open(seal, number)?;
    Some(Figure { id, len, encoding })
}

fn sixteen(seal: &Seal, digits: &[u8]) -> Option<Figure> {
    open(seal, Shape::Integer, value(digits), 16, None)
        .or_else(|| open(seal, Shape::Integer, backward(digits), 16, Some(Encoding::Reversed)))
        .or_else(|| card(seal, digits, 16, None))
}

fn card(seal: &Seal, digits: &[u8], len: usize, encoding: Option<Encoding>) -> Option<Figure> {
    (digits[0] == b'9' && u64::from(digits[15] - b'0') == luhn(&digits[..15])).then_some(())?;
    open(seal, Shape::Card, value(&digits[1..15]), len, encoding)
}

/// The check digit of ISO/IEC 7812-1.
fn luhn(digits: &[u8]) -> u64 {
    let sum: u64 = digits.iter().rev().enumerate().map(|(at, digit)| doubled(at, u64::from(digit - b'0'))).sum();
    (10 - sum % 10) % 10
}

fn doubled(at: usize, digit: u64) -> u64 {
    let digit = if at.is_multiple_of(2) { digit * 2 } else { digit };
    digit / 10 + digit % 10
}

/// What a digit of the bank's code stands for, the first of eighteen.
const IBAN_BANK: u64 = 100_000_000_000_000_000;

/// The check digits of ISO 13616, for Germany: what makes the account, the country as 1314 and them 1 more than a multiple
/// of 97.
fn iban_check(account: u64) -> u64 {
    98 - u64::try_from((u128::from(account) * 1_000_000 + 131_400) % 97).unwrap_or(0)
}

/// Of an IBAN what follows the country: two digits of check, and eighteen of the account.
fn iban(seal: &Seal, digits: &[u8], len: usize, encoding: Option<Encoding>) -> Option<Figure> {
    (digits[2] == b'9' && value(&digits[..2]) == iban_check(value(&digits[2..]))).then_some(())?;
    open(seal, Shape::Iban, value(&digits[3..]), len, encoding)
}

/// The same in groups of four, of which the country takes half of the first.
fn iban_in_fours(seal: &Seal, text: &[u8]) -> Option<Figure> {
    const LEN: usize = 25;
    let text: &[u8; LEN] = text.first_chunk()?;
    let is_between = |at: usize| at % 5 == 2;
    let is_between_right =
        matches!(text[2], b' ' | b'-') && (0..LEN).filter(|at| is_between(*at)).all(|at| text[at] == text[2]);
    is_between_right.then_some(())?;
    let digits: Vec<u8> = (0..LEN).filter(|at| !is_between(*at)).map(|at| text[at]).collect();
    digits.iter().all(u8::is_ascii_digit).then_some(())?;
    iban(seal, &digits, LEN, Some(Encoding::Grouped))
}

fn card_in_fours(seal: &Seal, text: &[u8]) -> Option<Figure> {
    let text = text.get(..19)?;
    let between = text[4];
    (text[9] == between && text[14] == between && matches!(between, b' ' | b'-')).then_some(())?;
    let mut digits = Vec::with_capacity(16);
    for (at, byte) in text.iter().enumerate() {
        match at % 5 {
            4 if *byte == between => {}
            0..=3 if byte.is_ascii_digit() => digits.push(*byte),
            _ => return None,
        }
    }
    card(seal, &digits, 19, Some(Encoding::Grouped))
}

fn decimal(seal: &Seal, text: &[u8]) -> Option<Figure> {
    let encoding = match text.get(14)? {
        b'.' => None,
        b',' => Some(Encoding::Grouped),
        _ => return None,
    };
    (digits(&text[15..]) == 2).then_some(())?;
    open(seal, Shape::Decimal, value(&text[..14]) * 100 + value(&text[15..17]), 17, encoding)
}

/// What stands between groups of three digits; of spaces also those that do not break a line (U+00A0, U+202F), and the thin
/// one (U+2009).
const BETWEEN: [&[u8]; 8] =
    [b",", b".", b" ", b"'", b"_", "\u{a0}".as_bytes(), "\u{202f}".as_bytes(), "\u{2009}".as_bytes()];

/// Digits in threes: 1,234,567 or 1.234.567,89 or 1 234 567.
fn grouped(seal: &Seal, text: &[u8]) -> Option<Figure> {
    let mut len = digits(text);
    let mut number = value(&text[..len]);
    let mut count = len;
    let between = BETWEEN.into_iter().find(|between| text[len..].starts_with(between))?;
    while let Some(group) = text[len..].strip_prefix(between).filter(|group| digits(group) == 3 && count < 20) {
        number = number.wrapping_mul(1000).wrapping_add(value(&group[..3]));
        len += between.len() + 3;
        count += 3;
    }
    let encoding = Some(Encoding::Grouped);
    match (count, text.get(len)) {
        (14, Some(b',' | b'.')) if digits(&text[len + 1..]) == 2 => {
            let number = number * 100 + value(&text[len + 1..len + 3]);
            open(seal, Shape::Decimal, number, len + 3, encoding)
        }
        (16, _) => open(seal, Shape::Integer, number, len, encoding),
        (19, _) => open(seal, Shape::BigInteger, number, len, encoding),
        _ => None,
    }
}

/// 1.234567890123456e15, and 1.234567890123456e13 for a decimal.
fn scientific(seal: &Seal, text: &[u8]) -> Option<Figure> {
    (text.get(1) == Some(&b'.') && digits(&text[2..]) == 15).then_some(())?;
    matches!(text.get(17)?, b'e' | b'E').then_some(())?;
    let sign = usize::from(text.get(18) == Some(&b'+'));
    let exponent = text.get(18 + sign..20 + sign)?;
    let shape = match exponent {
        b"15" => Shape::Integer,
        b"13" => Shape::Decimal,
        _ => return None,
    };
    let number = value(&text[..1]) * 1_000_000_000_000_000 + value(&text[2..17]);
    open(seal, shape, number, 20 + sign, Some(Encoding::Scientific))
}

const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;

/// RFC 3339 in UTC, with microseconds.
fn write_time(micros: u64) -> String {
    let (year, month, day) = civil(micros / DAY);
    let second = micros % DAY / SECOND;
    let (hour, minute, second, rest) = (second / 3600, second / 60 % 60, second % 60, micros % SECOND);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:06}Z")
}

fn time(seal: &Seal, text: &[u8]) -> Option<Figure> {
    const LEN: usize = 26;
    // The least and the most that may stand at each place.
    const LEAST: &[u8; LEN] = b"0000-00-00 00:00:00,000000";
    const MOST: &[u8; LEN] = b"9999-99-99t99:99:99.999999";
    let text: &[u8; LEN] = text.first_chunk()?;
    let bounds = text.iter().zip(LEAST.iter().zip(MOST));
    // Without branches, so that it runs on vectors.
    let wrong = bounds.fold(0, |wrong, (byte, (least, most))| wrong | u8::from(byte < least) | u8::from(byte > most));
    if wrong != 0 || !matches!(text[10], b'T' | b't' | b' ') || text[19] == b'-' {
        return None;
    }
    let part = |range: std::ops::Range<usize>| value(&text[range]);
    let day = days(part(0..4), part(5..7), part(8..10))?;
    let second = part(11..13) * 3600 + part(14..16) * 60 + part(17..19);
    open(seal, Shape::DateTime, day * DAY + second * SECOND + part(20..26), LEN, None)
}

/// Days of a year that begins in March, before each of its months (Hinnant, "chrono-compatible low-level date
/// algorithms", 2013).
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    (year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day)).then_some(())?;
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + of_year).checked_sub(719_468)
}

fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Owner, RunKey, Serial};

    fn figure(shape: Shape) -> (Seal, String, CanaryId) {
        let seal = Seal::new(&RunKey::derive(b"a"));
        let id = CanaryId { owner: Owner(3), serial: Serial(7), shape };
        let number = Range::of(shape).unwrap().close(&seal, id.owner, id.serial);
        (seal, write(shape, number), id)
    }

    fn reads(seal: &Seal, text: &str, id: CanaryId, encoding: Option<Encoding>) {
        let found = read(seal, text.as_bytes(), 0).map(|figure| (figure.id, figure.encoding));
        assert_eq!(found, Some((id, encoding)), "{text}");
    }

    #[test]
    fn figures_are_read_as_they_were_written() {
        for shape in
            [Shape::Integer, Shape::BigInteger, Shape::Decimal, Shape::DateTime, Shape::Phone, Shape::Card, Shape::Iban]
        {
            let (seal, text, id) = figure(shape);
            reads(&seal, text.trim_start_matches(['+', 'D', 'E']), id, None);
        }
    }

    #[test]
    fn an_integer_is_read_in_groups_and_in_scientific_form() {
        let (seal, text, id) = figure(Shape::Integer);
        for between in [",", " ", ".", "\u{a0}", "\u{202f}", "\u{2009}"] {
            let groups: Vec<&str> =
                (0..6).map(|group| &text[(group * 3_usize).saturating_sub(2)..=group * 3]).collect();
            reads(&seal, &groups.join(between), id, Some(Encoding::Grouped));
        }
        let number: f64 = text.parse().unwrap();
        reads(&seal, &format!("{number:e}"), id, Some(Encoding::Scientific));
    }

    #[test]
    fn a_decimal_is_read_with_a_comma_and_survives_a_double() {
        let (seal, text, id) = figure(Shape::Decimal);
        reads(&seal, &text.replace('.', ","), id, Some(Encoding::Grouped));
        let number: f64 = text.parse().unwrap();
        reads(&seal, &number.to_string(), id, None);
    }

    #[test]
    fn a_card_is_read_in_fours() {
        let (seal, text, id) = figure(Shape::Card);
        let fours: Vec<&str> = (0..4).map(|four| &text[four * 4..four * 4 + 4]).collect();
        reads(&seal, &fours.join(" "), id, Some(Encoding::Grouped));
    }

    #[test]
    fn an_iban_has_valid_check_digits_and_is_read_in_fours() {
        // Of a known bank.
        assert_eq!(iban_check(370_400_440_532_013_000), 89);
        let (seal, text, id) = figure(Shape::Iban);
        assert_eq!(text.len(), 22);
        let fours: Vec<&str> = text.as_bytes().chunks(4).map(|four| str::from_utf8(four).unwrap()).collect();
        reads(&seal, &fours.join(" ")[2..], id, Some(Encoding::Grouped));
    }

    #[test]
    fn days_and_dates_agree() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        for day in (0..110_000).step_by(17) {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), Some(day));
        }
    }
}
