//! What tenants are like, and what is done once for each tenant and each user.

use coalmine_core::Scope;
use coalmine_core::step::StepId;
use coalmine_core::worth::WorthRule;

use super::Compiler;
use crate::attribute::ATTRIBUTES;
use crate::document::{Document, Either, OnceText, ProtectedText, StepText, TenantsText};
use crate::span::Spanned;
use crate::suggestion;

/// Steps done once for each tenant, by its first user, and once for each user, in its first session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Once {
    pub(crate) tenant: Vec<StepId>,
    pub(crate) user: Vec<StepId>,
}

/// An attribute of tenants: its name in a hole, and the values that tenants have in turn.
#[derive(Clone, Debug)]
pub(crate) struct TenantAttribute {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

impl Compiler<'_> {
    pub(super) fn declare_attributes(&mut self, tenants: &TenantsText) {
        for (name, values) in &tenants.attributes.0 {
            self.check_name(name, "attribute");
            let full = format!("tenant.{}", name.value);
            let values: Vec<String> = values.as_slice().iter().map(|value| self.fixed(value)).collect();
            if ATTRIBUTES.contains(&full.as_str()) {
                self.problems.add(name.span, format!("every tenant has `{full}` anyway"), None);
            }
            if values.is_empty() {
                self.problems.add(name.span, format!("`{}` has no value", name.value), None);
            }
            self.tenant_attributes.push(TenantAttribute { name: full, values });
        }
    }

    /// What tenants are worth must be a number for each of them.
    pub(super) fn protected(&self, document: &Document) -> Option<WorthRule> {
        let ProtectedText { value, minimum } = &document.policy.protected.as_ref()?.value;
        let Some(Either::Long(tenants)) = &document.tenants else { return self.no_attribute(value) };
        let own = tenants.attributes.0.iter().find(|(name, _)| name.value == value.value);
        let Some((_, values)) = own else { return self.no_attribute(value) };
        for worth in values.as_slice().iter().filter(|worth| worth.as_str().parse::<u64>().is_err()) {
            let message = format!("`{}` is not what a tenant is worth", worth.value);
            self.problems.add(worth.span, message, Some("write a whole number without a sign".to_owned()));
        }
        Some(WorthRule { attribute: format!("tenant.{}", value.value), min: minimum.value })
    }

    fn no_attribute(&self, name: &Spanned<String>) -> Option<WorthRule> {
        let own = self.tenant_attributes.iter().filter_map(|attribute| attribute.name.strip_prefix("tenant."));
        let help = suggestion::help(name.as_str(), own)
            .unwrap_or_else(|| format!("give them one: `tenants: {{attributes: {{{}: [100, 200]}}}}`", name.value));
        self.problems.absent(name.span, format!("tenants have no attribute `{}`", name.value), Some(help));
        None
    }

    /// The slot of an attribute that every principal has, or that the scenario gives to tenants.
    pub(super) fn attribute(&self, name: &str) -> Option<u16> {
        let at = self.attribute_names().position(|known| known == name)?;
        u16::try_from(at).ok()
    }

    pub(super) fn attribute_names(&self) -> impl Iterator<Item = &str> {
        let own = self.tenant_attributes.iter().map(|attribute| attribute.name.as_str());
        ATTRIBUTES.into_iter().chain(own).chain(self.column_names())
    }

    /// Steps before the sessions; what they capture, everybody of the tenant or the user has.
    pub(super) fn register(&mut self, document: &Document) -> Once {
        self.once(&document.register)
    }

    /// Steps after everything else, with what the session sends.
    pub(super) fn teardown(&mut self, document: &Document) -> Once {
        self.once(&document.teardown)
    }

    fn once(&mut self, written: &OnceText) -> Once {
        let tenant = self.steps_for(&written.tenant, Scope::Tenant);
        Once { tenant, user: self.steps_for(&written.user, Scope::User) }
    }

    fn steps_for(&mut self, steps: &[Spanned<StepText>], scope: Scope) -> Vec<StepId> {
        self.once_for = Some(scope);
        let steps = self.plain_steps(steps);
        self.once_for = None;
        steps
    }

    /// The value of a variable that the one who starts the run sets.
    pub(super) fn declare_inputs(&mut self, document: &Document) {
        for (name, written) in &document.variables.0 {
            self.check_name(name, "variable");
            let (default, is_secret) = match written {
                Either::Short(default) => (Some(default), false),
                Either::Long(long) => (long.default.as_ref(), long.secret),
            };
            if let Some(default) = default.filter(|_| is_secret) {
                let help = "set it in the environment of the run".to_owned();
                self.problems.add(default.span, "a secret does not stand in a scenario", Some(help));
            }
            let default = default.map(|text| text.value.clone());
            self.inputs.push(super::InputSettings { name: name.value.clone(), default, is_secret });
        }
    }

    pub(super) fn input(&self, name: &str, place: crate::span::Span) -> Option<u16> {
        let at = self.inputs.iter().position(|input| input.name == name);
        if at.is_none() {
            let names = self.inputs.iter().map(|input| input.name.as_str());
            let help = suggestion::help(name, names)
                .unwrap_or_else(|| format!("declare it: `variables: {{{name}: default}}`"));
            self.problems.absent(place, format!("there is no variable `{name}`"), Some(help));
        }
        at.map(|at| self.slot(at, place))
    }
}
