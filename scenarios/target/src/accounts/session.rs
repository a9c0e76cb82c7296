//! Registration, login and logout.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::role::Role;
use crate::answer::Created;
use crate::caller::Caller;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::service::App;
use crate::sql::{self, Connection, OptionalExtension, params};
use crate::token::Identity;
use crate::{id, password};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Registration {
    email: String,
    password: String,
    tenant: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    role: Role,
    /// What only those know who run the platform.
    #[serde(default)]
    platform_key: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Registered {
    user_id: String,
    tenant_id: String,
    email: String,
}

/// The first who names a tenant founds it; who names it later joins.
pub(super) async fn register(
    State(service): State<App>,
    Input(registration): Input<Registration>,
) -> Result<Created<Registered>, Refusal> {
    let Registration { email, password, tenant, note, role, platform_key } = registration;
    if email.is_empty() || password.is_empty() || tenant.is_empty() {
        return Err(Refusal::BadRequest("email, password and tenant must not be empty"));
    }
    if role == Role::SuperAdmin && platform_key != service.config.platform_key {
        return Err(Refusal::Forbidden);
    }
    let hash = password::hash(password).await?;
    let (fresh_user, fresh_tenant) = (service.config.names.fresh_id("user"), service.config.names.fresh_id("tenant"));
    let registered = service
        .store
        .run(move |db| {
            let (tenant_id, user_id) = (found_or_join(db, &tenant, &fresh_tenant)?, fresh_user);
            let added =
                db.prepare_cached(ADD_USER)?.execute(params![user_id, tenant_id, email, hash, note, role.name()])?;
            Ok((added == 1).then_some(Registered { user_id, tenant_id, email }))
        })
        .await?
        .ok_or(Refusal::Conflict("the email is taken"))?;
    Ok(Created(registered))
}

const ADD_USER: &str = "INSERT INTO users (id, tenant_id, email, password, note, role) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (email) DO NOTHING";

fn found_or_join(db: &Connection, name: &str, fresh_id: &str) -> sql::Result<String> {
    db.prepare_cached("INSERT INTO tenants (id, name) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING")?
        .execute([fresh_id, name])?;
    db.prepare_cached("SELECT id FROM tenants WHERE name = ?1")?.query_row([name], |row| row.get(0))
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Credentials {
    email: String,
    password: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Session {
    token: String,
    user_id: String,
    tenant_id: String,
}

pub(super) async fn login(
    State(service): State<App>,
    Input(Credentials { email, password }): Input<Credentials>,
) -> Result<Json<Session>, Refusal> {
    let user = service.store.run(move |db| user_of(db, &email)).await?;
    let (identity, hash) = user.unzip();
    let known = password::matches(password, hash).await?;
    let identity = identity.filter(|_| known).ok_or(Refusal::Unauthenticated)?;
    let token = service.tokens.issue(&identity)?;
    let Identity { user_id, tenant_id, .. } = identity;
    Ok(Json(Session { token, user_id, tenant_id }))
}

/// Ends the session whose token is shown. Other sessions of the user go on.
pub(super) async fn logout(State(service): State<App>, caller: Caller) -> NoContent {
    service.logouts.end(&caller.identity.session);
    NoContent
}

fn user_of(db: &Connection, email: &str) -> sql::Result<Option<(Identity, String)>> {
    db.prepare_cached("SELECT id, tenant_id, password FROM users WHERE email = ?1")?
        .query_row([email], |row| {
            let identity = Identity { user_id: row.get(0)?, tenant_id: row.get(1)?, session: id::fresh("session") };
            Ok((identity, row.get(2)?))
        })
        .optional()
}
