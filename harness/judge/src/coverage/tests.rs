//! What is missing is said.

use coalmine_canary::{CutReason, Encoding, Strength};
use coalmine_core::Budget;
use coalmine_core::budget::Limit;
use coalmine_core::history::{Answer, Channel, CutOff, Happening, Receipt, Tail};
use coalmine_core::plan::Access;
use coalmine_core::verdict::{Outcome, ShortfallKind, Verdict};

use crate::fixture::{
    CLOSE, CREATE, LOGIN, OPEN, READ, RECEIVE, SECRET, Story, USER, fact, fail, frame, judge_records, records,
};
use crate::fixture::{seen_as, value_of};

fn kinds(verdict: &Verdict) -> Vec<ShortfallKind> {
    verdict.shortfalls.iter().map(|shortfall| shortfall.kind).collect()
}

fn only(story: &Story, kind: ShortfallKind) -> String {
    let verdict = story.judge().verdict;
    assert_eq!(kinds(&verdict), [kind], "{:#?}", verdict.shortfalls);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    verdict.shortfalls[0].message.clone()
}

#[test]
fn an_honest_story_is_counted() {
    let coverage = Story::honest(3).judge().verdict.coverage;
    assert_eq!((coverage.rounds, coverage.tenants, coverage.principals), (1, 3, 3));
    assert_eq!((coverage.sent.planned, coverage.sent.ok, coverage.sent.fail), (36, 27, 9));
    assert_eq!((coverage.controls.due, coverage.controls.met), (6, 6));
    let read = coverage.operations.iter().find(|operation| operation.name == "read").unwrap();
    assert_eq!((read.sent.planned, read.sent.ok, read.overlapped), (3, 3, 3));
    assert_eq!((read.route.as_str(), coverage.trials), ("GET /notes/{}", 12));
    assert_eq!((coverage.pairs.len(), coverage.pairs_overlapped()), (10, (4, 10)));
    let probes: Vec<_> = coverage.probes.iter().map(|probes| (probes.access, probes.tried, probes.counted)).collect();
    assert_eq!(probes, [(Access::Read, 3, 3), (Access::Update, 3, 3), (Access::Delete, 3, 3)]);
    assert!(coverage.leak_rate_max.unwrap() > 0.2);
}

#[test]
fn a_canary_that_did_not_come_back_is_a_control_shortfall() {
    let mut story = Story::honest(3);
    story.answers(story.op(0, READ), |answer| answer.receipt.seen.clear());
    let mut masked = Story::honest(3);
    let own = seen_as(Channel::Body, masked.canary(0, SECRET), Strength::Masked);
    masked.answers(masked.op(0, READ), |answer| answer.receipt.seen = vec![own]);
    for story in [story, masked] {
        let message = only(&story, ShortfallKind::Control);
        assert_eq!(message, "`read` showed 2 of 3 own canaries; tenants that missed theirs: 1");
    }
}

#[test]
fn a_search_that_shows_every_tenant_its_own_passes() {
    let verdict = Story::searching(3).judge().verdict;
    assert_eq!((verdict.outcome, verdict.findings.len()), (Outcome::Pass, 0), "{:?}", verdict.shortfalls);
    let search = verdict.coverage.operations.iter().find(|operation| operation.name == "search").unwrap();
    assert_eq!((search.controls.due, search.controls.met, search.overlapped), (3, 3, 0));
}

#[test]
fn a_search_that_does_not_see_what_its_tenant_has_written_is_a_control_shortfall() {
    let mut story = Story::searching(3);
    story.answers(story.op(0, CLOSE), |answer| answer.receipt.seen.clear());
    let message = only(&story, ShortfallKind::Control);
    assert_eq!(message, "`search` showed 2 of 3 own canaries; tenants that missed theirs: 1");
}

#[test]
fn one_tenant_who_could_not_search_is_not_made_up_for_by_the_others() {
    let mut story = Story::searching(4);
    let why = "cannot connect to the store: connection refused".to_owned();
    story.ends(story.op(1, CLOSE), Happening::Fail { answer: Answer::default(), why });
    let message = only(&story, ShortfallKind::Operation);
    assert_eq!(message, "`search` ended ok 3 of 4 times: cannot connect to the store: connection refused");
}

#[test]
fn a_control_on_a_socket_is_met_by_a_message_before_or_after_the_wait() {
    let mut story = Story::honest(2);
    let last = story.events.iter().rposition(|event| matches!(event.what, Happening::Frame(_))).unwrap();
    let frame = story.events.remove(last);
    let mut without = Story::honest(2);
    without.events.remove(last);
    without.number();
    only(&without, ShortfallKind::Control);
    story.events.push(frame);
    story.number();
    assert_eq!(story.judge().verdict.outcome, Outcome::Pass);
}

#[test]
fn an_operation_that_never_ended_ok_is_said() {
    let mut story = Story::honest(2);
    story.plan.policy.ok_min_percent = 10;
    for tenant in 0..2 {
        story.ends(story.op(tenant, OPEN), fail(500, Receipt::default()));
    }
    assert!(only(&story, ShortfallKind::Operation).starts_with("`open` never ended ok"));
}

#[test]
fn a_scenario_whose_reads_all_fail_has_no_control() {
    let mut story = Story::honest(2);
    story.plan.policy.ok_min_percent = 10;
    for tenant in 0..2 {
        story.ends(story.op(tenant, READ), fail(500, Receipt::default()));
    }
    let verdict = story.judge().verdict;
    assert_eq!(kinds(&verdict), [ShortfallKind::Control, ShortfallKind::Operation]);
}

#[test]
fn too_small_a_share_of_ok_is_said() {
    let mut story = Story::honest(2);
    story.ends(story.op(0, OPEN), Happening::Info { answer: Answer::default(), why: "time-out".into() });
    story.ends(story.op(0, CREATE), fail(500, Receipt::default()));
    let message = only(&story, ShortfallKind::Operation);
    let why = "most often: `create` status 500 (1 of 2), `open` time-out (1 of 2)";
    assert_eq!(message, format!("10 of 12 operations ended ok (83 %); the policy demands 90 %; {why}"));
}

#[test]
fn a_target_that_finds_it_too_much_is_said_with_what_helps() {
    let mut story = Story::honest(2);
    story.ends(story.op(0, CREATE), fail(429, Receipt::default()));
    let notes = story.judge().verdict.notes;
    assert!(notes.iter().any(|note| note.starts_with("1 answers said that too much was asked (429)")), "{notes:#?}");
}

#[test]
fn a_scenario_that_sees_or_plants_nothing_could_not_have_seen_a_leak() {
    let mut story = Story::honest(2);
    story.plan.steps.iter_mut().for_each(|step| step.sees.clear());
    assert!(only(&story, ShortfallKind::Control).contains("could not have seen a leak"));
}

#[test]
fn one_tenant_alone_overlaps_with_nobody() {
    let story = Story::honest(1);
    let verdict = story.judge().verdict;
    assert!(kinds(&verdict).contains(&ShortfallKind::Overlap), "{:#?}", verdict.shortfalls);
    assert_eq!((verdict.coverage.trials, verdict.coverage.leak_rate_max), (0, None));
}

#[test]
fn tenants_one_after_another_do_not_overlap() {
    let mut story = Story::honest(2);
    let ordered = |story: &Story, tenant: u32| -> Vec<_> {
        let ops: Vec<_> = [CREATE, READ, OPEN, RECEIVE].iter().map(|step| story.op(tenant, *step)).collect();
        story.events.iter().filter(|event| ops.contains(&event.op)).cloned().collect()
    };
    let (first, second) = (ordered(&story, 0), ordered(&story, 1));
    story.events.retain(|event| !first.contains(event) && !second.contains(event));
    let login = story.op(1, LOGIN);
    let at = story.events.iter().rposition(|event| event.op == login).unwrap() + 1;
    story.events.splice(at..at, first.into_iter().chain(second));
    story.number();
    let verdict = story.judge().verdict;
    assert_eq!(kinds(&verdict), [ShortfallKind::Overlap; 5], "{:#?}", verdict.shortfalls);
    assert_eq!(verdict.coverage.trials, 0);
}

#[test]
fn an_operation_that_was_there_first_counts_once_another_joins() {
    let mut story = Story::honest(2);
    story.plan.policy.overlap_min = 2;
    assert_eq!(story.judge().verdict.outcome, Outcome::Pass);
    story.plan.policy.overlap_min = 3;
    assert_eq!(kinds(&story.judge().verdict), [ShortfallKind::Overlap; 4]);
}

#[test]
fn a_detector_that_is_blind_in_one_channel_is_said() {
    let mut story = Story::honest(2);
    for event in &mut story.events {
        if let Happening::SelfTest { channel: Channel::BinaryFrame, found } = &mut event.what {
            *found = false;
        }
    }
    assert_eq!(only(&story, ShortfallKind::SelfTest), "of 1 leaks forged in the binary frame, 0 were found");
    story.events.retain(|event| !matches!(event.what, Happening::SelfTest { channel: Channel::BinaryFrame, .. }));
    assert!(only(&story, ShortfallKind::SelfTest).starts_with("no leak was forged in the binary frame"));
}

#[test]
fn a_refusal_counts_only_if_the_owner_reaches_the_object_and_the_attacker_has_a_session() {
    let mut story = Story::honest(2);
    story.plan.policy.ok_min_percent = 10;
    for attacker in 0..2 {
        story.ends(story.probe(attacker, Access::Update), fail(401, Receipt::default()));
    }
    assert!(only(&story, ShortfallKind::Probe).contains("change the `note`"));
}

#[test]
fn a_refusal_of_what_its_owner_cannot_reach_either_counts_for_nothing() {
    let mut story = Story::honest(2);
    story.plan.policy.ok_min_percent = 10;
    for attacker in 0..2 {
        story.ends(story.op(attacker, READ), fail(500, Receipt::default()));
        for access in [Access::Read, Access::Update, Access::Delete] {
            story.ends(story.confirm(attacker, access), fail(404, Receipt::default()));
        }
    }
    let verdict = story.judge().verdict;
    assert!(kinds(&verdict).ends_with(&[ShortfallKind::Probe; 3]), "{:#?}", verdict.shortfalls);
}

#[test]
fn what_a_round_left_in_flight_does_not_overlap_with_the_next() {
    let mut first = Story::honest_round(1, 0);
    first.never_ends(first.op(0, CREATE));
    let next = Story::honest_round(1, 1);
    let coverage = judge_records(&records(&[&first, &next]), Tail::Whole).verdict.coverage;
    assert_eq!((coverage.trials, coverage.tenants, coverage.rounds), (0, 2, 2));
}

#[test]
fn tenants_of_several_rounds_are_counted_once() {
    let story = Story::honest(2);
    let coverage = judge_records(&records(&[&story, &story]), Tail::Whole).verdict.coverage;
    assert_eq!((coverage.tenants, coverage.principals, coverage.rounds), (2, 2, 2));
}

#[test]
fn identities_beyond_the_room_for_them_are_said() {
    let mut story = Story::honest(2);
    let open = story.op(0, OPEN);
    for _ in 0..70_000 {
        story.add(open, frame("done", vec![], vec![fact(USER, value_of(USER, 77))]));
    }
    assert!(only(&story, ShortfallKind::CutOff).contains("too many at a time"));
}

#[test]
fn dropped_sightings_and_cut_scans_are_inconclusive_and_unread_json_is_a_note() {
    let mut story = Story::honest(2);
    story.answers(story.op(0, READ), |answer| answer.receipt.seen_dropped = 7);
    assert!(only(&story, ShortfallKind::CutOff).contains("7 sightings"));
    let mut story = Story::honest(2);
    let cut_off = CutOff::Scan { encoding: Encoding::Gzip, reason: CutReason::Ratio };
    story.answers(story.op(0, READ), |answer| answer.receipt.cut_off.push(cut_off));
    only(&story, ShortfallKind::CutOff);
    let mut story = Story::honest(2);
    story.answers(story.op(0, READ), |answer| answer.receipt.cut_off.push(CutOff::Json { bytes_max: 9 }));
    let verdict = story.judge().verdict;
    assert_eq!((verdict.outcome, verdict.notes.len()), (Outcome::Pass, 1));
}

#[test]
fn an_operation_without_an_end_in_a_completed_round_is_said() {
    let mut story = Story::honest(2);
    story.plan.policy.ok_min_percent = 50;
    story.never_ends(story.op(0, OPEN));
    assert!(only(&story, ShortfallKind::Unfinished).contains("no end"));
}

#[test]
fn what_the_budget_withheld_makes_the_verdict_inconclusive() {
    let mut story = Story::honest(3);
    story.plan.budget = Budget { requests_max: Some(35), ..Budget::default() };
    let last = story.events.last().unwrap().op;
    story.events.retain(|event| event.op != last);
    story.add(last, Happening::Withheld { limit: Limit::Requests });
    let verdict = story.judge().verdict;
    assert!(kinds(&verdict).contains(&ShortfallKind::Budget), "{:#?}", verdict.shortfalls);
    assert_eq!((verdict.outcome, verdict.coverage.sent.skipped), (Outcome::Inconclusive, 1));
    assert!(verdict.notes.iter().any(|note| note.contains("35 requests")), "{:?}", verdict.notes);
}
