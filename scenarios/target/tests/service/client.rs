//! A tenant with one user, seen from outside.

use std::time::Duration;

use coalmine_target::{Config, Flaw, FlawSet, Running, start};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Nothing that is waited for here takes as long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The service with some flaws, on the storage that these tests are about.
pub(crate) async fn service(flaws: impl IntoIterator<Item = Flaw>) -> Running {
    let flaws = FlawSet::from_iter(flaws);
    start(Config { flaws, storage: crate::storage(), ..Config::default() }).await.unwrap()
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
    token: String,
    url: String,
    http: reqwest::Client,
}

impl Client {
    /// Registers a tenant of that name with one user, and logs in.
    pub(crate) async fn join(running: &Running, name: &str) -> Self {
        let mut client = Self {
            name: name.to_owned(),
            user_id: String::new(),
            tenant_id: String::new(),
            token: String::new(),
            url: running.url(),
            http: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap(),
        };
        let (status, _) = client.post("/auth/register", client.account()).await;
        assert_eq!(status, StatusCode::CREATED);
        client.log_in().await;
        client
    }

    /// Registers another user of the same tenant, and logs in.
    pub(crate) async fn colleague(&self, running: &Running, name: &str) -> Self {
        self.colleague_as(running, name, json!({ "role": "OPERATOR" })).await
    }

    /// The same with fields of its own.
    pub(crate) async fn colleague_as(&self, running: &Running, name: &str, fields: Value) -> Self {
        let mut colleague = Self { name: name.to_owned(), token: String::new(), ..self.clone() };
        let mut account = json!({ "email": format!("{name}@example.com"), "password": "pass", "tenant": self.name });
        let fields = fields.as_object().unwrap().clone();
        account.as_object_mut().unwrap().extend(fields);
        assert_eq!(colleague.post("/auth/register", account).await.0, StatusCode::CREATED);
        colleague.move_to(running).await;
        colleague
    }

    /// Logs in (again) at another service that has the same data.
    pub(crate) async fn move_to(&mut self, running: &Running) {
        self.url = running.url();
        self.log_in().await;
    }

    async fn log_in(&mut self) {
        let (status, session) = self.post("/auth/login", self.account()).await;
        assert_eq!(status, StatusCode::OK);
        self.token = text(&session["token"]);
        self.user_id = text(&session["user_id"]);
        self.tenant_id = text(&session["tenant_id"]);
    }

    pub(crate) fn account(&self) -> Value {
        let name = &self.name;
        json!({ "email": format!("{name}@example.com"), "password": "pass", "tenant": name })
    }

    /// Several tenants with names of their own.
    pub(crate) async fn crowd(running: &Running, size: usize) -> Vec<Self> {
        let names: Vec<String> = (0..size).map(|number| format!("tenant{number}")).collect();
        futures_util::future::join_all(names.iter().map(|name| Self::join(running, name))).await
    }

    /// A secret of this tenant.
    pub(crate) fn secret(&self, topic: &str) -> String {
        format!("<{}:{topic}>", self.name)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, None).await
    }

    /// Asks another service, with the token of this one.
    pub(crate) async fn try_get(&self, running: &Running, path: &str) -> StatusCode {
        let there = Self { url: running.url(), ..self.clone() };
        there.get(path).await.0
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Posts with an idempotency key.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let response = request.header("idempotency-key", key).json(&body).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Asks with the ETag of an answer; answers the status, the ETag and what caches are told.
    pub(crate) async fn revalidate(&self, path: &str, known: &str) -> (StatusCode, String, String) {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let response = request.header("if-none-match", known).send().await.unwrap();
        let field = |name| response.headers()[name].to_str().unwrap().to_owned();
        (response.status(), field("etag"), field("cache-control"))
    }

    /// Uploads a file.
    pub(crate) async fn upload(&self, path: &str, file: String) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let response = request.header("content-type", "text/csv").body(file).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// A body that is no JSON.
    pub(crate) async fn download(&self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.send().await.unwrap().text().await.unwrap()
    }

    /// A body that is no text.
    pub(crate) async fn download_bytes(&self, path: &str) -> Vec<u8> {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    /// A request in bytes, for who minds its connection.
    pub(crate) fn raw(&self, method: &str, path: &str, body: &str) -> String {
        let (token, bytes) = (&self.token, body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nhost: target\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {bytes}\r\n\r\n{body}"
        )
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let body = body.map(|body| ("application/json".to_owned(), body.to_string()));
        let response = self.ask(method, path, body).await;
        let status = response.status();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    /// Sends a body of some type, and answers all that comes back.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<(String, String)>) -> reqwest::Response {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn thread(&self) -> String {
        let (status, thread) = self.post("/agents/threads", json!({ "title": self.secret("title") })).await;
        assert_eq!(status, StatusCode::CREATED);
        text(&thread["id"])
    }

    /// Starts a run and answers its id.
    pub(crate) async fn start_run(&self, thread: &str, prompt: &str) -> String {
        let body = json!({ "agent": "analyst", "prompt": prompt });
        let (status, run) = self.post(&format!("/agents/threads/{thread}/runs"), body).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        text(&run["run_id"])
    }

    /// Polls a run until it has completed, and answers its report.
    pub(crate) async fn completed(&self, run: &str) -> Value {
        let report = self.ended(run).await;
        assert_eq!(report["status"], "completed");
        report
    }

    /// Polls a run until it has ended, and answers its report.
    pub(crate) async fn ended(&self, run: &str) -> Value {
        self.polled(&format!("/agents/runs/{run}"), "running").await
    }

    /// Polls until the status is another than `wait`.
    pub(crate) async fn polled(&self, path: &str, wait: &str) -> Value {
        let poll = async {
            loop {
                let (status, report) = self.get(path).await;
                assert_eq!(status, StatusCode::OK);
                if report["status"] != wait {
                    return report;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, poll).await.unwrap()
    }

    pub(crate) async fn socket(&self, query: &str) -> Socket {
        self.try_socket(query).await.unwrap()
    }

    pub(crate) async fn try_socket(&self, query: &str) -> tungstenite::Result<Socket> {
        let url = format!("{}/agents/events{query}", self.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        let bearer = format!("Bearer {}", self.token).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        Ok(Socket(tokio_tungstenite::connect_async(request).await?.0))
    }

    /// The events as a stream, after the one of an id.
    pub(crate) async fn stream(&self, last_event_id: Option<&str>) -> Stream {
        let mut request = self.http.get(format!("{}/agents/stream", self.url)).bearer_auth(&self.token);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        Stream(request.send().await.unwrap())
    }

    /// A socket whose token is in the query, as a browser has to do it.
    pub(crate) async fn browser_socket(&self) -> Socket {
        let url = format!("{}/agents/events?token={}", self.url.replacen("http", "ws", 1), self.token);
        Socket(tokio_tungstenite::connect_async(url).await.unwrap().0)
    }
}

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> Value {
        let message = tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap().unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    /// All messages up to the completion of a run.
    pub(crate) async fn hear_until_completed(&mut self, run: &str) -> Vec<Value> {
        self.hear_until(|event| event["type"] == "agent_completed" && event["run_id"] == run).await
    }

    /// All messages up to such a one.
    pub(crate) async fn hear_until(&mut self, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let event = self.hear().await;
            let last = is_last(&event);
            heard.push(event);
            if last {
                return heard;
            }
        }
    }

    /// The code that the service closes with, waiting for it.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        let close = async {
            loop {
                if let Message::Close(frame) = self.0.next().await?.ok()? {
                    return frame.map(|frame| frame.code.into());
                }
            }
        };
        tokio::time::timeout(PATIENCE, close).await.unwrap()
    }

    /// Whether the service has closed or dropped the connection, waiting for it.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let close = async {
            while let Some(Ok(message)) = self.0.next().await {
                if message.is_close() {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, close).await.is_ok()
    }
}

pub(crate) struct Stream(reqwest::Response);

impl Stream {
    /// All that comes until an event of that type is whole.
    pub(crate) async fn hear_until(&mut self, kind: &str) -> String {
        let mut heard = String::new();
        let last = format!("event: {kind}\n");
        while heard.split_once(&last).is_none_or(|(_, event)| !event.contains("\n\n")) {
            let chunk = tokio::time::timeout(PATIENCE, self.0.chunk()).await.unwrap().unwrap().unwrap();
            heard.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        heard
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Whether something of another tenant of the crowd is in `value`.
pub(crate) fn shows_another(value: &Value, me: &Client, crowd: &[Client]) -> bool {
    let seen = value.to_string();
    crowd.iter().any(|other| {
        other.name != me.name
            && [format!("<{}:", other.name), other.user_id.clone(), other.tenant_id.clone()]
                .iter()
                .any(|secret| seen.contains(secret))
    })
}
