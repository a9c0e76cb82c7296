//! The operations wing beyond holds and downtime.

use std::io::{Cursor, Read};

use coalmine_target::Flaw;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, service, shows_another, text};
use crate::load::leaks;
use crate::operations::hold_of;

/// What another tenant may do to a hold: change it, and remove it.
async fn foreign_write(flaw: Option<Flaw>) -> (StatusCode, StatusCode, bool) {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let path = hold_of(&crowd[0]).await;
    let draft = json!({ "part": "p", "quantity": 1, "reason": crowd[1].secret("reason") });
    let changed = crowd[1].put(&path, draft).await.0;
    let (_, hold) = crowd[0].get(&path).await;
    let removed = crowd[1].send(Method::DELETE, &path, None).await.0;
    (changed, removed, shows_another(&hold, &crowd[0], &crowd))
}

#[tokio::test]
async fn update_by_id_changes_the_row_of_another() {
    let found = foreign_write(Some(Flaw::OpsUpdateById)).await;
    assert_eq!(found, (StatusCode::OK, StatusCode::NOT_FOUND, true));
}

#[tokio::test]
async fn delete_by_id_removes_the_row_of_another() {
    let found = foreign_write(Some(Flaw::OpsDeleteById)).await;
    assert_eq!(found, (StatusCode::NOT_FOUND, StatusCode::NO_CONTENT, false));
}

#[tokio::test]
async fn twin_of_update_and_delete_by_id_has_no_row_of_another() {
    assert_eq!(foreign_write(None).await, (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND, false));
}

/// What is answered to another's id, and to one that nobody has.
async fn refusals(flaw: Option<Flaw>) -> [StatusCode; 2] {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let path = hold_of(&crowd[0]).await;
    [crowd[1].get(&path).await.0, crowd[1].get("/operations/holds/900000000").await.0]
}

#[tokio::test]
async fn forbidden_not_missing_tells_which_ids_exist() {
    let [foreign, unknown] = refusals(Some(Flaw::OpsForbiddenNotMissing)).await;
    assert_eq!((foreign, unknown), (StatusCode::FORBIDDEN, StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn twin_of_forbidden_not_missing_tells_nothing() {
    assert_eq!(refusals(None).await, [StatusCode::NOT_FOUND; 2]);
}

/// The figures of the second of two tenants, who had seven minutes each.
async fn figures(flaw: Option<Flaw>) -> Value {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    for client in &crowd {
        let draft = json!({ "machine": "press", "minutes": 7, "cause": "c" });
        assert_eq!(client.post("/operations/downtime", draft).await.0, StatusCode::CREATED);
    }
    let (_, mut figures) = crowd[1].get("/operations/kpi").await;
    assert_eq!(figures["tenant_id"], crowd[1].tenant_id.as_str());
    figures["tenant_id"].take();
    figures
}

#[tokio::test]
async fn aggregate_unfiltered_sums_up_what_all_have() {
    assert_eq!(
        figures(Some(Flaw::OpsAggregateUnfiltered)).await,
        json!({ "tenant_id": null, "stops": 2, "minutes": 14 })
    );
}

#[tokio::test]
async fn twin_of_aggregate_unfiltered_sums_up_the_tenants_own() {
    assert_eq!(figures(None).await, json!({ "tenant_id": null, "stops": 1, "minutes": 7 }));
}

#[tokio::test]
async fn figures_of_nothing_are_zero_and_minutes_have_a_bound() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let draft = json!({ "machine": "press", "minutes": i64::MAX, "cause": "c" });
    assert_eq!(client.post("/operations/downtime", draft).await.0, StatusCode::BAD_REQUEST);
    let (_, figures) = client.get("/operations/kpi").await;
    assert_eq!((&figures["stops"], &figures["minutes"]), (&json!(0), &json!(0)));
}

async fn inspects(client: &Client, turn: usize) -> String {
    let finding = client.secret(&format!("finding{turn}"));
    let draft = json!({ "day": "2026-03-14", "part": "A-17", "finding": finding });
    assert_eq!(client.post("/operations/quality", draft).await.0, StatusCode::CREATED);
    finding
}

async fn lists_march(client: Client, turn: usize) -> Value {
    let finding = inspects(&client, turn).await;
    let (_, rows) = client.get("/operations/quality?from=2026-03-01&to=2026-03-31").await;
    assert!(rows.to_string().contains(&finding));
    rows
}

async fn lists_all_days(client: Client, turn: usize) -> Value {
    inspects(&client, turn).await;
    client.get("/operations/quality").await.1
}

#[tokio::test]
async fn date_range_bypass_shows_others_where_a_range_is_given() {
    assert_eq!(leaks(Flaw::OpsDateRangeBypass, lists_march).await, (true, false));
}

#[tokio::test]
async fn date_range_bypass_shows_nothing_without_a_range() {
    assert_eq!(leaks(Flaw::OpsDateRangeBypass, lists_all_days).await, (false, false));
}

#[tokio::test]
async fn range_leaves_other_days_out() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    inspects(&client, 0).await;
    for (query, count) in [("from=2026-03-15", 0), ("to=2026-03-13", 0), ("from=2026-03-14", 1), ("to=2026-03-14", 1)] {
        let (_, rows) = client.get(&format!("/operations/quality?{query}")).await;
        assert_eq!(rows.as_array().unwrap().len(), count, "{query}");
    }
}

async fn exports_csv(client: Client, turn: usize) -> Value {
    let finding = inspects(&client, turn).await;
    let table = client.download("/operations/quality/export?format=csv").await;
    assert!(table.contains(&finding));
    json!(table)
}

/// The text of the sheet, without what XML makes of `<`.
async fn exports_workbook(client: Client, turn: usize) -> Value {
    let finding = inspects(&client, turn).await;
    let bytes = client.download_bytes("/operations/quality/export?format=xlsx").await;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut sheet = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut sheet).unwrap();
    let sheet = sheet.replace("&lt;", "<").replace("&gt;", ">");
    assert!(sheet.contains(&finding));
    json!(sheet)
}

#[tokio::test]
async fn export_all_packs_the_rows_of_others() {
    assert_eq!(leaks(Flaw::OpsExportAll, exports_csv).await, (true, false));
    assert_eq!(leaks(Flaw::OpsExportAll, exports_workbook).await, (true, false));
    assert_eq!(leaks(Flaw::OpsExportAll, lists_march).await, (false, false));
}

async fn lists_pool(client: &Client, worker: Value) -> Value {
    let name = client.secret("stand-in");
    let mut draft = json!({ "name": name });
    draft["line"] = worker;
    assert_eq!(client.post("/operations/pool", draft).await.0, StatusCode::CREATED);
    let (_, rows) = client.get("/operations/pool").await;
    assert!(rows.to_string().contains(&name));
    rows
}

#[tokio::test]
async fn nullable_owner_shows_who_was_assigned_to_no_line() {
    let without_line = async |client: Client, _| lists_pool(&client, Value::Null).await;
    assert_eq!(leaks(Flaw::OpsNullableOwner, without_line).await, (true, false));
    let with_line = async |client: Client, _| lists_pool(&client, json!("line 4")).await;
    assert_eq!(leaks(Flaw::OpsNullableOwner, with_line).await, (false, false));
}

async fn covers_and_searches(client: Client, turn: usize) -> Value {
    let remark = format!("Late shift: {}", client.secret(&format!("remark{turn}")));
    let draft = json!({ "shift": "late", "remark": remark });
    assert_eq!(client.post("/operations/coverage", draft).await.0, StatusCode::CREATED);
    let (_, found) = client.get("/operations/search?q=shift+LATE").await;
    assert!(found.to_string().contains(&remark));
    found
}

#[tokio::test]
async fn search_index_finds_what_others_have_written() {
    assert_eq!(leaks(Flaw::OpsSearchIndex, covers_and_searches).await, (true, false));
}

#[tokio::test]
async fn search_demands_all_words() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    covers_and_searches(client.clone(), 0).await;
    for (query, count) in [("late", 1), ("late+early", 0), ("lat", 0), ("%25", 0), ("", 0)] {
        let (status, found) = client.get(&format!("/operations/search?q={query}")).await;
        assert_eq!((status, found.as_array().unwrap().len()), (StatusCode::OK, count), "{query}");
    }
}

async fn clocks_in(client: &Client, worker: &str) {
    let draft = json!({ "day": "2026-03-14", "worker": client.secret(worker) });
    assert_eq!(client.post("/operations/attendance", draft).await.0, StatusCode::CREATED);
}

/// What the second of two tenants sees behind the cursor of the first.
async fn foreign_cursor(flaw: Option<Flaw>) -> (StatusCode, bool) {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    clocks_in(&crowd[0], "early").await;
    clocks_in(&crowd[0], "late").await;
    let (_, page) = crowd[0].get("/operations/attendance?limit=1").await;
    let path = format!("/operations/attendance?limit=1&cursor={}", text(&page["next"]));
    let (_, own) = crowd[0].get(&path).await;
    assert_eq!(own["entries"][0]["worker"], crowd[0].secret("early"));
    let (status, page) = crowd[1].get(&path).await;
    (status, shows_another(&page, &crowd[1], &crowd))
}

#[tokio::test]
async fn cursor_of_another_leads_to_the_pages_of_another() {
    assert_eq!(foreign_cursor(Some(Flaw::OpsCursor)).await, (StatusCode::OK, true));
}

#[tokio::test]
async fn twin_of_cursor_leads_nowhere_with_a_foreign_one() {
    assert_eq!(foreign_cursor(None).await, (StatusCode::NOT_FOUND, false));
}

#[tokio::test]
async fn pages_end_where_nothing_is_left() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    clocks_in(&client, "early").await;
    let (_, page) = client.get("/operations/attendance?limit=1").await;
    let next = text(&page["next"]);
    let (_, page) = client.get(&format!("/operations/attendance?cursor={next}")).await;
    assert_eq!(page, json!({ "entries": [], "next": null }));
    assert_eq!(client.get("/operations/attendance?cursor=none").await.0, StatusCode::NOT_FOUND);
}

/// What an operator gets of what a leader wrote.
async fn reviews_for_an_operator(flaw: Option<Flaw>) -> (StatusCode, bool) {
    let running = service(flaw).await;
    let leader = Client::join(&running, "acme").await;
    let operator = leader.colleague(&running, "otto").await;
    let text = json!({ "text": leader.secret("review") });
    assert_eq!(leader.post("/operations/reviews", text.clone()).await.0, StatusCode::CREATED);
    assert!(leader.get("/operations/reviews").await.1.to_string().contains(&leader.secret("review")));
    assert_eq!(operator.post("/operations/reviews", text).await.0, StatusCode::FORBIDDEN);
    let (status, rows) = operator.get("/operations/reviews").await;
    (status, rows.to_string().contains(&leader.secret("review")))
}

#[tokio::test]
async fn role_escalation_shows_an_operator_what_is_for_leaders() {
    assert_eq!(reviews_for_an_operator(Some(Flaw::OpsRoleEscalation)).await, (StatusCode::OK, true));
}

#[tokio::test]
async fn twin_of_role_escalation_shows_it_to_leaders() {
    assert_eq!(reviews_for_an_operator(None).await, (StatusCode::FORBIDDEN, false));
}
