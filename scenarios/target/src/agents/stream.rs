//! The events of a user's runs as server-sent events: what the WebSocket tells, for clients that have none.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::Event;
use futures_util::{Stream, stream};

use super::journal::Told;
use super::listener::{Listener, Subscription};
use crate::caller::Caller;
use crate::input::Params;
use crate::refusal::Refusal;
use crate::service::App;

/// A stream that ends, because its reader is too slow or has logged out, is taken up again with the id of its last event.
pub(super) async fn open(
    State(service): State<App>,
    caller: Caller,
    Params(mut subscription): Params<Subscription>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    subscription.last_event_id = last.or(subscription.last_event_id);
    let listener = Listener::plug(service, caller.identity.clone(), &subscription)?;
    Ok(Sse::new(stream::unfold(listener, async |listener| {
        let Told { id, kind, text } = listener.next().await.ok()?;
        let kind = listener.service.config.names.word(kind.name());
        let event = Event::default().id(id.to_string()).event(kind).data(text.as_str());
        Some((Ok(event), listener))
    })))
}
