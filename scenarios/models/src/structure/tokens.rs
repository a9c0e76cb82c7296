//! A cache of what tokens say, which must forget the ones that are revoked.

use std::collections::HashMap;

use crate::sync::{Mutex, Std, SyncTypes};

/// What a token is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKey {
    /// Guilty: so many of its first characters, which others may have as well.
    Prefix(usize),
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
    known_max: usize,
    tokens: S::Mutex<Known<V>>,
}

/// Whose each token is; nobody's where it was revoked.
struct Known<V>(HashMap<String, Option<V>>);

impl<V: Clone + Send, S: SyncTypes> TokenCache<V, S> {
    /// No token is known. When more than `known_max` are, all are verified anew.
    pub fn new(key: TokenKey, revoke: Revoke, known_max: usize) -> Self {
        Self { key, revoke, known_max, tokens: S::Mutex::new(Known(HashMap::new())) }
    }

    /// Whose token it is, from memory or from `verify`. `None` when it is not valid.
    pub fn identity(&self, token: &str, verify: impl FnOnce() -> Option<V>) -> Option<V> {
        let key = self.key(token);
        let known = self.tokens.lock().0.get(&key).cloned();
        if let Some(identity) = known {
            return identity;
        }
        let identity = verify()?;
        self.tokens.lock().learn(key, identity, self.known_max)
    }

    /// The token is valid no longer.
    pub fn revoke(&self, token: &str) {
        let key = self.key(token);
        match self.revoke {
            Revoke::Forget => self.tokens.lock().0.remove(&key),
            Revoke::Remember => self.tokens.lock().0.insert(key, None),
        };
    }

    fn key(&self, token: &str) -> String {
        match self.key {
            TokenKey::Prefix(chars) => token.chars().take(chars).collect(),
            TokenKey::Whole => token.to_owned(),
        }
    }
}

impl<V: Clone> Known<V> {
    /// What is to be believed from now on: a token that was revoked meanwhile stays so.
    fn learn(&mut self, key: String, identity: V, known_max: usize) -> Option<V> {
        if self.0.len() >= known_max {
            self.0.retain(|_, identity| identity.is_none());
        }
        self.0.entry(key).or_insert(Some(identity)).clone()
    }
}
