//! Accounts: registration, login, logout, and the caller's own profile.

mod profile;
mod session;

use axum::Router;
use axum::routing::{get, post};

use crate::service::App;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS tenants (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE IF NOT EXISTS users (
        id TEXT PRIMARY KEY,
        tenant_id TEXT NOT NULL REFERENCES tenants (id),
        email TEXT NOT NULL UNIQUE,
        password TEXT NOT NULL,
        note TEXT NOT NULL DEFAULT ''
    );
";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/auth/register", post(session::register))
        .route("/auth/login", post(session::login))
        .route("/auth/logout", post(session::logout))
        .route("/me", get(profile::read).put(profile::change))
}
