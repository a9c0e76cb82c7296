//! Searches through stores, for teams that let the harness look inside.

use coalmine_core::step::{Action, LogSearch, PostgresSearch, RedisSearch};
use coalmine_core::template::{Segment, Template};

use super::Compiler;
use super::words::Planting;
use crate::document::{OneOrMore, StepText};
use crate::span::{Span, Spanned};

/// Tables, and columns, that one step may name.
const NAMES_MAX: usize = 100;
/// Paths of logs that one step may name.
const LOGS_MAX: usize = 20;
/// What columns are called that say whose a row is, where the scenario does not tell.
const TENANT_COLUMNS: [&str; 12] = [
    "tenant_id",
    "tenant",
    "tenant_uuid",
    "org_id",
    "organization_id",
    "organisation_id",
    "account_id",
    "company_id",
    "customer_id",
    "client_id",
    "workspace_id",
    "team_id",
];

impl Compiler<'_> {
    pub(super) fn search_postgres(&mut self, address: &Spanned<String>, step: &StepText) -> Action {
        let settings = self.tenant_settings(address, step);
        self.check_control(address, step);
        let tables = self.names(step.tables.as_ref(), "tables");
        let tenant_columns = match &step.tenant_columns {
            Some(written) => self.names(Some(written), "columns").iter().map(|column| column.to_lowercase()).collect(),
            None => TENANT_COLUMNS.map(str::to_owned).to_vec(),
        };
        Action::SearchPostgres(PostgresSearch {
            address: self.store_address(address),
            settings,
            tables,
            tenant_columns,
        })
    }

    pub(super) fn search_redis(&mut self, address: &Spanned<String>, step: &StepText) -> Action {
        self.check_control(address, step);
        let names = self.key_names(address, step);
        let keys = step.keys.as_ref().map_or_else(|| "*".to_owned(), |keys| self.fixed(keys));
        Action::SearchRedis(RedisSearch { address: self.store_address(address), keys, names })
    }

    pub(super) fn search_logs(&mut self, written: &Spanned<OneOrMore>, step: &StepText) -> Action {
        let paths = written.value.as_slice();
        if paths.len() > LOGS_MAX {
            self.problems.add(written.span, format!("a search names {LOGS_MAX} paths at most"), None);
        }
        let mut files = vec![];
        for path in paths {
            if path.value.rsplit_once('/').is_some_and(|(folder, _)| folder.contains('*')) {
                let help = "write one path for each folder".to_owned();
                self.problems.add(path.span, "`*` may stand in the last part of a path only".to_owned(), Some(help));
            }
            files.push(self.template_with(path, Planting::Refused, str::to_owned));
        }
        Action::SearchLogs(LogSearch { files, mentions: self.mentioned(written.span, step) })
    }

    /// Logs in which nothing of the user stands may be anybody's.
    fn mentioned(&mut self, step_span: Span, step: &StepText) -> Template {
        let help = "name what stands there of the user and is no secret: `mentions: \"{{user_id}}\"`".to_owned();
        let Some(written) = &step.mentions else {
            self.problems.absent(step_span, "nothing shows that the search looks at the right logs", Some(help));
            return Template::default();
        };
        let mentions = self.template_with(written, Planting::Refused, str::to_owned);
        if names_everybody(&mentions) {
            self.problems.absent(written.span, "this names every user alike", Some(help));
        }
        mentions
    }

    /// A name that is the same for all would name nobody.
    fn key_names(&mut self, address: &Spanned<String>, step: &StepText) -> Vec<Template> {
        let written = step.names.iter().flat_map(|names| names.value.as_slice());
        let mut names = vec![];
        for name in written {
            let template = self.template_with(name, Planting::Refused, str::to_owned);
            if names_everybody(&template) {
                let help = "write what keys hold of it, as in `names: \"{{tenant_id}}\"`".to_owned();
                self.problems.absent(name.span, "this names every user alike", Some(help));
            }
            names.push(template);
        }
        if names.is_empty() {
            let help = "say what keys hold of a user, or of its tenant: `names: \"{{tenant_id}}\"`".to_owned();
            self.problems.absent(address.span, "nothing tells which keys name their tenant", Some(help));
        }
        names
    }

    fn names(&self, written: Option<&Spanned<OneOrMore>>, what: &str) -> Vec<String> {
        let names = written.into_iter().flat_map(|names| names.value.as_slice());
        let names: Vec<String> = names.map(|name| self.fixed(name)).collect();
        if let Some(written) = written.filter(|_| names.len() > NAMES_MAX) {
            self.problems.add(written.span, format!("a search names {NAMES_MAX} {what} at most"), None);
        }
        names
    }

    /// A search that finds nothing of anybody proves nothing.
    fn check_control(&self, address: &Spanned<String>, step: &StepText) {
        if step.sees.as_ref().is_none_or(|sees| sees.value.as_slice().is_empty()) {
            let help = "name a canary of the user that is stored by then: `sees: note`".to_owned();
            self.problems.absent(address.span, "nothing shows that the search looks at the right place", Some(help));
        }
    }

    /// Credentials stand in it, so that it comes from outside, and nobody writes it down.
    fn store_address(&mut self, written: &Spanned<String>) -> Template {
        let address = self.template_with(written, Planting::Refused, str::to_owned);
        let is_secret = match address.segments.as_slice() {
            [Segment::Input(slot)] => self.inputs.get(usize::from(*slot)).is_some_and(|input| input.is_secret),
            _ => false,
        };
        if !is_secret {
            let help =
                "declare `variables: {STORE: {secret: true}}`, write `{{env.STORE}}`, and set it in the environment";
            let message = "the address of a store is one secret variable and nothing else";
            self.problems.absent(written.span, message, Some(help.to_owned()));
        }
        address
    }

    /// Without one, the database would show everything to everybody.
    fn tenant_settings(&mut self, address: &Spanned<String>, step: &StepText) -> Vec<(String, Template)> {
        let written = step.set.iter().flat_map(|set| &set.value.0);
        let mut settings = vec![];
        for (name, value) in written {
            settings.push((self.fixed(name), self.template_with(value, Planting::Refused, str::to_owned)));
        }
        if settings.is_empty() {
            let help = "say it as the application does: `set: {app.tenant: \"{{tenant_id}}\"}`".to_owned();
            self.problems.absent(address.span, "nothing tells the database whose rows it may show", Some(help));
        }
        settings
    }
}

/// Whether it is the same for all users.
fn names_everybody(name: &Template) -> bool {
    name.segments.iter().all(|segment| matches!(segment, Segment::Text(_) | Segment::Input(_)))
}
