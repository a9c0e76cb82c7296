//! Values that stand in no plan and no history.

use std::collections::BTreeMap;
use std::fmt;

use coalmine_core::sought::mark;
use coalmine_core::{Plan, Principal};

/// Stands in the place of a secret that is not known, and in no text.
const NOTHING: &str = "\u{10fffe}\u{10fffd}";

/// The scenario's secrets by name, and those of accounts. They are put into requests and shown nowhere.
#[derive(Clone, Default)]
pub struct Secrets {
    by_name: BTreeMap<String, String>,
    /// By tenant and user, then by attribute.
    of_accounts: BTreeMap<(u32, u32), BTreeMap<String, String>>,
}

impl Secrets {
    /// Secrets by their names.
    pub fn new(by_name: BTreeMap<String, String>) -> Self {
        Self { by_name, of_accounts: BTreeMap::new() }
    }

    /// Adds what a user of a tenant has as an attribute.
    pub fn add_of_account(&mut self, tenant: u32, user: u32, attribute: String, value: String) {
        self.of_accounts.entry((tenant, user)).or_default().insert(attribute, value);
    }

    pub(crate) fn expose(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    /// What is looked for of the plan's [`Sought`](coalmine_core::sought::Sought), one each. What is not known here cannot come
    /// back either.
    pub(crate) fn marks<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a str> {
        plan.sought.iter().map(|sought| {
            let name = plan.attributes.get(usize::from(sought.attribute));
            let of = self.of_accounts.get(&(sought.tenant.0, sought.user));
            of.zip(name).and_then(|(of, name)| mark(of.get(name)?)).unwrap_or(NOTHING)
        })
    }

    pub(crate) fn expose_of_account(&self, who: &Principal, attribute: &str) -> Option<&str> {
        self.of_accounts.get(&(who.tenant.0, who.user))?.get(attribute).map(String::as_str)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.by_name.keys()).finish()
    }
}
