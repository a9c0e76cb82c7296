//! Small services of many styles, each described by a scenario beside it: its flaw is found, and its twin passes.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod api_key_sse;
mod basic_auth;
mod cookie_form;
mod custom_header;
mod desk;
mod json_rpc_sse;
mod ledger;
mod projects;
mod records;
mod secret;
mod trial;
mod upload;
mod wages;
mod webhooks;
mod websocket_runs;
