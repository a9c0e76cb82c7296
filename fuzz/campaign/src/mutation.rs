//! Makes another script of one that has reached something new.
//!
//! Every decision is drawn from bytes, with [`arbitrary`]: bytes of a seed where a campaign draws them, those of libFuzzer where it does.
//! Nothing is drawn where they have run out. That the bytes are decisions, and not the script itself, keeps each mutant valid: what a
//! scenario's shaking would not do to a step is not done to it. Manners are only tuned, or carried over from another operation of
//! the same step and purpose, and people only leave whole or come a second time. So an honest service stays without a finding.
//! Odd values take the place of others only in requests that are spoiled anyway, of which nothing is expected.
//! Strategies of proptest would shrink as well; but what is found here is a race as often as not, and is made small by trying it again.

use std::collections::BTreeSet;

use arbitrary::{Result, Unstructured};
use coalmine_core::Script;
use coalmine_core::perturb::{
    Cut, HangUp, Letters, Manner, ODD_CHARACTERS_MAX, ODD_DEPTH_MAX, ODD_EXPONENT_MAX, ODD_PLACES_MAX, Odd, Pace,
    Point, Poison, PoisonKind, Sign, Start, Widen,
};
use coalmine_core::plan::{Phase, Schedule};
use coalmine_core::script::Line;

/// Bytes that a mutant is made of, where they can be chosen.
pub const GENOME_BYTES: usize = 512;
/// A mutant differs from its parent in so many decisions at most.
const CHANGES_MAX: u32 = 24;
/// No operation begins later than so many microseconds.
const DELAY_US_MAX: u32 = 100_000;
/// A larger script gets no second tenant.
const OPS_MAX: usize = 10_000;

/// Another script. The same bytes make the same of the same.
pub fn mutate(parent: &Script, bytes: &[u8]) -> Script {
    let mut bytes = Unstructured::new(bytes);
    let mut script = parent.clone();
    let changes = bytes.int_in_range(1..=CHANGES_MAX).unwrap_or(1);
    for _ in 0..changes {
        if bytes.is_empty() {
            break;
        }
        // Bytes that end in the middle of a change leave it out.
        if let Ok(Some(changed)) = change(&script, &mut bytes) {
            script = changed;
        }
    }
    script
}

fn change(script: &Script, bytes: &mut Unstructured<'_>) -> Result<Option<Script>> {
    match bytes.int_in_range(0..=19_u8)? {
        0 => leave(script, bytes),
        1 => second(script, bytes),
        2..=4 => delay(script, bytes),
        5..=8 => transplant(script, bytes),
        9..=12 => vary(script, bytes),
        _ => tune(script, bytes),
    }
}

/// A tenant stays away, with all its people: others may depend on what one of them does.
fn leave(script: &Script, bytes: &mut Unstructured<'_>) -> Result<Option<Script>> {
    let tenants: BTreeSet<u32> = script.people.iter().filter_map(|one| one.tenant).collect();
    if tenants.len() <= 2 {
        return Ok(None);
    }
    let tenants: Vec<u32> = tenants.into_iter().collect();
    let away = *bytes.choose(&tenants)?;
    let smaller = script.with_only(|_, by, line| {
        let is_away = |pass: &u32| script.tenant_of(script.passes[*pass as usize].by) == Some(away);
        script.tenant_of(by) != Some(away) && !line.passes().iter().any(is_away)
    });
    Ok((smaller.ops() > 0).then_some(smaller))
}

/// Another tenant does what somebody does.
fn second(script: &Script, bytes: &mut Unstructured<'_>) -> Result<Option<Script>> {
    let has_company =
        |person: u32| script.people.iter().filter(|one| one.tenant == script.tenant_of(person)).count() > 1;
    let person = u32::try_from(bytes.choose_index(script.people.len())?).unwrap_or(0);
    let fits = script.ops() < OPS_MAX && script.schedule == Schedule::Together;
    let is_alone = script.tenant_of(person).is_some() && !has_company(person);
    let shares = script.passes.iter().any(|pass| !pass.members.is_empty());
    Ok((fits && is_alone && !shares).then(|| script.with_second(person)))
}

/// An operation of a flow begins later.
fn delay(script: &Script, bytes: &mut Unstructured<'_>) -> Result<Option<Script>> {
    let is_free = |phase: Phase, line: &Line| {
        phase == Phase::Flows
            && line.purpose.is_flow()
            && line.manner.start == Start::AtOnce
            && line.manner.gate.is_none()
            && !is_measured(line)
    };
    let Some(chosen) = choose(script, bytes, is_free)? else { return Ok(None) };
    let delay_us = microseconds(bytes)?;
    Ok(Some(with_manner(script, &chosen, Manner { start: Start::After { delay_us }, ..chosen.manner })))
}

/// An operation is done as another of the same step is, but for what names others.
fn transplant(script: &Script, bytes: &mut Unstructured<'_>) -> Result<Option<Script>> {
    let is_donor = |_: Phase, line: &Line| line.manner != named(line.manner) && !is_measured(line);
    let Some(donor) = choose(script, bytes, is_donor)? else { return Ok(None) };
    let takes = |_: Phase, line: &Line| {
        line.op != donor.op
            && line.step == donor.step
            && std::mem::discriminant(&line.purpose) == std::mem::discriminant(&donor.purpose)
            && line.manner.again == donor.manner.again
            && !is_measured(line)
    };
    let Some(chosen) = choose(script, bytes, takes)? else { return Ok(None) };
    let kept = named(chosen.manner);
    let given = donor.manner;
    let start = if matches!(kept.start, Start::Once { .. }) { kept.start } else { free_start(given.start) };
    let cut = given.cut.filter(|cut| !matches!(cut.at, Point::Once { .. })).or(kept.cut);
    let manner = Manner { start, gate: kept.gate, freeze: kept.freeze, cut, rule: kept.rule, ..given };
    Ok(Some(with_manner(script, &chosen, manner)))
}

/// What of a manner names other operations or gates.
fn named(manner: Manner) -> Manner {
    let start = if matches!(manner.start, Start::Once { .. }) { manner.start } else { Start::AtOnce };
    let cut = manner.cut.filter(|cut| matches!(cut.at, Point::Once { .. }));
    Manner { start, gate: manner.gate, freeze: manner.freeze, cut, again: manner.again, ..Manner::default() }
}

fn free_start(start: Start) -> Start {
    if matches!(start, Start::Once { .. }) { Start::AtOnce } else { start }
}

/// What waits are measured by, and what an oracle counts by its own rules, is left as it was drawn.
fn is_measured(line: &Line) -> bool {
    let Manner { collide, rule, forge, .. } = &line.manner;
    let is_counted = collide.is_some() || rule.is_some() || forge.is_some();
    is_counted
        || line.manner.flood
        || line.manner.freeze.is_some()
        || matches!(line.manner.pace, Pace::Deaf { .. } | Pace::Mute)
}

/// A request that is spoiled carries an odd value instead.
fn vary(script: &Script, bytes: &mut Unstructured<'_>) -> Result<Option<Script>> {
    let is_spoiled = |_: Phase, line: &Line| line.manner.poison.is_some_and(|poison| poison.kind.needs_json());
    let Some(chosen) = choose(script, bytes, is_spoiled)? else { return Ok(None) };
    let poison = Poison { kind: PoisonKind::Odd(odd(bytes)?), value: bytes.int_in_range(0..=u16::MAX)? };
    Ok(Some(with_manner(script, &chosen, Manner { poison: Some(poison), ..chosen.manner })))
}

/// An operation is shaken as before, with other numbers and payloads.
fn tune(script: &Script, bytes: &mut Unstructured<'_>) -> Result<Option<Script>> {
    let is_shaken = |_: Phase, line: &Line| !line.manner.is_plain() && !is_measured(line);
    let Some(chosen) = choose(script, bytes, is_shaken)? else { return Ok(None) };
    let Manner { start, pace, cut, poison, widen, .. } = chosen.manner;
    let tuned = Manner {
        start: tuned_start(start, bytes)?,
        pace: tuned_pace(pace, bytes)?,
        cut: cut.map(|cut| tuned_cut(cut, bytes)).transpose()?,
        poison: poison.map(|poison| tuned_poison(poison, bytes)).transpose()?,
        widen: widen.map(|_| bytes.choose(&Widen::ALL).copied()).transpose()?,
        ..chosen.manner
    };
    Ok((tuned != chosen.manner).then(|| with_manner(script, &chosen, tuned)))
}

fn tuned_start(start: Start, bytes: &mut Unstructured<'_>) -> Result<Start> {
    Ok(match start {
        Start::AtOnce => start,
        Start::After { .. } => Start::After { delay_us: microseconds(bytes)? },
        Start::Once { op, moment, .. } => Start::Once { op, moment, delay_us: microseconds(bytes)? },
    })
}

/// As likely below a tenth of a millisecond as above ten.
fn microseconds(bytes: &mut Unstructured<'_>) -> Result<u32> {
    let max = DELAY_US_MAX >> bytes.int_in_range(0..=14_u32)?;
    bytes.int_in_range(0..=max)
}

/// Slices of another length, and no more pauses than before: how long it takes in all does not grow.
fn tuned_pace(pace: Pace, bytes: &mut Unstructured<'_>) -> Result<Pace> {
    let mut slice = |before: u32| bytes.int_in_range(1..=before.clamp(1, 1 << 16).saturating_mul(2));
    Ok(match pace {
        Pace::Write { slice_bytes, pause_us, pauses_max } => {
            Pace::Write { slice_bytes: slice(slice_bytes)?, pause_us, pauses_max }
        }
        Pace::Read { slice_bytes, pause_us, pauses_max } => {
            Pace::Read { slice_bytes: slice(slice_bytes)?, pause_us, pauses_max }
        }
        Pace::Full | Pace::Deaf { .. } | Pace::Mute => pace,
    })
}

fn tuned_cut(cut: Cut, bytes: &mut Unstructured<'_>) -> Result<Cut> {
    const HANG_UPS: [HangUp; 2] = [HangUp::Reset, HangUp::Close];
    let at = match cut.at {
        Point::AllButLast | Point::Sent { .. } | Point::StatusLine | Point::AnswerBody { .. } => {
            match bytes.int_in_range(0..=5_u8)? {
                0 => Point::AllButLast,
                1 => Point::StatusLine,
                2 => Point::AnswerBody { bytes: 1 << bytes.int_in_range(0..=12_u32)? },
                _ => Point::Sent { wait_permille: bytes.int_in_range(0..=1500)? },
            }
        }
        at => at,
    };
    let by = if HANG_UPS.contains(&cut.by) { *bytes.choose(&HANG_UPS)? } else { cut.by };
    Ok(Cut { at, by })
}

/// Another value is spoiled, or the same in another way that needs no more of the request.
fn tuned_poison(poison: Poison, bytes: &mut Unstructured<'_>) -> Result<Poison> {
    let fits = |kind: &PoisonKind| {
        kind.needs_body() == poison.kind.needs_body() && (poison.kind.needs_json() || !kind.needs_json())
    };
    let kinds: Vec<PoisonKind> = PoisonKind::ALL.into_iter().filter(fits).collect();
    Ok(Poison { kind: *bytes.choose(&kinds)?, value: bytes.int_in_range(0..=u16::MAX)? })
}

fn odd(bytes: &mut Unstructured<'_>) -> Result<Odd> {
    Ok(match bytes.int_in_range(0..=13_u8)? {
        0 => Odd::Null,
        1 => Odd::True,
        2 => Odd::Listed,
        3 => Odd::Retyped,
        4 => Odd::Nested { depth: bytes.int_in_range(0..=ODD_DEPTH_MAX)? },
        5 => Odd::List { count: count(bytes)? },
        6 => Odd::Fraction { places: bytes.int_in_range(0..=ODD_PLACES_MAX)? },
        7 => Odd::Exponent { places: bytes.int_in_range(-500..=500)? },
        8..=10 => Odd::Power {
            exponent: border(bytes)?,
            plus: bytes.int_in_range(-2..=2)?,
            sign: *bytes.choose(&[Sign::Plus, Sign::Minus])?,
        },
        _ => Odd::Text { letters: *bytes.choose(&Letters::ALL)?, count: count(bytes)? },
    })
}

/// Where types end, more often than not.
fn border(bytes: &mut Unstructured<'_>) -> Result<u8> {
    const BORDERS: [u8; 10] = [0, 7, 8, 15, 16, 31, 32, 53, 63, 64];
    if bytes.ratio(3, 4)? { bytes.choose(&BORDERS).copied() } else { bytes.int_in_range(0..=ODD_EXPONENT_MAX) }
}

/// None, one, or about a power of two, where limits are.
fn count(bytes: &mut Unstructured<'_>) -> Result<u32> {
    let near = 1_u32 << bytes.int_in_range(0..=ODD_CHARACTERS_MAX.ilog2())?;
    Ok((near + bytes.int_in_range(0..=2)?).saturating_sub(1).min(ODD_CHARACTERS_MAX))
}

/// One of the operations that fit.
fn choose(script: &Script, bytes: &mut Unstructured<'_>, fits: impl Fn(Phase, &Line) -> bool) -> Result<Option<Line>> {
    let fitting: Vec<&Line> =
        script.lines().filter(|(phase, _, line)| fits(*phase, line)).map(|(.., line)| line).collect();
    if fitting.is_empty() {
        return Ok(None);
    }
    Ok(Some((*bytes.choose(&fitting)?).clone()))
}

fn with_manner(script: &Script, chosen: &Line, manner: Manner) -> Script {
    script.with_manners(|_, line| if line.op == chosen.op { manner } else { line.manner })
}

#[cfg(test)]
mod tests {
    use coalmine_core::plan::{OpId, Purpose, ScopeId};
    use coalmine_core::script::{Pass, Person, Role, Scene};

    use super::*;

    /// Four tenants log in, write and read; the first two writes are cut off, and the others are plain.
    fn script() -> Script {
        let sessions = (0..4).map(|by| Pass { by, flow: "auth".into(), number: 0, members: vec![], turn: None });
        let notes = (0..4).map(|by| Pass { by, flow: "notes".into(), number: 0, members: vec![], turn: None });
        let line = |op, step: &str, pass, manner| Line {
            op: OpId(op),
            step: step.into(),
            pass: ScopeId(pass),
            purpose: Purpose::Flow,
            manner,
        };
        let cut = Some(Cut { at: Point::Sent { wait_permille: 0 }, by: HangUp::Reset });
        let write = |by| Manner { cut: cut.filter(|_| by < 2), ..Manner::default() };
        let login = |by| Role { by, beside: None, ops: vec![line(by, "login", by, Manner::default())] };
        let flow = |by| Role {
            by,
            beside: None,
            ops: vec![
                line(4 + 2 * by, "write", 4 + by, write(by)),
                line(5 + 2 * by, "read", 4 + by, Manner::default()),
            ],
        };
        Script {
            people: (0..4).map(|tenant| Person { tenant: Some(tenant), ..Person::default() }).collect(),
            passes: sessions.chain(notes).collect(),
            schedule: Schedule::Together,
            stages: vec![
                Scene { phase: Phase::Auth, lanes: (0..4).map(login).collect() },
                Scene { phase: Phase::Flows, lanes: (0..4).map(flow).collect() },
            ],
            usual_us: std::collections::BTreeMap::new(),
            random_bytes_max: None,
        }
    }

    fn genome(seed: u32) -> Vec<u8> {
        let chunks = (0..8).map(|part| coalmine_core::Seed(u64::from(seed)).derive("test", part));
        chunks.flatten().collect()
    }

    #[test]
    fn the_same_bytes_make_the_same_mutant_and_others_another() {
        let mutants: Vec<Script> = (0..40).map(|seed| mutate(&script(), &genome(seed))).collect();
        assert!((0..40).all(|seed| mutants[seed as usize] == mutate(&script(), &genome(seed))));
        let different = mutants.iter().filter(|mutant| **mutant != mutants[0] && **mutant != script()).count();
        assert!(different > 30, "{different}");
    }

    #[test]
    fn what_no_step_of_its_kind_had_is_done_to_none() {
        for seed in 0..400 {
            let mutant = mutate(&script(), &genome(seed));
            for (phase, _, line) in mutant.lines() {
                assert!(line.manner.cut.is_none() || line.step == "write", "{line:?}");
                assert!(line.manner.is_plain() || phase == Phase::Flows, "{line:?}");
            }
        }
    }

    /// The same, where the third tenant sends a spoiled request besides.
    fn with_poison() -> Script {
        let mut script = script();
        let poison = Some(Poison { kind: PoisonKind::WrongType, value: 0 });
        script.stages[1].lanes[2].ops.push(Line {
            op: OpId(20),
            step: "write".into(),
            pass: ScopeId(6),
            purpose: Purpose::Shake,
            manner: Manner { poison, ..Manner::default() },
        });
        script
    }

    #[test]
    fn odd_values_of_many_kinds_come_where_nothing_is_expected_of_the_answer_and_nowhere_else() {
        let mut kinds = BTreeSet::new();
        for seed in 0..600 {
            let mutant = mutate(&with_poison(), &genome(seed));
            for (.., line) in mutant.lines() {
                if let Some(Poison { kind: PoisonKind::Odd(odd), .. }) = line.manner.poison {
                    assert_eq!(line.purpose, Purpose::Shake);
                    kinds.insert(format!("{odd:?}").split(' ').next().unwrap_or_default().to_owned());
                }
            }
        }
        assert_eq!(kinds.len(), 10, "{kinds:?}");
    }

    #[test]
    fn mutants_have_two_tenants_at_least_and_name_only_what_is_there() {
        for seed in 0..400 {
            let mutant = mutate(&script(), &genome(seed));
            assert!(mutant.tenants() >= 2);
            assert!(mutant.lines().all(|(_, by, line)| {
                (by as usize) < mutant.people.len() && (line.pass.0 as usize) < mutant.passes.len()
            }));
        }
    }

    #[test]
    fn no_bytes_change_nothing() {
        assert_eq!(mutate(&script(), &[]), script());
    }
}
