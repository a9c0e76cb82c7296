//! Profiles, included files and variables, as they are used on the command line.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]

mod support;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use support::{Coalmine, Service};

const MAIN: &str = r#"
coalmine: 1
name: echo
include: parts/flows.yaml
target: {url: "http://192.0.2.1:1"}
tenants: 4
profiles:
  staging: {target: {url: "http://127.0.0.1:1", hosts: [192.0.2.1]}, tenants: 2}
  elsewhere: elsewhere.yaml
variables: {REGION: {}, KEY: {secret: true}}
"#;

const FLOWS: &str = r#"
canaries: {text: text}
flows:
  echo:
    repeat: 50
    steps:
      - {id: say, post: "/{{env.REGION}}", headers: {x-key: "{{env.KEY}}"}, text: "{{canary.text}}", sees: text}
"#;

fn coalmine() -> Coalmine {
    let coalmine = Coalmine::new().scenario(&MAIN.replace("target: {url: \"http://192.0.2.1:1\"}\n", ""));
    std::fs::create_dir(coalmine.path().join("parts")).unwrap();
    std::fs::write(coalmine.path().join("parts/flows.yaml"), FLOWS).unwrap();
    std::fs::write(coalmine.path().join("elsewhere.yaml"), "tenants: 3\n").unwrap();
    std::fs::write(coalmine.path().join("values.env"), "# staging\nREGION = eu\nKEY=\"s3cret\"\n").unwrap();
    coalmine
}

/// Answers those who know region and key.
fn picky() -> Router {
    let echo = async |headers: HeaderMap, body: String| {
        if headers.get("x-key").is_some_and(|key| key == "s3cret") { Ok(body) } else { Err(StatusCode::FORBIDDEN) }
    };
    Router::new().route("/eu", post(echo))
}

#[test]
fn a_gate_takes_profile_included_flows_and_variables_of_a_file() {
    let (coalmine, service) = (coalmine(), Service::start(picky()));
    let run = coalmine.gate_with(&service.url(), &["--profile", "staging", "--variables", "values.env"]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(run.json()["verdict"]["coverage"]["tenants"], 2, "{run}");
    let reproduce = run.json()["reproduce"].as_str().unwrap().to_owned();
    assert!(reproduce.contains("--profile staging --variables values.env"), "{reproduce}");
    assert!(!run.stdout.contains("s3cret") && !run.stderr.contains("s3cret"), "{run}");
}

#[test]
fn a_secret_that_nobody_sets_is_2() {
    let (coalmine, service) = (coalmine(), Service::start(picky()));
    std::fs::write(coalmine.path().join("values.env"), "REGION=eu\n").unwrap();
    let run = coalmine.gate_with(&service.url(), &["--profile", "staging", "--variables", "values.env"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("`KEY`"), "{run}");
}

#[test]
fn lint_looks_at_every_profile() {
    let coalmine = coalmine();
    let run = coalmine.run(&["lint", "scenario.yaml"]);
    assert_eq!(run.code, 0, "{run}");
    for line in
        ["scenario.yaml: 1 steps, 4 tenants", "with staging: 1 steps, 2 tenants", "with elsewhere: 1 steps, 3 tenants"]
    {
        assert!(run.stdout.contains(line), "{line} in {run}");
    }
    std::fs::write(coalmine.path().join("elsewhere.yaml"), "tenants: 3\npolice: {}\n").unwrap();
    let run = coalmine.run(&["lint", "scenario.yaml"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("elsewhere.yaml:2:1"), "{run}");
}

#[test]
fn plan_says_which_file_is_wrong() {
    let coalmine = coalmine();
    std::fs::write(coalmine.path().join("parts/flows.yaml"), FLOWS.replace("sees:", "see:")).unwrap();
    let run = coalmine.run(&["plan", "scenario.yaml", "--profile", "staging"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("parts/flows.yaml:7:"), "{run}");
}
