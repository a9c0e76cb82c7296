//! The cache of what tokens say, and their revocation.

use std::sync::Arc;

use super::hollow::Hollow;
use super::{play, short_name};
use crate::catalogue::{Entry, RIGHT};
use crate::model::{Actor, Canary, Explored, Explorer, Failure, LEAK, Pattern, Stage, Tenant};
use crate::structure::{Revoke, TokenCache, TokenKey};
use crate::sync::{Atomic, Ordering, SyncTypes};

/// A cache before whatever verifies tokens.
pub trait Tokens: Send + Sync + 'static {
    /// The sync types that it is built from.
    type Sync: SyncTypes;

    /// Whose token it is: known, or verified by `verify` and then kept. `None` when it is not valid.
    fn identity(&self, token: &'static str, verify: &mut dyn FnMut() -> Option<Canary>) -> Option<Canary>;

    /// The token is valid no longer, from the return of this call on.
    fn revoke(&self, token: &'static str);
}

const REVOKED_MEANWHILE: &str = "a token was revoked while it was being verified";
const REFUSED: &str = "a revoked token was refused";
const A_READ: &str = "A was taken for itself";
const B_READ: &str = "B was taken for itself";
const TOKEN_A: &str = "tok-aaaa";
const TOKEN_B: &str = "tok-bbbb";
const REVOKED: &str = "revoked";
/// As many as the tokens have in common.
const PREFIX_CHARS: usize = 4;
const KNOWN_MAX: usize = 8;

/// What it is about.
pub static TOKENS: Pattern = Pattern {
    name: "tokens",
    risk: "a token is taken for another, or lives on after it was revoked",
    witnesses: &[REVOKED_MEANWHILE, REFUSED, A_READ, B_READ],
    flaws: &["http.token-prefix"],
};

/// Explores a cache of tokens: one is revoked while it is in use, next to another that looks alike.
///
/// # Errors
///
/// Where a token is taken for another tenant's; where one is accepted after its revocation has returned.
pub fn check_tokens<P>(bounds: <P::Sync as Explorer>::Bounds) -> Result<Explored, Failure>
where
    P: Tokens<Sync: Explorer> + Default,
{
    play(&TOKENS, short_name::<P>(), P::default, scene, bounds)
}

fn scene<P: Tokens<Sync: Explorer>>(stage: &Stage<P::Sync>, tokens: &Arc<P>) {
    let revoked = Arc::new(<P::Sync as SyncTypes>::Atomic::new(0));
    let (shared, at_source) = (Arc::clone(tokens), Arc::clone(&revoked));
    stage.enter("A", Tenant::A, move |me| {
        me.does("comes with its token");
        if identity(me, &*shared, TOKEN_A, &*at_source) {
            me.witnesses(A_READ);
        }
    });
    let (shared, at_source) = (Arc::clone(tokens), Arc::clone(&revoked));
    stage.enter("A, elsewhere", Tenant::A, move |me| {
        me.does("revokes its token");
        me.together(REVOKED_MEANWHILE, || at_source.store(1, Ordering::Release));
        shared.revoke(TOKEN_A);
        is_refused(me, &*shared, &*at_source);
    });
    let shared = Arc::clone(tokens);
    stage.enter("B", Tenant::B, move |me| {
        me.does("comes with its token");
        if identity(me, &*shared, TOKEN_B, &<P::Sync as SyncTypes>::Atomic::new(0)) {
            me.witnesses(B_READ);
        } else {
            me.misses("its token is refused");
        }
    });
    stage.clear();
    is_refused(&stage.actor("A, later", Tenant::A), &**tokens, &*revoked);
}

/// Says whether the token was accepted.
fn identity<P: Tokens>(me: &Actor, tokens: &P, token: &'static str, revoked: &impl Atomic) -> bool {
    let mut verify = || {
        let valid = || revoked.load(Ordering::Acquire) == 0;
        me.does("has its token verified");
        let is_valid = if token == TOKEN_A { me.together(REVOKED_MEANWHILE, valid) } else { valid() };
        is_valid.then(|| me.canary())
    };
    tokens.identity(token, &mut verify).is_some_and(|identity| me.receives("is taken for", identity))
}

fn is_refused<P: Tokens>(me: &Actor, tokens: &P, revoked: &impl Atomic) {
    me.does("comes with the revoked token");
    if identity(me, tokens, TOKEN_A, revoked) {
        me.breaks(REVOKED, "the revoked token is accepted");
    } else {
        me.witnesses(REFUSED);
    }
}

impl<S: SyncTypes> Tokens for TokenCache<Canary, S> {
    type Sync = S;

    fn identity(&self, token: &'static str, verify: &mut dyn FnMut() -> Option<Canary>) -> Option<Canary> {
        self.identity(token, verify)
    }

    fn revoke(&self, token: &'static str) {
        self.revoke(token);
    }
}

impl<S: SyncTypes> Tokens for Hollow<S> {
    type Sync = S;

    fn identity(&self, _: &'static str, _: &mut dyn FnMut() -> Option<Canary>) -> Option<Canary> {
        None
    }

    fn revoke(&self, _: &'static str) {}
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::right(), Entry::guilty("by-prefix", LEAK), Entry::guilty("learned-again", REVOKED), Entry::hollow()];

pub(crate) fn run<E: Explorer>(name: &str, bounds: E::Bounds) -> Result<Explored, Failure> {
    let (key, revoke) = match name {
        RIGHT => (TokenKey::Whole, Revoke::Remember),
        "by-prefix" => (TokenKey::Prefix(PREFIX_CHARS), Revoke::Remember),
        "learned-again" => (TokenKey::Whole, Revoke::Forget),
        _ => return play(&TOKENS, name, Hollow::<E>::new, scene, bounds),
    };
    play(&TOKENS, name, move || TokenCache::<Canary, E>::new(key, revoke, KNOWN_MAX), scene, bounds)
}
