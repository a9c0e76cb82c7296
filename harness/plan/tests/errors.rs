//! What a user is told about a scenario that is wrong.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

#[macro_use]
mod facts;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use coalmine_plan::{Scenario, ScenarioErrors};
use regex::Regex;

const GOOD: &str = include_str!("scenarios/notes.yaml");

fn errors(text: &str) -> ScenarioErrors {
    match Scenario::parse(text, "notes.yaml") {
        Ok(scenario) => panic!("{} has no problem", scenario.name()),
        Err(errors) => errors,
    }
}

/// The good scenario with one text replaced by another.
fn with(this: &str, that: &str) -> String {
    assert_eq!(GOOD.matches(this).count(), 1, "`{this}` stands once in the good scenario");
    errors(&GOOD.replace(this, that)).render(false)
}

/// The good scenario with another step at the end of its flow.
fn with_step(step: &str) -> String {
    let at = GOOD.find("    cleanup:").expect("the good scenario has a cleanup");
    errors(&format!("{}      - {step}\n{}", &GOOD[..at], &GOOD[at..])).render(false)
}

/// The good scenario with a look into a store at the end of its flow.
fn with_search(search: &str) -> String {
    let at = GOOD.find("    cleanup:").expect("the good scenario has a cleanup");
    let text = format!("{}      - {{id: odd, {search}}}\n{}", &GOOD[..at], &GOOD[at..]);
    errors(&text.replace("flows:\n", "variables: {STORE: {secret: true}}\nflows:\n")).render(false)
}

/// The good scenario with a rule.
fn with_rule(rule: &str) -> String {
    with("identity:", &format!("reactions:\n  odd: {rule}\nidentity:"))
}

#[test]
fn the_good_scenario_is_good() {
    Scenario::parse(GOOD, "notes.yaml").unwrap_or_else(|errors| panic!("{errors}"));
}

facts! {
    a_misspelt_key_has_line_column_and_suggestion: with("capture: {token", "capure: {token");
    a_misspelt_key_at_the_top: with("flows:\n", "flow:\n");
    a_missing_key_is_named: with("      - id: read-note\n        get:", "      - get:");
    a_key_without_a_value: with("tenants: 8", "tenants:");
    a_close_frame_of_an_answer: with_step("{id: odd, get: /x, capture: {why: {close: reason}}}");
    a_search_as_nobody: with_search(r#"postgres: "{{env.STORE}}", sees: body"#);
    a_search_for_keys_of_anybody: with_search(r#"redis: "{{env.STORE}}", keys: "cache:*", sees: body"#);
    a_search_for_keys_that_name_all_alike: with_search(r#"redis: "{{env.STORE}}", names: [app, "{{user_id}}"], sees: body"#);
    a_search_of_logs_of_anybody: with_search("logs: app.log");
    a_search_of_logs_that_mentions_all_alike: with_search(r#"logs: app.log, mentions: "request""#);
    a_search_of_logs_in_any_folder: with_search(r#"logs: "/var/*/app.log", mentions: "{{user_id}}""#);
    a_search_of_tables_for_keys: with_search(r#"redis: "{{env.STORE}}", names: "{{user_id}}", tables: notes, sees: body"#);
    a_search_that_need_not_find_anything: with_search(r#"postgres: "{{env.STORE}}", set: {app.tenant: x}"#);
    a_search_with_too_many_tables: with_search(&format!(r#"postgres: "{{{{env.STORE}}}}", set: {{app.tenant: x}}, sees: body, tables: [{}]"#, "t, ".repeat(101)));
    an_address_of_a_store_that_is_written_down: with_search(r#"postgres: "postgres://app@127.0.0.1/app", set: {app.tenant: x}, sees: body"#);
    a_cookie_of_a_webhook: with_step("{id: odd, await_webhook: done, capture: {it: {cookie: sid}}}");
    a_header_of_an_event: with_step("{id: open, sse: /feed}\n      - {id: odd, receive: hello, capture: {it: {header: etag}}}");
    json_of_a_close_frame: with_step("{id: open, websocket: /ws}\n      - {id: odd, expect_close: 4000, capture: {it: $.code}}");
    a_capture_for_the_pass_outside_of_blocks: with_step("{id: odd, get: /x, capture: {it: {json: $.a, for: pass}}}");
    a_list_of_all_or_else: with_step("{id: odd, get: /x, capture: {it: {json: \"$.a[*]\", all: true, or: none}}}");
    random_bytes_that_are_to_come: with_step("{id: open, websocket: /ws}\n      - {id: odd, receive: binary, contains: {random: 4}}");
    no_credentials_where_there_are_none: with("      post: /register\n", "      post: /register\n      auth: off\n");
    nothing_that_is_expected: with_step("{id: odd, get: /x, expect: {}}");
    something_in_a_stream_that_is_expected: with_step("{id: odd, sse: /x, expect: {$.a: 1}}");
    something_unknown_that_is_expected: with_step("{id: odd, get: /x, expect: {code: 200}}");
    the_words_of_another_tool: with_step("{id: odd, method: POST, path: /x, body: {a: 1}, timeout: 5s}");
    a_function_without_brackets: with_step("{id: odd, get: \"/x/{{uuid}}\"}");
    a_filter: with_step("{id: odd, get: \"/x/{{note | upper}}\"}");
    bytes_in_an_answer: with_step("{id: odd, get: /x, contains: text}");
    a_part_that_is_no_json: with("identity:", "events: {type: $.type, regex: \"(\"}\nidentity:");
    a_role_of_nobody_in_a_hole: with_step("{id: odd, get: \"/notes?role={{user.role}}\"}");
    a_session_renewed_by_a_step_that_is_not_there: with("  send: {headers", "  renew: {steps: [login]}\n  send: {headers");
    a_session_renewed_by_a_stream: with("  send: {headers", "    - {id: feed, sse: /feed}\n  renew: {steps: feed}\n  send: {headers");
    a_session_renewed_by_no_steps: with("  send: {headers", "  renew: {steps: []}\n  send: {headers");
    a_key_twice: with("name: notes", "name: notes\nname: again");
    a_wrong_type: with("tenants: 8", "tenants: many");
    a_list_where_a_map_belongs: with("target: {url: http://127.0.0.1:8080, ready: /health}", "target: [http://127.0.0.1:8080]");
    a_word_that_is_not_known: with("may_see: user}\n", "may_see: users}\n");
    an_unknown_version: with("coalmine: 1", "coalmine: 2");
    a_field_too_short_for_a_canary: with("email: email", "email: {shape: email, max_length: 30}");
    a_pattern_without_room_for_a_canary: with("email: email", "email: {shape: token, pattern: '^[0-9]{16}$'}");
    a_pattern_that_is_no_regular_expression: with("email: email", "email: {shape: token, pattern: '[A-Z'}");
    a_pattern_for_another_shape: with("email: email", "email: {shape: email, pattern: '^.+$'}");
    a_pattern_and_a_length: with("email: email", "email: {shape: token, pattern: '^.+$', max_length: 30}");
    an_unknown_shape: with("email: email", "email: e-mail");
    text_that_is_not_yaml: with("tenants: 8", "tenants: {8");
    an_alias_is_refused: with("name: notes", "name: &a notes\ntenants: *a").replace("tenants: 8\n", "");
    a_hole_without_quotes_in_braces: with_step("{id: odd, get: /notes/{{note}}}");
    a_rule_about_a_step_that_is_not_there: with_rule("{begin: read-notes, once: {ended: add-note}}");
    a_rule_about_a_step_of_auth: with_rule("{begin: read-note, once: {ended: register}}");
    a_rule_about_a_step_of_cleanup: with_rule("{begin: remove-note, once: {ended: add-note}}");
    a_rule_that_does_nothing: with_rule("{once: {ended: add-note}}");
    a_rule_that_does_two_things: with_rule("{begin: read-note, cancel: read-note, once: {ended: add-note}}");
    a_rule_without_a_moment: with_rule("{begin: read-note}");
    a_rule_with_two_moments: with_rule("{begin: read-note, once: {ended: add-note, in_flight: add-note}}");
    a_rule_with_a_misspelt_moment: with_rule("{begin: read-note, once: {in-flight: add-note}}");
    a_rule_that_gives_up_nothing_and_says_how: with_rule("{begin: read-note, once: {ended: add-note}, by: reset}");
    a_rule_with_a_way_to_give_up_that_is_not_known: with_rule("{cancel: add-note, once: {ended: add-note}, by: rst}");
    a_rule_with_too_much_jitter: with_rule("{begin: read-note, once: {ended: add-note}, jitter: 1s}");
    a_rule_for_none: with_rule("{begin: read-note, once: {ended: add-note}, percent: 0}");
    a_rule_for_one: with_rule("{together: read-note}");
    a_rule_for_several_that_waits: with_rule("{together: [read-note, add-note], once: {ended: add-note}, jitter: 2ms}");
    a_rule_about_an_opening: errors(&GOOD.replace("    cleanup:", "      - {id: open, websocket: /ws}\n    cleanup:").replace("identity:", "reactions: {odd: {begin: open, once: {ended: add-note}}}\nidentity:")).render(false);
    a_rule_that_gives_up_a_turn_of_a_block: errors(&GOOD
        .replace("    cleanup:", "      - {repeat: 2, steps: [{id: look, get: /x}]}\n    cleanup:")
        .replace("identity:", "reactions: {odd: {cancel: look, once: {in_flight: add-note}}}\nidentity:")).render(false);
    a_hole_without_quotes: with("url: http://127.0.0.1:8080", "url: {{url}}");
    an_empty_text: errors("").render(false);
    a_second_document: errors(&format!("{GOOD}---\nmore: 1\n")).render(false);
    a_host_that_is_not_listed: with("http://127.0.0.1:8080", "http://staging.example.com:8080");
    an_address_with_a_query: with("http://127.0.0.1:8080", "http://127.0.0.1:8080/api?x=1");
    a_name_that_is_no_host: with("ready: /health", "ready: /health, host_header: https://api.example.com");
    an_address_in_a_step_that_is_not_listed: with_step("{id: odd, get: \"https://auth.example.com/x/{{note}}\"}\n      - {id: odder, get: \"https://{{note}}/x\"}");
    more_redirects_than_may_be_followed: with_step("{id: odd, get: /x, follow: 21}");
    a_certificate_without_its_key: with("ready: /health", "ready: /health, tls: {cert: a.pem, name: \"https://x\", ca: \"\"}");
    a_version_of_http_that_is_not_known: with("ready: /health", "ready: /health, http: 3");
    a_variable_before_its_capture: with_step("{id: early, get: \"/x/{{late}}\"}\n      - {id: late, get: /late, capture: {late: $.id}}");
    a_variable_that_nothing_captures: with_step("{id: odd, get: \"/notes/{{nota}}\"}");
    a_canary_that_is_not_declared: with_step("{id: odd, post: /x, json: {text: \"{{canary.boddy}}\"}}");
    a_canary_without_its_prefix: with_step("{id: odd, post: /x, json: {text: \"{{body}}\"}}");
    a_hole_that_is_not_closed: with_step("{id: odd, post: /x, text: \"a {{note b\"}");
    sees_a_canary_that_was_never_sent: with_step("{id: odd, get: /x, sees: other}");
    sees_a_canary_that_is_not_declared: with_step("{id: odd, get: /x, sees: [boddy]}");
    two_steps_of_one_name: with_step("{id: read-note, get: /x}");
    a_step_with_no_action: with_step("{id: odd, sees: body}");
    a_step_with_two_actions: with_step("{id: odd, get: /x, post: /y}");
    a_key_that_does_not_fit: with_step("{id: odd, get: /x, about: {$.a: b}}");
    a_websocket_that_was_never_opened: with_step("{id: odd, send: hello}");
    a_websocket_of_another_name: with_step("{id: open, websocket: /ws, as: events}\n      - {id: odd, on: event, send: hello}");
    a_websocket_that_is_closed: with_step("{id: open, websocket: /ws}\n      - {id: close, close: hang-up}\n      - {id: odd, send: hello}");
    several_websockets: with_step("{id: a, websocket: /ws, as: a}\n      - {id: b, websocket: /ws, as: b}\n      - {id: odd, send: hello}");
    events_without_a_type: with_step("{id: open, websocket: /ws}\n      - {id: odd, receive: done}");
    something_sent_on_an_event_stream: with_step("{id: open, sse: /events}\n      - {id: odd, send: hello}");
    an_event_stream_that_is_closed: with_step("{id: open, sse: /events}\n      - {id: end, close: hang-up}\n      - {id: odd, receive: done}");
    an_event_stream_named_like_a_websocket: with_step("{id: open, websocket: /ws, as: events}\n      - {id: end, close: hang-up}\n      - {id: odd, sse: /events, as: events}");
    a_stream_that_goes_on_after_two_events: with_step("{id: odd, sse: /events, resume: true, last_event_id: \"7\"}");
    a_stream_and_a_websocket: with_step("{id: a, websocket: /ws}\n      - {id: b, sse: /events}\n      - {id: odd, receive: done}");
    a_key_that_does_not_fit_a_stream: with_step("{id: odd, sse: /events, about: {$.a: b}}");
    a_bad_request_for_a_stream: with_step("{id: odd, sse: get /x}");
    a_webhook_without_a_receiver: with_step("{id: odd, post: /x, json: {url: \"{{webhook.url}}\"}}");
    a_wait_for_a_webhook_that_was_never_told: with_webhooks("{}", "{id: a, post: /x, json: {url: \"{{webhook.done}}\"}}\n      - {id: odd, await_webhook: url}");
    a_bad_address_to_listen_on: with_webhooks("{listen: localhost}", "{id: a, get: /x}");
    an_address_that_nobody_can_be_told: with_webhooks("{listen: 0.0.0.0:9000}", "{id: a, get: /x}");
    a_bad_public_url: with_webhooks("{public_url: http://ci/hooks}", "{id: a, get: /x}");
    a_credential_in_two_places: with_webhooks("{credential: {header: x-key, field: $.key, mine: \"{{token}}\"}}", "{id: a, get: /x}");
    a_credential_of_a_flow: with_webhooks("{credential: {header: x-key, mine: \"{{note}}\"}}", "{id: a, get: /x}");
    too_many_webhooks: with_webhooks("{}", "{id: a, post: /x, json: {url: \"{{webhook.url}}\"}}\n      - {id: odd, await_webhook: url, count: 100000, capture: {a: {header: x}}}");
    a_ping_on_an_event_stream: with_step("{id: open, sse: /events}\n      - {id: odd, ping: stream}");
    a_bad_close_code: with_step("{id: open, websocket: /ws}\n      - {id: odd, expect_close: [4401, 99]}");
    a_code_that_may_not_be_sent: with_step("{id: open, websocket: /ws}\n      - {id: odd, close: handshake, code: 1005}");
    a_code_without_a_close_frame: with_step("{id: open, websocket: /ws}\n      - {id: odd, close: hang-up, code: 4000}");
    a_word_for_an_order_that_is_not_known: with_step("{id: open, sse: /events}\n      - {id: odd, receive: a, order: none}");
    an_event_confirmed_by_a_step_before_it: with_step("{id: open, sse: /events}\n      - {id: odd, receive: a, confirmed_by: add-note}");
    an_event_confirmed_by_no_request: with_step("{id: open, sse: /events}\n      - {id: odd, receive: a, confirmed_by: end}\n      - {id: end, close: hang-up}");
    a_list_of_what_no_flow_makes: with_step("{id: odd, get: /notes, lists: {rows: \"$[*].id\", of: nota}}");
    a_list_of_what_is_several_values: with_step("{id: all, get: /notes, capture: {ids: {json: \"$[*].id\", all: true}}}\n      - {id: odd, get: /notes, lists: {rows: \"$[*].id\", of: ids}}");
    a_list_of_what_two_flows_make: with("objects:\n", "  again:\n    steps:\n      - {id: more, post: /notes, capture: {note: $.id}}\n      - {id: odd, get: /notes, lists: {rows: \"$[*].id\", of: note}}\nobjects:\n");
    a_list_with_a_word_that_is_not_known: with_step("{id: odd, get: /notes, lists: {rows: \"$[*].id\", of: note, holds: most}}");
    a_count_of_an_unknown_step: with_step("{id: odd, get: /count, counts: {value: $.count, of: add-notes}}");
    a_count_of_a_step_of_the_session: with_step("{id: odd, get: /count, counts: {value: $.count, of: register}}");
    a_sum_of_texts: with_step("{id: odd, get: /sum, sums: {value: $.sum, of: body}}");
    a_look_without_fresh_tenants: with_step("{id: odd, get: /notes, empty_for_fresh: $.notes}");
    a_look_that_needs_a_pass: with("        sees: body\n", "        sees: body\n        empty_for_fresh: $.notes\n");
    an_echo_that_all_requests_send: with_step("{id: odd, get: /x, echoes: {x-user: \"{{user.name}}\"}}");
    an_echo_of_a_time: with_step("{id: odd, get: /x, echoes: {$.at: \"{{now(0)}}\"}}");
    an_etag_of_a_path_of_ones_own: with_step("{id: odd, get: \"/notes/{{note}}\", sees: body, revalidate: others}");
    an_etag_of_an_answer_that_all_may_have: with_step("{id: odd, get: /notes, revalidate: others}");
    a_caching_rule_that_is_not_known: with("policy: {", "policy: {caching: lax, ");
    a_bad_jsonpath: with("$.user.id", "\"$.user[\"");
    a_bad_status: with_step("{id: odd, get: /x, expect: {status: [200, 20]}}");
    a_bad_duration: with_step("{id: odd, get: /x, within: 10}");
    a_bad_path: with_step("{id: odd, get: notes}\n      - {id: odder, get: \"/no tes\"}");
    a_bad_header: with_step("{id: odd, get: /x, headers: {\"x y\": a, Content-Length: 5}}");
    two_bodies: with_step("{id: odd, post: /x, json: {a: 1}, text: b}");
    a_variable_of_another_flow: with("objects:\n", "  look:\n    steps:\n      - {id: look, get: \"/x/{{note}}\"}\nobjects:\n");
    a_bracket_without_quotes: with_step("{id: odd, get: /x, capture: {a: $.b[0]}}");
    two_keys_misspelt_for_one: with_step("{id: odd, gett: /x, gets: /y}");
    a_hole_in_a_key: with_step("{id: odd, post: /x, json: {\"{{note}}\": 1}}");
    windows_line_ends: errors(&GOOD.replace("tenants: 8", "tenant: 8").replace('\n', "\r\n")).render(false);
    a_byte_order_mark: errors(&["\u{feff}", &GOOD.replace("name: notes", "nam: notes")].concat()).render(false);
    a_bad_request: with_step("{id: odd, request: purge /x}");
    a_number_that_json_cannot_hold: with_step("{id: odd, post: /x, json: {a: 99999999999999999999}}");
    an_object_of_an_unknown_step: with("read: read-note", "read: read-notes");
    an_object_of_an_unknown_variable: with("{id: note,", "{id: nose,");
    an_object_that_is_not_sent: with("read: read-note", "read: add-note");
    an_object_that_its_flow_removes: with("    cleanup:\n", "");
    an_identity_that_nothing_captures: with("mine: user_id", "mine: user_ids");
    an_unknown_oracle: with("missing-event: off", "missing-events: off");
    an_oracle_neither_on_nor_off: with("missing-event: off", "missing-event: maybe");
    an_oracle_neither_on_nor_off_nor_a_warning: with("missing-event: off", "existence-by-time: maybe");
    a_percentage_over_100: with("ok_percent: 90", "ok_percent: 900");
    an_unknown_environment_variable: with_step("{id: odd, get: \"/x/{{env.REGION}}\"}");
    a_secret_in_the_file: with("name: notes", "name: notes\nvariables: {TOKEN: {default: abc, secret: true}}");
    an_attribute_that_tenants_have_anyway: with("tenants: 8", "tenants: {count: 8, attributes: {name: acme, tier: []}}");
    too_many_sessions: with("tenants: 8", "tenants: {count: 8, sessions: 0, users: [{count: 20000}]}");
    a_canary_before_any_session: with("auth:\n", "register:\n  user:\n    - {id: odd, post: /x, json: {a: \"{{canary.email}}\"}}\nauth:\n");
    a_part_of_two_contents: with_step("{id: odd, post: /x, multipart: {a: {text: b, csv: [[c]]}, \"d\\\"e\": f}}");
    an_unknown_function: with_step("{id: odd, get: \"/x/{{base46(note)}}\"}");
    a_function_with_too_few_arguments: with_step("{id: odd, get: \"/x/{{basic(user.name)}}\"}");
    a_function_that_is_not_closed: with_step("{id: odd, get: \"/x/{{base64(note}}\"}");
    an_argument_that_is_unknown: with_step("{id: odd, get: \"/x/{{base64(nota)}}\"}");
    a_value_that_contains_itself: contains_itself();
    values_that_explode: with_exploding_values();
    a_table_of_too_many_cells: with_a_table_of(10_001);
    too_many_members: with_members(65);
    a_value_that_is_never_used: with("name: notes", "name: notes\nvalues: {month: 2026-03}");
    a_capture_of_nothing: with_step("{id: odd, get: /x, capture: {a: {attribute: b}}}");
    a_capture_of_two_places: with_step("{id: odd, get: /x, capture: {a: {header: b, cookie: c}}}");
    a_capture_of_all_where_there_is_one: with_step("{id: odd, get: /x, capture: {a: {header: b, all: true}, b: {regex: c, attribute: d}}}");
    a_bad_regular_expression: with_step("{id: odd, get: /x, capture: {a: {regex: \"a(b\"}}}");
    a_bad_selector: with_step("{id: odd, get: /x, capture: {a: {css: \"input:first\"}}}");
    a_bad_cookie: with_step("{id: odd, get: /x, cookies: {\"a b\": c, d: \"e; f\"}}");
    cookies_neither_jar_nor_off: with("auth:\n", "auth:\n  cookies: on\n");
    a_bad_rate: with("name: notes", "name: notes\nbudget: {rate: 5 a second}");
    a_rate_of_nothing: with("name: notes", "name: notes\nbudget: {rate: 0/s}");
    bytes_without_a_unit_that_is_known: with("name: notes", "name: notes\nbudget: {bytes: 10 parsecs}");
    a_budget_of_nothing: with("name: notes", "name: notes\nbudget: {requests: 0, connections: 0, time: 0s}");
    tenants_of_one_name: with("tenants: 8", "tenants: {count: 2, name: acme}");
    a_flow_named_like_that_of_those_without_credentials: errors(&GOOD.replace("  write:\n", "  anonymous:\n").replace("policy:", "anonymous: {steps: [{id: odd, get: /x}]}\npolicy:")).render(false);
    a_condition_that_compares_nothing: with_step("{id: odd, get: /x, when: {}}");
    a_condition_that_compares_two_things: with_step("{id: odd, get: /x, when: {note: {}}}");
    a_close_without_a_code: with_step("{id: open, websocket: /ws}\n      - {id: odd, expect_close: []}");
    no_flow_at_all: with_flows("{}");
    a_flow_named_like_the_session: with("  write:\n", "  auth:\n");
    a_flow_without_steps: with("objects:\n", "  idle: {steps: []}\nobjects:\n");
    a_flow_that_is_never_gone_through: with("    repeat: 5", "    repeat: 0");
    a_name_that_is_not_one: with("other: token", "\"other one\": token");
    an_object_read_by_a_step_of_the_session: with("read: read-note", "read: register");
    an_object_of_two_flows: with("objects:\n  note: {id: note, read: read-note", &format!("{SECOND_FLOW}objects:\n  note: {{id: note, read: look"));
    an_identity_that_two_flows_capture: errors(&GOOD.replace("objects:\n", &format!("{SECOND_FLOW}objects:\n")).replace("mine: user_id", "mine: note")).render(false);
    a_header_of_two_lines: with_step("{id: odd, get: /x, headers: {x-a: \"b\\nc\"}}");
    an_answer_of_no_status: with_step("{id: odd, get: /x, expect: {status: []}}");
    a_name_of_two_lines: with("name: notes", "name: \"a\\nb\"");
    some_tenants_of_several_users_that_none_has: with("tenants: 8", "tenants: {count: 2, users_in: 1}");
    several_users_in_no_tenant: with("tenants: 8", "tenants: {count: 2, users: 2, users_in: 0}");
    several_users_in_some_accounts: with_accounts("{accounts: a.csv, users_in: 1}");
    fresh_tenants_beside_accounts: with_accounts("{accounts: a.csv, fresh: 1}");
    a_leak_rate_of_nothing: with("ok_percent: 90", "leak_rate: 0%");
    a_way_to_perturb_that_is_not_known: with("name: notes", "name: notes\nperturb: hard");
    a_perturbation_that_is_not_known: with("name: notes", "name: notes\nperturb: {cancle: 10%}");
    forgeries_of_what_is_not_captured: errors(&GOOD.replace("name: notes", "name: notes\nperturb: {forge: on}").replace("Bearer {{token}}", "{{user.name}} {{token}}")).render(false);
    collisions_of_what_nobody_chooses: with("name: notes", "name: notes\nperturb: {collide: 50%}");
    an_amount_of_perturbation_beyond_all: with("name: notes", "name: notes\nperturb: {cancel: 110%}");
    a_member_that_sees_a_canary_of_turns: with_turns_and_a_member();
    a_wait_for_no_event: with_step("{id: open, sse: /events}\n      - {id: odd, receive: []}");
    an_event_about_two_things: with_step("{id: open, sse: /events}\n      - {id: odd, receive: a, about: {$.a: b, $.c: d}}");
    a_stream_that_is_open_already: with_step("{id: open, sse: /events}\n      - {id: odd, sse: /events}");
    an_until_of_nothing: with_step("{id: odd, get: /x, until: {}}");
    a_canary_that_is_waited_for_and_was_not_sent: with_step("{id: odd, get: /x, until: {$.a: \"{{canary.other}}\"}}");
    several_problems_in_the_order_of_the_text: several();
    places_behind_other_alphabets: with("name: notes", "name: {é: 1}");
}

const SECOND_FLOW: &str = "  again:\n    steps:\n      - {id: more, post: /notes, capture: {note: $.id}}\n      - {id: look, get: \"/notes/{{note}}\"}\n";

/// The good scenario with these flows, and nothing that needs others.
fn with_flows(flows: &str) -> String {
    let (flows_at, objects_at) = (GOOD.find("flows:").unwrap(), GOOD.find("policy:").unwrap());
    errors(&format!("{}flows: {flows}\n{}", &GOOD[..flows_at], &GOOD[objects_at..])).render(false)
}

/// The good scenario with accounts of a file.
fn with_accounts(tenants: &str) -> String {
    let text = GOOD.replace("tenants: 8", &format!("tenants: {tenants}"));
    let read = &mut |_: &str| Ok("tenant,user,password\nacme,ada,secret-1\nglobex,gus,secret-2\n".to_owned());
    Scenario::parse_with(&text, "notes.yaml", None, read).map(|_| ()).unwrap_err().render(false)
}

fn with_turns_and_a_member() -> String {
    let flow = "\n  turns:\n    members: {guest: {who: partner, sees: other}}\n    steps:\n      - repeat: 2\n        steps:\n          - \
                {id: tell, post: /x, json: {a: \"{{canary.other}}\"}}\n    visits:\n      guest: [{id: look, get: /x}]";
    with_flows(flow)
}

fn contains_itself() -> String {
    let text = GOOD.replace("name: notes", "name: notes\nvalues: {a: [\"{{b}}\"], b: \"{{a}}\"}");
    errors(&text.replace("text: \"{{canary.body}}\"", "text: \"{{a}}\"")).render(false)
}

/// A few lines that would become 15,625 texts; only the first place is told here.
fn with_exploding_values() -> String {
    let items = |name: &str| format!("\n    - \"{{{{{name}}}}}\"").repeat(25);
    let values = format!("values:\n  a: {}\n  b: {}\n  c: {}\n  d: x", items("b"), items("c"), items("d"));
    let text = GOOD.replace("name: notes", &format!("name: notes\n{values}"));
    let told = errors(&text.replace("text: \"{{canary.body}}\"", "text: \"{{a}}\"")).render(false);
    told.split("\n\n").next().unwrap_or_default().to_owned()
}

fn with_a_table_of(rows: usize) -> String {
    let cells = "\n              - [x]".repeat(rows);
    with_flows(&format!(
        "\n  up:\n    steps:\n      - id: up\n        post: /up\n        multipart:\n          table:\n            file: t.csv\n            csv:{cells}"
    ))
}

fn with_members(count: usize) -> String {
    let members = (0..count).map(|number| format!("\n      m{number}: partner")).collect::<Vec<_>>().concat();
    with_flows(&format!("\n  many:\n    members:{members}\n    steps: [{{id: odd, get: /x}}]"))
}

fn with_webhooks(webhooks: &str, step: &str) -> String {
    let text = GOOD.replace("name: notes", &["name: notes\nwebhooks: ", webhooks].concat());
    let whole = text.replace("    cleanup:", &["      - ", step, "\n    cleanup:"].concat());
    errors(&whole).render(false)
}

fn several() -> String {
    let text =
        GOOD.replace("tenants: 8", "tenants: many").replace("name: notes", "nam: notes").replace("$.user.id", "$$");
    errors(&text).render(false)
}

#[test]
fn line_and_column_count_from_1_in_characters() {
    let errors = errors(&GOOD.replace("body: {shape", "bödy: {shap"));
    let problem = errors.problems.last().unwrap();
    let line = GOOD.lines().position(|line| line.contains("body: {shape")).unwrap() + 1;
    assert_eq!((problem.line as usize, problem.column), (line, 10), "{errors}");
}

#[test]
fn colour_is_only_there_when_it_is_asked_for() {
    let errors = errors("coalmine: 1\n");
    assert!(errors.render(true).contains('\u{1b}'));
    assert!(!errors.render(false).contains('\u{1b}'));
    assert_eq!(errors.render(false), errors.to_string());
}

#[test]
fn every_problem_is_collected_up_to_a_limit() {
    let many: String = (0..500).map(|n| ["x", &n.to_string(), ": 1\n"].concat()).collect();
    assert_eq!(errors(&format!("{GOOD}{many}")).problems.len(), 100);
}

/// Problems of which no scenario is told: of a kind there can be no 65,537 among the values and bytes that a scenario may have, and
/// what is said where no other problem was found.
const NOT_SHOWN: [&str; 3] = [
    // No scenario has been found yet that is told so.
    "a session that ends must be made by requests alone",
    "this is not a scenario",
    "this is one too many: there are at most 65,536 of a kind",
];

/// What the language can say is wrong, as it is written in the source: the message of each problem that is added.
fn messages(folder: &Path, found: &mut BTreeSet<String>) {
    let added = r#"\.(?:add|absent|misread)\(\s*(?:[^",;]|\([^)]*\))*,\s*(?:format!\(\s*)?"((?:[^"\\]|\\.)*)""#;
    let named = r#"let message =\s*(?:format!\(\s*)?"((?:[^"\\]|\\.)*)""#;
    let patterns = [added, named].map(|pattern| Regex::new(pattern).unwrap());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            messages(&path, found);
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for pattern in &patterns {
            found.extend(pattern.captures_iter(source).map(|it| it[1].replace("\\\"", "\"")));
        }
    }
}

/// The longest part of a message that is the same each time.
fn fixed_part(message: &str) -> &str {
    let hole = Regex::new(r"\{[^}]*\}|\\\n\s*").unwrap();
    let parts: Vec<Range<usize>> = hole.find_iter(message).map(|it| it.range()).collect();
    let starts = std::iter::once(0).chain(parts.iter().map(|part| part.end));
    let ends = parts.iter().map(|part| part.start).chain([message.len()]);
    starts.zip(ends).map(|(start, end)| message[start..end].trim()).max_by_key(|part| part.len()).unwrap_or_default()
}

#[test]
fn every_problem_that_the_language_knows_has_a_snapshot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    messages(&root.join("src"), &mut known);
    assert!(known.len() > 150, "the pattern finds {} messages", known.len());
    let snapshots = std::fs::read_dir(root.join("tests/snapshots")).unwrap();
    let shown: String = snapshots.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let missing: Vec<&String> = known.iter().filter(|message| !shown.contains(fixed_part(message))).collect();
    let unexpected: Vec<_> = missing.iter().filter(|message| !NOT_SHOWN.contains(&message.as_str())).collect();
    assert!(unexpected.is_empty(), "no snapshot shows {unexpected:#?}");
    assert_eq!(missing.len(), NOT_SHOWN.len(), "some that are listed as not shown have a snapshot: {missing:#?}");
}
