//! Knows what to look for.

use std::{fmt, sync::Arc};

use crate::{Encoding, RunKey, ScanSummary, Scanner, Sighting, seal::Seal};

/// Finds the canaries of one run. It never changes, and a clone of it costs next to nothing.
#[derive(Clone)]
pub struct Detector {
    shared: Arc<Shared>,
}

struct Shared {
    seal: Seal,
}

/// Builds a [`Detector`].
#[must_use]
pub struct DetectorBuilder {
    seal: Seal,
}

impl Detector {
    /// A detector for the run of this key, with everything on that has no cost of its own.
    pub fn new(key: &RunKey) -> Self {
        Self::builder(key).build()
    }

    /// Begins a detector with choices of its own.
    pub fn builder(key: &RunKey) -> DetectorBuilder {
        DetectorBuilder { seal: Seal::new(key) }
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

    /// Scans bytes that are in memory as a whole.
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
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").finish_non_exhaustive()
    }
}

impl DetectorBuilder {
    /// The detector.
    pub fn build(self) -> Detector {
        Detector { shared: Arc::new(Shared { seal: self.seal }) }
    }
}
