//! A violation, and how anyone can check it.

use coalmine_canary::Encoding;
use serde::{Deserialize, Serialize};

use crate::history::Channel;
use crate::plan::OpId;
use crate::principal::Principal;
use crate::verdict::Pattern;

/// Which question was asked of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OracleId {
    /// Did anyone receive a canary that they may not see?
    ForeignCanary,
    /// Did an answer say that it belongs to somebody else?
    IdentityEcho,
    /// Could anyone read, change or remove another's object by its id?
    Access,
    /// Did an event reach a socket of somebody else?
    MisroutedEvent,
    /// Did a webhook carry a credential of somebody else?
    WrongCredential,
    /// Was an event left out, or out of order?
    MissingEvent,
    /// Could a role do what it may not?
    Role,
    /// Could anyone tell whether another's object exists?
    Existence,
    /// Did a list show a row of somebody else?
    ForeignRow,
    /// Did somebody who has made nothing see something?
    NotFresh,
    /// Did an answer belong to another request?
    ResponseMixUp,
    /// Does a table of the tenants' rows show all of them to the role by which the application reads it?
    UnguardedTable,
    /// Did something lie in a store under a key that does not name its owner?
    UnnamedKey,
    /// Does a log hold what a tenant has sent as a secret?
    SecretInLog,
    /// Was a count or a sum another than that of what was written?
    WrongAggregate,
    /// Did a list leave a row out, or show one twice, or one that is no more?
    WrongList,
    /// Could a cache give a private answer to somebody else?
    Caching,
    /// Did a session go on when it had ended?
    SessionAfterLogout,
    /// Was somebody answered who showed a credential that nobody was given?
    ForgedCredential,
    /// Did others fail from then on when one tenant sent what the target did not expect?
    FaultPropagation,
    /// Did others wait for much longer than their share while one tenant sent many requests?
    NoisyNeighbour,
    /// Could anyone tell by the time that an answer takes whether another's object exists?
    ExistenceByTime,
    /// Does what somebody receives depend on whether another tenant works?
    Interference,
}

/// The same for the same defect in every run: made of the oracle and of names in the scenario, never of values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

/// A violation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which oracle found it.
    pub oracle: OracleId,
    /// Names it across runs.
    pub fingerprint: Fingerprint,
    /// The operation whose answer shows it.
    pub operation: String,
    /// Its method and path, with `{}` for values.
    pub route: String,
    /// Through which part of the answer; none for a missing event.
    pub channel: Option<Channel>,
    /// One sentence: who received what of whom.
    pub summary: String,
    /// How often it happened.
    pub count: u64,
    /// How often of it the receiver had sent no credentials: then anybody can receive it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub anonymous: u64,
    /// How many different tenants received something.
    pub receivers: u32,
    /// How many different tenants' data was received.
    pub owners: u32,
    /// Patterns of concurrent code that can do this, likeliest first; empty where the evidence names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<Pattern>,
    /// The first time.
    pub evidence: Evidence,
}

/// Where a defect probably lies: findings of one site are likely to go with one repair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    oracle: OracleId,
    /// None where it does not matter which operation shows it.
    route: Option<String>,
}

impl Finding {
    /// The oracle with the route; without it, where the defect lies in how the service knows who asks, which all routes have in common.
    pub fn site(&self) -> Site {
        let is_of_all =
            matches!(self.oracle, OracleId::IdentityEcho | OracleId::SessionAfterLogout | OracleId::ForgedCredential);
        Site { oracle: self.oracle, route: (!is_of_all).then(|| self.route.clone()) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What anyone can look up in the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Who received it, as a path.
    pub receiver: String,
    /// Whose it is, as a path; none where it is not known.
    pub owner: Option<String>,
    /// When it was received.
    pub seen: Moment,
    /// When the owner sent it.
    pub planted: Option<Moment>,
    /// The earlier round of a campaign in which the owner sent it, of which no more is known than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted_in: Option<u32>,
    /// The scenario's name of the secret or of the identity field.
    pub field: Option<String>,
    /// The chain of encodings in which it came, outermost first; empty for plain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encodings: Vec<Encoding>,
    /// Offset in the channel's bytes.
    pub offset: Option<u64>,
    /// Length in bytes.
    pub len: Option<u32>,
    /// What stood around it, secrets redacted.
    pub context: Option<String>,
}

impl Evidence {
    /// That somebody received something at a moment, of which no more is known.
    pub fn of(receiver: &Principal, owner: Option<&Principal>, seen: Moment) -> Self {
        Self {
            receiver: receiver.to_string(),
            owner: owner.map(ToString::to_string),
            seen,
            planted: None,
            planted_in: None,
            field: None,
            encodings: vec![],
            offset: None,
            len: None,
            context: None,
        }
    }
}

/// A place in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The round.
    pub round: u32,
    /// The operation's number in it.
    pub op: OpId,
    /// The operation's name.
    pub operation: String,
    /// The event's place in the run's order.
    pub seq: u64,
    /// Microseconds since the start of the run.
    pub at_us: u64,
}

impl OracleId {
    /// All of them, worst first.
    pub const ALL: [OracleId; 23] = [
        Self::ForeignCanary,
        Self::Access,
        Self::MisroutedEvent,
        Self::IdentityEcho,
        Self::ForeignRow,
        Self::NotFresh,
        Self::ResponseMixUp,
        Self::Role,
        Self::Existence,
        Self::WrongCredential,
        Self::SessionAfterLogout,
        Self::ForgedCredential,
        Self::Caching,
        Self::UnnamedKey,
        Self::UnguardedTable,
        Self::SecretInLog,
        Self::WrongAggregate,
        Self::WrongList,
        Self::FaultPropagation,
        Self::NoisyNeighbour,
        Self::MissingEvent,
        Self::ExistenceByTime,
        Self::Interference,
    ];

    /// Whether it is asked only where the scenario says so: what it finds is certain up to an error rate, and takes requests of its own.
    pub fn is_opt_in(self) -> bool {
        matches!(self, Self::ExistenceByTime | Self::Interference)
    }

    /// Whether what it finds is a note, unless the scenario says that it is a violation: it tells what one careless line would open, and
    /// no more.
    pub fn is_advice(self) -> bool {
        matches!(self, Self::UnguardedTable | Self::SecretInLog)
    }

    /// Its name in scenarios and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForeignCanary => "foreign-canary",
            Self::IdentityEcho => "identity-echo",
            Self::Access => "access",
            Self::MisroutedEvent => "misrouted-event",
            Self::WrongCredential => "wrong-credential",
            Self::MissingEvent => "missing-event",
            Self::Role => "role",
            Self::Existence => "existence",
            Self::ForeignRow => "foreign-row",
            Self::NotFresh => "not-fresh",
            Self::ResponseMixUp => "response-mix-up",
            Self::WrongAggregate => "wrong-aggregate",
            Self::WrongList => "wrong-list",
            Self::Caching => "caching",
            Self::UnguardedTable => "unguarded-table",
            Self::UnnamedKey => "unnamed-key",
            Self::SecretInLog => "secret-in-log",
            Self::SessionAfterLogout => "session-after-logout",
            Self::ForgedCredential => "forged-credential",
            Self::FaultPropagation => "fault-propagation",
            Self::NoisyNeighbour => "noisy-neighbour",
            Self::ExistenceByTime => "existence-by-time",
            Self::Interference => "interference",
        }
    }
}

impl std::fmt::Display for OracleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Fingerprint {
    /// Made of the oracle and of names in the scenario, in this order.
    pub fn of(oracle: OracleId, names: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("coalmine fingerprint v1");
        for name in std::iter::once(&oracle.name()).chain(names) {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
        }
        Self(hasher.finalize().to_hex()[..16].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(oracle: OracleId, route: &str) -> Finding {
        let seen = Moment { round: 0, op: OpId(0), operation: "read".into(), seq: 0, at_us: 0 };
        serde_json::from_value(serde_json::json!({
            "oracle": oracle, "fingerprint": "0", "operation": "read", "route": route, "channel": null, "summary": "", "count": 1,
            "receivers": 1, "owners": 1,
            "evidence": {"receiver": "tenant 0", "owner": null, "seen": seen, "planted": null, "field": null, "offset": 0, "len": 0,
                "context": ""},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_wrong_with_who_asks_is_wrong_in_one_place_and_other_leaks_are_where_they_show() {
        let at = |oracle, route| finding(oracle, route).site();
        assert_eq!(at(OracleId::IdentityEcho, "GET /a"), at(OracleId::IdentityEcho, "GET /b"));
        assert_ne!(at(OracleId::ForeignCanary, "GET /a"), at(OracleId::ForeignCanary, "GET /b"));
        assert_ne!(at(OracleId::ForeignCanary, "GET /a"), at(OracleId::IdentityEcho, "GET /a"));
    }
}
