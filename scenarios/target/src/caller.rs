//! The caller of a request: authenticated, and entered into the slot for the current user.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, UPGRADE};
use axum::http::request::Parts;

use crate::refusal::Refusal;
use crate::service::App;
use crate::token::Identity;

/// Who sent the request, as its token says. Handlers that take a `Caller` are for those who are logged in.
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    scope: Scope,
}

impl Caller {
    /// The current user, as code sees it that was not handed the caller but looks it up in the slot.
    pub(crate) fn current(&self) -> Option<Identity> {
        self.scope.service.current_user.current(self.scope.request)
    }
}

/// The stretch of a request, ended also where the request is dropped on the way.
struct Scope {
    service: App,
    request: u64,
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.service.current_user.leave(self.request);
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &App) -> Result<Self, Refusal> {
        let token = bearer(parts).ok_or(Refusal::Unauthenticated)?;
        let identity = service.tokens.read(token)?;
        let request = service.next_request();
        service.current_user.enter(request, identity.clone());
        let scope = Scope { service: App::clone(service), request };
        Ok(Self { identity, scope })
    }
}

/// The token of the `authorization` header. Browsers cannot set that on a WebSocket, so there the query may hold it.
fn bearer(parts: &Parts) -> Option<&str> {
    match parts.headers.get(AUTHORIZATION) {
        Some(value) => value.to_str().ok()?.strip_prefix("Bearer "),
        None if parts.headers.contains_key(UPGRADE) => {
            let mut pairs = parts.uri.query()?.split('&');
            pairs.find_map(|pair| pair.strip_prefix("token="))
        }
        None => None,
    }
}
