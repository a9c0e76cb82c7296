//! Waits until the target answers at all, before anything is measured.

use std::time::Duration;

use coalmine_core::history::ConnectionId;
use coalmine_core::plan::Target;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HOST;

use crate::allow::Destinations;
use crate::exchange::Connection;
use crate::ledger::Ledger;
use crate::socket::{ConnectError, Socket, Window};
use crate::valve::Valved;

/// Between two tries. This is no synchronisation: the target alone knows when it is ready, and has no way to say so.
const PAUSE: Duration = Duration::from_millis(50);
/// One try may take this long.
const TRY_MAX: Duration = Duration::from_secs(2);

/// Asks for [`Target::ready_path`], or opens a connection where there is none, until it works or the limit has passed.
/// The error says what went wrong at the last try.
pub(crate) async fn wait_until_ready(
    target: &Target,
    destinations: &Destinations,
    ledger: &Ledger,
) -> Result<(), String> {
    let limit = Duration::from_millis(target.ready_limit_ms);
    let mut last = "no try was made".to_owned();
    let tries = async {
        loop {
            // Opening a connection is no request.
            if target.ready_path.is_some()
                && let Err(limit) = ledger.admit().await
            {
                return Err(format!("{} cannot be tested: the budget of {limit} is used up", target.base_url));
            }
            match tokio::time::timeout(TRY_MAX, try_once(target, destinations)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Unready::Ever(why))) => return Err(format!("{} cannot be tested: {why}", target.base_url)),
                Ok(Err(Unready::Yet(why))) => last = why,
                Err(_) => last = format!("no answer within {TRY_MAX:?}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let outcome = tokio::time::timeout(limit, tries).await;
    outcome.unwrap_or_else(|_| Err(format!("{} was not ready within {limit:?}: {last}", target.base_url)))
}

/// Why it did not work.
enum Unready {
    /// Another try may work.
    Yet(String),
    /// None will.
    Ever(String),
}

async fn try_once(target: &Target, destinations: &Destinations) -> Result<(), Unready> {
    let socket =
        Socket::connect(destinations.target(), target.http, Window::Usual).await.map_err(|error| match error {
            ConnectError::Tls(why) => Unready::Ever(why),
            ConnectError::Io(error) => Unready::Yet(error.to_string()),
        })?;
    let Some(path) = &target.ready_path else { return Ok(()) };
    let connection = Connection::handshake(ConnectionId(u32::MAX), Valved::new(socket), target.http).await;
    let place = destinations.at_target(path.clone());
    let request = Request::get(place.path).header(HOST, &place.origin.authority).body(Full::default());
    let request = request.map_err(|error| Unready::Ever(error.to_string()))?;
    let response = connection.map_err(Unready::Yet)?.send(request).await;
    let response = response.map_err(|broken| Unready::Yet(broken.why))?;
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(Unready::Yet(format!("GET {path} answered {status}"))) }
}
