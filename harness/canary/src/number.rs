//! Canaries that are numbers.
//!
//! A number has no room for a marker. Instead, of all numbers in its range less than one in 2^30 is a canary, and the
//! run key says which. A number is `low + code + check * codes`, without those that end in 0 (some writers drop it).

use crate::{CanaryId, Owner, Serial, Shape, seal::Seal};

/// How the numbers of a shape are shared out.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) shape: Shape,
    /// The smallest.
    low: u64,
    /// One above the largest.
    high: u64,
    /// Every owner below this has [`SERIALS`] canaries. May be 0.
    owners: u64,
    /// Owners below [`BUSY_OWNERS`] have this many more: what the range has left goes to where runs are large.
    busy_serials: u64,
    /// How many names there are.
    codes: u64,
    /// How many values the check may take.
    checks: u64,
}

/// Canaries of each owner.
const SERIALS: u64 = 256;

/// The owners that have more.
const BUSY_OWNERS: u64 = 1024;

// Integer, decimal (in hundredths) and date-time (in microseconds since 1970) have sixteen digits and stay below 2^53.
const INTEGER: Range = Range::new(Shape::Integer, (1_000_000_000_000_000, 1 << 53), 16_384, 2_304);
/// Above 2^46 doubles lie too far apart for hundredths.
const DECIMAL: Range = Range::new(Shape::Decimal, (1_000_000_000_000_000, 100 << 46), 16_384, 768);
const DATE_TIME: Range = Range::new(Shape::DateTime, (1_000_000_000_000_000, 1 << 53), 16_384, 2_304);
const BIG_INTEGER: Range =
    Range::new(Shape::BigInteger, (1_000_000_000_000_000_000, i64::MAX as u64), 16_384, 3_000_000);
/// Behind +999, which is nobody's country code.
const PHONE: Range = Range::new(Shape::Phone, (0, 1_000_000_000_000), 0, 12);
/// Behind a 9, which is no card network's, and ahead of the check digit.
const CARD: Range = Range::new(Shape::Card, (0, 100_000_000_000_000), 0, 80);
/// Behind DE, the check digits and a 9, with which no bank's code begins.
const IBAN: Range = Range::new(Shape::Iban, (0, 100_000_000_000_000_000), 16_384, 70_000);

impl Range {
    /// Where the shape is known to the compiler, so is what the range divides by.
    #[inline]
    pub(crate) const fn of(shape: Shape) -> Option<&'static Self> {
        match shape {
            Shape::Integer => Some(&INTEGER),
            Shape::Decimal => Some(&DECIMAL),
            Shape::DateTime => Some(&DATE_TIME),
            Shape::BigInteger => Some(&BIG_INTEGER),
            Shape::Phone => Some(&PHONE),
            Shape::Card => Some(&CARD),
            Shape::Iban => Some(&IBAN),
            _ => None,
        }
    }

    const fn new(shape: Shape, numbers: (u64, u64), owners: u64, busy_serials: u64) -> Self {
        let (low, high) = numbers;
        let codes = owners * SERIALS + BUSY_OWNERS * busy_serials;
        Self { shape, low, high, owners, busy_serials, codes, checks: (high - low) / 10 * 9 / codes }
    }

    /// One above the largest owner.
    pub(crate) fn owners(&self) -> u64 {
        if self.owners == 0 { BUSY_OWNERS } else { self.owners }
    }

    /// One above the largest serial of an owner.
    pub(crate) fn serials(&self, owner: Owner) -> u64 {
        let busy = if u64::from(owner.0) < BUSY_OWNERS { self.busy_serials } else { 0 };
        self.serials_all() + busy
    }

    fn code(&self, owner: u64, serial: u64) -> u64 {
        if self.owners > 0 && serial < SERIALS {
            owner * SERIALS + serial
        } else {
            self.owners * SERIALS + owner * self.busy_serials + serial - self.serials_all()
        }
    }

    fn uncode(&self, code: u64) -> (u64, u64) {
        match code.checked_sub(self.owners * SERIALS) {
            None => (code / SERIALS, code % SERIALS),
            Some(rest) => (rest / self.busy_serials, self.serials_all() + rest % self.busy_serials),
        }
    }

    fn serials_all(&self) -> u64 {
        if self.owners == 0 { 0 } else { SERIALS }
    }

    /// The number of a canary, which must lie within [`Range::owners`] and [`Range::serials`].
    pub(crate) fn close(&self, seal: &Seal, owner: Owner, serial: Serial) -> u64 {
        let code = self.code(owner.0.into(), serial.0.into());
        let check = seal.number(self.shape, code) % self.checks;
        let index = check * self.codes + code;
        self.low + index / 9 * 10 + index % 9 + 1
    }

    /// The canary that a number is, if it is one.
    #[expect(clippy::inline_always, reason = "to divide by what is known to the compiler takes half the time")]
    #[inline(always)]
    pub(crate) fn open(&self, seal: &Seal, number: u64) -> Option<CanaryId> {
        let past = number.checked_sub(self.low).filter(|past| past % 10 != 0 && number < self.high)?;
        let index = past / 10 * 9 + past % 10 - 1;
        let (check, code) = (index / self.codes, index % self.codes);
        if check >= self.checks || seal.number(self.shape, code) % self.checks != check {
            return None;
        }
        let (owner, serial) = self.uncode(code);
        let (owner, serial) = (Owner(u32::try_from(owner).ok()?), Serial(u32::try_from(serial).ok()?));
        Some(CanaryId { owner, serial, shape: self.shape })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunKey;

    const RANGES: [Range; 7] = [INTEGER, DECIMAL, DATE_TIME, BIG_INTEGER, PHONE, CARD, IBAN];

    #[test]
    fn a_number_opens_to_its_name() {
        let seal = Seal::new(&RunKey::derive(b"a"));
        for range in RANGES {
            for (owner, serial) in [(0, 0), (0, 255), (0, 256), (1023, 2000), (1024, 3), (16_383, 255)] {
                if u64::from(owner) >= range.owners() || u64::from(serial) >= range.serials(Owner(owner)) {
                    continue;
                }
                let number = range.close(&seal, Owner(owner), Serial(serial));
                let id = CanaryId { owner: Owner(owner), serial: Serial(serial), shape: range.shape };
                assert_eq!(range.open(&seal, number), Some(id));
                assert_eq!(range.open(&seal, number + 10), None);
            }
        }
    }

    #[test]
    fn less_than_one_number_in_2_to_the_30_is_a_canary() {
        for range in RANGES {
            assert!(range.checks >= 1 << 30 || range.shape == Shape::Phone, "{range:?}: {}", range.checks);
        }
    }
}
