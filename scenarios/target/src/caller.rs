//! The caller of a request: authenticated, and entered into the slot for the current user. Home of
//! `http.auth-by-connection`.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, UPGRADE};
use axum::http::request::Parts;

use crate::connection::Connection;
use crate::names::Names;
use crate::refusal::Refusal;
use crate::service::App;
use crate::token::Identity;

/// How often a client must say who it is.
#[derive(Clone, Copy)]
pub(crate) enum AskWho {
    /// Guilty: once, and whoever shares the connection later is taken for the first.
    EachConnection,
    /// Right: in each request.
    EachRequest,
}

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
        let identity = match service.ask_who {
            AskWho::EachConnection => first_caller(parts, service)?,
            AskWho::EachRequest => authenticate(parts, service)?,
        };
        let request = service.next_request();
        service.current_user.enter(request, identity.clone());
        let scope = Scope { service: App::clone(service), request };
        Ok(Self { identity, scope })
    }
}

fn authenticate(parts: &Parts, service: &App) -> Result<Identity, Refusal> {
    let token = bearer(parts, &service.config.names).ok_or(Refusal::Unauthenticated)?;
    let identity = service.tokens.read(token)?;
    if service.logouts.has_ended(&identity.session) {
        return Err(Refusal::Unauthenticated);
    }
    Ok(identity)
}

/// Who sent the first request on this connection, whatever this one says.
fn first_caller(parts: &Parts, service: &App) -> Result<Identity, Refusal> {
    let ConnectInfo(connection) = parts.extensions.get::<ConnectInfo<Connection>>().ok_or(Refusal::Fault)?;
    match connection.first_caller.get() {
        Some(identity) => Ok(identity.clone()),
        None => {
            let identity = authenticate(parts, service)?;
            Ok(connection.first_caller.get_or_init(|| identity).clone())
        }
    }
}

/// The token of the `authorization` header. Browsers cannot set that on a WebSocket, so there the query may hold it.
fn bearer<'a>(parts: &'a Parts, names: &Names) -> Option<&'a str> {
    match parts.headers.get(AUTHORIZATION) {
        Some(value) => value.to_str().ok()?.strip_prefix("Bearer "),
        None if parts.headers.contains_key(UPGRADE) => {
            let mut pairs = parts.uri.query()?.split('&');
            pairs.find_map(|pair| pair.strip_prefix(names.word("token"))?.strip_prefix('='))
        }
        None => None,
    }
}
