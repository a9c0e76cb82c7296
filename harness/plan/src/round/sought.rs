//! Which secrets of accounts are looked for: those that can be nothing else, and belong to one tenant alone.

use std::collections::BTreeMap;

use coalmine_core::TenantId;
use coalmine_core::sought::{Sought, mark};

use super::attributes;
use crate::compile::Compiled;

/// More would make the search slow and large; those of the first tenants are enough to see that one leaks.
const SOUGHT_MAX: usize = 500;

pub(super) fn sought(compiled: &Compiled, tenants: u32) -> Vec<Sought> {
    let Some(accounts) = &compiled.tenants.accounts else { return vec![] };
    let names = attributes(compiled);
    let slot = |column: &str| names.iter().position(|name| name.strip_prefix("user.") == Some(column));
    let mut list: Vec<(&str, Sought)> = vec![];
    let mut owners: BTreeMap<&str, Option<TenantId>> = BTreeMap::new();
    for (tenant, of) in (0..).map(TenantId).zip(&accounts.tenants) {
        for (user, account) in (0..).zip(&of.users) {
            for (column, value) in accounts.columns.iter().zip(&account.values) {
                let attribute = slot(&column.name).and_then(|slot| u16::try_from(slot).ok());
                let (Some(mark), Some(attribute)) = (mark(value.expose()), attribute) else { continue };
                if !owners.contains_key(mark) && column.is_secret && tenant.0 < tenants {
                    list.push((mark, Sought { tenant, user, attribute }));
                }
                let owner = owners.entry(mark).or_insert(Some(tenant).filter(|_| column.is_secret));
                *owner = owner.filter(|owner| *owner == tenant && column.is_secret);
            }
        }
    }
    let alone = list.into_iter().filter(|(mark, _)| owners[mark].is_some());
    alone.map(|(_, sought)| sought).take(SOUGHT_MAX).collect()
}
