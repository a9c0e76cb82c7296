//! Who acts, and who may see what.

use std::fmt;

use coalmine_canary::Owner;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A tenant's number, unique in a run (rounds go on counting).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub u32);

/// A principal's number, unique in a run. It is what its canaries carry as their [`Owner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrincipalId(pub u32);

impl TenantId {
    /// The tenant of those who are in none.
    pub const NOBODY: TenantId = TenantId(u32::MAX);
}

impl PrincipalId {
    /// The owner that this principal's canaries name.
    pub fn owner(self) -> Owner {
        Owner(self.0)
    }
}

impl From<Owner> for PrincipalId {
    fn from(owner: Owner) -> Self {
        Self(owner.0)
    }
}

/// One session of one user of one tenant, as a path `tenant/user/session`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Its number in the run.
    pub id: PrincipalId,
    /// First part of the path.
    pub tenant: TenantId,
    /// Second part: the user's number within the tenant.
    pub user: u32,
    /// Third part: the session's number within the user.
    pub session: u32,
    /// The user's role, where the scenario gives roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Values of `{{tenant.…}}` and `{{user.…}}`, in the order of [`crate::Plan::attributes`].
    pub attributes: Vec<String>,
}

/// How much of its owner's path a secret belongs to: whoever shares that much of the path may see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Every user of the tenant may see it.
    #[default]
    Tenant,
    /// Only the user who wrote it may, in all of their sessions.
    User,
    /// Only the session that wrote it may.
    Session,
    /// Only the pass through a flow that wrote it may: other passes of the same session are strangers to it.
    Operation,
    /// Everybody may.
    Public,
}

impl Principal {
    /// Whether it is somebody without credentials, in no tenant.
    pub fn is_anonymous(&self) -> bool {
        self.tenant == TenantId::NOBODY
    }

    /// Whether this principal may see what `owner` wrote and what belongs to `scope` of the owner's path. Which pass of a
    /// session wrote it, a principal does not say: to [`Scope::Operation`] the answer is that of [`Scope::Session`].
    pub fn may_see(&self, owner: &Principal, scope: Scope) -> bool {
        let tenant = self.tenant == owner.tenant;
        let user = tenant && self.user == owner.user;
        match scope {
            Scope::Tenant => tenant,
            Scope::User => user,
            Scope::Session | Scope::Operation => user && self.session == owner.session,
            Scope::Public => true,
        }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {}", self.0)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_anonymous() {
            return f.write_str("an anonymous caller");
        }
        write!(f, "{}", self.tenant)?;
        if self.user > 0 || self.session > 0 {
            write!(f, " user {}", self.user)?;
        }
        if self.session > 0 {
            write!(f, " session {}", self.session)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(tenant: u32, user: u32, session: u32) -> Principal {
        let id = PrincipalId(tenant * 100 + user * 10 + session);
        Principal { id, tenant: TenantId(tenant), user, session, role: None, attributes: vec![] }
    }

    #[test]
    fn each_scope_shares_as_much_of_the_path() {
        let me = principal(1, 1, 1);
        let table = [
            (principal(1, 1, 1), [true, true, true]),
            (principal(1, 1, 2), [true, true, false]),
            (principal(1, 2, 1), [true, false, false]),
            (principal(2, 1, 1), [false, false, false]),
        ];
        for (owner, seen) in table {
            let scopes = [Scope::Tenant, Scope::User, Scope::Session];
            assert_eq!(scopes.map(|scope| me.may_see(&owner, scope)), seen, "{owner}");
        }
    }
}
