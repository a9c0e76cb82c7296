//! Sharing: roles that see more, members of passes and what they visit, public answers.

use coalmine_core::Scope;
use coalmine_core::plan::FlowId;
use coalmine_core::sharing::{Member, Public, RoleReach, Sharing};
use coalmine_core::step::StepId;
use coalmine_core::template::{CanaryRef, Level, MemberValue, Segment};

use super::room::Room;
use super::{Compiler, Stretch};
use crate::attribute::ROLE;
use crate::document::{Document, Either, Entries, MembersText, StepText, Who};
use crate::span::{Span, Spanned};
use crate::suggestion;

const MEMBERS_MAX: usize = 64;
/// First words of holes that mean something else.
const TAKEN: [&str; 4] = ["canary", "tenant", "user", "run"];

/// How a member of a pass is drawn.
#[derive(Clone, Debug)]
pub(crate) struct MemberDraw {
    pub(crate) who: Who,
    pub(crate) role: Option<String>,
}

impl Compiler<'_> {
    pub(super) fn sharing(&self, document: &Document) -> Sharing {
        let rules = document.sharing.roles.0.iter();
        let roles = rules.filter_map(|(role, reach)| Some(RoleReach { role: self.role(role)?, reach: reach.value }));
        Sharing { roles: roles.collect() }
    }

    /// A role that some user has.
    pub(super) fn role(&self, written: &Spanned<String>) -> Option<String> {
        let mut roles: Vec<&str> = self.users.iter().flatten().map(String::as_str).collect();
        if roles.contains(&written.as_str()) {
            return Some(written.value.clone());
        }
        roles.sort_unstable();
        roles.dedup();
        let help = suggestion::help(written.as_str(), roles).unwrap_or_else(|| {
            format!("give roles to users: `tenants: {{count: 8, users: [{{role: {}}}]}}`", written.value)
        });
        self.problems.absent(written.span, format!("no user has the role `{}`", written.value), Some(help));
        None
    }

    /// A role that nobody has would always be an empty text.
    pub(super) fn check_some_role(&self, name: &str, place: Span) {
        if name == ROLE && self.users.iter().all(Option::is_none) {
            let help = "give roles to users: `tenants: {count: 8, users: [{role: ADMIN}, {role: MEMBER}]}`".to_owned();
            self.problems.absent(place, "no user has a role", Some(help));
        }
    }

    /// Declares the members of the flow that is being compiled. What they see is known when all of its steps are.
    pub(super) fn members(&mut self, written: &MembersText) -> Vec<MemberDraw> {
        let mut draws = vec![];
        for (name, member) in &written.0 {
            self.check_name(name, "member");
            if TAKEN.contains(&name.as_str()) {
                let help = format!("`{{{{{}.…}}}}` means something else already", name.value);
                self.problems.add(name.span, format!("a member cannot be called `{}`", name.value), Some(help));
            } else if draws.len() == MEMBERS_MAX {
                self.problems.add(name.span, format!("there are {MEMBERS_MAX} members at most"), None);
            }
            let (who, role, scope) = match member {
                Either::Short(who) => (who, None, None),
                Either::Long(long) => (&long.who, long.role.as_ref(), long.scope.as_ref()),
            };
            self.check_who(who);
            if let Some(scope) = scope.filter(|scope| matches!(scope.value, Scope::Operation | Scope::Public)) {
                let help = "take `tenant`, `user` or `session`".to_owned();
                self.problems.add(scope.span, "a member is a tenant, a user or a session", Some(help));
            }
            draws.push(MemberDraw { who: who.value, role: role.and_then(|role| self.role(role)) });
            let scope = scope.map_or(Scope::User, |scope| scope.value);
            self.room.members.push(Member { name: name.value.clone(), scope, sees: None });
        }
        draws
    }

    fn check_who(&self, who: &Spanned<Who>) {
        if who.value == Who::Colleague && self.users_max < 2 {
            let help = "have several: `tenants: {count: 8, users: 2}`".to_owned();
            self.problems.add(who.span, "a tenant has one user, so nobody has a colleague", Some(help));
        }
    }

    /// What each member sees of the flow that has just been compiled.
    pub(super) fn member_canaries(&mut self, written: &MembersText) {
        for (at, (_, member)) in written.0.iter().enumerate() {
            let Either::Long(long) = member else { continue };
            let Some(sees) = &long.sees else { continue };
            let names = sees.value.as_slice().iter();
            let canaries = names.filter_map(|name| self.member_sees(name)).collect();
            if let Some(member) = self.room.members.get_mut(at) {
                member.sees = Some(canaries);
            }
        }
    }

    fn member_sees(&self, name: &Spanned<String>) -> Option<CanaryRef> {
        let mut of_turns = vec![];
        let seen = self.seen(name, &mut of_turns);
        if !of_turns.is_empty() {
            let help = "leave `sees` out: then the member sees all of the pass".to_owned();
            let message = format!("the canary `{}` is sent in the turns of a block", name.value);
            self.problems.add(name.span, message, Some(help));
        }
        seen
    }

    pub(super) fn visits(&mut self, written: &Entries<Vec<Spanned<StepText>>>) -> Vec<(u16, Vec<StepId>)> {
        let mut visits = vec![];
        self.stretch = Stretch::Visit;
        for (name, steps) in &written.0 {
            let member = self.room.members.iter().position(|member| member.name == name.value);
            let steps = self.plain_steps(steps);
            let Some(member) = member else {
                let names = self.room.members.iter().map(|member| member.name.as_str());
                let help = suggestion::help(name.as_str(), names)
                    .unwrap_or_else(|| format!("declare it: `members: {{{}: colleague}}`", name.value));
                self.problems.absent(name.span, format!("the flow has no member `{}`", name.value), Some(help));
                continue;
            };
            visits.push((self.slot(member, name.span), steps));
        }
        self.stretch = Stretch::Course;
        visits
    }

    /// A visit is one request after another: what it brings is looked at, and nothing is kept of it.
    pub(super) fn check_visit(&self, step: &StepText, at: Span, is_request: bool) {
        if self.stretch != Stretch::Visit {
            return;
        }
        if !is_request {
            self.problems.add(at, "a visit is made of requests", None);
        }
        if let Some(capture) = &step.capture {
            self.problems.add(capture.span, "a visit captures nothing: it uses what its host has captured", None);
        }
    }

    /// Roles that may do the step. Those who go through the flow do it, so that they are among them.
    pub(super) fn allowed(&self, step: &StepText) -> Vec<String> {
        let Some(written) = &step.allowed else { return vec![] };
        if self.stretch == Stretch::Visit || self.room.is_anonymous || self.room.flow == FlowId::SESSION {
            self.problems.add(written.span, "only steps of a flow are tried in other roles", None);
        }
        let allowed: Vec<String> = written.value.as_slice().iter().filter_map(|role| self.role(role)).collect();
        let mut walkers = self
            .users
            .iter()
            .filter(|role| self.by.is_empty() || role.as_ref().is_some_and(|role| self.by.contains(role)));
        let strange = walkers.find(|role| role.as_ref().is_none_or(|role| !allowed.contains(role)));
        if let Some(role) = strange.filter(|_| !allowed.is_empty()) {
            let who = role.as_ref().map_or("a user without a role".to_owned(), |role| format!("`{role}`"));
            let help = format!("say who goes through the flow: `by: [{}]`", allowed.join(", "));
            self.problems.add(written.span, format!("{who} goes through the flow and may not do this"), Some(help));
        }
        allowed
    }

    pub(super) fn public(&self, step: &StepText) -> Option<Public> {
        match &step.public.as_ref()?.value {
            Either::Short(public) => public.value.then_some(Public::Everything),
            Either::Long(names) => {
                for name in names.iter().filter(|name| !self.canaries.contains_key(name.as_str())) {
                    let help = suggestion::help(name.as_str(), self.canaries.keys().map(String::as_str));
                    self.problems.absent(name.span, format!("there is no canary `{}`", name.value), help);
                }
                Some(Public::Canaries(names.iter().map(|name| name.value.clone()).collect()))
            }
        }
    }

    /// `guest.user.name` or `guest.user_id`, where the flow or the session has a member `guest`.
    pub(super) fn member_hole(&self, name: &str, place: Span) -> Option<Segment> {
        let (member, value) = name.split_once('.')?;
        let of = |room: &Room| room.members.iter().position(|known| known.name == member);
        let flow = self.outer.first().unwrap_or(&self.room);
        let (level, at) = match (of(flow), self.session.as_ref().and_then(of)) {
            (Some(at), _) => (flow.level, at),
            (None, at) => (Level::Session, at?),
        };
        let member = self.slot(at, place);
        if let Some(slot) = self.attribute(value) {
            self.check_not_secret(value, place);
            return Some(Segment::Member { level, member, value: MemberValue::Attribute(slot) });
        }
        let variable = self.session.as_ref().and_then(|session| session.variable(value));
        if let Some(variable) = variable {
            return Some(Segment::Member { level, member, value: MemberValue::Variable(variable.slot) });
        }
        let help = if self.room.flow == FlowId::SESSION {
            Some("while sessions are made, only names are known of a member, such as `user.name`".to_owned())
        } else {
            let variables = self.session.as_ref().map_or(vec![], |session| session.variables.clone());
            let known = variables.iter().map(String::as_str).chain(self.attribute_names());
            suggestion::help(value, known)
        };
        self.problems.absent(place, format!("nothing is known as `{value}` of a member"), help);
        Some(Segment::Text(String::new()))
    }
}
