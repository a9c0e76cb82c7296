//! Durations as they are written: `250ms`, `10s`, `2m`.

/// Nothing waits longer than an hour.
pub(crate) const LIMIT_MS_MAX: u64 = 3_600_000;

/// Milliseconds of `250ms`, `10s` or `2m`, as durations are written in scenarios and on the command line.
///
/// # Errors
///
/// What is wrong with the text, in words.
pub fn parse_ms(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err(format!("`{text}` is not a duration")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is not a duration"))?;
    match number.checked_mul(unit_ms) {
        Some(0) => Err("a time limit of nothing leaves no time for anything".to_owned()),
        Some(limit) if limit <= LIMIT_MS_MAX => Ok(limit),
        _ => Err(format!("`{text}` is longer than an hour")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_ms("250ms"), Ok(250));
        assert_eq!(parse_ms("10s"), Ok(10_000));
        assert_eq!(parse_ms("2m"), Ok(120_000));
        for wrong in ["", "10", "s", "-1s", "1.5s", "10 s", "61m", "0s", "99999999999999999999s"] {
            assert!(parse_ms(wrong).is_err(), "{wrong}");
        }
    }
}
