//! Accounts: registration, login, logout, the caller's own profile and pads.

mod pads;
mod profile;
mod role;
mod session;

use crate::document::{Routes, get, post, put};
pub(crate) use pads::{Discarded, Pads};
pub(crate) use role::Role;

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
        note TEXT NOT NULL DEFAULT '',
        role TEXT NOT NULL DEFAULT 'LEADER'
    );
";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/auth/register", post(session::register))
        .route("/auth/login", post(session::login))
        .route("/auth/logout", post(session::logout))
        .route("/me", get(profile::read).put(profile::change))
        .route("/me/pads", post(pads::open))
        .route("/me/pads/{id}", put(pads::write).delete(pads::discard))
}
