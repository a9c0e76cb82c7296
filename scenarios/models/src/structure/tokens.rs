//! A cache of what tokens say, which must forget the ones that are revoked.

use std::collections::{HashMap, HashSet};

use crate::sync::{Mutex, Std, SyncTypes};

const PREFIX_CHARS: usize = 4;

/// What a token is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKey {
    /// Guilty: its first characters, which others may have as well.
    Prefix,
    /// Right: all of it.
    Whole,
}

/// What becomes of a token that is being verified while it is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// Guilty: it is forgotten, and learned again a moment later.
    Forget,
    /// Right: it is remembered as revoked.
    Remember,
}

/// Tokens that were verified.
pub struct TokenCache<V: Send, S: SyncTypes = Std> {
    key: TokenKey,
    revoke: Revoke,
    inner: S::Mutex<Inner<V>>,
}

struct Inner<V> {
    known: HashMap<String, V>,
    revoked: HashSet<String>,
}

impl<V: Clone + Send, S: SyncTypes> TokenCache<V, S> {
    /// No token is known.
    pub fn new(key: TokenKey, revoke: Revoke) -> Self {
        let inner = Inner { known: HashMap::new(), revoked: HashSet::new() };
        Self { key, revoke, inner: S::Mutex::new(inner) }
    }

    /// Whose token it is, from memory or from `verify`. `None` when it is not valid.
    pub fn identity(&self, token: &str, verify: impl FnOnce() -> Option<V>) -> Option<V> {
        let key = self.key(token);
        let inner = self.inner.lock();
        if inner.revoked.contains(token) {
            return None;
        }
        if let Some(known) = inner.known.get(&key) {
            return Some(known.clone());
        }
        drop(inner);
        let identity = verify()?;
        let mut inner = self.inner.lock();
        if inner.revoked.contains(token) {
            return None;
        }
        inner.known.insert(key, identity.clone());
        Some(identity)
    }

    /// The token is valid no longer.
    pub fn revoke(&self, token: &str) {
        let mut inner = self.inner.lock();
        inner.known.remove(&self.key(token));
        if self.revoke == Revoke::Remember {
            inner.revoked.insert(token.to_owned());
        }
    }

    fn key(&self, token: &str) -> String {
        match self.key {
            TokenKey::Prefix => token.chars().take(PREFIX_CHARS).collect(),
            TokenKey::Whole => token.to_owned(),
        }
    }
}
