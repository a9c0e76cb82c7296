//! The first pass: one loop that feeds the oracles and the coverage.

use coalmine_canary::CanaryId;
use coalmine_core::Plan;
use coalmine_core::history::{Event, Happening, Record, RoundEnd};
use coalmine_core::plan::Purpose;
use coalmine_core::property::Property;
use coalmine_core::verdict::{Coverage, OracleId, Shortfall, ShortfallKind};

use crate::book::Book;
use crate::coverage::Tally;
use crate::guard::Guarded;
use crate::judgement::Ending;
use crate::lead::Lead;
use crate::oracle::{Oracle, Testimony};
use crate::round::{Round, receipt_of_mut};

/// Events of one round that are kept until all its identities are known, beyond one for each operation.
const HELD_MAX: usize = 65_536;

/// What is known of the history so far.
pub(crate) struct Fold {
    oracles: Vec<Guarded>,
    tally: Tally,
    round: Option<Round>,
    /// Waits between rounds.
    book: Book,
    held: Vec<Event>,
    rounds_seen: u32,
    /// Rounds that the first plan brings with it.
    rounds_before: u32,
    unheld_identities: u64,
    unheld_canaries: u64,
    strays: u64,
    contradictions: Vec<String>,
    ending: Option<Ending>,
    ended: bool,
}

/// The first pass, done.
pub(crate) struct Folded {
    pub(crate) leads: Vec<Lead>,
    pub(crate) shortfalls: Vec<Shortfall>,
    pub(crate) oracles: Vec<OracleId>,
    pub(crate) coverage: Coverage,
    pub(crate) notes: Vec<String>,
    pub(crate) properties: Vec<Property>,
    pub(crate) ending: Ending,
    /// Canaries that answers showed to everybody, as the scenario allows.
    pub(crate) public: Vec<CanaryId>,
}

impl Fold {
    /// Nothing was read yet.
    pub(crate) fn new(oracles: Vec<Box<dyn Oracle>>) -> Self {
        Self {
            oracles: oracles.into_iter().map(Guarded::new).collect(),
            tally: Tally::default(),
            round: None,
            book: Book::default(),
            held: Vec::new(),
            rounds_seen: 0,
            rounds_before: 0,
            unheld_identities: 0,
            unheld_canaries: 0,
            strays: 0,
            contradictions: Vec::new(),
            ending: None,
            ended: false,
        }
    }

    /// Takes the next record.
    pub(crate) fn record(&mut self, record: Record) {
        match record {
            Record::Header(_) => {}
            Record::Round(plan) => self.begin(*plan),
            Record::Event(event) => self.event(event),
            Record::RoundEnd(end) => self.round_end(end),
            Record::RunEnd { at_us, interrupted } => {
                self.tally.time(at_us);
                self.ended = true;
                if interrupted {
                    self.grave(Ending::Interrupted);
                }
            }
        }
    }

    /// The history cannot be read any further.
    pub(crate) fn broken_off(&mut self, why: String) {
        self.grave(Ending::BrokenOff { why });
    }

    /// What the history shows.
    pub(crate) fn finish(mut self) -> Folded {
        if self.close() {
            self.broken_off("its last round has no end".to_owned());
        }
        if !self.ended && self.ending.is_none() {
            self.broken_off("it does not say how the run ended, so the run was killed".to_owned());
        }
        let mut shortfalls = self.own_shortfalls();
        let mut said = Testimony::default();
        let mut oracles = Vec::new();
        for oracle in self.oracles {
            let (asked, answer) = oracle.answer();
            oracles.extend(asked);
            said.add(answer);
        }
        self.tally.found(&said.leads);
        let properties = self.tally.properties();
        let (mut coverage, mut rest, mut notes) = self.tally.finish();
        notes.append(&mut said.notes);
        coverage.roles.append(&mut said.roles);
        shortfalls.append(&mut said.shortfalls);
        shortfalls.append(&mut rest);
        shortfalls.sort_by_key(|shortfall| shortfall.kind);
        let (leads, ending) = (said.leads, self.ending.unwrap_or(Ending::Completed));
        let public = self.book.public().collect();
        Folded { leads, shortfalls, oracles, coverage, notes, properties, ending, public }
    }

    fn begin(&mut self, plan: Plan) {
        if self.close() {
            self.contradictions.push("a round has no end".to_owned());
        }
        let number = plan.round;
        if self.rounds_seen == 0 {
            self.rounds_before = earlier_rounds(&plan);
        }
        let ordinal = self.rounds_before + self.rounds_seen;
        self.rounds_seen += 1;
        match Round::begin(plan, ordinal, std::mem::take(&mut self.book)) {
            Ok(round) => {
                self.tally.begin(&round);
                self.round = Some(round);
            }
            Err((why, book)) => {
                self.book = book;
                self.contradictions.push(format!("the plan of round {number} contradicts itself: {why}"));
                self.contradictions.truncate(100);
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.tally.time(event.at_us);
        if let Happening::SelfTest { channel, found } = event.what {
            self.tally.self_test(channel, found);
            return;
        }
        let Some(round) = &mut self.round else {
            self.strays += 1;
            return;
        };
        if !round.note(&event) {
            self.strays += 1;
            return;
        }
        self.tally.event(round, &event);
        if round.is_undecided(&event) {
            self.hold(event);
        } else {
            self.oracles.iter_mut().for_each(|oracle| oracle.event(round, &event));
        }
    }

    /// Keeps an event until every identity of the round is known; without room for it, its identities are not judged.
    fn hold(&mut self, mut event: Event) {
        let Some(round) = &self.round else { return };
        slim(round, &mut event);
        if self.held.len() < HELD_MAX + round.plan.op_count as usize {
            self.held.push(event);
            return;
        }
        if let Some(receipt) = receipt_of_mut(&mut event.what) {
            self.unheld_identities += std::mem::take(&mut receipt.identities).len() as u64;
            if round.publishes() {
                self.unheld_canaries += std::mem::take(&mut receipt.seen).len() as u64;
            }
            self.unheld_identities += u64::from(receipt.credential.take().is_some());
        }
        self.oracles.iter_mut().for_each(|oracle| oracle.event(round, &event));
    }

    fn round_end(&mut self, end: RoundEnd) {
        let name = |step: coalmine_core::step::StepId| {
            let plan = self.round.as_ref().map(|round| &round.plan);
            plan.and_then(|plan| plan.steps.get(usize::from(step.0))).map(|step| step.name.clone())
        };
        match end {
            RoundEnd::Completed => self.tally.completed(self.round.as_ref()),
            RoundEnd::Interrupted => self.grave(Ending::Interrupted),
            RoundEnd::Untestable { step, why } => {
                let step = step.and_then(name);
                self.grave(Ending::Untestable { step, why });
            }
        }
        self.close();
    }

    /// Ends the current round, if there is one.
    fn close(&mut self) -> bool {
        let Some(mut round) = self.round.take() else { return false };
        self.held.iter().for_each(|event| round.note_misrouted(event));
        for event in self.held.drain(..) {
            self.oracles.iter_mut().for_each(|oracle| oracle.event(&round, &event));
        }
        self.oracles.iter_mut().for_each(|oracle| oracle.end(&round));
        self.tally.end(&round);
        self.book = round.book;
        true
    }

    fn grave(&mut self, ending: Ending) {
        self.ending = Some(match self.ending.take() {
            Some(other) => other.or_graver(ending),
            None => ending,
        });
    }

    fn own_shortfalls(&self) -> Vec<Shortfall> {
        let shortfall = |kind, message| Shortfall { kind, operation: None, message };
        let unfinished = |message: String| shortfall(ShortfallKind::Unfinished, message);
        let mut out: Vec<_> = self.contradictions.iter().cloned().map(unfinished).collect();
        if self.rounds_seen == 0 && self.ending.is_none() {
            out.push(unfinished("nothing was run: the history has no round".to_owned()));
        }
        if self.strays > 0 {
            out.push(unfinished(format!("{} events belong to no operation of their round", self.strays)));
        }
        if self.unheld_identities > 0 {
            let message = format!("{} identity values were not judged: too many at a time", self.unheld_identities);
            out.push(shortfall(ShortfallKind::CutOff, message));
        }
        if self.unheld_canaries > 0 {
            let message = format!("{} canaries were not judged: too many at a time", self.unheld_canaries);
            out.push(shortfall(ShortfallKind::CutOff, message));
        }
        out
    }
}

/// How many rounds of a campaign a plan brings with it.
pub(crate) fn earlier_rounds(plan: &Plan) -> u32 {
    plan.earlier.as_ref().map_or(0, |earlier| u32::try_from(earlier.len()).unwrap_or(u32::MAX / 2))
}

/// Drops what an event need not carry while it waits: what the receiver may see, and captures.
fn slim(round: &Round, event: &mut Event) {
    let Some(place) = round.place(event.op) else { return };
    let Some(receipt) = receipt_of_mut(&mut event.what) else { return };
    // What a session that has ended shows of its user's own is the question.
    if !matches!(place.purpose, Purpose::Short { .. }) {
        receipt.seen.retain(|seen| !round.may_see(place, seen));
    }
    receipt.captured = Vec::new();
    receipt.cut_off = Vec::new();
}
