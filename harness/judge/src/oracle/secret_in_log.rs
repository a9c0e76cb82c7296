//! Does a log hold what a tenant has sent as a secret?

use std::collections::BTreeMap;

use coalmine_core::history::{Astray, Channel, Event};
use coalmine_core::step::Action;
use coalmine_core::verdict::{Evidence, OracleId};

use super::{Oracle, Testimony};
use crate::book::Origin;
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round, receipt_of};

/// Secrets of which a note tells the names.
const TOLD_MAX: usize = 12;
/// Different secrets that are kept.
const FIELDS_MAX: usize = 1_000;

/// Nobody has received it, but whoever reads the logs can: more people than the application lets in, and for longer. Some of it is written on
/// purpose, such as addresses of mail. So it is a note, unless the scenario says that it is a violation.
pub(crate) struct SecretInLog {
    leads: Leads,
    /// Where each stands first.
    noted: BTreeMap<String, String>,
}

impl Default for SecretInLog {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::SecretInLog), noted: BTreeMap::new() }
    }
}

impl Oracle for SecretInLog {
    fn id(&self) -> OracleId {
        OracleId::SecretInLog
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Some(receipt)) = (round.place(event.op), receipt_of(&event.what)) else { return };
        if matches!(round.plan.step(place.step).action, Action::SearchLogs(_)) {
            receipt.astray.iter().for_each(|astray| self.look(round, event, place, astray));
        }
    }

    fn answer(&mut self) -> Testimony {
        Testimony { leads: self.leads.take(), notes: self.note().into_iter().collect(), ..Testimony::default() }
    }
}

impl SecretInLog {
    fn look(&mut self, round: &Round, event: &Event, place: Place, astray: &Astray) {
        let Origin::Known(planted) = round.book.origin(astray.canary) else { return };
        if round.book.is_public(astray.canary) {
            return;
        }
        let (owner, field) = (planted.owner, planted.field);
        let what = field.map_or_else(|| "a canary".to_owned(), |field| format!("the canary `{field}`"));
        if round.plan.policy.is_note(OracleId::SecretInLog) {
            if self.noted.len() < FIELDS_MAX {
                self.noted.entry(what).or_insert_with(|| astray.place.clone());
            }
            return;
        }
        let receiver = round.receiver(place.scope);
        let hit = Hit {
            names: &[planted.by_step.unwrap_or_default(), field.unwrap_or_default()],
            place,
            channel: Some(Channel::Store),
            summary: format!("{what} of {owner} stands in a log: {}", astray.place),
            receiver,
            owner: Some(owner),
            evidence: Evidence {
                planted_in: planted.earlier,
                field: field.map(str::to_owned),
                context: Some(astray.place.clone()),
                ..Evidence::of(receiver, Some(owner), round.moment(event))
            },
            plant: planted.plant,
        };
        self.leads.add(round, hit);
    }

    fn note(&mut self) -> Option<String> {
        let noted = std::mem::take(&mut self.noted);
        let words: Vec<String> = noted.iter().take(TOLD_MAX).map(|(what, at)| format!("{what} ({at})")).collect();
        let more = match noted.len().saturating_sub(TOLD_MAX) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        (!noted.is_empty()).then(|| format!("logs hold {}{more}", words.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::sharing::Public;
    use coalmine_core::step::LogSearch;
    use coalmine_core::template::Template;
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CLOSE, READ, SECRET, Story};

    fn searching() -> Story {
        let mut story = Story::searching(3);
        let search = LogSearch { files: vec![], mentions: Template::default() };
        let step = story.plan.steps.iter_mut().find(|step| step.is_search()).unwrap();
        (step.action, step.sees) = (Action::SearchLogs(search), vec![]);
        story
    }

    /// Two of three find what is theirs in a log.
    fn logged() -> Story {
        let mut story = searching();
        for tenant in 0..2 {
            let canary = story.canary(tenant, SECRET);
            let astray = Astray { canary, place: format!("`app.log`, line {}", tenant + 1) };
            story.answers(story.op(tenant, CLOSE), |answer| answer.receipt.astray.push(astray));
        }
        story
    }

    #[test]
    fn a_secret_in_a_log_is_a_note_with_the_first_place() {
        let verdict = logged().judge().verdict;
        assert_eq!((verdict.outcome, verdict.findings.len()), (Outcome::Pass, 0), "{verdict:#?}");
        assert!(
            verdict.notes.contains(&"logs hold the canary `secret` (`app.log`, line 1)".to_owned()),
            "{:?}",
            verdict.notes
        );
    }

    #[test]
    fn switched_on_it_is_a_violation_of_each_owner() {
        let mut story = logged();
        story.plan.policy.oracles_on = vec![OracleId::SecretInLog];
        let verdict = story.judge().verdict;
        let [finding] = &verdict.findings[..] else { panic!("{:#?}", verdict.findings) };
        assert_eq!(finding.summary, "the canary `secret` of tenant 0 stands in a log: `app.log`, line 1");
        assert_eq!((finding.oracle, finding.count, finding.owners), (OracleId::SecretInLog, 2, 2));
    }

    #[test]
    fn logs_without_secrets_and_secrets_that_everybody_may_see_are_not_told() {
        let mut clean = searching();
        clean.plan.policy.oracles_on = vec![OracleId::SecretInLog];
        assert_eq!(clean.found(), []);
        let mut public = logged();
        public.plan.policy.oracles_on = vec![OracleId::SecretInLog];
        public.plan.steps[usize::from(READ.0)].public = Some(Public::Everything);
        assert_eq!(public.found(), []);
    }
}
