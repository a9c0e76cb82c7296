//! Those who act: tenants, their users, and what each of them is called.

use coalmine_core::{Principal, PrincipalId, Seed, TenantId};

use super::size::Size;
use crate::compile::{Compiled, NamePiece};

pub(super) fn principals(compiled: &Compiled, size: &Size, seed: Seed, round: u32) -> Vec<Principal> {
    let passwords = seed.derive("coalmine passwords v1", round);
    let run_id = seed.to_string();
    let mut principals = vec![];
    for tenant in (size.tenant_first..).take(size.tenants as usize) {
        let tenant_name = tenant_name(&compiled.tenants.name, tenant, &run_id);
        for (user, role) in (0..size.users).zip(&compiled.tenants.users) {
            let id = PrincipalId(size.principal_first + u32::try_from(principals.len()).unwrap_or(u32::MAX));
            // In the order of `ATTRIBUTES`.
            let attributes = vec![
                tenant_name.clone(),
                tenant.to_string(),
                format!("user-{tenant}-{user}-{run_id}"),
                user.to_string(),
                password(&passwords, id),
                run_id.clone(),
            ];
            let role = role.clone();
            principals.push(Principal { id, tenant: TenantId(tenant), user, session: 0, role, attributes });
        }
    }
    principals
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
