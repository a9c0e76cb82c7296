//! A ledger of firms with two members each, whose lists show ids and no texts. The flaws: a list of everybody's entries; one
//! without the entry that was made last, one that repeats a row, one that keeps what was struck; a total of everybody's
//! amounts, and one that misses one; a count that counts twice.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

type Shared = State<Arc<Mutex<Ledger>>>;
type Answer = Result<Json<Value>, StatusCode>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    ListsEverybody,
    ListsLate,
    RepeatsRows,
    KeepsStruck,
    TotalsEverybody,
    TotalMissesOne,
    CountsTwice,
}

struct Ledger {
    flaw: Flaw,
    /// The firm of each member.
    members: Vec<Value>,
    entries: Vec<Entry>,
}

struct Entry {
    firm: Value,
    memo: Value,
    amount: u64,
    struck: bool,
}

/// Rows on the first page.
const PAGE_ROWS: usize = 3;

#[derive(Deserialize)]
struct Page {
    page: Option<usize>,
}

impl Ledger {
    fn firm(&self, headers: &HeaderMap) -> Result<Value, StatusCode> {
        let member = headers.get("x-member").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        member.and_then(|member| self.members.get(member).cloned()).ok_or(StatusCode::UNAUTHORIZED)
    }

    fn own(&self, firm: &Value) -> Vec<(usize, &Entry)> {
        let kept = self.flaw == Flaw::KeepsStruck;
        let own = self.entries.iter().enumerate();
        own.filter(|(_, entry)| entry.firm == *firm && (kept || !entry.struck)).collect()
    }

    fn listed(&self, firm: &Value) -> Vec<usize> {
        let mut ids: Vec<usize> = self.own(firm).into_iter().map(|(id, _)| id).collect();
        match self.flaw {
            Flaw::ListsEverybody => ids = (0..self.entries.len()).collect(),
            Flaw::ListsLate => ids.truncate(ids.len().saturating_sub(1)),
            Flaw::RepeatsRows => ids.extend(ids.first().copied()),
            _ => {}
        }
        ids
    }

    fn total(&self, firm: &Value) -> u64 {
        let mut amounts: Vec<u64> = self.own(firm).into_iter().map(|(_, entry)| entry.amount).collect();
        if self.flaw == Flaw::TotalMissesOne && !amounts.is_empty() {
            amounts.remove(0);
        }
        let strangers = self.entries.iter().filter(|entry| entry.firm != *firm).map(|entry| entry.amount);
        if self.flaw == Flaw::TotalsEverybody {
            amounts.extend(strangers.take(1));
        }
        amounts.into_iter().sum()
    }
}

async fn join(State(ledger): Shared, Json(body): Json<Value>) -> Json<Value> {
    let mut ledger = ledger.lock().unwrap();
    ledger.members.push(body["firm"].clone());
    Json(json!({"member": ledger.members.len() - 1}))
}

async fn enter(State(ledger): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut ledger = ledger.lock().unwrap();
    let firm = ledger.firm(&headers)?;
    let amount = body["amount"].as_u64().ok_or(StatusCode::BAD_REQUEST)?;
    ledger.entries.push(Entry { firm, memo: body["memo"].clone(), amount, struck: false });
    Ok(Json(json!({"id": format!("entry-{}", ledger.entries.len() - 1)})))
}

fn number(id: &str) -> usize {
    id.trim_start_matches("entry-").parse().unwrap_or(usize::MAX)
}

async fn look(State(ledger): Shared, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let ledger = ledger.lock().unwrap();
    let firm = ledger.firm(&headers)?;
    let entry = ledger.entries.get(number(&id)).filter(|entry| entry.firm == firm && !entry.struck);
    let entry = entry.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"memo": entry.memo, "amount": entry.amount})))
}

async fn strike(State(ledger): Shared, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let mut ledger = ledger.lock().unwrap();
    let firm = ledger.firm(&headers)?;
    let entry = ledger.entries.get_mut(number(&id)).filter(|entry| entry.firm == firm);
    entry.ok_or(StatusCode::NOT_FOUND)?.struck = true;
    Ok(Json(json!({})))
}

async fn list(State(ledger): Shared, Query(page): Query<Page>, headers: HeaderMap) -> Answer {
    let ledger = ledger.lock().unwrap();
    let ids = ledger.listed(&ledger.firm(&headers)?);
    let (first, rest) = ids.split_at(PAGE_ROWS.min(ids.len()));
    let ids = match page.page {
        Some(0) => first,
        Some(_) => rest,
        None => &ids,
    };
    let rows: Vec<Value> = ids.iter().map(|id| json!({"id": format!("entry-{id}")})).collect();
    Ok(Json(json!({"entries": rows})))
}

async fn count(State(ledger): Shared, headers: HeaderMap) -> Answer {
    let ledger = ledger.lock().unwrap();
    let count = ledger.own(&ledger.firm(&headers)?).len();
    Ok(Json(json!({"count": if ledger.flaw == Flaw::CountsTwice { 2 * count } else { count }})))
}

async fn total(State(ledger): Shared, headers: HeaderMap) -> Answer {
    let ledger = ledger.lock().unwrap();
    Ok(Json(json!({"total": ledger.total(&ledger.firm(&headers)?)})))
}

fn service(flaw: Flaw) -> Router {
    Router::new()
        .route("/members", post(join))
        .route("/entries", post(enter).get(list))
        .route("/entries/{id}", get(look).delete(strike))
        .route("/count", get(count))
        .route("/total", get(total))
        .with_state(Arc::new(Mutex::new(Ledger { flaw, members: vec![], entries: vec![] })))
}

fn told_apart(flaw: Flaw, oracles: &[&str]) {
    let build = |build| service(if build == Build::Flawed { flaw } else { Flaw::None });
    assert_told_apart(include_str!("ledger.yaml"), build, oracles);
}

#[test]
fn a_list_of_everybodys_rows_is_found_although_it_shows_no_secret() {
    told_apart(Flaw::ListsEverybody, &["foreign-row", "not-fresh", "wrong-list"]);
}

#[test]
fn a_list_that_leaves_out_what_was_made_last_is_found() {
    told_apart(Flaw::ListsLate, &["wrong-list"]);
}

#[test]
fn a_list_that_repeats_a_row_is_found() {
    told_apart(Flaw::RepeatsRows, &["wrong-list"]);
}

#[test]
fn a_list_that_keeps_what_was_struck_is_found() {
    told_apart(Flaw::KeepsStruck, &["wrong-list"]);
}

#[test]
fn a_total_with_the_amount_of_another_is_found() {
    told_apart(Flaw::TotalsEverybody, &["foreign-canary", "wrong-aggregate"]);
}

#[test]
fn a_total_without_one_amount_is_found() {
    told_apart(Flaw::TotalMissesOne, &["wrong-aggregate"]);
}

#[test]
fn a_count_that_counts_twice_is_found() {
    told_apart(Flaw::CountsTwice, &["wrong-aggregate"]);
}
