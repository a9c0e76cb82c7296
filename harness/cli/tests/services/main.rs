//! Small services of many styles, each described by a scenario beside it: its flaw is found, and its twin passes.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod accounts;
mod anonymous;
mod api_key_sse;
mod basic_auth;
mod choices;
mod compressed;
mod cookie_form;
mod cursor_pages;
mod custom_header;
mod desk;
mod flood;
mod forged_tokens;
mod frozen;
mod frozen_streams;
mod graphql;
mod http2;
mod job_polling;
mod json_rpc_socket;
mod json_rpc_sse;
mod ledger;
mod multiplexed;
mod oauth;
mod paged_list;
mod parallel_halves;
mod poison;
mod presigned;
mod projects;
mod raw;
mod reactions;
mod records;
mod redirects;
mod search_index;
mod secret;
mod short_tokens;
mod slow_readers;
mod starters;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod trial;
mod upload;
mod wages;
mod webhooks;
mod websocket_runs;
mod wire;
