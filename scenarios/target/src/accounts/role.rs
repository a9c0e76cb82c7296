//! What users may do within their tenant.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::refusal::Refusal;
use crate::service::App;

/// What a user may do within its tenant, or as the last of them everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Role {
    /// What concerns the plant and its staff.
    #[default]
    Leader,
    /// What the plant needs.
    Operator,
    /// Everything.
    Admin,
    /// Everything of all tenants: whoever runs the platform.
    SuperAdmin,
}

impl Role {
    /// As it is stored.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Leader => "LEADER",
            Self::Operator => "OPERATOR",
            Self::Admin => "ADMIN",
            Self::SuperAdmin => "SUPER_ADMIN",
        }
    }

    pub(crate) async fn of(service: &App, user_id: &str) -> Result<Self, Refusal> {
        let user_id = user_id.to_owned();
        let asking = service.store.run(move |db| {
            db.prepare_cached("SELECT role FROM users WHERE id = ?1")?.query_row([user_id], |row| row.get::<String>(0))
        });
        let name = asking.await?;
        [Self::Leader, Self::Operator, Self::Admin, Self::SuperAdmin]
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or(Refusal::Fault)
    }
}
