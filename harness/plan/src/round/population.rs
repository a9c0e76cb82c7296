//! Those who act: tenants, their users, and what each of them is called.

use coalmine_core::{Principal, PrincipalId, Seed, TenantId};

use super::people::People;
use super::size::Size;
use crate::compile::{Compiled, NamePiece, TenantAttribute};

pub(super) fn people(compiled: &Compiled, size: &Size, seed: Seed, round: u32) -> People {
    People::new(principals(compiled, size, seed, round))
}

fn principals(compiled: &Compiled, size: &Size, seed: Seed, round: u32) -> Vec<Principal> {
    let passwords = seed.derive("coalmine passwords v1", round);
    let run_id = seed.to_string();
    let mut principals = vec![];
    for tenant in (size.tenant_first..).take(size.tenants as usize) {
        let tenant_name = tenant_name(&compiled.tenants.name, tenant, &run_id);
        for seat in 0..size.users {
            let (user, session) = (seat / compiled.tenants.sessions, seat % compiled.tenants.sessions);
            let id = PrincipalId(size.principal_first + u32::try_from(principals.len()).unwrap_or(u32::MAX));
            // In the order of `ATTRIBUTES`.
            let mut attributes = vec![
                tenant_name.clone(),
                tenant.to_string(),
                format!("user-{tenant}-{user}-{run_id}"),
                user.to_string(),
                password(&passwords, PrincipalId(id.0 - session)),
                run_id.clone(),
            ];
            let own = compiled.tenants.attributes.iter();
            attributes.extend(own.map(|attribute| value(attribute, tenant)));
            let role = compiled.tenants.users.get(user as usize).cloned().flatten();
            principals.push(Principal { id, tenant: TenantId(tenant), user, session, role, attributes });
        }
    }
    principals
}

/// Tenants have the values in turn.
fn value(attribute: &TenantAttribute, tenant: u32) -> String {
    attribute.values.iter().cycle().nth(tenant as usize % attribute.values.len().max(1)).cloned().unwrap_or_default()
}

fn tenant_name(pieces: &[NamePiece], index: u32, run_id: &str) -> String {
    let filled = pieces.iter().map(|piece| match piece {
        NamePiece::Text(text) => text.clone(),
        NamePiece::TenantIndex => index.to_string(),
        NamePiece::RunId => run_id.to_owned(),
    });
    filled.collect()
}

/// Capitals, small letters, digits and a sign, since many services demand one of each.
fn password(key: &[u8; 32], owner: PrincipalId) -> String {
    let hash = blake3::keyed_hash(key, &owner.0.to_le_bytes());
    format!("Pw1-{}", &hash.to_hex()[..20])
}
