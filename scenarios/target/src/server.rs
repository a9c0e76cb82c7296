//! Starting and stopping.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::{self, Next};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::arrivals::Arrivals;
use crate::config::Config;
use crate::connection::{Connection, Door};
use crate::error::StartError;
use crate::service::{self, Backends, Service};
use crate::store::{Closed, Opened, Store};
use crate::{agents, leads};

/// Requests that are under way get this long to end.
const DRAIN_MAX: Duration = Duration::from_secs(2);

const SEND_BUFFER_BYTES: u32 = 64 * 1024;
const CONNECTIONS_WAITING_MAX: u32 = 1024;

/// The service, up and running. Dropping it stops the service without waiting for that.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    closed: Closed,
    arrivals: Arrivals,
}

/// Starts the service on the current tokio runtime. When this returns, it accepts connections.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let listen_error = |source| StartError::Listen { address: config.listen, source };
    let listener = listen(config.listen).map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    let Built { service, stop, stopping, closed } = build(config).await?;
    let arrivals = Arrivals::default();
    let server = tokio::spawn(serve(listener, service, arrivals.clone(), stopping));
    Ok(Running { address, stop, server, closed, arrivals })
}

/// The service without a socket.
pub(crate) struct Built {
    pub(crate) service: Arc<Service>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) closed: Closed,
}

/// Opens what the service is built upon, and begins its work in the background.
pub(crate) async fn build(config: Config) -> Result<Built, StartError> {
    let Opened { store, sessions, remote, closed } =
        Store::open(&config.storage, leads::Policies::new(&config.flaws)).await?;
    let (stop, stopping) = watch::channel(false);
    let memories = agents::listen(config.memory_latency, stopping.clone()).await?;
    let backends = Backends { store, sessions, remote, memories };
    let service = Arc::new(Service::new(config, backends, stopping.clone()));
    agents::tune_in(&service).await?;
    leads::open(&service).await?;
    Ok(Built { service, stop, stopping, closed })
}

/// Connections keep little of what they send, so that a thousand slow readers cost little.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does it.
    socket.set_reuseaddr(cfg!(not(windows)))?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(CONNECTIONS_WAITING_MAX)
}

async fn serve(listener: TcpListener, service: Arc<Service>, arrivals: Arrivals, stopping: watch::Receiver<bool>) {
    let noted = middleware::from_fn(move |request: Request, next: Next| {
        arrivals.note();
        next.run(request)
    });
    let routes = service::router(service).layer(noted).into_make_service_with_connect_info::<Connection>();
    let server = axum::serve(Door(listener), routes);
    // It is said to return errors never.
    let _ = server.with_graceful_shutdown(stopped(stopping)).await;
}

/// Waits until the service is to stop, or was dropped.
pub(crate) async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

impl Running {
    /// Where the service is, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// When the last 100,000 requests came, in their order.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.all()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: refuses new connections, lets requests end, closes WebSockets, removes temporary data. What has not ended
    /// after some seconds is left to end by itself.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if timeout(DRAIN_MAX, &mut self.server).await.is_err() {
            self.server.abort();
        }
        // Past this time, temporary data is removed as soon as the last request lets go of the database.
        let _ = timeout(DRAIN_MAX, self.closed).await;
    }

    /// Runs until the server ends, which it does not do by itself.
    pub async fn wait(mut self) {
        let _ = (&mut self.server).await;
    }
}
