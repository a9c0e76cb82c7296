//! The way to a store that the harness may look into: it leads to loopback, or to a host that the scenario names.

use tokio::net::TcpStream;

use crate::allow::{Destinations, Elsewhere};

/// Connects. The error says in words, without the address, why not.
pub(crate) async fn connect(destinations: &Destinations, host: &str, port: u16) -> Result<TcpStream, String> {
    let written = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let place = destinations.at(&format!("http://{written}:{port}/")).map_err(|error| refusal(&error))?;
    let addresses = place.origin.addresses().await.map_err(|error| format!("cannot reach the store: {error}"))?;
    TcpStream::connect(addresses).await.map_err(|error| format!("cannot connect to the store: {error}"))
}

/// Where the store stands is not told: only whoever starts the run knows it.
fn refusal(elsewhere: &Elsewhere) -> String {
    match elsewhere {
        Elsewhere::NotAllowed(_) => "the store is neither on loopback nor in `target.hosts` of the scenario".to_owned(),
        Elsewhere::Malformed => "the address of the store names no host that can be reached".to_owned(),
        Elsewhere::TooMany => elsewhere.to_string(),
    }
}
