//! What a query is narrowed to.

/// Whose rows a query finds.
#[derive(Clone, Copy)]
pub(super) enum Filter {
    /// Guilty: everybody's. Its author forgot.
    Nothing,
    /// Right: those of the caller's tenant.
    Tenant,
}

impl Filter {
    /// The tenant to ask for, where one is asked for at all.
    pub(super) fn tenant(self, tenant_id: &str) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Tenant => Some(tenant_id.to_owned()),
        }
    }
}
