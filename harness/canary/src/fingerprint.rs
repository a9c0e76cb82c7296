//! Three bytes by which a thing that is searched for may be noticed, and how many such things are looked for at once.
//!
//! Each fingerprint belongs to one of eight buckets, and each byte is asked by its two halves to which buckets it may belong.
//! What a bucket lets in is more than its fingerprints, so what it lets in is looked at again. (The way is that of Teddy, in
//! Hyperscan by Wang et al., 2019.)

use crate::mask;

/// Bytes of a fingerprint.
pub(crate) const LEN: usize = 3;

const BUCKETS: usize = 8;

/// The bytes that may stand at one place, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place([u64; 4]);

impl Place {
    /// Any of these bytes.
    pub(crate) fn of(bytes: impl IntoIterator<Item = u8>) -> Self {
        let mut place = Self::default();
        for byte in bytes {
            place.0[usize::from(byte / 64)] |= 1 << (byte % 64);
        }
        place
    }

    fn holds(self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }

    /// The bits that all its bytes have in common, and what they are.
    fn common(self) -> (u8, u8) {
        let held = (0..=u8::MAX).filter(|byte| self.holds(*byte));
        let (set, clear) = held.fold((u8::MAX, u8::MAX), |(set, clear), byte| (set & byte, clear & !byte));
        (set | clear, set)
    }

    fn join(self, other: Self) -> Self {
        Self([0, 1, 2, 3].map(|part| self.0[part] | other.0[part]))
    }

    /// The halves that its bytes have, the low ones of ASCII only: a look-up of other bytes gives nothing.
    fn halves(self) -> (u16, u16) {
        let held = (0..=u8::MAX).filter(|byte| self.holds(*byte));
        held.fold((0, 0), |(low, high), byte| {
            (low | u16::from(byte.is_ascii()) << (byte & 15), high | 1 << (byte >> 4))
        })
    }
}

/// What may stand at each of its places.
pub(crate) type Fingerprint = [Place; LEN];

/// For each place and half byte the buckets that it does not fit, a bit each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Halves {
    pub(crate) low: [[u8; 16]; LEN],
    pub(crate) high: [[u8; 16]; LEN],
}

/// A fingerprint in its bucket, and the bits that all bytes have which it lets in.
struct Member {
    index: usize,
    mask: u32,
    bits: u32,
}

impl Member {
    fn new(index: usize, fingerprint: &Fingerprint) -> Self {
        let common = fingerprint.map(Place::common);
        let join = |[a, b, c]: [u8; LEN]| u32::from_le_bytes([a, b, c, 0]);
        Self { index, mask: join(common.map(|(mask, _)| mask)), bits: join(common.map(|(_, bits)| bits)) }
    }

    fn may_be(&self, bytes: u32) -> bool {
        (bytes ^ self.bits) & self.mask == 0
    }
}

/// Fingerprints in their buckets.
pub(crate) struct Buckets {
    /// For each place and byte the buckets that it fits.
    pub(crate) fits: [[u8; 256]; LEN],
    /// The same by the lowest seven bits of a byte.
    pub(crate) fits_seven: [[u8; 128]; LEN],
    pub(crate) halves: Halves,
    /// Which fingerprints each bucket holds.
    members: [Vec<Member>; BUCKETS],
}

impl Buckets {
    pub(crate) fn new(fingerprints: &[Fingerprint]) -> Self {
        let mut halves = Halves { low: [[u8::MAX; 16]; LEN], high: [[u8::MAX; 16]; LEN] };
        let (mut fits, mut fits_seven) = ([[0; 256]; LEN], [[0; 128]; LEN]);
        let mut members: [Vec<Member>; BUCKETS] = Default::default();
        for (bucket, (shape, group)) in group(fingerprints).into_iter().enumerate() {
            for (at, place) in shape.into_iter().enumerate() {
                let (low, high) = place.halves();
                for half in 0..16 {
                    halves.low[at][half] &= !(u8::from(low >> half & 1 == 1) << bucket);
                    halves.high[at][half] &= !(u8::from(high >> half & 1 == 1) << bucket);
                }
                for byte in (0..=u8::MAX).filter(|byte| place.holds(*byte)) {
                    fits[at][usize::from(byte)] |= 1 << bucket;
                    fits_seven[at][usize::from(byte & 127)] |= 1 << bucket;
                }
            }
            members[bucket] = group.into_iter().map(|index| Member::new(index, &fingerprints[index])).collect();
        }
        Self { fits, fits_seven, halves, members }
    }

    /// The fingerprints that may stand where these bytes begin, and a few others.
    pub(crate) fn at(&self, bytes: [u8; LEN]) -> impl Iterator<Item = usize> {
        let [a, b, c] = bytes.map(usize::from);
        let fits = self.fits[0][a] & self.fits[1][b] & self.fits[2][c];
        let near = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
        let members = mask::set(u64::from(fits)).flat_map(|bucket| &self.members[bucket]);
        members.filter(move |member| member.may_be(near)).map(|member| member.index)
    }

    /// Whether some fingerprint may stand where these bytes begin.
    pub(crate) fn may_begin(&self, bytes: [u8; LEN]) -> bool {
        let [a, b, c] = bytes.map(usize::from);
        self.fits[0][a] & self.fits[1][b] & self.fits[2][c] != 0
    }
}

/// Puts together those that let in the least beside themselves, two by two, until there are no more groups than buckets.
fn group(fingerprints: &[Fingerprint]) -> Vec<(Fingerprint, Vec<usize>)> {
    let mut groups: Vec<(Fingerprint, Vec<usize>)> =
        fingerprints.iter().enumerate().map(|(at, fingerprint)| (*fingerprint, vec![at])).collect();
    let price = |a: &Fingerprint, b: &Fingerprint| frequency(&join(a, b)) - frequency(a) - frequency(b);
    let mut prices: Vec<Vec<f64>> =
        groups.iter().map(|(a, _)| groups.iter().map(|(b, _)| price(a, b)).collect()).collect();
    while groups.len() > BUCKETS {
        let pairs = (0..groups.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let cheapest = pairs.min_by(|(a, b), (c, d)| prices[*a][*b].total_cmp(&prices[*c][*d]));
        let (a, b) = cheapest.expect("there are more than eight groups");
        let (shape, members) = groups.swap_remove(b);
        prices.swap_remove(b);
        for row in &mut prices {
            row.swap_remove(b);
        }
        groups[a].0 = join(&groups[a].0, &shape);
        groups[a].1.extend(members);
        for other in 0..groups.len() {
            prices[a][other] = price(&groups[a].0, &groups[other].0);
            prices[other][a] = prices[a][other];
        }
    }
    groups
}

fn join(a: &Fingerprint, b: &Fingerprint) -> Fingerprint {
    [0, 1, 2].map(|place| a[place].join(b[place]))
}

/// What texts are made of, each as likely: random base64, hexadecimal, prose, data between quotation marks.
const TEXTS: [&[u8]; 4] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"0123456789abcdef",
    b"etaoinshrdlucmfwypvbgkjqxz        eeetttaaooiinnssrr.,T",
    b"0123456789etaoinshrdlucmfwypvbg\"\"\"\":::,,,{}[]   __--..\n/0011",
];

/// How often a fingerprint is met at a byte of a text, about.
fn frequency(fingerprint: &Fingerprint) -> f64 {
    let share = |text: &[u8], place: &Place| {
        let count = text.iter().filter(|byte| place.holds(**byte)).count();
        // Nothing is never met.
        (f64::from(u32::try_from(count).unwrap_or(u32::MAX)) + 0.05) / f64::from(u32::try_from(text.len()).unwrap_or(1))
    };
    TEXTS.iter().map(|text| fingerprint.iter().map(|place| share(text, place)).product::<f64>()).sum()
}

/// Of the places where a fingerprint may be taken from, the one where it is met least.
pub(crate) fn rarest(needle: &[u8]) -> (usize, Fingerprint) {
    let windows = needle.windows(LEN).map(|window| [0, 1, 2].map(|place| Place::of([window[place]])));
    let rarest = windows.enumerate().min_by(|(_, a), (_, b)| frequency(a).total_cmp(&frequency(b)));
    rarest.expect("a needle is longer than a fingerprint")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_may_be_whatever_its_fingerprint_lets_in_and_little_else() {
        let fingerprint = [Place::of(*b"MNO"), Place::of(*b"a"), Place::of(0..=u8::MAX)];
        let member = Member::new(0, &fingerprint);
        let may_be = |text: &[u8; LEN]| member.may_be(u32::from_le_bytes([text[0], text[1], text[2], 0]));
        assert!([b"Mab", b"Na\0", b"Oa\xff"].into_iter().all(may_be));
        assert!([b"Mbb", b"maa", b"Eaa"].into_iter().all(|text| !may_be(text)));
    }
}
