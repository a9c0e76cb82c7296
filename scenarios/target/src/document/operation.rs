//! Operations, as the types of their handlers describe them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::response::{NoContent, Sse};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::answer::{Accepted, CSV, Created, Csv};
use crate::caller::Caller;
use crate::input::{IdempotencyKey, Input, Params, Place};
use crate::refusal::Refusal;

/// What is known of an operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operation {
    id: String,
    pub(super) parameters: Vec<Value>,
    /// Schemas of the variable parts of the path.
    pub(super) places: Vec<Value>,
    /// Names of ways to log in, each by itself.
    logins: Vec<&'static str>,
    content: Option<Value>,
    responses: BTreeMap<String, Value>,
}

/// What a handler takes.
pub(crate) trait Taken {
    fn tell(operation: &mut Operation);
}

/// What a handler answers.
pub(crate) trait Answered {
    fn tell(operation: &mut Operation);
}

/// The schema of what is read.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The schema of what is written.
pub(crate) fn schema_to<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn schema<T: JsonSchema>(mut settings: SchemaSettings) -> Value {
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // The name of a type of ours, which says nothing to others.
    schema.remove("title");
    schema.to_value()
}

impl Operation {
    pub(super) fn named(id: String) -> Self {
        Self { id, ..Self::default() }
    }

    /// An answer with a body of that kind.
    pub(crate) fn answers(&mut self, status: u16, description: &str, kinds: &[(&str, Value)]) {
        let content: Map<_, _> = kinds.iter().map(|(kind, schema)| content(kind, schema)).collect();
        let mut response = json!({ "description": description });
        if !content.is_empty() {
            response["content"] = Value::Object(content);
        }
        self.responses.insert(status.to_string(), response);
    }

    /// An answer with a header.
    pub(crate) fn answers_header(&mut self, status: u16, name: &str) {
        if let Some(response) = self.responses.get_mut(&status.to_string()) {
            response["headers"][name] = json!({ "schema": { "type": "string" } });
        }
    }

    pub(crate) fn takes_header(&mut self, name: &str, schema: Value) {
        self.parameters.push(json!({ "name": name, "in": "header", "required": false, "schema": schema }));
    }

    fn refuses(&mut self, status: u16, description: &str) {
        self.answers(status, description, &[("application/json", error())]);
    }

    pub(super) fn describe(&self) -> Value {
        let security: Vec<_> = self.logins.iter().map(|login| json!({ *login: [] })).collect();
        let mut described = json!({
            "operationId": self.id,
            "parameters": self.parameters,
            "responses": self.responses,
            "security": security,
        });
        if let Some(content) = &self.content {
            described["requestBody"] = json!({ "required": true, "content": content });
        }
        described
    }
}

fn content(kind: &str, schema: &Value) -> (String, Value) {
    (kind.to_owned(), json!({ "schema": schema }))
}

fn error() -> Value {
    json!({ "$ref": "#/components/schemas/Error" })
}

impl<T> Taken for State<T> {
    fn tell(_: &mut Operation) {}
}

impl Taken for HeaderMap {
    fn tell(_: &mut Operation) {}
}

impl Taken for Caller {
    fn tell(operation: &mut Operation) {
        operation.logins.push("bearer");
        operation.refuses(401, "Nobody is logged in.");
    }
}

impl Taken for WebSocketUpgrade {
    fn tell(operation: &mut Operation) {
        operation.logins.push("token");
    }
}

impl<T: JsonSchema> Taken for Input<T> {
    fn tell(operation: &mut Operation) {
        operation.content = Some(Value::Object(Map::from_iter([content("application/json", &schema_of::<T>())])));
        operation.refuses(400, "The request is not what this route takes.");
        operation.refuses(413, "The body is too large.");
    }
}

impl Taken for String {
    fn tell(operation: &mut Operation) {
        operation.content = Some(Value::Object(Map::from_iter([content("text/csv", &json!({ "type": "string" }))])));
    }
}

impl<T: JsonSchema> Taken for Place<T> {
    fn tell(operation: &mut Operation) {
        let schema = schema_of::<T>();
        operation.places = match &schema["prefixItems"] {
            Value::Array(parts) => parts.clone(),
            _ => vec![schema],
        };
        operation.refuses(404, "There is no such thing, or it is another's.");
    }
}

impl<T: JsonSchema> Taken for Params<T> {
    fn tell(operation: &mut Operation) {
        let schema = schema_of::<T>();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let required = required.iter().any(|other| other == name);
            let parameter =
                json!({ "name": name, "in": "query", "required": required, "explode": false, "schema": schema });
            operation.parameters.push(parameter);
        }
        operation.refuses(400, "The request is not what this route takes.");
    }
}

impl Taken for IdempotencyKey {
    fn tell(operation: &mut Operation) {
        operation.takes_header("idempotency-key", json!({ "type": "string", "maxLength": 128 }));
    }
}

impl<T: Answered> Answered for Result<T, Refusal> {
    fn tell(operation: &mut Operation) {
        T::tell(operation);
        operation.responses.insert(
            "default".to_owned(),
            json!({ "description": "It was refused.", "content": { "application/json": { "schema": error() } } }),
        );
    }
}

impl<T: JsonSchema> Answered for Json<T> {
    fn tell(operation: &mut Operation) {
        operation.answers(200, "As it is.", &[("application/json", schema_to::<T>())]);
    }
}

impl<T: JsonSchema> Answered for Created<T> {
    fn tell(operation: &mut Operation) {
        operation.answers(201, "It was made.", &[("application/json", schema_to::<T>())]);
    }
}

impl<T: JsonSchema> Answered for Accepted<T> {
    fn tell(operation: &mut Operation) {
        operation.answers(202, "It is under way.", &[("application/json", schema_to::<T>())]);
    }
}

impl<T> Answered for Csv<T> {
    fn tell(operation: &mut Operation) {
        operation.answers(200, "A table.", &[(CSV, json!({ "type": "string" }))]);
    }
}

impl Answered for NoContent {
    fn tell(operation: &mut Operation) {
        operation.answers(204, "It is done.", &[]);
    }
}

impl<S> Answered for Sse<S> {
    fn tell(operation: &mut Operation) {
        let event = json!({ "type": "string", "description": "Events whose data are the schema `Event`, as JSON." });
        operation.answers(200, "Events, until one side hangs up.", &[("text/event-stream", event)]);
        operation.takes_header("last-event-id", json!({ "type": "integer" }));
    }
}
