//! Bearer tokens: JWT, signed with a key that lives as long as the process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use argon2::password_hash::rand_core::{OsRng, RngCore};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// How long a token is valid.
pub(crate) const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
    /// The login that the token was issued at.
    pub(crate) session: String,
}

/// Signs and reads tokens.
pub(crate) struct Tokens {
    signing: EncodingKey,
    reading: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    tenant: String,
    session: String,
    exp: u64,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        OsRng.fill_bytes(&mut key);
        Self {
            signing: EncodingKey::from_secret(&key),
            reading: DecodingKey::from_secret(&key),
            validation: Validation::new(Algorithm::HS256),
        }
    }

    pub(crate) fn issue(&self, identity: &Identity) -> Result<String, Refusal> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Refusal::Fault)?;
        let claims = Claims {
            sub: identity.user_id.clone(),
            tenant: identity.tenant_id.clone(),
            session: identity.session.clone(),
            exp: (now + LIFETIME).as_secs(),
        };
        let header = Header::new(Algorithm::HS256);
        jsonwebtoken::encode(&header, &claims, &self.signing).map_err(|_| Refusal::Fault)
    }

    pub(crate) fn read(&self, token: &str) -> Result<Identity, Refusal> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.reading, &self.validation)
            .map_err(|_| Refusal::Unauthenticated)?
            .claims;
        Ok(Identity { user_id: claims.sub, tenant_id: claims.tenant, session: claims.session })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { user_id: "user-1".to_owned(), tenant_id: "tenant-1".to_owned(), session: "session-1".to_owned() }
    }

    #[test]
    fn token_names_whom_it_was_issued_to() {
        let tokens = Tokens::new();
        let token = tokens.issue(&identity()).unwrap();
        assert_eq!(tokens.read(&token).unwrap(), identity());
    }

    #[test]
    fn token_of_another_process_is_refused() {
        let token = Tokens::new().issue(&identity()).unwrap();
        assert!(matches!(Tokens::new().read(&token), Err(Refusal::Unauthenticated)));
    }
}
