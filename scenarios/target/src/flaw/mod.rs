//! The flaws: their names, and what is known about each.

mod agents;
mod finance;
mod http;
mod leads;
mod operations;
mod set;

use std::fmt;
use std::str::FromStr;

pub use set::FlawSet;

/// A switchable defect. With the switch off, the same code is its twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// `agents.shared-state`
    AgentsSharedState,
    /// `agents.context-slot`
    AgentsContextSlot,
    /// `agents.instance-by-name`
    AgentsInstanceByName,
    /// `agents.ws-broadcast`
    AgentsWsBroadcast,
    /// `agents.ws-stale-route`
    AgentsWsStaleRoute,
    /// `agents.merge`
    AgentsMerge,
    /// `agents.child-shares-parent`
    AgentsChildSharesParent,
    /// `agents.approval-mix`
    AgentsApprovalMix,
    /// `agents.pool-desync`
    AgentsPoolDesync,
    /// `agents.timeout-bleed`
    AgentsTimeoutBleed,
    /// `agents.ws-replay`
    AgentsWsReplay,
    /// `agents.ws-lost-event`
    AgentsWsLostEvent,
    /// `agents.thread-echo`
    AgentsThreadEcho,
    /// `ops.list-unfiltered`
    OpsListUnfiltered,
    /// `ops.get-by-id`
    OpsGetById,
    /// `ops.update-by-id`
    OpsUpdateById,
    /// `ops.delete-by-id`
    OpsDeleteById,
    /// `ops.forbidden-not-missing`
    OpsForbiddenNotMissing,
    /// `ops.aggregate-unfiltered`
    OpsAggregateUnfiltered,
    /// `ops.date-range-bypass`
    OpsDateRangeBypass,
    /// `ops.export-all`
    OpsExportAll,
    /// `ops.role-escalation`
    OpsRoleEscalation,
    /// `ops.nullable-owner`
    OpsNullableOwner,
    /// `ops.search-index`
    OpsSearchIndex,
    /// `ops.cursor`
    OpsCursor,
    /// `leads.session-setting`
    LeadsSessionSetting,
    /// `leads.api-key-shared`
    LeadsApiKeyShared,
    /// `leads.queue-context`
    LeadsQueueContext,
    /// `leads.crash-spreads`
    LeadsCrashSpreads,
    /// `leads.noisy-neighbour`
    LeadsNoisyNeighbour,
    /// `leads.rls-missing`
    LeadsRlsMissing,
    /// `leads.config-cache`
    LeadsConfigCache,
    /// `finance.cache-key`
    FinanceCacheKey,
    /// `finance.single-flight`
    FinanceSingleFlight,
    /// `finance.cache-control`
    FinanceCacheControl,
    /// `finance.etag`
    FinanceEtag,
    /// `finance.ingest-owner`
    FinanceIngestOwner,
    /// `finance.null-owner`
    FinanceNullOwner,
    /// `finance.empty-state`
    FinanceEmptyState,
    /// `finance.flag-off`
    FinanceFlagOff,
    /// `finance.suggest`
    FinanceSuggest,
    /// `http.auth-by-connection`
    HttpAuthByConnection,
    /// `http.buffer-reuse`
    HttpBufferReuse,
    /// `http.idempotency-key`
    HttpIdempotencyKey,
    /// `http.logout`
    HttpLogout,
    /// `http.error-echo`
    HttpErrorEcho,
    /// `http.token-prefix`
    HttpTokenPrefix,
    /// `http.encoded-export`
    HttpEncodedExport,
    /// `http.log-endpoint`
    HttpLogEndpoint,
    /// `http.id-reuse`
    HttpIdReuse,
}

/// A part of the service, as one of the systems that it was modelled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Wing {
    /// Threads, runs and events of agents.
    Agents,
    /// Holds and downtime of a plant.
    Operations,
    /// Leads, and reports by workers.
    Leads,
    /// Transactions and their summaries.
    Finance,
    /// No part in particular: what all of them are reached by.
    Http,
}

/// The finding that a flaw must cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The oracles that must find it, the one that names the flaw first.
    pub oracles: &'static [&'static str],
    /// Oracles that may find something of it as well. No others may.
    pub also: &'static [&'static str],
    /// The method and route on which it shows, as in the README, without a query.
    pub route: &'static str,
}

/// A section for each flaw.
const PAGES: &str = include_str!("../../FLAWS.md");

/// What is known about a flaw.
struct Card {
    id: &'static str,
    wing: Wing,
    mechanism: &'static str,
    trigger: &'static str,
    source: &'static str,
    is_race: bool,
    expected: Expected,
}

impl Flaw {
    /// All flaws, in their order.
    pub const ALL: [Self; 50] = [
        Self::AgentsSharedState,
        Self::AgentsContextSlot,
        Self::AgentsInstanceByName,
        Self::AgentsWsBroadcast,
        Self::AgentsWsStaleRoute,
        Self::AgentsMerge,
        Self::AgentsChildSharesParent,
        Self::AgentsApprovalMix,
        Self::AgentsPoolDesync,
        Self::AgentsTimeoutBleed,
        Self::AgentsWsReplay,
        Self::AgentsWsLostEvent,
        Self::AgentsThreadEcho,
        Self::OpsListUnfiltered,
        Self::OpsGetById,
        Self::OpsUpdateById,
        Self::OpsDeleteById,
        Self::OpsForbiddenNotMissing,
        Self::OpsAggregateUnfiltered,
        Self::OpsDateRangeBypass,
        Self::OpsExportAll,
        Self::OpsRoleEscalation,
        Self::OpsNullableOwner,
        Self::OpsSearchIndex,
        Self::OpsCursor,
        Self::LeadsSessionSetting,
        Self::LeadsApiKeyShared,
        Self::LeadsQueueContext,
        Self::LeadsCrashSpreads,
        Self::LeadsNoisyNeighbour,
        Self::LeadsRlsMissing,
        Self::LeadsConfigCache,
        Self::FinanceCacheKey,
        Self::FinanceSingleFlight,
        Self::FinanceCacheControl,
        Self::FinanceEtag,
        Self::FinanceIngestOwner,
        Self::FinanceNullOwner,
        Self::FinanceEmptyState,
        Self::FinanceFlagOff,
        Self::FinanceSuggest,
        Self::HttpAuthByConnection,
        Self::HttpBufferReuse,
        Self::HttpIdempotencyKey,
        Self::HttpLogout,
        Self::HttpErrorEcho,
        Self::HttpTokenPrefix,
        Self::HttpEncodedExport,
        Self::HttpLogEndpoint,
        Self::HttpIdReuse,
    ];

    /// The name that users type, such as `agents.shared-state`.
    pub fn id(self) -> &'static str {
        self.card().id
    }

    /// The wing in which it shows.
    pub fn wing(self) -> Wing {
        self.card().wing
    }

    /// The bug, in a sentence.
    pub fn mechanism(self) -> &'static str {
        self.card().mechanism
    }

    /// What has to happen for it to leak.
    pub fn trigger(self) -> &'static str {
        self.card().trigger
    }

    /// Where it was seen or feared.
    pub fn source(self) -> &'static str {
        self.card().source
    }

    /// Whether it leaks only while operations of different tenants overlap. Of such a flaw nothing shows where one tenant
    /// finishes before the next begins. The flaws of WebSocket are not counted here: they need no race, but a socket of
    /// one tenant that is open during a run of another.
    pub fn is_race(self) -> bool {
        self.card().is_race
    }

    /// A few lines of prose: where it is met in the world, how it is found, how it is repaired.
    pub fn page(self) -> &'static str {
        let mut sections = PAGES.split("\n## ").filter_map(|section| section.split_once('\n'));
        sections.find(|(id, _)| *id == self.id()).map_or("", |(_, prose)| prose.trim())
    }

    /// The finding that it must cause.
    pub fn expected(self) -> Expected {
        self.card().expected
    }

    fn card(self) -> &'static Card {
        match self {
            Self::AgentsSharedState => &agents::SHARED_STATE,
            Self::AgentsContextSlot => &agents::CONTEXT_SLOT,
            Self::AgentsInstanceByName => &agents::INSTANCE_BY_NAME,
            Self::AgentsWsBroadcast => &agents::WS_BROADCAST,
            Self::AgentsWsStaleRoute => &agents::WS_STALE_ROUTE,
            Self::AgentsMerge => &agents::MERGE,
            Self::AgentsChildSharesParent => &agents::CHILD_SHARES_PARENT,
            Self::AgentsApprovalMix => &agents::APPROVAL_MIX,
            Self::AgentsPoolDesync => &agents::POOL_DESYNC,
            Self::AgentsTimeoutBleed => &agents::TIMEOUT_BLEED,
            Self::AgentsWsReplay => &agents::WS_REPLAY,
            Self::AgentsWsLostEvent => &agents::WS_LOST_EVENT,
            Self::AgentsThreadEcho => &agents::THREAD_ECHO,
            Self::OpsListUnfiltered => &operations::LIST_UNFILTERED,
            Self::OpsGetById => &operations::GET_BY_ID,
            Self::OpsUpdateById => &operations::UPDATE_BY_ID,
            Self::OpsDeleteById => &operations::DELETE_BY_ID,
            Self::OpsForbiddenNotMissing => &operations::FORBIDDEN_NOT_MISSING,
            Self::OpsAggregateUnfiltered => &operations::AGGREGATE_UNFILTERED,
            Self::OpsDateRangeBypass => &operations::DATE_RANGE_BYPASS,
            Self::OpsExportAll => &operations::EXPORT_ALL,
            Self::OpsRoleEscalation => &operations::ROLE_ESCALATION,
            Self::OpsNullableOwner => &operations::NULLABLE_OWNER,
            Self::OpsSearchIndex => &operations::SEARCH_INDEX,
            Self::OpsCursor => &operations::CURSOR,
            Self::LeadsSessionSetting => &leads::SESSION_SETTING,
            Self::LeadsApiKeyShared => &leads::API_KEY_SHARED,
            Self::LeadsQueueContext => &leads::QUEUE_CONTEXT,
            Self::LeadsCrashSpreads => &leads::CRASH_SPREADS,
            Self::LeadsNoisyNeighbour => &leads::NOISY_NEIGHBOUR,
            Self::LeadsRlsMissing => &leads::RLS_MISSING,
            Self::LeadsConfigCache => &leads::CONFIG_CACHE,
            Self::FinanceCacheKey => &finance::CACHE_KEY,
            Self::FinanceSingleFlight => &finance::SINGLE_FLIGHT,
            Self::FinanceCacheControl => &finance::CACHE_CONTROL,
            Self::FinanceEtag => &finance::ETAG,
            Self::FinanceIngestOwner => &finance::INGEST_OWNER,
            Self::FinanceNullOwner => &finance::NULL_OWNER,
            Self::FinanceEmptyState => &finance::EMPTY_STATE,
            Self::FinanceFlagOff => &finance::FLAG_OFF,
            Self::FinanceSuggest => &finance::SUGGEST,
            Self::HttpAuthByConnection => &http::AUTH_BY_CONNECTION,
            Self::HttpBufferReuse => &http::BUFFER_REUSE,
            Self::HttpIdempotencyKey => &http::IDEMPOTENCY_KEY,
            Self::HttpLogout => &http::LOGOUT,
            Self::HttpErrorEcho => &http::ERROR_ECHO,
            Self::HttpTokenPrefix => &http::TOKEN_PREFIX,
            Self::HttpEncodedExport => &http::ENCODED_EXPORT,
            Self::HttpLogEndpoint => &http::LOG_ENDPOINT,
            Self::HttpIdReuse => &http::ID_REUSE,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl fmt::Display for Wing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Agents => "agents",
            Self::Operations => "operations",
            Self::Leads => "leads",
            Self::Finance => "finance",
            Self::Http => "http",
        })
    }
}

impl FromStr for Flaw {
    type Err = UnknownFlaw;

    fn from_str(id: &str) -> Result<Self, UnknownFlaw> {
        let known = Self::ALL.into_iter().find(|flaw| flaw.id() == id);
        known.ok_or_else(|| UnknownFlaw::new(id))
    }
}

/// A name that no flaw has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFlaw {
    /// What was given.
    pub id: String,
    /// The flaw whose name is nearest, if one is near.
    pub suggestion: Option<Flaw>,
}

/// Names less alike than this (Jaro-Winkler) are not suggested.
const LIKENESS_MIN: f64 = 0.75;

impl UnknownFlaw {
    fn new(id: &str) -> Self {
        let likeness = |flaw: &Flaw| {
            let (_, name) = flaw.id().split_once('.').unwrap_or(("", flaw.id()));
            strsim::jaro_winkler(flaw.id(), id).max(strsim::jaro_winkler(name, id))
        };
        let nearest = Flaw::ALL.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        Self { id: id.to_owned(), suggestion: nearest.filter(|flaw| likeness(flaw) >= LIKENESS_MIN) }
    }
}

impl fmt::Display for UnknownFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no flaw is called `{}`", self.id)?;
        match self.suggestion {
            Some(flaw) => write!(f, "; did you mean `{flaw}`?"),
            None => write!(f, "; the flaws are {}", Flaw::ALL.map(Flaw::id).join(", ")),
        }
    }
}

impl std::error::Error for UnknownFlaw {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flaw_is_found_by_its_id() {
        for flaw in Flaw::ALL {
            assert_eq!(flaw.id().parse(), Ok(flaw));
        }
    }

    #[test]
    fn every_flaw_has_a_page_and_every_page_a_flaw() {
        for flaw in Flaw::ALL {
            let lines: Vec<_> = flaw.page().lines().collect();
            assert_eq!(lines.len(), 3, "{flaw}");
            for (line, begins) in lines.iter().zip(["World: ", "Find: ", "Repair: "]) {
                assert!(line.strip_prefix(begins).is_some_and(|text| text.len() > 20), "{flaw}: {line}");
            }
        }
        assert_eq!(PAGES.matches("\n## ").count(), Flaw::ALL.len());
    }

    #[test]
    fn all_is_in_order_without_repeats() {
        assert!(Flaw::ALL.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn misspelt_id_gets_a_suggestion() {
        let message = |id: &str| id.parse::<Flaw>().unwrap_err().to_string();
        assert_eq!(message("ops.get-by-di"), "no flaw is called `ops.get-by-di`; did you mean `ops.get-by-id`?");
        assert!(message("shared-state").ends_with("did you mean `agents.shared-state`?"));
        assert!(message("zzz").contains("the flaws are agents.shared-state, "));
    }

    #[test]
    fn expectations_name_known_oracles() {
        let oracles = [
            "foreign-canary",
            "caching",
            "not-fresh",
            "identity-echo",
            "existence",
            "role",
            "wrong-aggregate",
            "access",
            "misrouted-event",
            "missing-event",
            "wrong-credential",
            "session-after-logout",
            "forged-credential",
            "fault-propagation",
            "noisy-neighbour",
            "response-mix-up",
        ];
        for Expected { oracles: expected, also, .. } in Flaw::ALL.map(Flaw::expected) {
            assert!(!expected.is_empty() && expected.iter().chain(also).all(|oracle| oracles.contains(oracle)));
        }
    }
}
