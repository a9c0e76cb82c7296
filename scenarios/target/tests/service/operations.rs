use coalmine_target::{Flaw, PLATFORM_KEY};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, service, shows_another};
use crate::load::{closed_loop, one_by_one};

pub(crate) async fn hold_of(client: &Client) -> String {
    let draft = json!({ "part": client.secret("part"), "quantity": 3, "reason": client.secret("reason") });
    let (status, hold) = client.post("/operations/holds", draft).await;
    assert_eq!((status, &hold["tenant_id"]), (StatusCode::CREATED, &json!(client.tenant_id)));
    format!("/operations/holds/{}", hold["id"])
}

/// What the second of two tenants gets for the id of the first one's hold.
async fn foreign_hold(flaw: Option<Flaw>) -> (StatusCode, bool) {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    let path = hold_of(&crowd[0]).await;
    assert_eq!(crowd[0].get(&path).await.0, StatusCode::OK);
    let (status, hold) = crowd[1].get(&path).await;
    (status, shows_another(&hold, &crowd[1], &crowd))
}

#[tokio::test]
async fn get_by_id_shows_the_row_of_another() {
    assert_eq!(foreign_hold(Some(Flaw::OpsGetById)).await, (StatusCode::OK, true));
}

#[tokio::test]
async fn twin_of_get_by_id_has_no_row_of_another() {
    assert_eq!(foreign_hold(None).await, (StatusCode::NOT_FOUND, false));
}

#[tokio::test]
async fn hold_is_changed_and_removed_by_its_tenant_only() {
    for flaw in [None, Some(Flaw::OpsGetById)] {
        let running = service(flaw).await;
        let crowd = Client::crowd(&running, 2).await;
        let path = hold_of(&crowd[0]).await;
        let draft = json!({ "part": "p", "quantity": 1, "reason": "changed" });
        assert_eq!(crowd[1].put(&path, draft.clone()).await.0, StatusCode::NOT_FOUND);
        assert_eq!(crowd[1].send(Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
        assert_eq!(crowd[0].put(&path, draft).await.0, StatusCode::OK);
        assert_eq!(crowd[0].get(&path).await.1["reason"], "changed");
        assert_eq!(crowd[0].send(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
        assert_eq!(crowd[0].get(&path).await.0, StatusCode::NOT_FOUND);
    }
}

async fn writes_and_lists_downtime(client: Client, turn: usize) -> Value {
    let cause = client.secret(&format!("cause{turn}"));
    let draft = json!({ "machine": "press", "minutes": 7, "cause": cause });
    assert_eq!(client.post("/operations/downtime", draft).await.0, StatusCode::CREATED);
    let (_, rows) = client.get("/operations/downtime").await;
    assert!(rows.to_string().contains(&cause));
    rows
}

async fn writes_and_lists_holds(client: Client, _: usize) -> Value {
    hold_of(&client).await;
    let (_, rows) = client.get("/operations/holds").await;
    assert!(rows.to_string().contains(&client.secret("part")));
    rows
}

#[tokio::test]
async fn list_unfiltered_shows_the_rows_of_others_on_one_list() {
    let running = service([Flaw::OpsListUnfiltered]).await;
    assert!(one_by_one(&running, 2, 1, writes_and_lists_downtime).await.leaks > 0);
    let running = service([Flaw::OpsListUnfiltered]).await;
    assert_eq!(closed_loop(&running, 4, 2, writes_and_lists_holds).await.leaks, 0);
}

#[tokio::test]
async fn twins_of_list_unfiltered_show_the_tenants_rows() {
    let running = service([]).await;
    assert_eq!(closed_loop(&running, 8, 5, writes_and_lists_downtime).await.leaks, 0);
    let running = service([]).await;
    assert_eq!(closed_loop(&running, 8, 5, writes_and_lists_holds).await.leaks, 0);
}

#[tokio::test]
async fn id_that_can_be_none_is_not_there() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    let (status, answer) = client.get("/operations/holds/secret").await;
    assert_eq!((status, answer), (StatusCode::NOT_FOUND, json!({ "error": "there is no such thing" })));
}

/// A tenant with a long table, then one with a short one: what the second downloads.
async fn short_table_after_a_long_one(flaw: Option<Flaw>) -> Value {
    let running = service(flaw).await;
    let crowd = Client::crowd(&running, 2).await;
    for _ in 0..3 {
        writes_and_lists_downtime(crowd[0].clone(), 0).await;
    }
    assert!(crowd[0].download("/operations/downtime/export").await.contains(&crowd[0].secret("cause0")));
    writes_and_lists_downtime(crowd[1].clone(), 0).await;
    let table = crowd[1].download("/operations/downtime/export").await;
    assert!(table.contains(&crowd[1].secret("cause0")));
    json!(shows_another(&json!(table), &crowd[1], &crowd))
}

#[tokio::test]
async fn buffer_reuse_shows_the_tail_of_an_older_answer() {
    assert_eq!(short_table_after_a_long_one(Some(Flaw::HttpBufferReuse)).await, true);
}

#[tokio::test]
async fn twin_of_buffer_reuse_shows_the_tenants_table() {
    assert_eq!(short_table_after_a_long_one(None).await, false);
}

#[tokio::test]
async fn clients_are_ones_own_for_users_and_all_for_who_runs_the_platform() {
    let running = service(None).await;
    let crowd = Client::crowd(&running, 2).await;
    for client in &crowd {
        hold_of(client).await;
    }
    let (_, own) = crowd[0].get("/operations/clients").await;
    let reasons =
        json!([{ "tenant_id": crowd[0].tenant_id, "name": own[0]["name"], "reasons": [crowd[0].secret("reason")] }]);
    assert_eq!(own, reasons);
    let fields = json!({ "role": "SUPER_ADMIN", "platform_key": PLATFORM_KEY });
    let operator = crowd[0].colleague_as(&running, "operator", fields).await;
    let (_, all) = operator.get("/operations/clients").await;
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert!(crowd.iter().all(|client| all.to_string().contains(&client.secret("reason"))));
}

#[tokio::test]
async fn nobody_runs_the_platform_without_its_key() {
    let running = service(None).await;
    for key in ["", "key"] {
        let draft = json!({
            "email": "a@b.c", "password": "p", "tenant": "t", "role": "SUPER_ADMIN", "platform_key": key,
        });
        let sent = reqwest::Client::new().post(format!("{}/auth/register", running.url())).json(&draft).send().await;
        assert_eq!(sent.unwrap().status(), StatusCode::FORBIDDEN);
    }
}
