//! A service of tower, served over connections that are in memory.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use coalmine_run::Dial;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;
use tower_service::Service;

/// As much is on its way in one direction before the one who writes has to wait.
const PIPE_BYTES: usize = 64 << 10;

type Serve = dyn Fn(DuplexStream, &mut JoinSet<()>) + Send + Sync;

/// A service that is up, such as an axum `Router`. It speaks HTTP/1.1, and WebSocket where it upgrades.
#[derive(Clone)]
pub struct App {
    serve: Arc<Serve>,
    connections: Arc<Mutex<JoinSet<()>>>,
}

impl App {
    /// Serves every connection by a clone of the service.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        Self::for_each_connection(move || service.clone())
    }

    /// Serves each connection by a service of its own, where it knows something of connections.
    pub fn for_each_connection<S, B>(service: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let serve = move |far: DuplexStream, connections: &mut JoinSet<()>| {
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(far), TowerToHyperService::new(service()))
                .with_upgrades();
            connections.spawn(async move {
                // The client may hang up at any moment, as it is made to.
                let _ = connection.await;
            });
        };
        Self { serve: Arc::new(serve), connections: Arc::default() }
    }
}

impl Dial for App {
    fn dial(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        while connections.try_join_next().is_some() {}
        (self.serve)(far, &mut connections);
        near
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}
