//! A scenario that was read and checked.

use crate::compile::{self, Compiled};
use crate::document::Document;
use crate::problem::{Problems, ScenarioErrors};
use crate::{deserializer, node};

/// What the user wrote, checked: every name means something, every rule of the language holds.
#[derive(Clone, Debug)]
pub struct Scenario {
    compiled: Compiled,
}

impl Scenario {
    /// Reads YAML in the language that this crate's documentation describes. `file_name` is only shown in errors.
    ///
    /// # Errors
    ///
    /// All problems of the text, not just the first. That it names another file is one.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ScenarioErrors> {
        Self::parse_with(text, file_name, &|_| Err("no other file is read here".to_owned()))
    }

    /// Reads a scenario that may name other files, such as one of accounts. `read` is given their names as they are written, and
    /// says in words why it has no text.
    ///
    /// # Errors
    ///
    /// All problems of the text and of those files.
    pub fn parse_with(
        text: &str,
        file_name: &str,
        read: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, ScenarioErrors> {
        let problems = Problems::new(text);
        let document = node::read(&problems).and_then(|node| deserializer::read::<Document>(&node, &problems));
        let scenario = document.map(|document| Self { compiled: compile::compile(&document, &problems, read) });
        problems.or(scenario, file_name)
    }

    /// What the scenario is called in reports.
    pub fn name(&self) -> &str {
        &self.compiled.name
    }

    /// Where its traffic goes when nothing else is said.
    pub fn target_url(&self) -> Option<&str> {
        self.compiled.target.url.as_ref().map(crate::target::BaseUrl::as_str)
    }

    /// Names of the variables that may be set, but for secrets.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.compiled.inputs.iter().filter(|input| !input.is_secret).map(|input| input.name.as_str())
    }

    /// Names of the secrets that a run needs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.compiled.inputs.iter().filter(|input| input.is_secret).map(|input| input.name.as_str())
    }

    /// Secrets of accounts: the tenant's and the user's number, the attribute's name, the value.
    pub fn account_secrets(&self) -> impl Iterator<Item = (u32, u32, String, &str)> {
        let tenants = self.compiled.tenants.accounts.iter().flat_map(|accounts| (0..).zip(&accounts.tenants));
        let users =
            tenants.flat_map(|(tenant, of)| (0..).zip(&of.users).map(move |(user, account)| (tenant, user, account)));
        users.flat_map(|(tenant, user, account)| {
            let columns = self.compiled.tenants.accounts.iter().flat_map(|accounts| &accounts.columns);
            let secret = columns.zip(&account.values).filter(|(column, _)| column.is_secret);
            secret.map(move |(column, value)| (tenant, user, format!("user.{}", column.name), value.expose()))
        })
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }
}
