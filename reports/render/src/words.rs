//! Words that several formats share.

use coalmine_core::bound::rate_max;
use coalmine_core::case::Retried;
use coalmine_core::diagnosis::{Diagnosis, Trials};
use coalmine_core::plan::Access;
use coalmine_core::property::Standing;
use coalmine_core::report::Regression;
use coalmine_core::verdict::{
    Coverage, Evidence, Finding, Flooded, Moment, OracleId, Outcome, Passes, ShortfallKind, Spread, Verdict,
};
use coalmine_core::worth::{Valued, Worth};

/// `1 tenant`, `2 tenants`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// What is tried with another's object.
pub(crate) fn access(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Update => "change",
        Access::Delete => "remove",
        Access::List => "list",
        Access::Export => "export",
    }
}

/// A kind of shortfall as a name.
pub(crate) fn shortfall_kind(kind: ShortfallKind) -> &'static str {
    match kind {
        ShortfallKind::Unfinished => "unfinished",
        ShortfallKind::SelfTest => "self-test",
        ShortfallKind::OracleFault => "oracle-fault",
        ShortfallKind::Control => "control",
        ShortfallKind::Operation => "operation",
        ShortfallKind::Overlap => "overlap",
        ShortfallKind::Probe => "probe",
        ShortfallKind::CutOff => "cut-off",
        ShortfallKind::Event => "event",
        ShortfallKind::Perturbation => "perturbation",
        ShortfallKind::Bound => "bound",
        ShortfallKind::Budget => "budget",
        ShortfallKind::Worth => "worth",
        ShortfallKind::Property => "property",
    }
}

/// What a finding of this oracle is called.
pub(crate) fn kind(oracle: OracleId) -> &'static str {
    match oracle {
        OracleId::ForeignCanary
        | OracleId::IdentityEcho
        | OracleId::Access
        | OracleId::MisroutedEvent
        | OracleId::ForeignRow
        | OracleId::NotFresh
        | OracleId::ResponseMixUp
        | OracleId::WrongCredential => "leak",
        OracleId::MissingEvent => "lost event",
        OracleId::WrongList => "wrong list",
        OracleId::WrongAggregate => "wrong figure",
        OracleId::FaultPropagation => "spreading fault",
        OracleId::NoisyNeighbour => "noisy neighbour",
        OracleId::Interference => "interference",
        OracleId::UnguardedTable => "unguarded table",
        OracleId::UnnamedKey => "unnamed key",
        OracleId::SecretInLog => "secret in a log",
        OracleId::Role
        | OracleId::Existence
        | OracleId::ExistenceByTime
        | OracleId::Caching
        | OracleId::SessionAfterLogout
        | OracleId::ForgedCredential => "violation",
    }
}

/// Where it stood in the answer: `base64 in json, body 812..844`.
pub(crate) fn place(finding: &Finding) -> Option<String> {
    let Evidence { encodings, offset, len, .. } = &finding.evidence;
    let channel = finding.channel?.to_string();
    let range = match (offset, len) {
        (Some(offset), Some(len)) => format!("{channel} {offset}..{}", offset.saturating_add(u64::from(*len))),
        _ => channel,
    };
    let encodings: Vec<_> = encodings.iter().rev().map(ToString::to_string).collect();
    Some(if encodings.is_empty() { range } else { format!("{}, {range}", encodings.join(" in ")) })
}

/// When it was sent and when it was received.
pub(crate) fn when(finding: &Finding) -> String {
    let Evidence { planted, planted_in, seen, .. } = &finding.evidence;
    match (planted, planted_in) {
        (Some(planted), _) if planted.round != seen.round => {
            format!(
                "planted in round {} at {}, seen in round {} at {}",
                planted.round,
                moment(planted),
                seen.round,
                moment(seen)
            )
        }
        (Some(planted), _) => format!("planted at {}, seen at {}", moment(planted), moment(seen)),
        (None, Some(round)) => format!("planted in round {round}, seen in round {} at {}", seen.round, moment(seen)),
        (None, None) => format!("seen at {}", moment(seen)),
    }
}

/// Which models of concurrent code do what it shows.
pub(crate) fn models(finding: &Finding) -> Option<String> {
    let names: Vec<_> = finding.patterns.iter().map(|pattern| pattern.name()).collect();
    (!names.is_empty()).then(|| format!("how it may come about: coalmine models {}", names.join(" ")))
}

/// What to write where everybody may see what nobody had to log in for.
pub(crate) fn advice(finding: &Finding) -> Option<String> {
    let operation = &finding.operation;
    (finding.anonymous > 0).then(|| {
        format!("if everybody may see it, say so: `public: true` in the step `{operation}`, or `public: [NAME]`")
    })
}

/// How often, and among how many.
pub(crate) fn how_often(finding: &Finding) -> String {
    let times = counted(finding.count, "time");
    let receivers = counted(u64::from(finding.receivers), "tenant");
    match finding.owners {
        owners if finding.anonymous > 0 && finding.receivers == 0 => {
            format!("{times}: anybody can receive data of {}", counted(u64::from(owners), "tenant"))
        }
        0 => format!("{times}, by {receivers}"),
        _ if was_given_nobody(finding.oracle) => format!("{times}, by {receivers}"),
        owners => format!("{times}: {receivers} received data of {owners}"),
    }
}

/// Whether nobody has received what is another's.
fn was_given_nobody(oracle: OracleId) -> bool {
    matches!(oracle, OracleId::MissingEvent | OracleId::WrongList | OracleId::UnnamedKey | OracleId::SecretInLog)
}

/// What was sent and what of it overlapped, for a summary.
pub(crate) fn exercised(verdict: &Verdict) -> String {
    let sent = &verdict.coverage.sent;
    let failed: u64 = verdict.coverage.operations.iter().map(|operation| operation.sent.fail).sum();
    // What fails besides the operations' own failures are tries at others' objects, and those should fail.
    let refused = sent.fail.saturating_sub(failed);
    let ends = [
        (sent.ok, "ok"),
        (failed, "fail"),
        (refused, "tries refused"),
        (sent.info, "info"),
        (sent.skipped, "skipped"),
        (sent.open, "open"),
        (sent.not_due, "not due"),
    ];
    let ends: Vec<_> =
        ends.iter().filter(|(count, _)| *count > 0).map(|(count, end)| format!("{count} {end}")).collect();
    let ends = if ends.is_empty() { "none sent".to_owned() } else { ends.join(", ") };
    let (overlapped, pairs) = verdict.coverage.pairs_overlapped();
    format!("{}: {ends}; {overlapped}/{pairs} pairs overlapped", counted(sent.planned, "operation"))
}

/// What the silence of a run is worth.
pub(crate) fn worth(verdict: &Verdict) -> Option<String> {
    let rate = verdict.coverage.leak_rate_max? * 100.0;
    let trials = counted(verdict.coverage.trials, "trial");
    Some(format!("leak rate below {} % at 95 % ({trials})", two_digits(rate)))
}

/// How the target was shaken: how often each kind hit its point, and how close together races were.
pub(crate) fn shaken(coverage: &Coverage) -> Option<String> {
    let kinds: Vec<_> =
        coverage.perturbations.iter().map(|it| format!("{} {}/{}", it.kind, it.reached, it.planned)).collect();
    let spread = coverage.spread.map(|spread| {
        let Spread { p50_us, p95_us, .. } = spread;
        format!("; races released within {p50_us} us (p50), {p95_us} us (p95)")
    });
    // What never hit its point is no proof of anything.
    let reached = coverage.perturbations.iter().any(|it| it.reached > 0);
    reached.then(|| format!("perturbed: {}{}", kinds.join(", "), spread.unwrap_or_default()))
}

/// How often each rule of the scenario was kept.
pub(crate) fn rules(coverage: &Coverage) -> Option<String> {
    let rules: Vec<_> = coverage.rules.iter().map(|it| format!("{} {}/{}", it.rule, it.kept, it.planned)).collect();
    (!rules.is_empty()).then(|| format!("rules kept: {}", rules.join(", ")))
}

/// How many passes were gone through whole, where that are enough.
pub(crate) fn passes(coverage: &Coverage) -> Option<String> {
    let passes = coverage.passes.filter(Passes::are_enough)?;
    let Passes { due, whole, whole_min_percent } = passes;
    Some(format!("passes: {whole}/{due} gone through whole; at least {whole_min_percent} % are demanded"))
}

/// What came through unharmed, and each tenant with what it is worth.
pub(crate) fn protected(worth: &Worth) -> (String, Vec<String>) {
    let (protected, total) = (grouped(worth.protected()), grouped(worth.total()));
    let attribute = worth.attribute.strip_prefix("tenant.").unwrap_or(&worth.attribute);
    let line = format!("{protected} of {total} by `{attribute}`; at least {} are demanded", grouped(worth.min));
    (line, worth.tenants.iter().map(valued).collect())
}

fn valued(tenant: &Valued) -> String {
    let Valued { attributes, due, whole, findings, .. } = tenant;
    let state = if tenant.is_unharmed() { "protected" } else { "NOT PROTECTED" };
    let found =
        if *findings > 0 { format!(", in {}", counted(u64::from(*findings), "finding")) } else { String::new() };
    format!("{}: {state}, {whole}/{due} passes whole{found}", attributes.join(", "))
}

/// `540,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `5/6 properties pass`.
pub(crate) fn properties(verdict: &Verdict) -> Option<String> {
    let all = verdict.properties.len();
    let passed = verdict.properties.iter().filter(|held| held.standing == Standing::Pass).count();
    (all > 0).then(|| format!("{passed}/{all} properties pass"))
}

/// The trials behind a diagnosis, a line each, in columns.
pub fn ablations(diagnosis: &Diagnosis) -> Vec<String> {
    let width = diagnosis.trials.iter().map(|trials| trials.change.words().len()).max().unwrap_or_default();
    let line = |trials: &Trials| {
        let broken = if trials.broken { "; the case did no longer what it should" } else { "" };
        format!("{:<width$}  {}{broken}", trials.change.words(), trials.rate)
    };
    diagnosis.trials.iter().map(line).collect()
}

/// What came of trying it again, in words.
pub(crate) fn retried(retried: &Retried) -> String {
    let Retried { rate, tenants, operations, .. } = retried;
    let kind = match rate.hits {
        0 => "it did not come back",
        hits if hits == rate.trials => "logic, it comes back always",
        _ => "a race, it comes back sometimes",
    };
    let (tenants, operations) = (counted(u64::from(*tenants), "tenant"), counted(u64::from(*operations), "operation"));
    format!("smallest case: {tenants}, {operations}; {kind}: {rate}")
}

/// Whether a leak that was found before came back, and how certain that is.
pub(crate) fn returned(one: &Regression) -> String {
    let why =
        one.why_void.as_ref().map(|why| format!("; {} say nothing: {why}", counted(u64::from(one.void), "trial")));
    let why = why.filter(|_| one.void > 0).unwrap_or_default();
    let what = match one.outcome {
        Outcome::Leak => format!("came back {}{why}", one.rate),
        Outcome::Pass => {
            let bound = rate_max(0, u64::from(one.rate.trials)).unwrap_or(1.0) * 100.0;
            format!(
                "did not come back in {}: at 95 %, in fewer than {bound:.0} % of them{why}",
                counted(u64::from(one.rate.trials), "trial")
            )
        }
        Outcome::Inconclusive if one.void == 0 => {
            format!("was not tried: {}", one.why_void.as_deref().unwrap_or("nothing is known"))
        }
        Outcome::Inconclusive => format!("may come back{why}"),
    };
    format!("{}: {what}", one.case)
}

/// The comparison that went worst, where it is no finding.
fn worst(coverage: &Coverage) -> Option<&Flooded> {
    coverage.floods.first().filter(|worst| worst.ratio_low.is_none_or(|low| low <= worst.ratio_limit))
}

/// What a flood did to the others, where it did most.
pub(crate) fn flooded(coverage: &Coverage) -> Option<String> {
    let Flooded { flood, operation, floods, ratio, ratio_low, ratio_high, ratio_limit } = worst(coverage)?;
    let interval = ratio_low.zip(*ratio_high).map(|(low, high)| format!(" ({low:.1} to {high:.1} at 95 %)"));
    let interval = interval.unwrap_or_default();
    let floods = counted(*floods, "flood");
    Some(format!(
        "floods: `{operation}` of others took {ratio:.1} times as long{interval} in {floods} of `{flood}`; limit {ratio_limit:.1}"
    ))
}

/// A percentage, rounded up to two digits that count: a bound must not be rounded down.
fn two_digits(percent: f64) -> String {
    let mut decimals = 0_usize;
    let mut scale = 1.0;
    while percent * scale < 10.0 && decimals < 9 {
        decimals += 1;
        scale *= 10.0;
    }
    format!("{:.decimals$}", (percent * scale).ceil() / scale)
}

fn moment(moment: &Moment) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a time of 2^53 microseconds is 285 years")]
    let seconds = moment.at_us as f64 / 1e6;
    format!("event {} ({seconds:.3} s) by {}", moment.seq, moment.operation)
}

#[cfg(test)]
mod tests {
    use coalmine_core::plan::OpId;
    use coalmine_core::verdict::{Fingerprint, Moment};
    use coalmine_core::{Principal, PrincipalId, TenantId};

    use super::*;

    fn receiver() -> Principal {
        Principal { id: PrincipalId(0), tenant: TenantId(0), user: 0, session: 0, role: None, attributes: vec![] }
    }

    #[test]
    fn large_numbers_are_grouped() {
        let table = [(0, "0"), (999, "999"), (1000, "1,000"), (540_000, "540,000"), (12_345_678, "12,345,678")];
        for (number, words) in table {
            assert_eq!(grouped(number), words);
        }
    }

    #[test]
    fn only_where_somebody_was_given_something_it_is_said_that_it_was_received() {
        let told = |oracle, owners| {
            let moment = Moment { round: 0, op: OpId(1), operation: "look".to_owned(), seq: 1, at_us: 1 };
            let evidence = Evidence::of(&receiver(), None, moment);
            how_often(&Finding {
                oracle,
                fingerprint: Fingerprint::of(oracle, &[]),
                operation: "look".to_owned(),
                route: "Redis search".to_owned(),
                channel: None,
                summary: String::new(),
                count: 4,
                anonymous: 0,
                receivers: 2,
                owners,
                patterns: vec![],
                evidence,
            })
        };
        assert_eq!(told(OracleId::ForeignCanary, 3), "4 times: 2 tenants received data of 3");
        assert_eq!(told(OracleId::UnnamedKey, 2), "4 times, by 2 tenants");
        assert_eq!(told(OracleId::UnguardedTable, 0), "4 times, by 2 tenants");
    }

    #[test]
    fn a_bound_is_rounded_up_and_keeps_two_digits() {
        let table = [(95.0, "95"), (4.951, "5.0"), (0.0731, "0.074"), (0.000_299_5, "0.00030")];
        for (percent, words) in table {
            assert_eq!(two_digits(percent), words);
        }
    }
}
