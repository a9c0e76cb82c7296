//! Waits until the target answers at all, before anything is measured.

use std::time::Duration;

use coalmine_core::plan::Target;
use reqwest::{Client, redirect};

use crate::allow::Address;
use crate::ledger::Ledger;

/// Between two tries. This is no synchronisation: the target alone knows when it is ready, and has no way to say so.
const PAUSE: Duration = Duration::from_millis(50);
/// One try may take this long.
const TRY_MAX: Duration = Duration::from_secs(2);

/// Asks for [`Target::ready_path`], or opens a connection where there is none, until it works or the limit has passed.
/// The error says what went wrong at the last try.
pub(crate) async fn wait_until_ready(target: &Target, address: &Address, ledger: &Ledger) -> Result<(), String> {
    let limit = Duration::from_millis(target.ready_limit_ms);
    let mut last = "no try was made".to_owned();
    let tries = async {
        loop {
            // Opening a connection is no request.
            if target.ready_path.is_some()
                && let Err(limit) = ledger.admit().await
            {
                last = format!("the budget of {limit} is used up");
                return Err(());
            }
            match tokio::time::timeout(TRY_MAX, try_once(target, address)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => last = why,
                Err(_) => last = format!("no answer within {TRY_MAX:?}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let outcome = tokio::time::timeout(limit, tries).await.unwrap_or(Err(()));
    outcome.map_err(|()| format!("{} was not ready within {limit:?}: {last}", target.base_url))
}

async fn try_once(target: &Target, address: &Address) -> Result<(), String> {
    let Some(path) = &target.ready_path else {
        let stream = tokio::net::TcpStream::connect(address.socket).await;
        return stream.map(|_| ()).map_err(|error| error.to_string());
    };
    let host = address.authority.rsplit_once(':').map_or(address.authority.as_str(), |(host, _)| host);
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).resolve(host, address.socket);
    let client = client.build().map_err(|error| error.to_string())?;
    let url = format!("http://{}{path}", address.authority);
    let response = client.get(url).send().await.map_err(|error| describe(&error))?;
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(format!("GET {path} answered {status}")) }
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_connect() { "the connection was refused".to_owned() } else { error.to_string() }
}
