//! The two passes over a history.

use coalmine_core::Verdict;
use coalmine_core::bound::rate_max;
use coalmine_core::history::{HistoryError, Tail};
use coalmine_core::verdict::{Coverage, Finding, Shortfall, ShortfallKind};

use crate::fold::{Fold, Folded};
use crate::judgement::{Ending, Judgement};
use crate::lead::Lead;
use crate::oracle::{self, Oracle};
use crate::planting;
use crate::records::Records;

/// Shortfalls that do not follow from a target that could not be tested.
const CAUSES: [ShortfallKind; 3] = [ShortfallKind::Unfinished, ShortfallKind::OracleFault, ShortfallKind::CutOff];

/// Judges the history that `open` opens, which it does once or twice.
///
/// The error is that of a history of which nothing could be read: no file, another format. Damage further on makes the
/// verdict inconclusive, unless a leak was found before it.
pub fn judge<R: Records>(open: impl Fn() -> Result<R, HistoryError>) -> Result<Judgement, HistoryError> {
    judge_with(open, oracle::all())
}

/// The same, with other oracles.
pub(crate) fn judge_with<R: Records>(
    open: impl Fn() -> Result<R, HistoryError>,
    oracles: Vec<Box<dyn Oracle>>,
) -> Result<Judgement, HistoryError> {
    let mut folded = first_pass(open()?, oracles)?;
    if folded.leads.iter().any(|lead| lead.plant.is_some())
        && let Ok(records) = open()
    {
        planting::fill(records, &mut folded.leads);
    }
    Ok(conclude(folded))
}

fn first_pass<R: Records>(mut records: R, oracles: Vec<Box<dyn Oracle>>) -> Result<Folded, HistoryError> {
    let mut fold = Fold::new(oracles);
    let mut read = false;
    for record in records.by_ref() {
        match record {
            Ok(record) => fold.record(record),
            Err(error) if !read => return Err(error),
            Err(error) => {
                fold.broken_off(error.to_string());
                break;
            }
        }
        read = true;
    }
    if records.tail() == Tail::Torn {
        fold.broken_off("its end was torn off, so the run was killed or the disk was full".to_owned());
    }
    Ok(fold.finish())
}

fn conclude(folded: Folded) -> Judgement {
    let Folded { leads, mut shortfalls, oracles, mut coverage, notes, properties, ending, public } = folded;
    if matches!(ending, Ending::Untestable { .. }) {
        // What is missing follows from the one reason.
        shortfalls.retain(|shortfall| CAUSES.contains(&shortfall.kind));
    }
    shortfalls.splice(0..0, unfinished(&ending));
    let mut findings: Vec<Finding> = leads.into_iter().map(|lead: Lead| lead.finding).collect();
    findings.sort_by_key(|finding| (rank(finding), std::cmp::Reverse(finding.count), finding.evidence.seen.seq));
    bound(&mut coverage, findings.is_empty());
    let outcome = Verdict::outcome_of(&findings, &shortfalls);
    let verdict = Verdict { outcome, findings, shortfalls, oracles, coverage, notes, properties: vec![] };
    Judgement { verdict: verdict.with_properties(properties), ending, public }
}

/// Bounds are worth something only where nothing was found.
fn bound(coverage: &mut Coverage, nothing_found: bool) {
    coverage.leak_rate_max = if nothing_found { rate_max(0, coverage.trials) } else { None };
    if !nothing_found {
        coverage.pairs.iter_mut().for_each(|pair| pair.leak_rate_max = None);
        coverage.perturbations.iter_mut().for_each(|kind| kind.leak_rate_max = None);
        coverage.rules.iter_mut().for_each(|rule| rule.leak_rate_max = None);
    }
}

fn rank(finding: &Finding) -> usize {
    let all = coalmine_core::verdict::OracleId::ALL;
    all.iter().position(|oracle| *oracle == finding.oracle).unwrap_or(all.len())
}

fn unfinished(ending: &Ending) -> Option<Shortfall> {
    let (operation, message) = match ending {
        Ending::Completed => return None,
        Ending::Interrupted => (None, "the run was interrupted".to_owned()),
        Ending::BrokenOff { why } => (None, format!("the history breaks off: {why}")),
        Ending::Untestable { step: Some(step), why } => {
            (Some(step.clone()), format!("the target could not be tested: `{step}`: {why}"))
        }
        Ending::Untestable { step: None, why } => (None, format!("the target could not be tested: {why}")),
    };
    Some(Shortfall { kind: ShortfallKind::Unfinished, operation, message })
}

#[cfg(test)]
mod tests {
    use std::io;

    use coalmine_core::history::{Channel, Event, Record, RoundEnd};
    use coalmine_core::verdict::{OracleId, Outcome};

    use super::*;
    use crate::fixture::{LOGIN, READ, SECRET, Story, judge_by, judge_records, seen, told};
    use crate::oracle::Testimony;
    use crate::round::Round;

    fn leaking() -> Story {
        let mut story = Story::honest(3);
        let theirs = story.canary(1, SECRET);
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        story
    }

    fn first_shortfall(judgement: &Judgement) -> (ShortfallKind, &str) {
        let shortfall = &judgement.verdict.shortfalls[0];
        (shortfall.kind, &shortfall.message)
    }

    #[test]
    fn a_history_cut_anywhere_is_never_a_pass_and_keeps_its_leak() {
        for (story, whole) in [(Story::honest(2), Outcome::Pass), (leaking(), Outcome::Leak)] {
            let records = story.records();
            for cut in 1..records.len() {
                let judgement = judge_records(&records[..cut], Tail::Torn);
                assert_ne!(judgement.verdict.outcome, Outcome::Pass, "cut at {cut}");
                assert!(matches!(judgement.ending, Ending::BrokenOff { .. }), "cut at {cut}");
                assert_eq!(first_shortfall(&judgement).0, ShortfallKind::Unfinished);
            }
            let nearly_whole = judge_records(&records[..records.len() - 2], Tail::Torn).verdict.outcome;
            assert_eq!(nearly_whole, whole.max(Outcome::Inconclusive));
            assert_eq!(judge_records(&records, Tail::Whole).verdict.outcome, whole);
        }
    }

    #[test]
    fn damage_in_the_middle_judges_what_was_read() {
        let open = || {
            let mut records: Vec<_> = leaking().records().into_iter().map(Ok).collect();
            records.truncate(records.len() - 2);
            records.push(Err(HistoryError::Io(io::Error::other("bad sector"))));
            Ok(told(records))
        };
        let judgement = judge(open).unwrap();
        assert_eq!(judgement.verdict.outcome, Outcome::Leak);
        assert!(first_shortfall(&judgement).1.contains("bad sector"), "{:?}", judgement.verdict.shortfalls);
    }

    #[test]
    fn a_history_of_which_nothing_can_be_read_is_an_error() {
        assert!(judge(|| Ok(told(vec![Err(HistoryError::NoHeader)]))).is_err());
        assert!(judge(|| Err::<crate::fixture::Told, _>(HistoryError::NoHeader)).is_err());
    }

    #[test]
    fn nothing_at_all_is_inconclusive() {
        let judgement = judge_records(&[Record::RunEnd { at_us: 0, interrupted: false }], Tail::Whole);
        assert_eq!(judgement.verdict.outcome, Outcome::Inconclusive);
        let judgement = judge_records(&[], Tail::Whole);
        assert_eq!(judgement.verdict.outcome, Outcome::Inconclusive);
    }

    #[test]
    fn an_interrupted_run_keeps_its_leaks_and_says_so() {
        for (mut story, outcome) in [(Story::honest(2), Outcome::Inconclusive), (leaking(), Outcome::Leak)] {
            story.end = Some(RoundEnd::Interrupted);
            story.run_end = Some(true);
            let judgement = story.judge();
            assert_eq!((judgement.verdict.outcome, &judgement.ending), (outcome, &Ending::Interrupted));
            assert_eq!(first_shortfall(&judgement), (ShortfallKind::Unfinished, "the run was interrupted"));
        }
    }

    #[test]
    fn a_target_that_could_not_be_tested_names_the_step_and_nothing_that_follows_from_it() {
        let mut story = Story::honest(2);
        story.events.clear();
        story.end = Some(RoundEnd::Untestable { step: Some(LOGIN), why: "status 401".into() });
        let Judgement { verdict, ending, .. } = story.judge();
        assert_eq!(ending, Ending::Untestable { step: Some("login".into()), why: "status 401".into() });
        assert_eq!(verdict.shortfalls.len(), 1, "{:#?}", verdict.shortfalls);
        assert_eq!(verdict.shortfalls[0].operation.as_deref(), Some("login"));
    }

    #[test]
    fn a_plan_that_contradicts_itself_is_inconclusive() {
        let mut story = Story::honest(2);
        story.plan.op_count = u32::MAX;
        assert_eq!(story.judge().verdict.outcome, Outcome::Inconclusive);
        let mut story = Story::honest(2);
        story.plan.steps.truncate(2);
        let judgement = story.judge();
        assert!(first_shortfall(&judgement).1.contains("contradicts itself"), "{:?}", judgement.verdict.shortfalls);
    }

    fn by_default() -> Vec<OracleId> {
        OracleId::ALL.into_iter().filter(|oracle| !oracle.is_opt_in()).collect()
    }

    /// Numbers that look random and are the same each time (Knuth's MMIX generator).
    fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
        let mut state = seed;
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or(0) % below.max(1)
        }
    }

    #[test]
    fn an_honest_history_in_any_disorder_has_no_finding_and_no_fault() {
        for seed in 0..400 {
            let mut draw = numbers(seed);
            let mut story = Story::honest(3);
            for _ in 0..draw(40) {
                let (one, other) = (draw(story.events.len()), draw(story.events.len()));
                match draw(3) {
                    0 => drop(story.events.remove(one)),
                    1 => story.events.swap(one, other),
                    _ => story.events.insert(other, story.events[one].clone()),
                }
            }
            story.number();
            let verdict = story.judge().verdict;
            assert_eq!(verdict.findings, [], "seed {seed}");
            assert_eq!(verdict.oracles, by_default(), "seed {seed}");
        }
    }

    #[test]
    fn a_leak_in_any_disorder_of_its_neighbours_is_found() {
        for seed in 0..100 {
            let mut draw = numbers(seed);
            let mut story = leaking();
            for _ in 0..draw(40) {
                let at = draw(story.events.len() - 1);
                story.events.swap(at, at + 1);
            }
            story.number();
            assert_eq!(story.judge().verdict.outcome, Outcome::Leak, "seed {seed}");
        }
    }

    struct Faulty;

    impl Oracle for Faulty {
        fn id(&self) -> OracleId {
            OracleId::MissingEvent
        }

        fn event(&mut self, _: &Round, event: &Event) {
            assert!(event.seq < 20, "the abacus broke");
        }

        fn answer(&mut self) -> Testimony {
            Testimony::default()
        }
    }

    #[test]
    fn an_oracle_that_panics_makes_no_pass_and_silences_no_other() {
        let oracles = || {
            let mut oracles = oracle::all();
            oracles.push(Box::new(Faulty));
            oracles
        };
        let honest = judge_by(&Story::honest(3).records(), Tail::Whole, oracles);
        assert_eq!(
            first_shortfall(&honest),
            (ShortfallKind::OracleFault, "the oracle missing-event failed: the abacus broke")
        );
        assert_eq!(honest.verdict.outcome, Outcome::Inconclusive);
        assert_eq!(honest.verdict.oracles, by_default());
        let leaking = judge_by(&leaking().records(), Tail::Whole, oracles);
        assert_eq!(leaking.verdict.outcome, Outcome::Leak);
    }
}
