//! Knows what to look for.

use std::{fmt, sync::Arc};

use crate::{
    Canary, CanaryId, DictionaryError, Encoding, Minter, RunKey, ScanSummary, Scanner, Shape, Sighting,
    dictionary::Dictionary, live::Live, seal::Seal, shape::Family,
};

/// Finds the canaries of one run. It never changes, and a clone of it costs next to nothing.
#[derive(Clone)]
pub struct Detector {
    shared: Arc<Shared>,
}

struct Shared {
    seal: Seal,
    families: Families,
    live: Option<Live>,
    dictionary: Option<Dictionary>,
}

/// Which families of shapes are searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Families {
    pub(crate) letters: bool,
    pub(crate) uuid: bool,
    pub(crate) number: bool,
}

impl Families {
    const ALL: Self = Self { letters: true, uuid: true, number: true };

    fn of(shapes: impl IntoIterator<Item = Shape>) -> Self {
        let mut families = Self { letters: false, uuid: false, number: false };
        for shape in shapes {
            match shape.family() {
                Family::Letters => families.letters = true,
                Family::Uuid => families.uuid = true,
                Family::Number => families.number = true,
            }
        }
        families
    }
}

/// Builds a [`Detector`].
#[must_use]
pub struct DetectorBuilder {
    minter: Minter,
    shared: Shared,
}

impl Detector {
    /// A detector for the run of this key, with everything on that has no cost of its own.
    pub fn new(key: &RunKey) -> Self {
        Self::builder(key).build()
    }

    /// Begins a detector with choices of its own.
    pub fn builder(key: &RunKey) -> DetectorBuilder {
        let shared = Shared { seal: Seal::new(key), families: Families::ALL, live: None, dictionary: None };
        DetectorBuilder { minter: Minter::new(key), shared }
    }

    /// A scanner for one stream. It takes memory once it is fed.
    pub fn scanner(&self) -> Scanner {
        Scanner::new(self.clone(), 0)
    }

    /// A scanner for a stream that is packed as a whole, as a response is with `Content-Encoding: br`. An encoding that
    /// is no packing changes nothing; all but Brotli are recognised without being announced.
    pub fn scanner_unpacking(&self, encoding: Encoding) -> Scanner {
        let mut scanner = self.scanner();
        scanner.unpack(encoding);
        scanner
    }

    /// Scans bytes that are in memory as a whole. Sightings come in no particular order.
    pub fn scan(&self, bytes: &[u8]) -> Vec<Sighting> {
        self.scan_all(bytes).0
    }

    /// The same, and says what the scan could not do.
    pub fn scan_all(&self, bytes: &[u8]) -> (Vec<Sighting>, ScanSummary) {
        let mut sightings = Vec::new();
        let summary = self.scanner().scan(bytes, &mut sightings);
        (sightings, summary)
    }

    pub(crate) fn seal(&self) -> &Seal {
        &self.shared.seal
    }

    pub(crate) fn families(&self) -> Families {
        self.shared.families
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        self.shared.live.as_ref()
    }

    pub(crate) fn dictionary(&self) -> Option<&Dictionary> {
        self.shared.dictionary.as_ref()
    }
}

/// What a shape cannot name cannot have been planted.
fn minted(minter: &Minter, id: CanaryId) -> Option<Canary> {
    minter.mint(id.owner, id.serial, id.shape).ok()
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").finish_non_exhaustive()
    }
}

impl DetectorBuilder {
    /// Searches for hashes (MD5, SHA-1, SHA-256, SHA-512, in hexadecimal or base64) and for what masks leave (`****1234`, `1234****`,
    /// `a***@...`) of
    /// these canaries as well. Neither names its owner by itself, so the canaries must be given. It takes about 0.3 KiB
    /// of memory for each.
    pub fn live(self, ids: impl IntoIterator<Item = CanaryId>) -> Self {
        let minter = self.minter.clone();
        self.planted(ids.into_iter().filter_map(|id| minted(&minter, id)))
    }

    /// The same for canaries as they were planted, where their fields took them otherwise than their shape writes them.
    pub fn planted(mut self, canaries: impl IntoIterator<Item = Canary>) -> Self {
        let live = self.shared.live.get_or_insert_default();
        for canary in canaries {
            live.learn(&canary);
        }
        self
    }

    /// Searches for the CRC-32 checksums of these canaries as well, and for all that [`DetectorBuilder::live`] does. Each
    /// word of eight hexadecimal digits is one of a thousand checksums with a probability of 2^-22, so this gives hints, and
    /// in a large stream false ones; it is for few canaries and by choice.
    pub fn checksums(mut self, ids: impl IntoIterator<Item = CanaryId>) -> Self {
        let live = self.shared.live.get_or_insert_default();
        for id in ids {
            if let Some(canary) = minted(&self.minter, id) {
                live.learn_checksum(&canary);
            }
        }
        self
    }

    /// Searches for canaries of these shapes and of those like them, and of no others: it is quicker where no number is
    /// among them. What a family holds is told by the table in the README: whoever asks for one lettered shape gets all.
    pub fn shapes(mut self, shapes: impl IntoIterator<Item = Shape>) -> Self {
        self.shared.families = Families::of(shapes);
        self
    }

    /// Searches for these secrets as well. Of a long one the first 40 bytes are looked for.
    ///
    /// # Errors
    /// An entry is shorter than six bytes, or there are too many.
    pub fn dictionary<E: AsRef<[u8]>>(mut self, entries: impl IntoIterator<Item = E>) -> Result<Self, DictionaryError> {
        self.shared.dictionary = Some(Dictionary::new(entries)?);
        Ok(self)
    }

    /// The detector.
    pub fn build(self) -> Detector {
        Detector { shared: Arc::new(self.shared) }
    }
}
