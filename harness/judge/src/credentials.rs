//! Whose a credential is that came with a webhook.

use std::collections::{BTreeMap, HashMap};

use coalmine_core::history::Digest;
use coalmine_core::{Principal, PrincipalId, TenantId};

use crate::identities::Whose;

/// The credentials of one round. Users of a tenant may use each other's.
#[derive(Default)]
pub(crate) struct Credentials {
    /// One principal for each tenant that has it.
    owners: HashMap<Digest, BTreeMap<TenantId, PrincipalId>>,
}

impl Credentials {
    /// A principal's webhooks must carry this.
    pub(crate) fn learn(&mut self, principal: &Principal, value: Digest) {
        self.owners.entry(value).or_default().entry(principal.tenant).or_insert(principal.id);
    }

    /// Whose it is. Only an answer of [`Whose::Mine`] is final while the round goes on.
    pub(crate) fn whose(&self, receiver: &Principal, value: Digest) -> Whose {
        let Some(owners) = self.owners.get(&value) else { return Whose::Unknown };
        match owners.first_key_value() {
            _ if owners.contains_key(&receiver.tenant) => Whose::Mine,
            Some((_, first)) => Whose::Others(*first),
            None => Whose::Unknown,
        }
    }
}
