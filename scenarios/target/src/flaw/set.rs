//! A set of flaws.

use std::collections::BTreeSet;

use super::Flaw;

/// The flaws that are switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlawSet(BTreeSet<Flaw>);

impl FlawSet {
    /// No flaw: the twin of all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every flaw at once.
    pub fn all() -> Self {
        Self::from_iter(Flaw::ALL)
    }

    /// Whether `flaw` is on.
    pub fn contains(&self, flaw: Flaw) -> bool {
        self.0.contains(&flaw)
    }

    /// The flaws that are on, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Flaw> {
        self.0.iter().copied()
    }

    /// How the service is built with respect to `flaw`: the guilty way where it is on, else the right way.
    pub(crate) fn pick<T>(&self, flaw: Flaw, guilty: T, right: T) -> T {
        if self.contains(flaw) { guilty } else { right }
    }
}

impl FromIterator<Flaw> for FlawSet {
    fn from_iter<I: IntoIterator<Item = Flaw>>(flaws: I) -> Self {
        Self(flaws.into_iter().collect())
    }
}

impl Extend<Flaw> for FlawSet {
    fn extend<I: IntoIterator<Item = Flaw>>(&mut self, flaws: I) {
        self.0.extend(flaws);
    }
}
