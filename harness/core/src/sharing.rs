//! Who may see more than the scopes of secrets say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::principal::{Principal, Scope};
use crate::template::CanaryRef;

/// Rules that hold for everybody in the round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// What a role sees besides its own, one entry a role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleReach>,
}

/// What users of a role see besides their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleReach {
    /// The role.
    pub role: String,
    /// How far they see.
    pub reach: Reach,
}

/// How far a role sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// All sessions and operations of their own user.
    User,
    /// All users of their own tenant.
    Tenant,
    /// Everything, as the operator of a platform does.
    Everything,
}

/// Somebody with whom a pass shares what it makes. Who it is in each pass, [`crate::plan::ScopeOf::members`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The name given in the scenario.
    pub name: String,
    /// How much of the member's path may see it: the tenant, the user, or the one session.
    pub scope: Scope,
    /// Which canaries of the pass; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sees: Option<Vec<CanaryRef>>,
}

/// An answer that the scenario declares public: what appears in it may be seen by everybody, there and elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Public {
    /// All that appears.
    Everything,
    /// Only canaries of these names.
    Canaries(Vec<String>),
}

impl Sharing {
    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the viewer's role lets it see what is the owner's.
    pub fn by_role(&self, viewer: &Principal, owner: &Principal) -> bool {
        let Some(role) = &viewer.role else { return false };
        let reaches = self.roles.iter().filter(|rule| rule.role == *role).map(|rule| rule.reach);
        reaches.into_iter().any(|reach| match reach {
            Reach::User => viewer.may_see(owner, Scope::User),
            Reach::Tenant => viewer.may_see(owner, Scope::Tenant),
            Reach::Everything => true,
        })
    }
}

impl Public {
    /// Whether a canary of this name becomes public by appearing in the answer.
    pub fn includes(&self, canary: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Canaries(names) => names.iter().any(|name| name == canary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::{PrincipalId, TenantId};

    fn person(tenant: u32, user: u32, role: Option<&str>) -> Principal {
        let role = role.map(str::to_owned);
        Principal { id: PrincipalId(9), tenant: TenantId(tenant), user, session: 0, role, attributes: vec![] }
    }

    #[test]
    fn a_role_sees_as_far_as_it_reaches() {
        let rule = |role: &str, reach| RoleReach { role: role.into(), reach };
        let sharing = Sharing { roles: vec![rule("LEADER", Reach::Tenant), rule("ROOT", Reach::Everything)] };
        let (colleague, stranger) = (person(0, 1, None), person(1, 0, None));
        for (role, sees_colleague, sees_stranger) in [
            (None, false, false),
            (Some("GUEST"), false, false),
            (Some("LEADER"), true, false),
            (Some("ROOT"), true, true),
        ] {
            let viewer = person(0, 0, role);
            assert_eq!(sharing.by_role(&viewer, &colleague), sees_colleague, "{role:?}");
            assert_eq!(sharing.by_role(&viewer, &stranger), sees_stranger, "{role:?}");
        }
    }
}
