//! Passwords: hashed with argon2id, off the threads that serve requests.

use std::sync::LazyLock;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::refusal::Refusal;

/// Far below what a product needs, so that a thousand tenants can log in within seconds on a small machine.
const MEMORY_KIB: u32 = 64;
const PASSES: u32 = 1;

/// More hashing at once than there are cores would only take them from everybody else.
static HASHING: Semaphore = Semaphore::const_new(4);

/// Stands in for the hash of a user who does not exist, so that the answer takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody").unwrap_or_default());

/// Hashes a new password.
pub(crate) async fn hash(password: String) -> Result<String, Refusal> {
    off_thread(move || hash_now(&password)).await?.map_err(|_| Refusal::Fault)
}

/// Whether `password` is the one that was hashed. Without a hash it never is.
pub(crate) async fn matches(password: String, hash: Option<String>) -> Result<bool, Refusal> {
    off_thread(move || {
        let expected = hash.as_deref().unwrap_or(&NOBODY);
        let parsed = PasswordHash::new(expected).map_err(|_| Refusal::Fault)?;
        let same = argon().verify_password(password.as_bytes(), &parsed).is_ok();
        Ok(same && hash.is_some())
    })
    .await?
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let _permit = HASHING.acquire().await.map_err(|_| Refusal::Fault)?;
    spawn_blocking(work).await.map_err(|_| Refusal::Fault)
}

fn hash_now(password: &str) -> Result<String, argon2::password_hash::Error> {
    let salt = SaltString::generate(&mut OsRng);
    Ok(argon().hash_password(password.as_bytes(), &salt)?.to_string())
}

fn argon() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the cost parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}
