//! Did a webhook carry a credential of somebody else?

use coalmine_core::PrincipalId;
use coalmine_core::history::{Channel, Event, Happening, Opcode};
use coalmine_core::plan::CredentialFrom;
use coalmine_core::verdict::{OracleId, Shortfall, ShortfallKind};

use super::identity_echo::{identity_evidence, named};
use super::{Oracle, Testimony};
use crate::identities::Whose;
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round};

/// The credential of each webhook, compared by digest with those of all tenants: a target that calls for one tenant with the
/// credential of another gives it away, and acts with rights that it was not given. A webhook whose content says that it is
/// another's is misrouted, and told as that.
pub(crate) struct WrongCredential {
    leads: Leads,
    is_asked: bool,
    /// Webhooks with their tenant's own credential, without one, and with one of nobody known.
    right: u64,
    missing: u64,
    unknown: u64,
}

impl Default for WrongCredential {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::WrongCredential), is_asked: false, right: 0, missing: 0, unknown: 0 }
    }
}

impl Oracle for WrongCredential {
    fn id(&self) -> OracleId {
        OracleId::WrongCredential
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(credential) = round.plan.webhooks.as_ref().and_then(|webhooks| webhooks.credential.as_ref()) else {
            return;
        };
        self.is_asked = true;
        let (Some(place), Happening::Frame(frame)) = (round.place(event.op), &event.what) else { return };
        if frame.opcode != Opcode::Webhook {
            return;
        }
        let Some(value) = frame.receipt.credential else {
            self.missing += 1;
            return;
        };
        let receiver = round.receiver(place.scope);
        let misrouted = || round.asks(OracleId::MisroutedEvent) && round.misrouted(place, frame).is_some();
        match round.credentials.whose(receiver, value) {
            Whose::Mine => self.right += 1,
            Whose::Unknown => self.unknown += 1,
            Whose::Others(_) if misrouted() => {}
            Whose::Others(owner) => self.wrong(round, event, place, (field(&credential.from), owner)),
        }
    }

    fn answer(&mut self) -> Testimony {
        let blind = Shortfall {
            kind: ShortfallKind::Control,
            operation: None,
            message: "no webhook carried its tenant's own credential, so that another's could not have been noticed"
                .into(),
        };
        let shortfalls = if self.is_asked && self.right == 0 { vec![blind] } else { vec![] };
        let notes = [
            (self.missing, "webhooks without a credential"),
            (self.unknown, "webhooks with a credential of nobody known"),
        ];
        let notes = notes.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{what}: {count}"));
        Testimony { leads: self.leads.take(), shortfalls, notes: notes.collect(), ..Testimony::default() }
    }
}

impl WrongCredential {
    fn wrong(&mut self, round: &Round, event: &Event, place: Place, (field, owner): (&str, PrincipalId)) {
        let receiver = round.receiver(place.scope);
        let owner = round.principal(owner);
        let hit = Hit {
            names: &[field],
            place,
            channel: Some(Channel::Webhook),
            summary: format!("a webhook for {receiver} carried the credential of {}", named(owner)),
            receiver,
            owner,
            evidence: identity_evidence(round, event, receiver, owner, field),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

fn field(from: &CredentialFrom) -> &str {
    match from {
        CredentialFrom::Json(path) => path,
        CredentialFrom::Header(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::{Digest, EventFrame, IdentityFact, Receipt};
    use coalmine_core::plan::{Credential, Webhooks};
    use coalmine_core::template::Template;
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CREATE, Story, USER, fact, value_of};

    fn told(credentials: &[Option<u64>], identities: Vec<IdentityFact>) -> Story {
        let mut story = Story::honest(3);
        let from = CredentialFrom::Header("x-api-key".into());
        let credential = Some(Credential { from, mine: Template::text("key") });
        let webhooks = Webhooks { listen: "127.0.0.1:0".into(), public_url: None, names: vec![], credential };
        story.plan.webhooks = Some(webhooks);
        let principals: Vec<_> = story.plan.principals.iter().map(|principal| principal.id).collect();
        for principal in principals {
            let value = Digest(principal.0.into());
            story.add(story.op(0, CREATE), Happening::Credential { principal, value });
        }
        for credential in credentials {
            let receipt =
                Receipt { identities: identities.clone(), credential: credential.map(Digest), ..Receipt::default() };
            let frame = EventFrame { index: 0, opcode: Opcode::Webhook, bytes: 10, event_type: None, receipt };
            story.add(story.op(0, CREATE), Happening::Frame(frame));
        }
        story
    }

    #[test]
    fn my_own_credential_is_right() {
        let verdict = told(&[Some(0)], vec![]).judge().verdict;
        assert_eq!((verdict.findings, verdict.outcome), (vec![], Outcome::Pass));
    }

    #[test]
    fn anothers_is_wrong() {
        let findings = told(&[Some(0), Some(2)], vec![]).judge().verdict.findings;
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        assert_eq!(finding.oracle, OracleId::WrongCredential);
        assert_eq!(finding.summary, "a webhook for tenant 0 carried the credential of tenant 2");
    }

    #[test]
    fn anothers_with_anothers_content_is_a_misrouted_webhook() {
        let story = told(&[Some(0), Some(2)], vec![fact(USER, value_of(USER, 2))]);
        assert!(story.found().iter().all(|(oracle, _)| *oracle == OracleId::MisroutedEvent));
    }

    #[test]
    fn a_colleagues_is_right() {
        let mut story = told(&[Some(1)], vec![]);
        story.plan.principals[1].tenant = story.plan.principals[0].tenant;
        story.plan.principals[1].user = 1;
        assert_eq!(story.found(), []);
    }

    #[test]
    fn nobodys_and_none_prove_nothing_and_are_no_pass_without_a_right_one() {
        let verdict = told(&[Some(77), None], vec![]).judge().verdict;
        assert_eq!(verdict.findings, []);
        assert!(verdict.shortfalls[0].message.contains("own credential"), "{:?}", verdict.shortfalls);
        assert_eq!(verdict.notes.len(), 2, "{:?}", verdict.notes);
        assert_eq!(told(&[Some(77), Some(0)], vec![]).judge().verdict.outcome, Outcome::Pass);
    }

    #[test]
    fn a_credential_that_is_learnt_later_is_known() {
        let mut story = told(&[Some(2), Some(0)], vec![]);
        story.events.rotate_right(2);
        story.number();
        assert_eq!(story.found(), [(OracleId::WrongCredential, "create".to_owned())]);
    }
}
