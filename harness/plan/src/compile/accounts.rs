//! Accounts that exist already: the file that a scenario names, and the attributes that its columns give.

use super::Compiler;
use crate::accounts::Accounts;
use crate::attribute::ATTRIBUTES;
use crate::document::{Document, Either, TenantsText};
use crate::problem::Problems;
use crate::source::ReadFile;
use crate::span::{Span, Spanned};
use crate::suggestion;

/// The accounts of the file that is named, if one is and it is good.
pub(super) fn read(written: &TenantsText, problems: &Problems<'_>, read: &mut ReadFile<'_>) -> Option<Accounts> {
    let (file, open) = match written.accounts.as_ref() {
        None => {
            if let (None, Some(place)) = (&written.count, first_place(written)) {
                let help = "write `count: 8`, or name a file of accounts: `accounts: accounts.csv`".to_owned();
                problems.absent(place, "how many tenants there are is missing", Some(help));
            }
            return None;
        }
        Some(Either::Short(file)) => (file, &[][..]),
        Some(Either::Long(long)) => (&long.file, long.open.as_slice()),
    };
    check_beside(written, problems);
    let found = read(file.as_str()).and_then(|text| Accounts::read(&text, file.as_str()));
    let mut accounts = match found {
        Ok(accounts) => accounts,
        Err(why) => {
            let help = "it is CSV with a header line `tenant,user,role,...`, or a list of objects in JSON".to_owned();
            problems.misread(file.span, format!("`{}`: {why}", file.value), Some(help));
            return None;
        }
    };
    for name in open {
        open_column(&mut accounts, name, problems);
    }
    check_count(written, &accounts, file, problems);
    Some(accounts)
}

/// How many tenants have accounts.
pub(super) fn count(accounts: &Accounts) -> u32 {
    u32::try_from(accounts.tenants.len()).unwrap_or(u32::MAX)
}

fn first_place(written: &TenantsText) -> Option<Span> {
    let users = written.users.as_ref().map(|users| match users {
        Either::Short(count) => count.span,
        Either::Long(list) => list.span,
    });
    let attribute = written.attributes.0.first().map(|(name, _)| name.span);
    let (name, sessions) = (written.name.as_ref().map(|it| it.span), written.sessions.as_ref().map(|it| it.span));
    users.or(name).or(sessions).or(attribute)
}

/// What the file says is not said a second time.
fn check_beside(written: &TenantsText, problems: &Problems<'_>) {
    let users = written.users.as_ref().map(|users| match users {
        Either::Short(count) => count.span,
        Either::Long(list) => list.span,
    });
    for (what, span) in [("users", users), ("name", written.name.as_ref().map(|name| name.span))] {
        if let Some(span) = span {
            let message = format!("the accounts say what `{what}` says");
            problems.add(span, message, Some(format!("leave out `{what}` or `accounts`")));
        }
    }
}

fn open_column(accounts: &mut Accounts, name: &Spanned<String>, problems: &Problems<'_>) {
    if let Some(at) = accounts.column(name.as_str()) {
        accounts.columns[at].is_secret = false;
        return;
    }
    let help = suggestion::help(name.as_str(), accounts.columns.iter().map(|column| column.name.as_str()));
    problems.add(name.span, format!("the accounts have no column `{}`", name.value), help);
}

fn check_count(written: &TenantsText, accounts: &Accounts, file: &Spanned<String>, problems: &Problems<'_>) {
    let there = count(accounts);
    if let Some(asked) = written.count.as_ref().filter(|asked| asked.value > there) {
        let message = format!("{} tenants are asked for, and `{}` has accounts of {there}", asked.value, file.value);
        problems.add(asked.span, message, Some("leave `count` out to take all of them".to_owned()));
    }
}

impl Compiler<'_> {
    /// The columns become attributes; a password of the table takes the place of the one that is made up.
    pub(super) fn declare_columns(&mut self, document: &Document, accounts: Option<&Accounts>) {
        let named = matches!(&document.tenants, Some(Either::Long(long)) if long.accounts.is_some());
        let columns = accounts.into_iter().flat_map(|accounts| &accounts.columns);
        let columns = columns.map(|column| (format!("user.{}", column.name), column.is_secret));
        self.columns = named.then(|| columns.collect());
        let once = [&document.register.tenant, &document.register.user];
        if let Some(step) = once.into_iter().flatten().next().filter(|_| named) {
            let help = "what a session needs is fetched in `auth`".to_owned();
            self.problems.add(step.span, "accounts that exist already are not registered", Some(help));
        }
    }

    /// Names of the columns that no attribute has anyway.
    pub(super) fn column_names(&self) -> impl Iterator<Item = &str> {
        let names = self.columns.iter().flatten().map(|(name, _)| name.as_str());
        names.filter(|name| !ATTRIBUTES.contains(name))
    }

    /// Whether the attribute of that name comes from a file and is a secret.
    pub(super) fn is_secret_attribute(&self, name: &str) -> bool {
        self.columns.iter().flatten().any(|(column, is_secret)| column == name && *is_secret)
    }

    /// Passwords are made up for users that are made up.
    pub(super) fn check_password(&self, name: &str, place: Span) {
        let has_none = |columns: &Vec<(String, bool)>| columns.iter().all(|(column, _)| column != "user.password");
        if name == "user.password" && self.columns.as_ref().is_some_and(has_none) {
            let help = "add a column `password`, or send another one".to_owned();
            self.problems.absent(place, "the accounts have no password", Some(help));
        }
    }

    /// A secret of the table is known to its user alone, and no digest of it is left anywhere.
    pub(super) fn check_not_secret(&self, name: &str, place: Span) {
        if self.is_secret_attribute(name) {
            let column = name.strip_prefix("user.").unwrap_or(name);
            let help = format!("if it is none, say so: `accounts: {{file: ..., open: [{column}]}}`");
            self.problems.add(place, format!("`{name}` is a secret of its user"), Some(help));
        }
    }
}
