//! The service without a socket of its own, for callers in the same process.

use std::fmt;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use tokio::sync::watch;

use crate::config::Config;
use crate::connection::Connection;
use crate::error::StartError;
use crate::server::{Built, build};
use crate::service;

/// The service, ready to be called. Its work in the background ends when this is dropped.
pub struct InProcess {
    router: Router,
    _stop: watch::Sender<bool>,
}

/// Builds the service on the current tokio runtime; it does not listen, whatever the configuration says of that.
pub async fn in_process(config: Config) -> Result<InProcess, StartError> {
    let Built { service, stop, .. } = build(config).await?;
    Ok(InProcess { router: service::router(service), _stop: stop })
}

impl InProcess {
    /// The service as a new connection sees it: what it knows of a connection, it knows of the calls of this router.
    pub fn connection(&self) -> Router {
        self.router.clone().layer(Extension(ConnectInfo(Connection::default())))
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}
