//! What a check is about.

/// A pattern of concurrent code that tenants share, and what its check must see before it passes.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Its name on the command line.
    pub name: &'static str,
    /// What may go wrong, in a few words.
    pub risk: &'static str,
    /// What must have happened in some interleaving for a pass to mean anything.
    pub witnesses: &'static [&'static str],
    /// The flaws of the built-in target that it explains.
    pub flaws: &'static [&'static str],
}
