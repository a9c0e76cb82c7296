//! A back office with accounts that exist already, of companies of different sizes, and with data that outlives the rounds. The
//! flaws: the list shows all orders whose company was founded before; an order is given to whoever knows its number; a list ends
//! with the key of the first account, in base64.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::{Path as Segment, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use coalmine_core::history::Reader;
use serde_json::{Value, json};

use crate::support::{Coalmine, Run, Service};

type Shared = State<Arc<Mutex<Office>>>;
type Answer = Result<Json<Value>, StatusCode>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    ListsAllCompanies,
    GivesByNumber,
    ShowsAKey,
}

const ACCOUNTS: &str = "\
tenant,user,role,branch,password,api_key
solo,ann,LEADER,north,hush-ann,hush4eC39HqLyjWDarjtT1zdp7
trio,bob,LEADER,south,hush-bob,hush7Gx2Qm9RbT4sKc8VnL1wYp
trio,cid,CLERK,south,hush-cid,hushB3f6Zk0Wd5Jt2Xh9Rv8NqE
duo,dan,LEADER,west,hush-dan,hushT9p1Vc7Ls4Mg6Yw2Kz5DaU
trio,eve,CLERK,east,hush-eve,hushM2n8Hy3Qe7Bk1Ux6Ft9RjC
duo,fay,CLERK,west,hush-fay,hush5Wd9Kp2Zs8Lm4Gv7Nb3XtQ
";

/// Company, name, role, branch, password, key.
struct Account([&'static str; 6]);

struct Office {
    flaw: Flaw,
    accounts: Vec<Account>,
    orders: Vec<(&'static str, Value)>,
    memos: Vec<(usize, Value)>,
}

impl Office {
    /// Both the token and the key of the account are wanted.
    fn user(&self, headers: &HeaderMap) -> Result<usize, StatusCode> {
        let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let user = field("authorization").strip_prefix("Bearer ").and_then(|user| user.parse::<usize>().ok());
        let user = user.filter(|user| self.accounts.get(*user).is_some_and(|it| it.0[5] == field("x-api-key")));
        user.ok_or(StatusCode::UNAUTHORIZED)
    }

    fn company(&self, user: usize) -> &'static str {
        self.accounts[user].0[0]
    }

    fn own(&self, headers: &HeaderMap, order: usize) -> Result<usize, StatusCode> {
        let user = self.user(headers)?;
        let order = self.orders.get(order).ok_or(StatusCode::NOT_FOUND)?;
        let own = order.0 == self.company(user) || self.flaw == Flaw::GivesByNumber;
        if own { Ok(user) } else { Err(StatusCode::NOT_FOUND) }
    }
}

async fn login(State(office): Shared, Json(body): Json<Value>) -> Answer {
    let office = office.lock().unwrap();
    let fits = |account: &Account| body["user"] == account.0[1] && body["password"] == account.0[4];
    let at_home = |account: &&Account| body["branch"] == account.0[3];
    let user = office.accounts.iter().position(|account| fits(account) && at_home(&account));
    user.map(|user| Json(json!({"token": user.to_string()}))).ok_or(StatusCode::UNAUTHORIZED)
}

async fn order(State(office): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut office = office.lock().unwrap();
    let user = office.user(&headers)?;
    let company = office.company(user);
    let colleague =
        body["for"].as_str().is_none_or(|name| office.accounts.iter().any(|it| it.0[..2] == [company, name]));
    if !colleague {
        return Err(StatusCode::BAD_REQUEST);
    }
    office.orders.push((company, body["text"].clone()));
    Ok(Json(json!({"id": office.orders.len() - 1})))
}

async fn read(State(office): Shared, Segment(id): Segment<usize>, headers: HeaderMap) -> Answer {
    let office = office.lock().unwrap();
    office.own(&headers, id)?;
    let (company, text) = &office.orders[id];
    Ok(Json(json!({"company": company, "text": text})))
}

async fn approve(State(office): Shared, Segment(id): Segment<usize>, headers: HeaderMap) -> Answer {
    let office = office.lock().unwrap();
    let user = office.own(&headers, id)?;
    if office.accounts[user].0[2] == "LEADER" { Ok(Json(json!({}))) } else { Err(StatusCode::FORBIDDEN) }
}

async fn list(State(office): Shared, headers: HeaderMap) -> Answer {
    let office = office.lock().unwrap();
    let company = office.company(office.user(&headers)?);
    let shown = |of: &&str| *of == company || office.flaw == Flaw::ListsAllCompanies;
    let orders = office.orders.iter().filter(|(of, _)| shown(of)).map(|(_, text)| text.clone());
    let key =
        (office.flaw == Flaw::ShowsAKey).then(|| data_encoding::BASE64.encode(office.accounts[0].0[5].as_bytes()));
    Ok(Json(orders.chain(key.map(Value::from)).collect()))
}

async fn write(State(office): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut office = office.lock().unwrap();
    let user = office.user(&headers)?;
    office.memos.push((user, body["text"].clone()));
    Ok(Json(json!({})))
}

async fn memos(State(office): Shared, headers: HeaderMap) -> Answer {
    let office = office.lock().unwrap();
    let user = office.user(&headers)?;
    let own = office.memos.iter().filter(|(of, _)| *of == user).map(|(_, text)| text.clone());
    // Who asks may see the own keys, and those of colleagues.
    let company = office.company(user);
    let keys = office.accounts.iter().filter(|account| account.0[0] == company).map(|account| account.0[5].into());
    Ok(Json(own.chain(keys).collect()))
}

fn service(flaw: Flaw) -> Router {
    let account = |line: &'static str| {
        let cells: Vec<&str> = line.split(',').collect();
        Account(cells.try_into().unwrap())
    };
    let accounts = ACCOUNTS.lines().skip(1).map(account).collect();
    let office = Office { flaw, accounts, orders: vec![], memos: vec![] };
    Router::new()
        .route("/login", post(login))
        .route("/orders", post(order).get(list))
        .route("/orders/{id}", get(read))
        .route("/orders/{id}/approval", post(approve))
        .route("/memos", post(write).get(memos))
        .with_state(Arc::new(Mutex::new(office)))
}

fn coalmine() -> Coalmine {
    let coalmine = Coalmine::new().scenario(include_str!("accounts.yaml"));
    std::fs::write(coalmine.path().join("accounts.csv"), ACCOUNTS).unwrap();
    coalmine
}

/// Several rounds by the same accounts, at one service that keeps everything.
fn gate(flaw: Flaw) -> (Coalmine, Run) {
    let service = Service::start(service(flaw));
    let coalmine = coalmine();
    let run = coalmine.gate_with(&service.url(), &["--rounds", "3"]);
    (coalmine, run)
}

fn everything_in(folder: &Path) -> String {
    let history = std::fs::File::open(folder.join("coalmine-out/latest/history.jsonl.zst")).unwrap();
    let records = Reader::new(history).map(|record| format!("{:?}", record.unwrap()));
    let files = ["report.json", "junit.xml"].map(|name| folder.join("coalmine-out/latest").join(name));
    let files = files.map(|path| std::fs::read_to_string(path).unwrap());
    records.chain(files).collect::<Vec<_>>().concat()
}

#[test]
fn what_the_same_accounts_wrote_in_earlier_rounds_is_no_leak() {
    let (_, run) = gate(Flaw::None);
    assert_eq!(run.code, 0, "{run}");
    let coverage = &run.json()["verdict"]["coverage"];
    assert_eq!((&coverage["tenants"], &coverage["principals"]), (&json!(3), &json!(6)), "{run}");
    assert_eq!(coverage["sent"]["skipped"], 0, "{run}");
}

#[test]
fn leaks_among_accounts_of_tenants_of_different_sizes_are_found() {
    for (flaw, oracle) in [(Flaw::ListsAllCompanies, "foreign-canary"), (Flaw::GivesByNumber, "access")] {
        let (_, run) = gate(flaw);
        assert_eq!(run.code, 1, "{run}");
        assert!(run.kinds().contains(&oracle.to_owned()), "{run}");
    }
}

#[test]
fn the_key_of_another_tenants_account_is_found_in_whatever_form_it_comes() {
    let (coalmine, run) = gate(Flaw::ShowsAKey);
    assert_eq!((run.code, run.kinds()), (1, vec!["foreign-canary".to_owned()]), "{run}");
    let finding = &run.json()["verdict"]["findings"][0];
    assert_eq!(finding["evidence"]["owner"], "tenant 0", "{run}");
    assert_eq!(finding["evidence"]["field"], "user.api_key", "{run}");
    assert_eq!(finding["evidence"]["encodings"], json!(["base64"]), "{run}");
    assert!(!everything_in(coalmine.path()).contains("hush"), "the key was left somewhere");
}

#[test]
fn secrets_of_accounts_are_left_nowhere() {
    let (coalmine, run) = gate(Flaw::ListsAllCompanies);
    let planned = coalmine.run(&["plan", "scenario.yaml", "--target", "http://127.0.0.1:1", "--all"]);
    let linted = coalmine.run(&["lint", "scenario.yaml"]);
    assert!(linted.stdout.contains("3 tenants"), "{linted}");
    assert!(planned.stdout.contains("<secret user.password>"), "{planned}");
    let left = [run.to_string(), planned.to_string(), linted.to_string(), everything_in(coalmine.path())].concat();
    assert!(left.contains("south"), "an open column may be seen");
    assert!(!left.contains("hush"), "a secret was left somewhere");
}

#[test]
fn a_file_of_accounts_that_is_not_there_is_told_with_its_place() {
    let coalmine = Coalmine::new().scenario(include_str!("accounts.yaml"));
    let run = coalmine.run(&["lint", "scenario.yaml"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(
        run.stderr.contains("scenario.yaml:4:28") && run.stderr.contains("`accounts.csv`: cannot read it"),
        "{run}"
    );
}

#[test]
fn more_tenants_than_accounts_are_refused_before_anything_is_sent() {
    let run = coalmine().gate_with("http://127.0.0.1:1", &["--tenants", "4"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("4 tenants are asked for, and the file of accounts has 3"), "{run}");
}
