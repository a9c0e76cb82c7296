//! What the service says about itself at `/openapi.json`: each route as the types of its handler describe it.

mod operation;
mod routes;

use serde_json::{Map, Value, json};

pub(crate) use operation::{Answered, Operation, schema_of, schema_to};
pub(crate) use routes::{Routes, get, post, put};

/// What is said besides the routes: messages, and calls to others.
#[derive(Default)]
pub(crate) struct Beside {
    /// Schemas of messages, by name.
    pub(crate) schemas: Map<String, Value>,
    /// Requests that the service sends, by name.
    pub(crate) webhooks: Map<String, Value>,
}

/// Routes in the words of the `OpenAPI` specification, version 3.1.
pub(crate) fn document(routes: &Routes, beside: Beside) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (path, method, operation) in routes.operations() {
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = operation.describe();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "The built-in service",
            "description": "A multi-tenant service that is made to be tested. Anyone may register; whoever names a tenant first founds it.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "webhooks": beside.webhooks,
        "components": {
            "schemas": beside.schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "token": {
                    "type": "apiKey", "in": "query", "name": "token",
                    "description": "The same token, for WebSockets of browsers, which cannot set the header.",
                },
            },
        },
    })
}
