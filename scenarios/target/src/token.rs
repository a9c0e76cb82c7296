//! Bearer tokens: JWT, signed with a key that lives as long as the process. Home of `http.token-prefix`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use argon2::password_hash::rand_core::{OsRng, RngCore};
use coalmine_models::TokenKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::lock::hold;
use crate::refusal::Refusal;

/// How long a token is valid.
pub(crate) const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// When more are known than this, all are forgotten.
const KNOWN_MAX: usize = 65_536;

/// Long enough to look unique, and yet all users of a tenant have these characters in common.
const PREFIX_CHARS: usize = 80;

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
    key: TokenKey,
    known: Mutex<HashMap<String, Known>>,
    signing: EncodingKey,
    reading: DecodingKey,
    validation: Validation,
}

/// A token that was verified.
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
            key: key_of_known,
            known: Mutex::default(),
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
        let key = match self.key {
            TokenKey::Prefix => token.chars().take(PREFIX_CHARS).collect(),
            TokenKey::Whole => token.to_owned(),
        };
        if let Some(known) = hold(&self.known).get(&key).filter(|known| known.is_valid()) {
            return Ok(known.identity.clone());
        }
        let verified = self.verify(token)?;
        let identity = verified.identity.clone();
        let mut known = hold(&self.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key, verified);
        Ok(identity)
    }

    fn verify(&self, token: &str) -> Result<Known, Refusal> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.reading, &self.validation)
            .map_err(|_| Refusal::Unauthenticated)?
            .claims;
        let expires = UNIX_EPOCH + Duration::from_secs(claims.exp);
        let identity = Identity { user_id: claims.sub, tenant_id: claims.tenant, session: claims.session };
        Ok(Known { identity, expires })
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
