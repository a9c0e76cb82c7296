//! Tells a user's own service that a report is done, with the user's API key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, Request, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::office::Notice;
use crate::document::schema_to;
use crate::refusal::Refusal;

/// Who takes longer is not told.
const SEND_MAX: Duration = Duration::from_secs(2);

/// Holds the API key of whoever is told.
pub(super) const API_KEY: &str = "x-api-key";

/// Where to send to: on loopback only, for nobody shall reach others' machines through this service.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    address: SocketAddr,
    uri: Uri,
}

impl Receiver {
    pub(super) fn parse(url: &str) -> Result<Self, Refusal> {
        let uri: Uri = url.parse().map_err(|_| NO_URL)?;
        let ip = match uri.host() {
            Some("localhost") => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Some(host) => host.trim_matches(['[', ']']).parse::<IpAddr>().map_err(|_| NO_URL),
            None => Err(NO_URL),
        }?;
        if uri.scheme_str() != Some("http") || !ip.is_loopback() {
            return Err(NO_URL);
        }
        let address = SocketAddr::new(ip, uri.port_u16().unwrap_or(80));
        Ok(Self { address, uri })
    }

    /// Posts, with the API key in the header of that name. Nobody minds if it does not arrive.
    pub(super) async fn tell(&self, api_key: Option<(&str, &str)>, body: String) {
        drop(timeout(SEND_MAX, self.post(api_key, body)).await);
    }

    async fn post(&self, api_key: Option<(&str, &str)>, body: String) -> Option<()> {
        let socket = TcpStream::connect(self.address).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.ok()?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path).header(CONTENT_TYPE, "application/json");
        request = request.header(HOST, self.uri.authority()?.as_str());
        if let Some((name, api_key)) = api_key {
            request = request.header(name, HeaderValue::from_str(api_key).ok()?);
        }
        let sent = sender.send_request(request.body(Body::from(body)).ok()?);
        tokio::select! {
            answer = sent => answer.ok().map(drop),
            _ = connection => None,
        }
    }
}

/// The request, as whoever is told sees it.
pub(super) fn described() -> Value {
    json!({ "post": {
        "parameters": [{ "name": API_KEY, "in": "header", "required": false, "schema": { "type": "string" } }],
        "requestBody": { "content": { "application/json": { "schema": schema_to::<Notice<'_>>() } } },
        "responses": { "default": { "description": "Whatever it is." } },
    } })
}

const NO_URL: Refusal = Refusal::BadRequest("notify must be an http URL on loopback");
