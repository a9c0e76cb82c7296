//! Bearer tokens: JWT, signed with a key that lives as long as the process.

use std::time::{SystemTime, UNIX_EPOCH};

use argon2::password_hash::rand_core::{OsRng, RngCore};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

const LIFETIME_S: u64 = 12 * 3600;

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
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
            exp: now.as_secs() + LIFETIME_S,
        };
        let header = Header::new(Algorithm::HS256);
        jsonwebtoken::encode(&header, &claims, &self.signing).map_err(|_| Refusal::Fault)
    }

    pub(crate) fn read(&self, token: &str) -> Result<Identity, Refusal> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.reading, &self.validation)
            .map_err(|_| Refusal::Unauthenticated)?
            .claims;
        Ok(Identity { user_id: claims.sub, tenant_id: claims.tenant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { user_id: "user-1".to_owned(), tenant_id: "tenant-1".to_owned() }
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
