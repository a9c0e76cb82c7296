//! Those who act: tenants, their users, and what each of them is called.

use coalmine_core::{Principal, PrincipalId, Seed, TenantId, script};

use super::Numbering;
use super::people::People;
use super::size::Size;
use crate::accounts::{Account, Accounts};
use crate::attribute::ATTRIBUTES;
use crate::compile::{Compiled, NamePiece, TenantAttribute};

/// What all principals of the round are made with.
struct Cast<'a> {
    compiled: &'a Compiled,
    passwords: [u8; 32],
    run_id: String,
}

/// One user of a tenant, made up or of a file.
struct Person<'a> {
    tenant: u32,
    tenant_name: &'a str,
    user: u32,
    account: Option<&'a Account>,
}

pub(super) fn people(compiled: &Compiled, size: &Size, seed: Seed, round: u32) -> People {
    let cast = Cast { compiled, passwords: seed.derive("coalmine passwords v1", round), run_id: seed.to_string() };
    let mut principals = vec![];
    for place in 0..size.tenants + size.fresh {
        let tenant = size.tenant_first + place;
        let accounts = compiled.tenants.accounts.as_ref().and_then(|accounts| accounts.tenants.get(tenant as usize));
        let made_up = || tenant_name(&compiled.tenants.name, tenant, &cast.run_id);
        let tenant_name = accounts.map_or_else(made_up, |accounts| accounts.name.clone());
        let is_alone = (size.whole..size.tenants).contains(&place);
        let made_up = if is_alone { 1 } else { compiled.tenants.users.len() };
        let users = accounts.map_or(made_up, |accounts| accounts.users.len());
        for user in (0..u32::MAX).take(users) {
            let account = accounts.and_then(|accounts| accounts.users.get(user as usize));
            let person = Person { tenant, tenant_name: &tenant_name, user, account };
            for session in 0..compiled.tenants.sessions {
                let id = PrincipalId(size.principal_first + u32::try_from(principals.len()).unwrap_or(u32::MAX));
                principals.push(cast.principal(&person, id, session));
            }
        }
    }
    principals.extend(compiled.anonymous.as_ref().map(|_| cast.anonymous(size.principal_first, principals.len())));
    People::new(principals, size.fresh as usize)
}

/// Those whom a script names, in its order, from number 0 on; or from where they are numbered, under tenants of other numbers.
pub(super) fn those(
    compiled: &Compiled,
    people: &[script::Person],
    seed: Seed,
    numbering: Option<Numbering>,
) -> Vec<Principal> {
    let number_first = numbering.map_or(0, |numbering| numbering.principal_first);
    let lowest = people.iter().filter_map(|person| person.tenant).min().unwrap_or(0);
    let numbered = |tenant: u32| match numbering {
        Some(numbering) if compiled.tenants.accounts.is_none() => {
            numbering.tenant_first.saturating_add(tenant - lowest)
        }
        _ => tenant,
    };
    let cast = Cast { compiled, passwords: seed.derive("coalmine passwords v1", 0), run_id: seed.to_string() };
    let principal = |(place, named): (usize, &script::Person)| {
        let Some(tenant) = named.tenant.map(numbered) else { return cast.anonymous(number_first, place) };
        let accounts = compiled.tenants.accounts.as_ref().and_then(|accounts| accounts.tenants.get(tenant as usize));
        let made_up = || tenant_name(&compiled.tenants.name, tenant, &cast.run_id);
        let tenant_name = accounts.map_or_else(made_up, |accounts| accounts.name.clone());
        let account = accounts.and_then(|accounts| accounts.users.get(named.user as usize));
        let person = Person { tenant, tenant_name: &tenant_name, user: named.user, account };
        // Sessions of a user have one password: that of its first.
        let first = people.iter().position(|other| (other.tenant, other.user) == (named.tenant, named.user));
        let back = place - first.unwrap_or(place);
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let id = PrincipalId(number_first.saturating_add(number(place)));
        let made = cast.principal(&person, id, number(back));
        Principal { session: named.session, ..made }
    };
    people.iter().enumerate().map(principal).collect()
}

impl Cast<'_> {
    fn principal(&self, person: &Person<'_>, id: PrincipalId, session: u32) -> Principal {
        let Person { tenant, user, account, .. } = *person;
        let role = match account {
            Some(account) => account.role.clone(),
            None => self.compiled.tenants.users.get(user as usize).cloned().flatten(),
        };
        let attributes = self.attributes(person, role.as_deref(), PrincipalId(id.0 - session), session);
        Principal { id, tenant: TenantId(tenant), user, session, role, attributes }
    }

    /// Somebody without credentials, who comes after `before` others.
    fn anonymous(&self, principal_first: u32, before: usize) -> Principal {
        let id = PrincipalId(principal_first + u32::try_from(before).unwrap_or(u32::MAX));
        let attribute = |name: String| if name == "run.id" { self.run_id.clone() } else { String::new() };
        let attributes = super::attributes(self.compiled).into_iter().map(attribute).collect();
        Principal { id, tenant: TenantId::NOBODY, user: 0, session: 0, role: None, attributes }
    }

    /// In the order of `ATTRIBUTES`, then those of the tenant, then those of the account.
    fn attributes(
        &self,
        person: &Person<'_>,
        role: Option<&str>,
        first_session: PrincipalId,
        session: u32,
    ) -> Vec<String> {
        let Person { tenant, tenant_name, user, account } = *person;
        let made_up = || format!("user-{tenant}-{user}-{}", self.run_id);
        let mut attributes = vec![
            tenant_name.to_owned(),
            tenant.to_string(),
            account.map_or_else(made_up, |account| account.name.clone()),
            user.to_string(),
            account.map_or_else(|| password(&self.passwords, first_session), |_| String::new()),
            self.run_id.clone(),
            role.unwrap_or_default().to_owned(),
            session.to_string(),
        ];
        let own = self.compiled.tenants.attributes.iter();
        attributes.extend(own.map(|attribute| value(attribute, tenant)));
        if let (Some(accounts), Some(account)) = (&self.compiled.tenants.accounts, account) {
            add_columns(&mut attributes, accounts, account);
        }
        attributes
    }
}

/// What is secret stays out of the plan: the run looks it up.
fn add_columns(attributes: &mut Vec<String>, accounts: &Accounts, account: &Account) {
    for (column, value) in accounts.columns.iter().zip(&account.values) {
        let value = if column.is_secret { String::new() } else { value.expose().to_owned() };
        match ATTRIBUTES.iter().position(|name| name.strip_prefix("user.") == Some(&column.name)) {
            Some(slot) => attributes[slot] = value,
            None => attributes.push(value),
        }
    }
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
