//! Values that stand in no plan and no history.

use std::collections::BTreeMap;
use std::fmt;

/// The scenario's secrets, by name. They are put into requests and shown nowhere.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Secrets by their names.
    pub fn new(by_name: BTreeMap<String, String>) -> Self {
        Self(by_name)
    }

    pub(crate) fn expose(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
