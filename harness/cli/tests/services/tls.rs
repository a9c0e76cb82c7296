//! Services behind TLS: what is found in clear is found here, and whoever cannot be trusted is told apart.

use axum::Router;
use axum::routing::get;

use crate::support::{Coalmine, Run};
use crate::trial::Build;
use crate::websocket_runs;
use crate::wire::{Authority, Identity, Server, Speaks};

/// Nothing but an answer; the verdict is that nothing was planted.
const GREETING: &str = "
coalmine: 1
name: greeting
target: {url: https://127.0.0.1:1, ready: /, ready_within: 1s, tls: TLS}
tenants: 2
canaries: {}
flows:
  hello: {steps: [{id: greet, get: /}]}
";

fn greeting() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

fn gate(scenario: &str, files: &[(&str, String)], url: &str) -> Run {
    let coalmine = Coalmine::new().scenario(scenario);
    for (name, text) in files {
        std::fs::write(coalmine.path().join(name), text).unwrap();
    }
    coalmine.gate(url)
}

fn greet(tls: &str, files: &[(&str, String)], server: &Server) -> Run {
    gate(&GREETING.replace("TLS", tls), files, &server.url("https"))
}

/// The target could not be tested, and these words say why.
fn assert_untestable(run: &Run, words: &[&str]) {
    assert_eq!(run.code, 3, "{run}");
    let told = run.json().to_string();
    for words in words {
        assert!(told.contains(words), "`{words}` is missing: {run}");
    }
}

#[test]
fn leaks_are_found_behind_tls_over_http_and_websocket() {
    let authority = Authority::new();
    let scenario = include_str!("websocket_runs.yaml")
        .replace("tenants: 4", "target: {url: https://127.0.0.1:1, tls: {ca: ca.pem}}\ntenants: 4");
    let run = |build| {
        let config = authority.certify("127.0.0.1").config(&Speaks::Http1, None);
        let server = Server::start(websocket_runs::service(build), Some(config));
        gate(&scenario, &[("ca.pem", authority.pem())], &server.url("https"))
    };
    let twin = run(Build::Twin);
    assert_eq!(twin.code, 0, "{twin}");
    let flawed = run(Build::Flawed);
    assert_eq!((flawed.code, flawed.kinds()), (1, vec!["missing-event".to_owned()]), "{flawed}");
}

#[test]
fn an_authority_that_nobody_knows_is_named_with_the_way_out() {
    let config = Authority::new().certify("127.0.0.1").config(&Speaks::Http1, None);
    let run = greet("{}", &[], &Server::start(greeting(), Some(config)));
    assert_untestable(&run, &["nobody who is trusted has signed", "target: {tls: {ca: FILE}}"]);
}

#[test]
fn a_certificate_for_another_name_is_refused_until_the_scenario_names_it() {
    let authority = Authority::new();
    let server = Server::start(greeting(), Some(authority.certify("api.example.test").config(&Speaks::Http1, None)));
    let files = [("ca.pem", authority.pem())];
    assert_untestable(&greet("{ca: ca.pem}", &files, &server), &["not for `127.0.0.1`", "tls: {name: NAME}"]);
    let run = greet("{ca: ca.pem, name: api.example.test}", &files, &server);
    assert_eq!(run.code, 4, "{run}");
}

#[test]
fn a_certificate_that_the_scenario_holds_itself_is_taken_as_it_is() {
    let identity = Identity::of_its_own();
    let server = Server::start(greeting(), Some(identity.config(&Speaks::Anything, None)));
    let run = greet("{ca: server.pem}", &[("server.pem", identity.pem())], &server);
    assert_eq!(run.code, 4, "{run}");
    let other = Identity::of_its_own();
    assert_untestable(&greet("{ca: server.pem}", &[("server.pem", other.pem())], &server), &["127.0.0.1"]);
}

#[test]
fn a_certificate_of_ones_own_is_shown_to_a_target_that_demands_it() {
    let authority = Authority::new();
    let config = authority.certify("127.0.0.1").config(&Speaks::Http1, Some(&authority));
    let server = Server::start(greeting(), Some(config));
    let files = [("ca.pem", authority.pem()), ("me.pem", authority.certify("guest").pem())];
    let run = greet("{ca: ca.pem, cert: me.pem, key: me.pem}", &files, &server);
    assert_eq!(run.code, 4, "{run}");
    assert_untestable(&greet("{ca: ca.pem}", &files, &server), &["target: {tls: {cert: FILE, key: FILE}}"]);
}

#[test]
fn a_target_without_tls_is_told_from_one_with_it() {
    let server = Server::start(greeting(), None);
    assert_untestable(&greet("{}", &[], &server), &["does not answer in TLS"]);
}

#[test]
fn files_that_are_missing_or_hold_no_certificate_are_named_before_anything_is_sent() {
    let server = Server::start(greeting(), None);
    let run = greet("{ca: ca.pem}", &[], &server);
    assert!(run.code == 2 && run.stderr.contains("cannot read ca.pem, the file of `target.tls.ca`"), "{run}");
    let run = greet("{ca: ca.pem}", &[("ca.pem", "nothing".to_owned())], &server);
    assert!(run.code == 2 && run.stderr.contains("`target.tls.ca` holds no certificate in PEM"), "{run}");
}
