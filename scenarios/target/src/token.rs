//! Bearer tokens: JWT, signed with a key that lives as long as the process. Home of `http.token-prefix`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use argon2::password_hash::rand_core::{OsRng, RngCore};
use coalmine_models::{Revoke, TokenCache, TokenKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// How long a token is valid.
pub(crate) const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// When more are known than this, all are forgotten.
const KNOWN_MAX: usize = 65_536;

/// Long enough to look unique, and yet all users of a tenant have these characters in common.
pub(crate) const PREFIX_CHARS: usize = 80;

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
    /// The login that the token was issued at.
    pub(crate) session: String,
}

/// Signs and reads tokens, and remembers what it has read.
pub(crate) struct Tokens {
    known: TokenCache<Known>,
    signing: EncodingKey,
    reading: DecodingKey,
    validation: Validation,
}

/// A token that was verified.
#[derive(Clone)]
struct Known {
    identity: Identity,
    expires: SystemTime,
}

impl Known {
    fn is_valid(&self) -> bool {
        SystemTime::now() < self.expires
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    tenant: String,
    sub: String,
    session: String,
    exp: u64,
}

impl Tokens {
    pub(crate) fn new(key_of_known: TokenKey) -> Self {
        let mut key = [0; 32];
        OsRng.fill_bytes(&mut key);
        Self {
            known: TokenCache::new(key_of_known, Revoke::Remember, KNOWN_MAX),
            signing: EncodingKey::from_secret(&key),
            reading: DecodingKey::from_secret(&key),
            validation: Validation::new(Algorithm::HS256),
        }
    }

    pub(crate) fn issue(&self, identity: &Identity) -> Result<String, Refusal> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Refusal::Fault)?;
        let claims = Claims {
            tenant: identity.tenant_id.clone(),
            sub: identity.user_id.clone(),
            session: identity.session.clone(),
            exp: (now + LIFETIME).as_secs(),
        };
        let header = Header::new(Algorithm::HS256);
        jsonwebtoken::encode(&header, &claims, &self.signing).map_err(|_| Refusal::Fault)
    }

    /// Whose token it is. Which tokens are the same is for the key to say.
    pub(crate) fn read(&self, token: &str) -> Result<Identity, Refusal> {
        let known = self.known.identity(token, || self.verify(token)).filter(Known::is_valid);
        known.map(|known| known.identity).ok_or(Refusal::Unauthenticated)
    }

    fn verify(&self, token: &str) -> Option<Known> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.reading, &self.validation).ok()?.claims;
        let expires = UNIX_EPOCH + Duration::from_secs(claims.exp);
        let identity = Identity { user_id: claims.sub, tenant_id: claims.tenant, session: claims.session };
        Some(Known { identity, expires })
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
        let tokens = Tokens::new(TokenKey::Whole);
        let token = tokens.issue(&identity()).unwrap();
        assert_eq!(tokens.read(&token).unwrap(), identity());
    }

    #[test]
    fn token_of_another_process_is_refused() {
        let token = Tokens::new(TokenKey::Whole).issue(&identity()).unwrap();
        assert!(matches!(Tokens::new(TokenKey::Whole).read(&token), Err(Refusal::Unauthenticated)));
    }
}
