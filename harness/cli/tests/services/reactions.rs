//! Services with flaws that show where one tenant does something at the moment of another's, and rules that bring the moment about.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use coalmine_core::history::{Decision, Happening, Reader, Record};
use coalmine_core::perturb::{Manner, Perturbation, Point};
use coalmine_core::plan::OpId;

use crate::support::{Coalmine, Run, Service};

/// A request is at work for so long.
const WORK: Duration = Duration::from_millis(30);
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

fn gate(scenario: &str, router: Router, seed: u64) -> Run {
    let service = Service::start(router);
    let (url, seed) = (service.url(), seed.to_string());
    let arguments = ["gate", "scenario.yaml", "--target", &url, "--seed", &seed, "--rounds", "1", "--format", "json"];
    Coalmine::new().scenario(scenario).run(&arguments)
}

/// With the rule every round leaks, and without it none does.
fn assert_rule_alone_shows_it(scenario: &str, rule: &str, service: impl Fn() -> Router) {
    for seed in SEEDS {
        let still = gate(scenario, service(), seed);
        assert_eq!(still.kinds(), [""; 0], "seed {seed}: {still}");
        let shaken = gate(&format!("{scenario}reactions:\n  odd: {rule}\n"), service(), seed);
        assert!(shaken.code == 1 && shaken.kinds().contains(&"foreign-canary".to_owned()), "seed {seed}: {shaken}");
        let (planned, kept) = rule_of(&shaken);
        assert!(planned > 0 && kept * 2 >= planned, "seed {seed}: {kept} of {planned}: {shaken}");
    }
}

/// How often the only rule was planned, and how often it was kept.
fn rule_of(run: &Run) -> (u64, u64) {
    let report = run.json();
    let rule = &report["verdict"]["coverage"]["rules"][0];
    assert_eq!(rule["rule"], "odd", "{run}");
    let count = |key: &str| rule[key].as_u64().unwrap();
    (count("planned"), count("kept"))
}

/// Notes by their owners, and the one that is being written.
#[derive(Default)]
struct Desk {
    notes: Mutex<BTreeMap<String, String>>,
    current: Mutex<Option<String>>,
}

async fn write(State(desk): State<Arc<Desk>>, Path(user): Path<String>, text: String) -> String {
    *desk.current.lock().unwrap() = Some(text.clone());
    tokio::time::sleep(WORK).await;
    *desk.current.lock().unwrap() = None;
    desk.notes.lock().unwrap().insert(user, text.clone());
    text
}

/// The flaw: while somebody writes, everybody reads that.
async fn read(State(desk): State<Arc<Desk>>, Path(user): Path<String>) -> String {
    let current = desk.current.lock().unwrap().clone();
    current.unwrap_or_else(|| desk.notes.lock().unwrap()[&user].clone())
}

/// All write at the same time, and read long after that.
const DESK: &str = "
coalmine: 1
name: desk
target: {url: http://127.0.0.1:1}
tenants: 4
canaries: {note: text}
flows:
  notes:
    steps:
      - {id: write, post: \"/notes/{{tenant.index}}\", text: \"{{canary.note}}\", sees: note}
      - {pause: 250ms}
      - {id: read, get: \"/notes/{{tenant.index}}\"}
perturb: off
";

#[test]
fn who_reads_while_another_writes_is_shown_that_in_every_round_with_the_rule_alone() {
    let service = || Router::new().route("/notes/{user}", post(write).get(read)).with_state(Arc::default());
    assert_rule_alone_shows_it(DESK, "{begin: read, once: {in_flight: write}, jitter: 5ms}", service);
}

/// Connections to a backend that nobody uses, each with the answer that is still to come on it.
type Backend = Arc<Mutex<Vec<Option<String>>>>;

/// A connection that is lent. The flaw: it goes back as it is.
struct Lent {
    pending: Option<String>,
    backend: Backend,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.backend.lock().unwrap().push(self.pending.take());
    }
}

async fn export(State(backend): State<Backend>, text: String) -> String {
    let pending = backend.lock().unwrap().pop().flatten();
    let mut lent = Lent { pending, backend };
    let stale = lent.pending.replace(text.clone());
    tokio::time::sleep(WORK).await;
    lent.pending = None;
    stale.unwrap_or(text)
}

const EXPORTS: &str = "
coalmine: 1
name: exports
target: {url: http://127.0.0.1:1}
tenants: 4
canaries: {row: text}
flows:
  exports:
    repeat: 4
    steps:
      - {id: export, post: /exports, text: \"{{canary.row}}\", sees: row}
perturb: off
";

#[test]
fn who_comes_next_is_given_the_answer_of_one_that_was_given_up_with_the_rule_alone() {
    let service = || Router::new().route("/exports", post(export)).with_state(Backend::default());
    assert_rule_alone_shows_it(EXPORTS, "{cancel: export, once: {in_flight: export}, jitter: 10ms}", service);
}

#[test]
fn a_rule_that_cannot_be_kept_is_told_and_makes_the_verdict_inconclusive() {
    let service = Router::new().route("/exports", post(|text: String| async { text }));
    let rule = "budget: {connections: 2}\nreactions:\n  odd: {together: [export, export]}\n";
    let run = gate(&format!("{EXPORTS}{rule}"), service, 1);
    assert_eq!(run.code, 4, "{run}");
    assert_eq!(rule_of(&run), (0, 0));
    assert!(run.stdout.contains("the rule `odd` of the scenario was planned 0 times and never kept"), "{run}");
}

/// What was decided about the operations of a round, each with its manner.
fn decisions(coalmine: &Coalmine) -> Vec<(Manner, Perturbation, bool, Option<Decision>)> {
    let (mut manners, mut all) = (BTreeMap::<OpId, Manner>::new(), vec![]);
    for record in Reader::new(File::open(coalmine.history()).unwrap()).map(Result::unwrap) {
        match record {
            Record::Round(plan) => manners = plan.ops().map(|(.., op)| (op.id, op.manner)).collect(),
            Record::Event(event) => {
                if let Happening::Perturbed(shaken) = event.what {
                    all.push((manners[&event.op], shaken.what, shaken.reached, shaken.decided));
                }
            }
            _ => {}
        }
    }
    all
}

#[test]
fn what_was_decided_while_a_round_ran_stands_in_its_history() {
    let service = Service::start(Router::new().route("/exports", post(|text: String| async { text })));
    let shaking = EXPORTS.replace("perturb: off", "perturb: {race: 30%, react: 30%, cancel: 100%, swizzle: 20%}");
    let coalmine = Coalmine::new().scenario(&shaking.replace("repeat: 4", "repeat: 20"));
    let run = coalmine.gate(&service.url());
    assert_eq!(run.code, 0, "{run}");
    let mut seen = BTreeMap::<&str, usize>::new();
    for (manner, what, reached, decided) in decisions(&coalmine) {
        let kind = match (what, decided) {
            (Perturbation::Race, Some(Decision::LetGo { company, patience_us })) => {
                assert!(reached == (company > 1) && (1..=500_000).contains(&patience_us), "{company} {patience_us}");
                "let go"
            }
            (Perturbation::Cancel, Some(Decision::GivenUp { usual_us, wait_us })) => {
                let Some(Point::Sent { wait_permille }) = manner.cut.map(|cut| cut.at) else { panic!("{manner:?}") };
                assert_eq!(u64::from(wait_us), u64::from(usual_us) * u64::from(wait_permille) / 1000);
                "given up"
            }
            (Perturbation::React | Perturbation::Swizzle, Some(Decision::Awaited { come, .. })) => {
                assert!(!reached || come.is_some(), "{manner:?}");
                "awaited"
            }
            (Perturbation::Race | Perturbation::React, None) => panic!("{manner:?}: nothing says what was decided"),
            _ => continue,
        };
        *seen.entry(kind).or_default() += 1;
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), ["awaited", "given up", "let go"], "{run}");
}
