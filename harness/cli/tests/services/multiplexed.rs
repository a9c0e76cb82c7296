//! Tenants whose requests are in flight at the same time on one connection of HTTP/2, as the server sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Extension;
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use coalmine_core::history::{Event, Happening, Reader, Record};
use coalmine_core::perturb::{GateId, Perturbation, Via};
use coalmine_core::plan::Op;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::Coalmine;

const SCENARIO: &str = "
coalmine: 1
name: multiplexed
target: {url: http://127.0.0.1:1, http: 2}
tenants: 8
canaries: {note: text}
identity:
  tenant: {field: $.tenant, mine: tenant.name}
flows:
  look:
    repeat: 12
    steps:
      - {id: look, get: /, headers: {x-tenant: \"{{tenant.name}}\", x-note: \"{{canary.note}}\"}, sees: note}
perturb: {share: 60%}
";

/// Requests in flight on one connection, by their tenants, and the most tenants that were in flight together.
#[derive(Default)]
struct Traffic {
    in_flight: BTreeMap<String, usize>,
    tenants_max: usize,
}

type Shared = Arc<Mutex<Traffic>>;

async fn look(Extension(traffic): Extension<Shared>, headers: HeaderMap) -> Json<Value> {
    let of = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (tenant, note) = (of("x-tenant"), of("x-note"));
    {
        let mut traffic = traffic.lock().unwrap();
        *traffic.in_flight.entry(tenant.clone()).or_default() += 1;
        let now = traffic.in_flight.values().filter(|count| **count > 0).count();
        traffic.tenants_max = traffic.tenants_max.max(now);
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    *traffic.lock().unwrap().in_flight.get_mut(&tenant).unwrap() -= 1;
    Json(json!({"tenant": tenant, "note": note}))
}

/// A server, and the traffic of each connection that was made to it.
fn serve() -> (Runtime, String, Arc<Mutex<Vec<Shared>>>) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let all = Arc::<Mutex<Vec<Shared>>>::default();
    let connections = Arc::clone(&all);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let traffic = Shared::default();
            connections.lock().unwrap().push(Arc::clone(&traffic));
            let router = TowerToHyperService::new(Router::new().route("/", get(look)).layer(Extension(traffic)));
            tokio::spawn(async move {
                // Guests come and go as they like.
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), router).await;
            });
        }
    });
    (runtime, url, all)
}

#[test]
fn over_http2_tenants_are_in_flight_together_on_one_connection() {
    let (_runtime, url, connections) = serve();
    let run = Coalmine::new().scenario(SCENARIO).gate(&url);
    assert_eq!(run.code, 0, "{run}");
    let most = connections.lock().unwrap().iter().map(|traffic| traffic.lock().unwrap().tenants_max).max();
    assert!(most >= Some(2), "{most:?}: {run}");
}

/// Of each race that went over one connection: the connections that its members were sent on, and how many were let go in company.
fn races_on_one_connection(coalmine: &Coalmine) -> Vec<(BTreeSet<u32>, usize)> {
    let records: Vec<Record> = Reader::new(File::open(coalmine.history()).unwrap()).map(Result::unwrap).collect();
    let plan =
        records.iter().find_map(|record| if let Record::Round(plan) = record { Some(plan) } else { None }).unwrap();
    let mut races: BTreeMap<GateId, (BTreeSet<u32>, usize)> = BTreeMap::new();
    for Event { op, what, .. } in
        records.iter().filter_map(|it| if let Record::Event(it) = it { Some(it) } else { None })
    {
        // What stands for the whole round belongs to none.
        let Some((.., Op { manner, .. })) = plan.ops().find(|(.., it)| it.id == *op) else { continue };
        let (Some(gate), Via::Shared(_)) = (manner.gate, manner.via) else { continue };
        let race = races.entry(gate).or_default();
        match what {
            Happening::Invoke { connection: Some(connection) } => _ = race.0.insert(connection.0),
            Happening::Perturbed(it) if it.what == Perturbation::Race && it.reached => race.1 += 1,
            _ => {}
        }
    }
    races.into_values().collect()
}

#[test]
fn races_over_http2_go_over_one_connection_and_are_let_go_together() {
    let (_runtime, url, _) = serve();
    let coalmine = Coalmine::new().scenario(&SCENARIO.replace("{share: 60%}", "{race: 80%, share: 1%}"));
    let run =
        coalmine.run(&["gate", "scenario.yaml", "--target", &url, "--rounds", "1", "--seed", "1", "--format", "json"]);
    assert_eq!(run.code, 0, "{run}");
    let races = races_on_one_connection(&coalmine);
    let together = races.iter().filter(|(connections, reached)| connections.len() == 1 && *reached > 1).count();
    assert!(together > 3 && 2 * together > races.len(), "{races:?}: {run}");
}
