//! A pass, a leak and an inconclusive run, by hand.

use coalmine_canary::Encoding;
use coalmine_core::bound::Rate;
use coalmine_core::case::{Explanation, Retried, Sought};
use coalmine_core::diagnosis::{Ablation, Class, Diagnosis, Trials};
use coalmine_core::history::Channel;
use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::{Access, OpId};
use coalmine_core::property::Property;
use coalmine_core::report::{REPORT_FORMAT, Regression};
use coalmine_core::verdict::{
    Controls, Coverage, Evidence, Finding, Fingerprint, Flooded, Kept, Moment, Operation, OracleId, Pair, Passes,
    Pattern, Perturbed, Phases, Prober, Probes, RoleCell, Rule, SelfTest, Sent, Shortfall, ShortfallKind, Spread,
};
use coalmine_core::worth::{Valued, Worth};
use coalmine_core::{Outcome, Report, Seed, Verdict};
use coalmine_report::{MODELS_FORMAT, ModelMark, ModelResult, ModelWitness, ModelsReport};

pub(crate) fn pass() -> Report {
    report(vec![], vec![])
}

pub(crate) fn leak() -> Report {
    let mut report = report(vec![foreign_canary(), removal(), lost_event()], vec![]);
    for explanation in explanations() {
        report.explain(explanation);
    }
    report.verdict.notes = vec!["3 canaries of earlier runs came back: the target keeps old data".into()];
    report
}

/// A pass, but for a leak of before that came back; another did not, and of a third nothing is known.
pub(crate) fn regressed() -> Report {
    let regression = |name: &str, outcome, hits, trials, why: Option<&str>| Regression {
        case: format!("regressions/{name}.yaml"),
        found: Sought::from(&foreign_canary()),
        outcome,
        rate: Rate { hits, trials },
        void: why.map_or(0, |_| 3),
        why_void: why.map(str::to_owned),
        replay: format!("coalmine replay regressions/{name}.yaml --target http://127.0.0.1:8080"),
    };
    let mut report = pass();
    report.regress(vec![
        regression("cache-key", Outcome::Leak, 2, 3, None),
        regression("pool", Outcome::Pass, 0, 9, None),
        regression(
            "renamed",
            Outcome::Inconclusive,
            0,
            0,
            Some("none of its operations ended as its scenario expects"),
        ),
    ]);
    report
}

/// The first finding was explained, the second only written down.
fn explanations() -> Vec<Explanation> {
    let explanation = |finding: &Finding, retried| Explanation {
        fingerprint: finding.fingerprint.0.clone(),
        replay: format!("coalmine replay coalmine-out/notes-9c3f1e/findings/{}.yaml", finding.fingerprint.0),
        retried,
    };
    let trials = |change, hits, broken| Trials { change, rate: Rate { hits, trials: 6 }, broken };
    let diagnosis = Diagnosis {
        class: Some(Class::CacheKey),
        because: "it goes when no two tenants ask for the same URL".into(),
        trials: vec![
            trials(Ablation::AsItIs, 6, false),
            trials(Ablation::UniqueUrls, 0, false),
            trials(Ablation::UniqueIds, 0, true),
        ],
    };
    let rate = Rate { hits: 12, trials: 12 };
    let retried = Retried { rate, tenants: 2, operations: 6, diagnosis: Some(diagnosis) };
    vec![explanation(&foreign_canary(), Some(retried)), explanation(&removal(), None)]
}

pub(crate) fn inconclusive() -> Report {
    let shortfall = |kind, operation: Option<&str>, message: &str| Shortfall {
        kind,
        operation: operation.map(str::to_owned),
        message: message.into(),
    };
    let mut report = report(
        vec![],
        vec![
            shortfall(ShortfallKind::Unfinished, None, "the run was interrupted"),
            shortfall(ShortfallKind::OracleFault, None, "the oracle misrouted-event failed: index out of bounds"),
            shortfall(
                ShortfallKind::Control,
                Some("read"),
                "`read` did not show 2 tenants their own canaries (62 of 64 came)",
            ),
            shortfall(
                ShortfallKind::Overlap,
                None,
                "1 of 3 pairs of operations overlapped (33 %); the policy demands 50 %; never: read with open, open with open",
            ),
        ],
    );
    report.verdict.oracles.retain(|oracle| ![OracleId::MisroutedEvent, OracleId::MissingEvent].contains(oracle));
    report.verdict.coverage.operations[1].controls.met = 62;
    report.verdict.coverage.probes[0].counted = 0;
    report
}

fn report(findings: Vec<Finding>, shortfalls: Vec<Shortfall>) -> Report {
    let outcome = Verdict::outcome_of(&findings, &shortfalls);
    let mut coverage = coverage();
    if !findings.is_empty() {
        coverage.leak_rate_max = None;
    }
    Report {
        format: REPORT_FORMAT,
        smoke: None,
        explanations: vec![],
        regressions: vec![],
        coalmine: "0.1.0".into(),
        scenario: "notes".into(),
        seed: Seed(0x009c_3f1e),
        target: "http://127.0.0.1:8080".into(),
        history: "coalmine-out/9c3f1e/history.jsonl.zst".into(),
        reproduce: "coalmine gate scenarios/notes.yaml --seed 9c3f1e".into(),
        verdict: verdict(outcome, findings, shortfalls, coverage),
    }
}

/// Two properties that a finding of the samples speaks against, and one that none does.
fn verdict(outcome: Outcome, findings: Vec<Finding>, shortfalls: Vec<Shortfall>, coverage: Coverage) -> Verdict {
    let (oracles, notes, properties) =
        (OracleId::ALL.into_iter().filter(|oracle| !oracle.is_opt_in()).collect(), vec![], vec![]);
    let verdict = Verdict { outcome, findings, shortfalls, oracles, coverage, notes, properties };
    let property = |name: &str, steps: &[&str], oracle| {
        let steps = steps.iter().map(|step| (*step).to_owned()).collect();
        Property { name: name.to_owned(), steps, oracles: vec![oracle] }
    };
    verdict.with_properties([
        property("data-isolation", &["read"], OracleId::ForeignCanary),
        property("role-isolation", &[], OracleId::Role),
        property("object-isolation", &[], OracleId::Access),
    ])
}

fn coverage() -> Coverage {
    let sent = |planned, ok| Sent { planned, ok, fail: planned - ok, ..Sent::default() };
    let operation = |name: &str, route: &str, due| Operation {
        name: name.into(),
        route: route.into(),
        sent: sent(64, 64),
        controls: Controls { due, met: due },
        overlapped: 60,
    };
    let pair = |first: &str, second: &str, together| Pair {
        first: first.into(),
        second: second.into(),
        together,
        during_first: Phases::default(),
        during_second: Phases::default(),
        leak_rate_max: coalmine_core::bound::rate_max(0, together),
    };
    let channels = [Channel::StatusLine, Channel::Header, Channel::Body];
    Coverage {
        rounds: 1,
        tenants: 64,
        principals: 64,
        duration_us: 12_400_000,
        sent: sent(256, 192),
        operations: vec![
            operation("create", "POST /notes", 0),
            operation("read", "GET /notes/{}", 64),
            operation("open", "WS /events", 0),
            operation("receive", "WS receive", 0),
        ],
        controls: Controls { due: 64, met: 64 },
        pairs: vec![pair("read", "read", 12), pair("read", "open", 0), pair("open", "open", 3)],
        probes: [Prober::Tenant, Prober::Anonymous].map(tries).to_vec(),
        roles: [Rule::Allowed, Rule::Denied].map(role_cell).to_vec(),
        self_test: channels.map(|channel| SelfTest { channel, forged: 1, found: 1 }).to_vec(),
        renewals: 0,
        trials: 180,
        leak_rate_max: Some(0.016_505),
        trials_needed: Some(2995),
        perturbations: vec![Perturbed {
            kind: Perturbation::Race,
            planned: 40,
            reached: 38,
            leak_rate_max: coalmine_core::bound::rate_max(0, 38),
        }],
        rules: vec![Kept { rule: "read-behind-write".into(), planned: 12, kept: 11, leak_rate_max: None }],
        spread: Some(Spread { gates: 19, p50_us: 14, p95_us: 320, max_us: 802 }),
        floods: vec![Flooded {
            flood: "search".into(),
            operation: "search".into(),
            floods: 9,
            ratio: 1.42,
            ratio_low: Some(1.11),
            ratio_high: Some(1.9),
            ratio_limit: 4.29,
        }],
        pauses: 8,
        attempts: 21,
        passes: Some(Passes { due: 64, whole: 62, whole_min_percent: 95 }),
        worth: Some(worth()),
    }
}

fn worth() -> Worth {
    let tenant = |name: &str, value: u64, whole| Valued {
        attributes: vec![name.to_owned(), value.to_string()],
        value,
        due: 32,
        whole,
        findings: u32::from(whole < 32),
    };
    let tenants = vec![tenant("acme", 240_000, 32), tenant("globex", 180_000, 30)];
    Worth { attribute: "tenant.arr".to_owned(), min: 200_000, tenants }
}

fn role_cell(rule: Rule) -> RoleCell {
    let role = if rule == Rule::Allowed { "LEADER" } else { "GUEST" };
    RoleCell { step: "read".into(), role: role.into(), rule, tried: 12, counted: 11 }
}

fn tries(by: Prober) -> Probes {
    let tried = if by == Prober::Tenant { 64 } else { 4 };
    Probes { object: "note".into(), access: Access::Read, by, tried, counted: tried }
}

fn moment(op: u32, operation: &str, seq: u64) -> Moment {
    Moment { round: 0, op: OpId(op), operation: operation.into(), seq, at_us: seq * 2000 }
}

fn finding(oracle: OracleId, operation: &str, route: &str, channel: Option<Channel>, summary: &str) -> Finding {
    Finding {
        oracle,
        fingerprint: Fingerprint::of(oracle, &[operation]),
        operation: operation.into(),
        route: route.into(),
        channel,
        summary: summary.into(),
        count: 1,
        anonymous: 0,
        receivers: 1,
        owners: 1,
        patterns: vec![],
        evidence: Evidence {
            receiver: "tenant 17".into(),
            owner: Some("tenant 3".into()),
            seen: moment(97, operation, 388),
            planted_in: None,
            planted: None,
            field: None,
            encodings: vec![],
            offset: None,
            len: None,
            context: None,
        },
    }
}

fn foreign_canary() -> Finding {
    let summary = "tenant 17 received the canary `text` of tenant 3";
    let mut leak = finding(OracleId::ForeignCanary, "read", "GET /notes/{}", Some(Channel::Body), summary);
    (leak.count, leak.anonymous, leak.receivers, leak.owners) = (12, 2, 5, 7);
    leak.patterns = vec![Pattern::Pool];
    let evidence = &mut leak.evidence;
    evidence.planted = Some(moment(7, "create", 211));
    evidence.field = Some("text".into());
    evidence.encodings = vec![Encoding::Base64, Encoding::Case];
    (evidence.offset, evidence.len) = (Some(812), Some(32));
    evidence.context = Some("{\"text\": \"****\", \"by\": \"\u{1b}[31m<b>&\u{202e}\u{0}\u{9b}]]>\"}\r\n".into());
    leak
}

fn removal() -> Finding {
    let summary = "tenant 17 removed the `note` of tenant 3 by its id";
    let mut leak = finding(OracleId::Access, "remove", "DELETE /notes/{}", None, summary);
    leak.evidence.context = Some("the owner's read was answered with 404 afterwards".into());
    leak
}

fn lost_event() -> Finding {
    let summary = "tenant 17 never received `started`, though `done`, which comes after it, arrived";
    let mut lost = finding(OracleId::MissingEvent, "receive", "WS receive", None, summary);
    lost.patterns = vec![Pattern::Stream, Pattern::Router];
    lost
}

fn model(implementation: &str, expected: &str, mark: ModelMark, result: &str) -> ModelResult {
    let witness = |name: &str, iterations| ModelWitness { name: name.into(), iterations };
    ModelResult {
        pattern: "pool".into(),
        risk: "a cancelled request leaves its answer to the next holder".into(),
        implementation: implementation.into(),
        expected: expected.into(),
        mark,
        iterations: 21,
        complete: mark == ModelMark::Proved,
        witnesses: vec![witness("a request was cancelled", 19), witness("A read its own", 17)],
        result: result.into(),
        interleaving: None,
        replay: None,
    }
}

/// One structure of each mark.
pub(crate) fn models() -> ModelsReport {
    let mut caught = model("unread-answer", "leak", ModelMark::Caught, "leak: tenant B receives a canary of tenant A");
    caught.witnesses.clear();
    caught.interleaving = Some("1  A  sends a request\n2  B  reads the answer: a canary of A   <== here".into());
    caught.replay = Some("coalmine models --replay coalmine-out/models/pool-unread-answer.json".into());
    let mut failed = model("right", "right", ModelMark::Failed, "capacity: it lends too many");
    failed.interleaving = Some("1  A  asks\n2  B  asks \u{1b}[31m".into());
    ModelsReport {
        format: MODELS_FORMAT,
        coalmine: "0.1.0".into(),
        bounds: "at most 2 preemptions".into(),
        models: vec![
            model("right", "right", ModelMark::Proved, "complete, nothing broken"),
            model("right", "right", ModelMark::Sampled, "sampled, nothing broken"),
            caught,
            model("hollow", "hollow", ModelMark::Refused, "hollow: never saw that A read its own"),
            failed,
            model("two-holders", "leak", ModelMark::Missed, "complete, nothing broken"),
            model("slow", "leak", ModelMark::Undecided, "incomplete: it took longer than its bounds allow"),
        ],
        reproduce: "coalmine models pool --preemptions 2".into(),
    }
}
