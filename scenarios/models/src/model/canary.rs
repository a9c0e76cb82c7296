//! Tenants, and the secrets that tell whose a thing is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the tenants of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tenant {
    /// Tenant A.
    A,
    /// Tenant B.
    B,
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A unique secret of one tenant. A structure carries it and does not look inside.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Canary {
    owner: Tenant,
    serial: u32,
}

impl Canary {
    pub(super) fn new(owner: Tenant, serial: u32) -> Self {
        Self { owner, serial }
    }

    /// Whose it is.
    pub fn owner(self) -> Tenant {
        self.owner
    }
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a canary of {}", self.owner)
    }
}
