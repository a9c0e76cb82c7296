//! `/openapi.json` against the service that it describes.

use std::collections::BTreeMap;

use coalmine_target::Running;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, service};

#[tokio::test]
async fn every_operation_answers_as_the_document_says() {
    let running = service([]).await;
    let mut walk = Walk::begin(&running).await;
    let mut operations = walk.operations();
    operations.sort_by_key(Operation::when);
    for operation in &operations {
        walk.visit(operation).await;
    }
    assert!(operations.len() > 60, "{}", operations.len());
    running.stop().await;
}

#[tokio::test]
async fn refusals_are_as_the_document_says() {
    let running = service([]).await;
    let walk = Walk::begin(&running).await;
    for operation in walk.operations().iter().filter(|operation| operation.needs_login()) {
        let url = format!("{}{}", running.url(), operation.path);
        let response = reqwest::Client::new().request(operation.method.clone(), url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{operation:?}");
        walk.check(operation, 401, &response.json().await.unwrap());
    }
    running.stop().await;
}

#[derive(Clone, Debug)]
struct Operation {
    path: String,
    method: Method,
    said: Value,
}

impl Operation {
    /// What makes things comes before what reads them, and what throws them away at last.
    fn when(&self) -> (usize, usize) {
        let rank = match self.method {
            _ if self.path == "/auth/logout" => 5,
            Method::PUT if self.path.contains("{name}") => 0,
            Method::POST => 1,
            Method::PUT => 2,
            Method::GET => 3,
            _ => 4,
        };
        (rank, self.path.split('/').count())
    }

    fn needs_login(&self) -> bool {
        self.said["security"].as_array().is_some_and(|logins| !logins.is_empty())
    }

    fn parameters(&self, place: &'static str) -> impl Iterator<Item = (&str, &Value)> {
        let parameters = self.said["parameters"].as_array().unwrap().iter();
        let required = parameters.filter(move |parameter| parameter["in"] == place && parameter["required"] == true);
        required.map(|parameter| (parameter["name"].as_str().unwrap(), &parameter["schema"]))
    }

    fn successes(&self) -> Vec<u16> {
        let statuses = self.said["responses"].as_object().unwrap().keys().filter_map(|status| status.parse().ok());
        statuses.filter(|status| *status < 300).collect()
    }
}

struct Walk {
    client: Client,
    document: Value,
    /// What answers said, by the names of its fields and the paths that they came from.
    ids: BTreeMap<String, Value>,
}

impl Walk {
    async fn begin(running: &Running) -> Self {
        let client = Client::join(running, "walker").await;
        let (status, document) = client.get("/openapi.json").await;
        assert_eq!((status, &document["openapi"]), (StatusCode::OK, &json!("3.1.0")));
        Self { client, document, ids: BTreeMap::new() }
    }

    fn operations(&self) -> Vec<Operation> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(|(method, said)| {
                let method = method.to_uppercase().parse().unwrap();
                Operation { path: path.clone(), method, said: said.clone() }
            })
        });
        operations.collect()
    }

    async fn visit(&mut self, operation: &Operation) {
        let successes = operation.successes();
        if successes.contains(&101) {
            return self.listen().await;
        }
        let path = self.path_of(operation);
        let answer = self.client.ask(operation.method.clone(), &path, self.body_of(operation)).await;
        let (status, kind) = (answer.status().as_u16(), header(&answer, "content-type"));
        assert!(successes.contains(&status), "{operation:?}: {status} {:?}", answer.text().await);
        let described = &operation.said["responses"][status.to_string()]["content"];
        assert!(kind.is_empty() || described.get(&kind).is_some(), "{operation:?}: {kind}");
        match kind.as_str() {
            "application/json" => {
                let body = answer.json().await.unwrap();
                self.check(operation, status, &body);
                self.learn(operation, &body);
            }
            // It goes on for ever.
            "text/event-stream" => drop(answer),
            _ => assert_eq!(answer.bytes().await.unwrap().is_empty(), kind.is_empty(), "{operation:?}"),
        }
    }

    /// Events of a run fit their schema.
    async fn listen(&self) {
        let mut socket = self.client.socket("").await;
        let run = self.client.start_run(&self.client.thread().await, "something").await;
        for event in socket.hear_until_completed(&run).await {
            Self::assert_fits(&self.document["components"]["schemas"]["Event"], &event);
        }
        socket.say(json!("nonsense")).await;
        Self::assert_fits(&self.document["components"]["schemas"]["Failure"], &socket.hear().await);
    }

    /// The body fits the schema of its status, or that of all refusals.
    fn check(&self, operation: &Operation, status: u16, body: &Value) {
        let responses = &operation.said["responses"];
        let response = responses.get(status.to_string()).unwrap_or(&responses["default"]);
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object() || *schema == json!(true), "{operation:?} says nothing of {status}");
        match schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
            Some(name) => Self::assert_fits(self.document.pointer(name).unwrap(), body),
            None => Self::assert_fits(schema, body),
        }
    }

    fn assert_fits(schema: &Value, body: &Value) {
        assert!(does_fit(schema, body), "{body} is to fit {schema}");
    }

    fn learn(&mut self, operation: &Operation, body: &Value) {
        for (name, value) in body.as_object().into_iter().flatten() {
            if name == "id" {
                self.ids.insert(operation.path.clone(), value.clone());
            }
            if let Some(kind) = name.strip_suffix("_id") {
                self.ids.insert(kind.to_owned(), value.clone());
            }
        }
    }

    fn path_of(&self, operation: &Operation) -> String {
        let mut path = String::new();
        let mut described = String::new();
        for part in operation.path.split('/').skip(1) {
            let value = if part.starts_with('{') { text(&self.place(&described, part)) } else { part.to_owned() };
            described.extend(["/", part]);
            path.extend(["/", &value]);
        }
        let query: Vec<_> =
            operation.parameters("query").map(|(name, schema)| (name, text(&example(name, schema)))).collect();
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{path}?{}", query.join("&"))
    }

    /// The id that was made at the path before, or that answers gave to such a thing; a name where names are wanted.
    fn place(&self, before: &str, part: &str) -> Value {
        let kind = before.rsplit('/').next().unwrap().trim_end_matches('s');
        match part {
            "{name}" => json!("assistant"),
            _ => self.ids.get(before).or(self.ids.get(kind)).cloned().unwrap_or_else(|| panic!("no id at {before}")),
        }
    }

    fn body_of(&self, operation: &Operation) -> Option<(String, String)> {
        let content = operation.said.get("requestBody")?["content"].as_object().unwrap();
        let (kind, said) = content.iter().next().unwrap();
        let body = match kind.as_str() {
            "text/csv" => "description,amount\nrent,100\n".to_owned(),
            _ if operation.path == "/auth/login" => self.client.account().to_string(),
            _ => example("", &said["schema"]).to_string(),
        };
        Some((kind.clone(), body))
    }
}

/// Whether a value fits a schema, with no field that the schema does not name. Keywords that say more than that stop the test.
fn does_fit(schema: &Value, value: &Value) -> bool {
    let Value::Object(keywords) = schema else { return *schema == json!(true) };
    let named = schema["properties"].as_object();
    let mut fields = value.as_object().into_iter().flatten();
    let is_known = fields.all(|(name, _)| named.is_none_or(|named| named.contains_key(name)));
    is_known && keywords.iter().all(|(keyword, said)| does_keyword_fit(keyword, said, value))
}

fn does_keyword_fit(keyword: &str, said: &Value, value: &Value) -> bool {
    let some = || said.as_array().unwrap().iter();
    match keyword {
        "type" if said.is_array() => some().any(|kind| is_of_type(kind, value)),
        "type" => is_of_type(said, value),
        "const" => said == value,
        "enum" => some().any(|choice| choice == value),
        "oneOf" => some().filter(|schema| does_fit(schema, value)).count() == 1,
        "anyOf" => some().any(|schema| does_fit(schema, value)),
        "items" => value.as_array().unwrap().iter().all(|item| does_fit(said, item)),
        "required" => some().all(|name| value.get(name.as_str().unwrap()).is_some()),
        "properties" => {
            let mut fields = said.as_object().unwrap().iter();
            fields.all(|(name, schema)| value.get(name).is_none_or(|field| does_fit(schema, field)))
        }
        "minimum" => value.as_f64() >= said.as_f64(),
        "title" | "description" | "format" => true,
        _ => panic!("{keyword} is not understood here"),
    }
}

fn is_of_type(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        kind => panic!("{kind} is not understood here"),
    }
}

/// The least that fits a schema.
fn example(name: &str, schema: &Value) -> Value {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match (name, kind) {
        _ if schema["enum"].is_array() => schema["enum"][0].clone(),
        ("month", _) => json!("2026-01"),
        ("day", _) => json!("2026-03-14"),
        ("email", _) => json!("another@example.com"),
        (_, Some("integer")) => json!(1),
        (_, Some("object")) => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = required.iter().map(|name| {
                let name = name.as_str().unwrap();
                (name.to_owned(), example(name, &schema["properties"][name]))
            });
            Value::Object(fields.collect())
        }
        _ => json!("text"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}
