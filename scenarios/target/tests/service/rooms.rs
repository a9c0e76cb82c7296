//! What a service makes in the servers that it uses, and what it leaves behind there.

use coalmine_target::Storage;
use postgres::{Client as Database, NoTls};
use reqwest::StatusCode;

use crate::client::{Client, service};

/// Asks PostgreSQL, from a thread of its own: its client waits. `None` where there is none.
async fn ask<T: Send + 'static>(question: impl FnOnce(&mut Database) -> T + Send + 'static) -> Option<T> {
    let Storage::Services { database_url, .. } = crate::storage() else { return None };
    let asking = move || question(&mut Database::connect(&database_url, NoTls).unwrap());
    Some(tokio::task::spawn_blocking(asking).await.unwrap())
}

/// The schema in which that user is, and what is true of its role and of its table with policies.
fn room_of(database: &mut Database, user_id: &str) -> Option<(String, Vec<bool>)> {
    let schemas = database.query("SELECT schemaname::text FROM pg_tables WHERE tablename = 'users'", &[]).unwrap();
    let mut schemas = schemas.iter().map(|row| row.get::<_, String>(0));
    let schema = schemas.find(|schema| {
        // Others are removed meanwhile.
        let found = database.query(&format!("SELECT 1 FROM {schema}.users WHERE id = '{user_id}'"), &[]);
        found.is_ok_and(|rows| !rows.is_empty())
    })?;
    let facts = "SELECT relrowsecurity, pg_get_userbyid(relowner) = $1, rolsuper OR rolbypassrls OR rolcreaterole
        FROM pg_class JOIN pg_roles ON rolname = $1 WHERE relname = 'leads' AND relnamespace = $1::regnamespace";
    let facts = database.query_one(&facts.replace("$1", &format!("'{schema}'")), &[]).unwrap();
    Some((schema, (0..facts.len()).map(|column| facts.get(column)).collect()))
}

#[tokio::test]
async fn table_with_policies_is_used_by_a_role_that_neither_owns_it_nor_may_do_everything() {
    let running = service([]).await;
    let user_id = Client::join(&running, "acme").await.user_id;
    if let Some(room) = ask(move |database| room_of(database, &user_id)).await {
        let (_, facts) = room.expect("the user is in a schema");
        assert_eq!(facts, [true, false, false]);
    }
    running.stop().await;
}

/// What Redis holds for the service that has that schema.
fn names_of(schema: &str) -> Vec<String> {
    let Storage::Services { redis_url, .. } = crate::storage() else { return Vec::new() };
    let mut connection = redis::Client::open(redis_url).unwrap().get_connection().unwrap();
    redis::cmd("KEYS").arg(format!("{schema}:*")).query(&mut connection).unwrap()
}

#[tokio::test]
async fn stopped_service_leaves_no_schema_no_role_and_nothing_in_redis() {
    let running = service([]).await;
    let client = Client::join(&running, "acme").await;
    client.get("/finance/summary?month=2026-01").await;
    let user_id = client.user_id.clone();
    let room = ask(move |database| room_of(database, &user_id)).await;
    let Some(room) = room else { return };
    let (schema, _) = room.expect("the user is in a schema");
    let summary = format!("{schema}:summary:{}:2026-01", client.user_id);
    assert_eq!(names_of(&schema), [summary]);
    running.stop().await;
    assert!(names_of(&schema).is_empty());
    let left = "SELECT rolname FROM pg_roles WHERE rolname = $1
        UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = $1";
    let left = ask(move |database| database.query(left, &[&schema]).unwrap().len()).await;
    assert_eq!(left, Some(0));
}

#[tokio::test]
async fn services_share_nothing() {
    let (one, other) = (service([]).await, service([]).await);
    let client = Client::join(&one, "acme").await;
    assert_eq!(client.try_get(&other, "/me").await, StatusCode::UNAUTHORIZED);
    Client::join(&other, "acme").await;
}
