//! The report as JUnit XML, for the test views of GitLab, GitHub and Jenkins.
//!
//! A suite for each oracle, one for the coverage, one for what the scenario states of the service, and one for leaks that were
//! found before; in those of oracles a case for each operation. A violation is a failure; what could
//! not be tested is an error, so that no case is green because nothing happened.

use std::collections::BTreeMap;
use std::time::Duration;

use coalmine_core::Report;
use coalmine_core::property::Standing;
use coalmine_core::report::Regression;
use coalmine_core::verdict::{Finding, Operation, OracleId, Outcome, Prober, Shortfall, ShortfallKind, Verdict};
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use crate::escape::visible;
use crate::words::{access, advice, how_often, models, place, returned, shortfall_kind, when};

/// The report as JUnit XML; the same report gives the same bytes.
pub fn junit(report: &Report) -> String {
    let mut xml = quick_junit::Report::new(format!("coalmine {}", visible(&report.scenario)));
    xml.set_time(Duration::from_micros(report.verdict.coverage.duration_us));
    // What is asked only where a scenario says so is missing nowhere else.
    let is_of_interest = |oracle: &OracleId| !oracle.is_opt_in() || report.verdict.oracles.contains(oracle);
    for oracle in OracleId::ALL.into_iter().filter(is_of_interest) {
        xml.add_test_suite(oracle_suite(report, oracle));
    }
    xml.add_test_suite(coverage_suite(report));
    if !report.verdict.properties.is_empty() {
        xml.add_test_suite(property_suite(report));
    }
    if !report.regressions.is_empty() {
        xml.add_test_suite(regression_suite(report));
    }
    xml.to_string().expect("names and text are valid XML, and writing to memory does not fail")
}

fn oracle_suite(report: &Report, oracle: OracleId) -> TestSuite {
    let verdict = &report.verdict;
    let mut suite = suite(report, oracle.name());
    if !verdict.oracles.contains(&oracle) {
        suite.add_test_case(case(report, oracle.name(), oracle.name(), unasked(verdict, oracle)));
        suite.add_test_cases(unexpected(report, oracle));
        return suite;
    }
    for operation in verdict.coverage.operations.iter().filter(|operation| concerns(oracle, operation)) {
        let name = format!("{}: {}", operation.name, operation.route);
        suite.add_test_case(case(report, oracle.name(), &name, operation_status(verdict, oracle, operation)));
    }
    suite.add_test_cases(unexpected(report, oracle));
    if oracle == OracleId::Access {
        suite.add_test_cases(tries(report));
    }
    suite
}

/// What was missing that belongs to no operation, and the proofs that were there.
fn coverage_suite(report: &Report) -> TestSuite {
    let mut suite = suite(report, "coverage");
    for kind in ShortfallKind::ALL {
        let missing = report.verdict.shortfalls.iter().filter(|shortfall| shortfall.kind == kind);
        let missing: Vec<_> = missing.collect();
        suite.add_test_case(case(report, "coverage", shortfall_kind(kind), status_of(&[], &missing)));
    }
    suite
}

/// A case for each of the scenario's statements about the service.
fn property_suite(report: &Report) -> TestSuite {
    let mut suite = suite(report, "properties");
    for held in &report.verdict.properties {
        let why = visible(held.why.as_deref().unwrap_or_default());
        let refused = |kind, ty: &str| {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(ty).set_message(why.clone());
            status
        };
        let status = match held.standing {
            Standing::Pass => TestCaseStatus::success(),
            Standing::Fail => refused(NonSuccessKind::Failure, "property"),
            Standing::Undecided => refused(NonSuccessKind::Error, "undecided"),
        };
        suite.add_test_case(case(report, "properties", &held.property.name, status));
    }
    suite
}

/// A case for each case of a leak that was found before.
fn regression_suite(report: &Report) -> TestSuite {
    let mut suite = suite(report, "regressions");
    for one in &report.regressions {
        suite.add_test_case(case(report, "regressions", &one.case, regression_status(one)));
    }
    suite
}

fn regression_status(one: &Regression) -> TestCaseStatus {
    let (kind, ty) = match one.outcome {
        Outcome::Pass => return TestCaseStatus::success(),
        Outcome::Inconclusive => (NonSuccessKind::Error, "undecided"),
        Outcome::Leak => (NonSuccessKind::Failure, one.found.oracle.name()),
    };
    let mut status = TestCaseStatus::non_success(kind);
    let text =
        format!("{}\n{}\nfingerprint {}", visible(&one.found.summary), visible(&one.replay), one.found.fingerprint.0);
    status.set_type(ty).set_message(visible(&returned(one))).set_description(text);
    status
}

fn suite(report: &Report, name: &str) -> TestSuite {
    let mut suite = TestSuite::new(name);
    let properties = [
        ("scenario", report.scenario.clone()),
        ("seed", report.seed.to_string()),
        ("target", report.target.clone()),
        ("history", report.history.clone()),
        ("reproduce", report.reproduce.clone()),
    ];
    for (name, value) in properties {
        suite.add_property(Property::new(name, visible(&value)));
    }
    for explanation in &report.explanations {
        let name = format!("replay {}", explanation.fingerprint);
        suite.add_property(Property::new(name, visible(&explanation.replay)));
    }
    suite
}

/// Jenkins makes packages of the class name's dots; GitLab and GitHub show it beside the name.
fn case(report: &Report, suite: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let scenario = report.scenario.replace('.', "-");
    let mut case = TestCase::new(visible(name), status);
    case.set_classname(format!("coalmine.{}.{suite}", visible(&scenario)));
    case
}

/// An operation is asked by an oracle if its answers can show what the oracle looks for. Where nothing was planned for it
/// besides tries at others' objects, the access oracle asks.
fn concerns(oracle: OracleId, operation: &Operation) -> bool {
    let in_flow = operation.sent.planned > 0;
    match oracle {
        OracleId::ForeignCanary => in_flow,
        OracleId::IdentityEcho => in_flow && !operation.brings_events(),
        OracleId::MisroutedEvent => in_flow && operation.brings_events() && operation.route.contains('/'),
        OracleId::MissingEvent => in_flow && operation.route.ends_with(" receive"),
        OracleId::WrongCredential => in_flow && operation.route == "webhook receive",
        OracleId::Access
        | OracleId::Role
        | OracleId::Existence
        | OracleId::ExistenceByTime
        | OracleId::Interference
        | OracleId::ForeignRow
        | OracleId::NotFresh
        | OracleId::ResponseMixUp
        | OracleId::WrongAggregate
        | OracleId::WrongList
        | OracleId::FaultPropagation
        | OracleId::NoisyNeighbour
        | OracleId::Caching
        | OracleId::UnguardedTable
        | OracleId::UnnamedKey
        | OracleId::SecretInLog
        | OracleId::SessionAfterLogout
        | OracleId::ForgedCredential => false,
    }
}

fn operation_status(verdict: &Verdict, oracle: OracleId, operation: &Operation) -> TestCaseStatus {
    let concerns = |name: &str| name == operation.name;
    let findings = verdict.findings.iter();
    let findings: Vec<_> =
        findings.filter(|finding| finding.oracle == oracle && concerns(&finding.operation)).collect();
    let shortfalls = verdict.shortfalls.iter();
    let missing: Vec<_> = shortfalls.filter(|shortfall| shortfall.operation.as_deref().is_some_and(concerns)).collect();
    status_of(&findings, &missing)
}

/// A case for each finding in an operation that has no case by itself, such as a try at others' objects: no finding is
/// without its failure.
fn unexpected(report: &Report, oracle: OracleId) -> Vec<TestCase> {
    let verdict = &report.verdict;
    let asked = verdict.oracles.contains(&oracle);
    let mut by_operation: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in verdict.findings.iter().filter(|finding| finding.oracle == oracle) {
        let mut operations = verdict.coverage.operations.iter();
        if !asked || !operations.any(|operation| operation.name == finding.operation && concerns(oracle, operation)) {
            by_operation.entry((&finding.operation, &finding.route)).or_default().push(finding);
        }
    }
    let cases = by_operation.into_iter().map(|((operation, route), findings)| {
        case(report, oracle.name(), &format!("{operation}: {route}"), status_of(&findings, &[]))
    });
    cases.collect()
}

/// A case for each kind of try that proves nothing, and where no object was reached, for each that does.
fn tries(report: &Report) -> Vec<TestCase> {
    let verdict = &report.verdict;
    let mut cases = Vec::new();
    let reached = verdict.findings.iter().any(|finding| finding.oracle == OracleId::Access);
    for probes in verdict.coverage.probes.iter().filter(|probes| !reached || probes.counted == 0) {
        let by = if probes.by == Prober::Anonymous { " without credentials" } else { "" };
        let name = format!("{} the {} of another{by}", access(probes.access), probes.object);
        let unproved = Shortfall {
            kind: ShortfallKind::Probe,
            operation: None,
            message: format!("{} tries, and none of them proves anything", probes.tried),
        };
        let missing: Vec<_> = (probes.counted == 0).then_some(&unproved).into_iter().collect();
        cases.push(case(report, OracleId::Access.name(), &name, status_of(&[], &missing)));
    }
    cases
}

fn unasked(verdict: &Verdict, oracle: OracleId) -> TestCaseStatus {
    let fault = |shortfall: &&Shortfall| {
        shortfall.kind == ShortfallKind::OracleFault && shortfall.message.contains(oracle.name())
    };
    match verdict.shortfalls.iter().find(fault) {
        Some(fault) => status_of(&[], &[fault]),
        None => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message("the policy switches this oracle off");
            skipped
        }
    }
}

fn status_of(findings: &[&Finding], missing: &[&Shortfall]) -> TestCaseStatus {
    let (kind, ty, first, text) = match (findings, missing) {
        ([finding, ..], _) => {
            let text: Vec<_> = findings.iter().map(|finding| evidence(finding)).collect();
            (NonSuccessKind::Failure, finding.oracle.name(), &finding.summary, text)
        }
        ([], [shortfall, ..]) => {
            let text: Vec<_> = missing.iter().map(|shortfall| shortfall.message.clone()).collect();
            (NonSuccessKind::Error, shortfall_kind(shortfall.kind), &shortfall.message, text)
        }
        ([], []) => return TestCaseStatus::success(),
    };
    let mut status = TestCaseStatus::non_success(kind);
    let lines: Vec<_> = text.iter().flat_map(|text| text.split('\n')).map(visible).collect();
    status.set_type(ty).set_message(visible(first)).set_description(lines.join("\n"));
    status
}

fn evidence(finding: &Finding) -> String {
    let place = place(finding).map_or(String::new(), |place| format!(" ({})", visible(&place)));
    let context = finding.evidence.context.as_deref().filter(|context| !context.is_empty());
    let context = context.map_or(String::new(), |context| format!("\ncontext: {}", visible(context)));
    let (when, how_often) = (when(finding), how_often(finding));
    let more = [advice(finding), models(finding)]
        .map(|line| line.map_or(String::new(), |line| format!("\n{}", visible(&line))));
    format!(
        "{}{place}\n{}{context}{}\n{how_often}; fingerprint {}",
        visible(&finding.summary),
        visible(&when),
        more.concat(),
        finding.fingerprint.0
    )
}
