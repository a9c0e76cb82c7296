//! How much a run may cost the target.

use serde::{Deserialize, Serialize};

/// Limits of a run over all its rounds. What is planned beyond them is not sent, and is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Requests, handshakes and frames that are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_max: Option<u64>,
    /// How fast they may follow each other, those of all tenants together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_max: Option<Rate>,
    /// Bytes in both directions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<u64>,
    /// Milliseconds from the start of the run to the last request that is no cleaning up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_max_ms: Option<u64>,
    /// Connections that are open at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<u32>,
}

/// A rate, as the time between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate {
    /// Microseconds; at least 1.
    pub interval_us: u64,
}

/// One of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// [`Budget::requests_max`].
    Requests,
    /// [`Budget::bytes_max`].
    Bytes,
    /// [`Budget::time_max_ms`].
    Time,
}

impl Budget {
    /// Whether there is no limit at all.
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a total is limited, and not only how fast it goes.
    pub fn is_bounded_in_all(&self) -> bool {
        self.requests_max.is_some() || self.bytes_max.is_some() || self.time_max_ms.is_some()
    }

    /// These limits, and those of `other` where there is none.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            requests_max: self.requests_max.or(other.requests_max),
            rate_max: self.rate_max.or(other.rate_max),
            bytes_max: self.bytes_max.or(other.bytes_max),
            time_max_ms: self.time_max_ms.or(other.time_max_ms),
            connections_max: self.connections_max.or(other.connections_max),
        }
    }
}

impl Rate {
    /// Reads `5/s`, `0.5/s`, `30/m` or `100/h`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a rate");
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let unit_us: f64 = match unit.trim() {
            "s" => 1e6,
            "m" => 60e6,
            "h" => 3600e6,
            _ => return Err(wrong()),
        };
        let count: f64 = count.trim().parse().map_err(|_| wrong())?;
        if !(count > 0.0 && count <= unit_us) {
            return Err(format!("{wrong}: it is more than 0 and at most {unit_us}", wrong = wrong()));
        }
        let interval_us = (unit_us / count).ceil().min(1e15);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 1 and 10^15")]
        Ok(Self { interval_us: interval_us as u64 })
    }
}

/// Reads a number of bytes: `4096`, `64KiB`, `10MB`, `1GiB`.
///
/// # Errors
///
/// What is wrong with it, in words.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a number of bytes");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(factor).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

impl std::fmt::Display for Rate {
    /// In requests a second, a minute or an hour, whichever is the first that is at least one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = [(1_000_000, "s"), (60_000_000, "min"), (3_600_000_000, "h")];
        let (unit_us, unit) = units.into_iter().find(|(unit_us, _)| *unit_us >= self.interval_us).unwrap_or(units[2]);
        let interval_us = self.interval_us.max(1);
        let tenths = (unit_us * 10 + interval_us / 2) / interval_us;
        match tenths % 10 {
            0 => write!(f, "{}/{unit}", tenths / 10),
            tenth => write!(f, "{}.{tenth}/{unit}", tenths / 10),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests",
            Self::Bytes => "bytes",
            Self::Time => "time",
        })
    }
}

impl std::fmt::Display for Budget {
    /// What it says, in words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            self.requests_max.map(|count| format!("{count} requests")),
            self.rate_max.map(|rate| format!("{rate}")),
            self.bytes_max.map(|bytes| format!("{bytes} bytes")),
            self.time_max_ms.map(|ms| format!("{} s", ms.div_ceil(1000))),
            self.connections_max.map(|count| format!("{count} connections")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("no limit") } else { f.write_str(&parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_times_between_requests() {
        assert_eq!(Rate::parse("5/s").unwrap().interval_us, 200_000);
        assert_eq!(Rate::parse("0.5/s").unwrap().interval_us, 2_000_000);
        assert_eq!(Rate::parse("30/m").unwrap().interval_us, 2_000_000);
        for text in ["", "5", "0/s", "-1/s", "5/d", "x/s", "inf/s", "NaN/s", "2000000/s"] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_shown_as_they_are_written() {
        for text in ["5/s", "2.5/s", "30/min", "7/h"] {
            assert_eq!(Rate::parse(&text.replace("min", "m")).unwrap().to_string(), text);
        }
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(parse_bytes("10MB"), Ok(10_000_000));
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("12"), Ok(12));
        for text in ["", "MB", "0", "1.5MB", "99999999999GB", "10 parsecs"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_one_budget_does_not_say_the_other_says() {
        let one = Budget { requests_max: Some(1), ..Budget::default() };
        let other = Budget { requests_max: Some(2), time_max_ms: Some(3), ..Budget::default() };
        assert_eq!(one.or(other), Budget { requests_max: Some(1), time_max_ms: Some(3), ..Budget::default() });
    }
}
