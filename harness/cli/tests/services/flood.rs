//! A service that does jobs, which one tenant orders in great numbers: how many arrive at a time, and who waits for whom. The flaw: all
//! jobs stand in one line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{Coalmine, Run, Service};

const SCENARIO: &str = r#"
coalmine: 1
name: jobs
tenants: 5
canaries: {text: text}
flows:
  jobs:
    repeat: 3
    steps:
      - {id: order, post: /jobs, headers: {x-tenant: "{{tenant.name}}"}, json: {text: "{{canary.text}}"}, capture: {job: $.id}}
      - id: collect
        get: "/jobs/{{job}}"
        headers: {x-tenant: "{{tenant.name}}"}
        until: {$.done: true}
        every: 5ms
        within: 5s
        sees: text
policy: {overlap_pairs_percent: 0}
perturb: {flood: {percent: 100, steps: [order]}}
"#;

const ALONE: &str = "all";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// One worker does the jobs of all, in the order in which they come.
    OneLine,
    /// A job is done while its order is answered, one at a time: the service has one core, and works as hard as it can.
    OneCore,
    /// Each job takes long or short, by chance.
    Moody,
}

struct Job {
    tenant: String,
    text: Value,
    done: bool,
}

#[derive(Default)]
struct Books {
    jobs: Vec<Job>,
    lines: BTreeMap<String, UnboundedSender<usize>>,
    /// Orders under way, and the most that there were at a time, by tenant.
    under_way: BTreeMap<String, (usize, usize)>,
    orders: BTreeMap<String, usize>,
}

struct Office {
    flaw: Flaw,
    books: Mutex<Books>,
    core: Mutex<u32>,
}

type Shared = Arc<Office>;
type Answer = Result<String, StatusCode>;

impl Office {
    /// How long a job takes.
    fn work(&self) -> Duration {
        let mut dice = self.core.lock().unwrap();
        *dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match self.flaw {
            Flaw::Moody => Duration::from_millis(u64::from(*dice >> 26)),
            _ => Duration::from_millis(10),
        }
    }

    /// A worker for each line, who begins when the first job comes.
    fn line(self: &Arc<Self>, books: &mut Books, tenant: &str) -> UnboundedSender<usize> {
        let name = if self.flaw == Flaw::OneLine { ALONE } else { tenant };
        let open = || {
            let (sender, mut jobs) = unbounded_channel::<usize>();
            let office = Arc::clone(self);
            tokio::spawn(async move {
                while let Some(job) = jobs.recv().await {
                    tokio::time::sleep(office.work()).await;
                    let mut books = office.books.lock().unwrap();
                    books.jobs[job].done = true;
                }
            });
            sender
        };
        books.lines.entry(name.to_owned()).or_insert_with(open).clone()
    }

    fn spin(&self) {
        let mut core = self.core.lock().unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(1) {
            *core = core.wrapping_add(1);
        }
    }
}

fn tenant(headers: &HeaderMap) -> String {
    headers["x-tenant"].to_str().unwrap().to_owned()
}

async fn order(State(office): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let text = serde_json::from_slice::<Value>(&body).map_err(|_| StatusCode::BAD_REQUEST)?["text"].clone();
    let tenant = tenant(&headers);
    {
        let mut books = office.books.lock().unwrap();
        *books.orders.entry(tenant.clone()).or_default() += 1;
        let (now, most) = books.under_way.entry(tenant.clone()).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }
    // What is under way at the same time comes to be seen.
    tokio::time::sleep(Duration::from_millis(1)).await;
    if office.flaw == Flaw::OneCore {
        let office = Arc::clone(&office);
        tokio::task::spawn_blocking(move || office.spin()).await.unwrap();
    }
    let mut books = office.books.lock().unwrap();
    books.under_way.entry(tenant.clone()).or_default().0 -= 1;
    let done = office.flaw == Flaw::OneCore;
    books.jobs.push(Job { tenant: tenant.clone(), text, done });
    let id = books.jobs.len() - 1;
    if !done {
        office.line(&mut books, &tenant).send(id).unwrap();
    }
    Ok(json!({"id": id}).to_string())
}

async fn collect(State(office): State<Shared>, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let books = office.books.lock().unwrap();
    let own = books.jobs.get(id).filter(|job| job.tenant == tenant(&headers));
    own.map(|job| json!({"done": job.done, "text": job.text}).to_string()).ok_or(StatusCode::NOT_FOUND)
}

fn gate(flaw: Flaw, scenario: &str) -> (Run, Arc<Office>) {
    let office = Arc::new(Office { flaw, books: Mutex::default(), core: Mutex::new(1) });
    let router = Router::new().route("/jobs", post(order)).route("/jobs/{id}", get(collect));
    let service = Service::start(router.with_state(Arc::clone(&office)));
    (Coalmine::new().scenario(scenario).gate(&service.url()), office)
}

#[test]
fn a_flood_arrives_over_a_few_connections_at_a_time() {
    let (run, office) = gate(Flaw::None, SCENARIO);
    assert_eq!((run.code, run.kinds()), (0, vec![]), "{run}");
    let books = office.books.lock().unwrap();
    let mut orders: Vec<usize> = books.orders.values().copied().collect();
    orders.sort_unstable();
    // Nine floods of 48 and one that waits for their end; the others once in each of nineteen stages.
    assert!(orders[4] >= 9 * 49 && orders[..4].iter().all(|orders| (19..60).contains(orders)), "{orders:?}");
    let most = books.under_way.values().map(|(_, most)| *most).max();
    assert!(most.is_some_and(|most| (2..=8).contains(&most)), "{most:?}");
    let flood = run.json()["verdict"]["coverage"]["floods"][0].clone();
    assert_eq!((&flood["flood"], &flood["floods"]), (&json!("order"), &json!(9)), "{run}");
}

#[test]
fn jobs_that_stand_in_one_line_are_found() {
    let (run, _) = gate(Flaw::OneLine, SCENARIO);
    assert_eq!((run.code, run.kinds()), (1, vec!["noisy-neighbour".to_owned()]), "{run}");
    assert_eq!(run.json()["verdict"]["findings"][0]["operation"], "collect", "{run}");
}

#[test]
fn a_service_with_one_core_or_with_moods_is_no_finding() {
    for flaw in [Flaw::OneCore, Flaw::Moody] {
        let (run, _) = gate(flaw, SCENARIO);
        assert_eq!((run.code, run.kinds()), (0, vec![]), "{flaw:?}: {run}");
    }
}

#[test]
fn without_a_word_only_what_may_be_repeated_is_sent_many_times() {
    let scenario = SCENARIO.replace("{flood: {percent: 100, steps: [order]}}", "{flood: 100%}");
    let (run, office) = gate(Flaw::OneLine, &scenario);
    assert_eq!((run.code, run.kinds()), (0, vec![]), "{run}");
    let flood = run.json()["verdict"]["coverage"]["floods"][0].clone();
    assert_eq!(flood["flood"], "collect", "{run}");
    assert!(office.books.lock().unwrap().orders.values().all(|orders| *orders < 40));
}
