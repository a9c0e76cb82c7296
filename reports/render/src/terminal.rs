//! The report for the one who waits for it.

use std::fmt::Write;

use anstyle::{AnsiColor, Style as Ansi};
use coalmine_core::Report;
use coalmine_core::case::Explanation;
use coalmine_core::property::{Held, Standing};
use coalmine_core::report::{Regression, Smoke};
use coalmine_core::verdict::{Coverage, Finding, OracleId, Outcome, Prober, Rule, ShortfallKind, Verdict};
use coalmine_core::worth::Worth;

use crate::escape::visible;
use crate::words::{
    ablations, advice, counted, exercised, flooded, how_often, kind, models, passes, place, properties, protected,
    retried, returned, rules, shaken, when, worth,
};

/// Columns of the verb, right-aligned.
const VERB_COLUMNS: usize = 12;
/// Narrower than this, lines are not broken.
const WIDTH_MIN: usize = 40;

/// How a terminal is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours are used; not in a pipe, and not against `NO_COLOR`.
    pub colour: bool,
    /// Columns after which lines are broken between words.
    pub width: usize,
}

/// The report as lines of a verb and what it says: findings, then what was missing, then the summary and the way back.
pub fn terminal(report: &Report, style: Style) -> String {
    let mut page = Page { style, out: String::new() };
    let verdict = &report.verdict;
    page.line(Verb::Plan, &plan(report));
    for line in proofs(verdict) {
        page.line(Verb::Ok, &line);
    }
    if let Some(worth) = &verdict.coverage.worth {
        page.worth(worth);
    }
    for finding in &verdict.findings {
        page.finding(finding);
        let about = |explanation: &&Explanation| explanation.fingerprint == finding.fingerprint.0;
        report.explanations.iter().filter(about).for_each(|explanation| page.explanation(explanation));
    }
    report.regressions.iter().for_each(|one| page.regression(one));
    for shortfall in &verdict.shortfalls {
        page.line(Verb::Inconclusive, &shortfall.message);
    }
    verdict.notes.iter().for_each(|note| page.line(Verb::Note, note));
    verdict.properties.iter().for_each(|held| page.property(held));
    if let Some(smoke) = &report.smoke {
        page.smoke(smoke);
    }
    page.line(Verb::Summary(verdict.outcome), &summary(report));
    page.line(Verb::Report, &report.history);
    page.unbroken(Verb::Reproduce, &report.reproduce);
    page.out
}

#[derive(Clone, Copy)]
enum Verb {
    Plan,
    Ok,
    Leak,
    Lost,
    Wrong,
    Inconclusive,
    Note,
    Smoke,
    Left,
    Protects { enough: bool },
    Property(Standing),
    Regression(Outcome),
    Summary(Outcome),
    Report,
    Reproduce,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Plan => "Plan",
            Self::Ok | Self::Regression(Outcome::Pass) => "ok",
            Self::Leak => "LEAK",
            Self::Lost => "LOST",
            Self::Wrong => "WRONG",
            Self::Inconclusive | Self::Regression(Outcome::Inconclusive) => "INCONCLUSIVE",
            Self::Regression(Outcome::Leak) => "CAME BACK",
            Self::Note => "Note",
            Self::Smoke => "Smoke",
            Self::Left => "Left behind",
            Self::Protects { .. } => "Protects",
            Self::Property(Standing::Pass) => "pass",
            Self::Property(Standing::Fail) => "FAIL",
            Self::Property(Standing::Undecided) => "undecided",
            Self::Summary(_) => "Summary",
            Self::Report => "History",
            Self::Reproduce => "Reproduce",
        }
    }

    fn ansi(self) -> Ansi {
        let colour = |colour: AnsiColor| colour.on_default().bold();
        match self {
            Self::Ok
            | Self::Property(Standing::Pass)
            | Self::Regression(Outcome::Pass)
            | Self::Protects { enough: true }
            | Self::Summary(Outcome::Pass) => colour(AnsiColor::Green),
            Self::Leak
            | Self::Lost
            | Self::Wrong
            | Self::Property(Standing::Fail)
            | Self::Regression(Outcome::Leak)
            | Self::Protects { enough: false }
            | Self::Summary(Outcome::Leak) => colour(AnsiColor::Red),
            Self::Inconclusive
            | Self::Left
            | Self::Property(Standing::Undecided)
            | Self::Regression(Outcome::Inconclusive)
            | Self::Summary(Outcome::Inconclusive) => colour(AnsiColor::Yellow),
            Self::Plan | Self::Note | Self::Smoke | Self::Report | Self::Reproduce => Ansi::new().bold(),
        }
    }
}

struct Page {
    style: Style,
    out: String,
}

impl Page {
    fn finding(&mut self, finding: &Finding) {
        let verb = match finding.oracle {
            OracleId::MissingEvent => Verb::Lost,
            OracleId::WrongList | OracleId::WrongAggregate => Verb::Wrong,
            _ => Verb::Leak,
        };
        let place = place(finding).map_or(String::new(), |place| format!(" ({place})"));
        self.line(verb, &format!("{}: {}{place}", finding.route, finding.summary));
        self.more(&when(finding));
        if let Some(context) = finding.evidence.context.as_deref().filter(|context| !context.is_empty()) {
            self.more(&format!("context: {context}"));
        }
        if let Some(advice) = advice(finding) {
            self.more(&advice);
        }
        if let Some(models) = models(finding) {
            self.more(&models);
        }
        let (operation, oracle) = (&finding.operation, finding.oracle);
        self.more(&format!(
            "{}; operation {operation}, oracle {oracle}, {}",
            how_often(finding),
            finding.fingerprint.0
        ));
    }

    fn explanation(&mut self, explanation: &Explanation) {
        if let Some(tried) = &explanation.retried {
            self.more(&retried(tried));
            if let Some(diagnosis) = &tried.diagnosis {
                self.more(&diagnosis.sentence());
                for line in ablations(diagnosis) {
                    self.more(&line);
                }
            }
        }
        self.more_unbroken(&explanation.replay);
    }

    fn worth(&mut self, worth: &Worth) {
        let (line, tenants) = protected(worth);
        self.line(Verb::Protects { enough: worth.is_enough() }, &line);
        for tenant in &tenants {
            self.more(tenant);
        }
    }

    fn property(&mut self, held: &Held) {
        let why = held.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
        self.line(Verb::Property(held.standing), &format!("{}{why}", held.property.name));
    }

    fn regression(&mut self, one: &Regression) {
        self.line(Verb::Regression(one.outcome), &returned(one));
        if one.outcome != Outcome::Pass {
            self.more(&one.found.summary);
            self.more_unbroken(&one.replay);
        }
    }

    fn more_unbroken(&mut self, text: &str) {
        self.indent();
        self.out.push_str(&visible(text));
        self.out.push('\n');
    }

    fn smoke(&mut self, smoke: &Smoke) {
        self.line(Verb::Smoke, &smoke.bound);
        if !smoke.left_out.is_empty() {
            self.more(&format!("left out because they write: {}", smoke.left_out.join(", ")));
        }
        for command in &smoke.leftovers {
            self.unbroken(Verb::Left, command);
        }
    }

    fn line(&mut self, verb: Verb, text: &str) {
        self.verb(verb);
        self.text(text);
    }

    fn more(&mut self, text: &str) {
        self.indent();
        self.text(text);
    }

    /// A line that is meant to be copied.
    fn unbroken(&mut self, verb: Verb, text: &str) {
        self.verb(verb);
        self.out.push_str(&visible(text));
        self.out.push('\n');
    }

    fn verb(&mut self, verb: Verb) {
        let word = verb.word();
        self.out.push_str(&" ".repeat(VERB_COLUMNS - word.len()));
        if self.style.colour {
            let ansi = verb.ansi();
            write!(self.out, "{ansi}{word}{ansi:#}").expect("writing to memory does not fail");
        } else {
            self.out.push_str(word);
        }
        self.out.push(' ');
    }

    fn indent(&mut self) {
        self.out.push_str(&" ".repeat(VERB_COLUMNS + 1));
    }

    fn text(&mut self, text: &str) {
        let room = self.style.width.max(WIDTH_MIN) - VERB_COLUMNS - 1;
        let text = visible(text);
        for (number, line) in broken(&text, room).iter().enumerate() {
            if number > 0 {
                self.indent();
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
    }
}

/// Breaks between words; a word longer than the room gets a line of its own.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let len = word.chars().count();
        if used > 0 && used + 1 + len > room {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is always a line");
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += len;
    }
    lines
}

fn plan(report: &Report) -> String {
    let Coverage { tenants, sent, rounds, .. } = &report.verdict.coverage;
    let rounds = if *rounds > 1 { format!("{rounds} rounds, ") } else { String::new() };
    format!(
        "{}: {}, {rounds}{}, seed {}, against {}",
        report.scenario,
        counted(u64::from(*tenants), "tenant"),
        counted(sent.planned, "operation"),
        report.seed,
        report.target
    )
}

/// What was proved in the run itself, each only where nothing of it is missing.
fn proofs(verdict: &Verdict) -> Vec<String> {
    let proofs = [
        (ShortfallKind::Control, controls(&verdict.coverage)),
        (ShortfallKind::SelfTest, self_test(&verdict.coverage)),
        (ShortfallKind::Overlap, overlap(&verdict.coverage)),
        (ShortfallKind::Probe, probes(&verdict.coverage)),
        (ShortfallKind::Perturbation, shaken(&verdict.coverage)),
        (ShortfallKind::Perturbation, rules(&verdict.coverage)),
        (ShortfallKind::Probe, roles(&verdict.coverage)),
        (ShortfallKind::Perturbation, flooded(&verdict.coverage)),
        (ShortfallKind::Operation, passes(&verdict.coverage)),
    ];
    let whole = |kind| !verdict.shortfalls.iter().any(|shortfall| shortfall.kind == kind);
    proofs.into_iter().filter(|(kind, _)| whole(*kind)).filter_map(|(_, proof)| proof).collect()
}

fn controls(coverage: &Coverage) -> Option<String> {
    let due: Vec<_> = coverage.operations.iter().filter(|operation| operation.controls.due > 0).collect();
    let met = due.iter().filter(|operation| operation.controls.all_met()).count();
    let canaries = coverage.controls;
    let line = || {
        format!("controls: {}/{} own canaries came back, on {met}/{} operations", canaries.met, canaries.due, due.len())
    };
    (!due.is_empty()).then(line)
}

fn self_test(coverage: &Coverage) -> Option<String> {
    let forged: u64 = coverage.self_test.iter().map(|test| test.forged).sum();
    let found: u64 = coverage.self_test.iter().map(|test| test.found).sum();
    let channels = counted(coverage.self_test.len() as u64, "channel");
    (forged > 0).then(|| format!("self-test: {found}/{forged} forged leaks found, through {channels}"))
}

fn overlap(coverage: &Coverage) -> Option<String> {
    let (overlapped, pairs) = coverage.pairs_overlapped();
    let trials = counted(coverage.trials, "operation");
    let line = || format!("overlap: {trials} in flight together with another tenant's, {overlapped}/{pairs} pairs");
    (overlapped > 0).then(line)
}

fn probes(coverage: &Coverage) -> Option<String> {
    let tried: u64 = coverage.probes.iter().map(|probes| probes.tried).sum();
    let counted: u64 = coverage.probes.iter().map(|probes| probes.counted).sum();
    let anonymous: u64 = coverage.probes.iter().filter(|it| it.by == Prober::Anonymous).map(|it| it.counted).sum();
    let without = if anonymous > 0 { format!(" ({anonymous} without credentials)") } else { String::new() };
    let line = || {
        format!("access: {counted} of {tried} tries at others' objects count{without}, as their owners reached them")
    };
    (tried > 0).then(line)
}

fn roles(coverage: &Coverage) -> Option<String> {
    let cells = |rule| coverage.roles.iter().filter(|cell| cell.rule == rule).count();
    let line =
        || format!("roles: {} allowed and {} denied cells were tested", cells(Rule::Allowed), cells(Rule::Denied));
    (!coverage.roles.is_empty() && coverage.roles.iter().all(|cell| cell.counted > 0)).then(line)
}

fn summary(report: &Report) -> String {
    let verdict = &report.verdict;
    #[expect(clippy::cast_precision_loss, reason = "a time of 2^53 microseconds is 285 years")]
    let seconds = verdict.coverage.duration_us as f64 / 1e6;
    let mut line = format!("[{seconds:>6.1} s] {}: {}", verdict.outcome, exercised(verdict));
    let end = match verdict.outcome {
        Outcome::Leak => (!verdict.findings.is_empty()).then(|| found(&verdict.findings)),
        Outcome::Pass => worth(verdict),
        Outcome::Inconclusive => Some("no leak was seen, and that proves nothing".to_owned()),
    };
    for end in properties(verdict).into_iter().chain(end).chain(regressed(&report.regressions)) {
        line.push_str("; ");
        line.push_str(&end);
    }
    line
}

/// `2 of 3 known leaks came back`.
fn regressed(regressions: &[Regression]) -> Option<String> {
    let back = regressions.iter().filter(|one| one.outcome == Outcome::Leak).count();
    (!regressions.is_empty())
        .then(|| format!("{back} of {} came back", counted(regressions.len() as u64, "known leak")))
}

/// `7 leaks in 2 places, 1 lost event in 1 place`.
fn found(findings: &[Finding]) -> String {
    let kinds = ["leak", "violation", "lost event"].map(|name| {
        let places: Vec<_> = findings.iter().filter(|finding| kind(finding.oracle) == name).collect();
        let count = places.iter().map(|finding| finding.count).sum();
        (places.len() as u64, counted(count, name))
    });
    let words = kinds.into_iter().filter(|(places, _)| *places > 0);
    words.map(|(places, count)| format!("{count} in {}", counted(places, "place"))).collect::<Vec<_>>().join(", ")
}
