//! How large a round is, counted before anything is made.

use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::Access;

use super::shake::{flood_ops_max, poison_ops_max};
use super::{Overrides, PlanError, Shaking};
use crate::compile::{Compiled, ShownBy, TENANTS_MAX};

/// Operations of one round.
const OPS_MAX: u64 = 2_000_000;
const CANARIES_MAX: u64 = 8_000_000;
const REPEAT_MAX: u32 = 100_000;

/// The numbers of a round.
pub(super) struct Size {
    pub(super) tenants: u32,
    /// So many of them, the first, have all users; in the others the first user is alone.
    pub(super) whole: u32,
    /// Tenants besides those, which make nothing and stand behind them.
    pub(super) fresh: u32,
    /// Passes of each principal through each flow, and turns in all of them together of each block; that of the session is 1.
    pub(super) repeats: Vec<u32>,
    /// Number of the first principal.
    pub(super) principal_first: u32,
    /// Number of the first tenant.
    pub(super) tenant_first: u32,
}

impl Size {
    pub(super) fn of(compiled: &Compiled, overrides: &Overrides, round: u32) -> Result<Self, PlanError> {
        let tenants = within(
            "tenants",
            overrides.tenants,
            compiled.tenants.count.min(overrides.tenants_max.unwrap_or(u32::MAX)),
            TENANTS_MAX,
        )?;
        check_partners(compiled, tenants)?;
        let repeats = repeats(compiled, overrides)?;
        let fresh = compiled.tenants.fresh;
        let principals = principals(compiled, tenants, fresh)?;
        check(compiled, &repeats, (principals, overrides.shaking))?;
        let whole = compiled.tenants.users_in.min(tenants);
        let (principal_first, tenant_first) = match overrides.numbering {
            Some(numbering) => (u64::from(numbering.principal_first), numbering.tenant_first),
            None => (principals.saturating_mul(u64::from(round)), tenants.saturating_add(fresh).saturating_mul(round)),
        };
        at_most("principals", principal_first.saturating_add(principals), u64::from(u32::MAX))?;
        let principal_first = u32::try_from(principal_first).unwrap_or(u32::MAX);
        // Accounts act in every round; such as are made up are others each time.
        let tenant_first = if compiled.tenants.accounts.is_some() { 0 } else { tenant_first };
        Ok(Self { tenants, whole, fresh, repeats, principal_first, tenant_first })
    }
}

/// Sessions of all users of all tenants, and somebody without credentials.
fn principals(compiled: &Compiled, tenants: u32, fresh: u32) -> Result<u64, PlanError> {
    let users = match &compiled.tenants.accounts {
        None => {
            let each = compiled.tenants.users.len() as u64;
            let whole = u64::from(compiled.tenants.users_in.min(tenants));
            (whole + u64::from(fresh)) * each + u64::from(tenants) - whole
        }
        Some(accounts) => {
            let there = u32::try_from(accounts.tenants.len()).unwrap_or(u32::MAX);
            if tenants > there {
                return Err(PlanError::FewAccounts { asked: tenants, there });
            }
            accounts.users_of(tenants)
        }
    };
    Ok(users.saturating_mul(u64::from(compiled.tenants.sessions)) + u64::from(compiled.anonymous.is_some()))
}

fn repeats(compiled: &Compiled, overrides: &Overrides) -> Result<Vec<u32>, PlanError> {
    let mut repeats: Vec<u32> = vec![1];
    for course in compiled.courses.iter().skip(1) {
        repeats.push(match course.block {
            // A block comes after what it stands in.
            Some(block) => repeats[usize::from(block.within.0)].saturating_mul(course.repeat),
            None => {
                let written = course.repeat.min(overrides.repeat_max.unwrap_or(u32::MAX));
                within("repetitions", overrides.repeat, written, REPEAT_MAX)?
            }
        });
    }
    Ok(repeats)
}

/// A tenant is not its own partner.
fn check_partners(compiled: &Compiled, tenants: u32) -> Result<(), PlanError> {
    let mut draws = compiled.courses.iter().flat_map(|course| &course.draws);
    if tenants < 2 && draws.any(|draw| draw.who == crate::document::Who::Partner) {
        return Err(PlanError::OutOfRange { what: "tenants with partners", value: tenants, min: 2, max: TENANTS_MAX });
    }
    Ok(())
}

fn within(what: &'static str, overriding: Option<u32>, written: u32, max: u32) -> Result<u32, PlanError> {
    match overriding {
        Some(value) if !(1..=max).contains(&value) => Err(PlanError::OutOfRange { what, value, min: 1, max }),
        Some(value) => Ok(value),
        None => Ok(written),
    }
}

fn check(compiled: &Compiled, repeats: &[u32], (principals, shaking): (u64, Shaking)) -> Result<(), PlanError> {
    let (ops, canaries) = of_each(compiled, repeats);
    let together = if shaking == Shaking::Off { 0 } else { of_stages_that_shake(compiled, principals) };
    let together = together.saturating_add(super::interference::ops_max(compiled));
    at_most("operations", ops.saturating_mul(principals).saturating_add(together), OPS_MAX)?;
    at_most("canaries", canaries.saturating_mul(principals), CANARIES_MAX)?;
    at_most("principals", principals, OPS_MAX)
}

/// Operations of floods and poisonings, which have stages of their own.
fn of_stages_that_shake(compiled: &Compiled, principals: u64) -> u64 {
    let passes = compiled.courses.iter().skip(1).map(|course| (course.steps.len() + course.cleanup.len()) as u64);
    let steps = passes.max().unwrap_or_default();
    let is_done = |what| compiled.shaking.permille.get(&what).is_some_and(|permille| *permille > 0);
    let floods = if is_done(Perturbation::Flood) { flood_ops_max(steps) } else { 0 };
    let poisonings = if is_done(Perturbation::Poison) { poison_ops_max(steps, principals) } else { 0 };
    floods.saturating_add(poisonings)
}

/// Operations and canaries of each principal.
fn of_each(compiled: &Compiled, repeats: &[u32]) -> (u64, u64) {
    let once = [&compiled.register, &compiled.teardown];
    let mut ops: u64 = once.iter().map(|once| (once.tenant.len() + once.user.len()) as u64).sum();
    let mut canaries: u64 = 0;
    for ((course, flow), repeat) in compiled.courses.iter().zip(&compiled.flows).zip(repeats) {
        let steps = (course.steps.len() + course.cleanup.len()) as u64;
        ops = ops.saturating_add(steps.saturating_mul(u64::from(*repeat)));
        let visits: u64 = course.visits.iter().map(|(_, steps)| steps.len() as u64).sum();
        ops = ops.saturating_add(visits.saturating_mul(u64::from(*repeat)));
        let rooms = u64::from(*repeat).saturating_mul(1 + course.visits.len() as u64);
        canaries = canaries.saturating_add((flow.canaries.len() as u64).saturating_mul(rooms));
    }
    for object in &compiled.objects {
        let ways = Access::ALL.into_iter().filter(|access| object.step(*access).is_some()).count() as u64
            + u64::from(object.indistinguishable);
        let probes = ways * u64::from(compiled.probes);
        ops = ops.saturating_add(2 * probes);
        canaries = canaries.saturating_add(probes * compiled.flows[usize::from(object.flow.0)].canaries.len() as u64);
    }
    let looks = compiled.steps.iter().filter(|step| super::fresh::is_look(step)).count() as u64;
    let revalidated = compiled.steps.iter().filter(|step| step.revalidated).count() as u64;
    ops = ops.saturating_add(looks).saturating_add(revalidated);
    let ends = u64::from(compiled.logout.is_some()) + u64::from(compiled.voiding.is_some());
    ops = ops.saturating_add(ends * super::short::OPS_MAX_EACH);
    if compiled.shown_by != ShownBy::Otherwise {
        ops = ops.saturating_add(super::shake::FORGERIES_MAX_EACH);
    }
    let timed = compiled.objects.iter().filter(|rule| super::timing::is_timed(compiled, rule)).count() as u64;
    ops = ops.saturating_add(timed * super::timing::OPS_MAX_EACH);
    let (cells, secrets) = cells(compiled);
    (ops.saturating_add(2 * cells), canaries.saturating_add(secrets))
}

/// Operations of the role matrix for each principal at most, and the canaries of the scopes that they open.
fn cells(compiled: &Compiled) -> (u64, u64) {
    let roles = compiled.tenants.users.len() as u64;
    let (mut ops, mut canaries) = (0_u64, 0_u64);
    for (course, flow) in compiled.courses.iter().zip(&compiled.flows) {
        let steps = course.steps.iter().chain(&course.cleanup);
        let ruled = steps.filter(|step| !compiled.steps[usize::from(step.0)].allowed.is_empty()).count() as u64;
        ops = ops.saturating_add(ruled * roles);
        canaries = canaries.saturating_add(ruled * roles * flow.canaries.len() as u64);
    }
    (ops, canaries)
}

fn at_most(what: &'static str, count: u64, max: u64) -> Result<(), PlanError> {
    if count > max { Err(PlanError::TooLarge { what, count, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use coalmine_core::Seed;

    use super::*;
    use crate::{Scenario, plan};

    const NOTES: &str = include_str!("../../tests/scenarios/notes.yaml");

    #[test]
    fn floods_and_poisonings_are_counted_before_they_are_made() {
        let text = format!("{NOTES}perturb: {{flood: 100%, poison: 100%, cancel: off, retry: off}}\n");
        let scenario = Scenario::parse(&text, "notes.yaml").unwrap();
        let overrides = Overrides { tenants: Some(4), repeat: Some(1), ..Overrides::default() };
        let compiled = scenario.compiled();
        let repeats = repeats(compiled, &overrides).unwrap();
        let principals = principals(compiled, 4, 0).unwrap();
        let (each, _) = of_each(compiled, &repeats);
        let together = of_stages_that_shake(compiled, principals);
        let made = (0..6).map(|seed| plan(&scenario, Seed(seed), 1, &overrides).unwrap().op_count);
        let most = u64::from(made.max().unwrap_or_default());
        assert!(most <= each * principals + together, "{most} of {each} each and {together}");
        // Most of such a round is what stands in those stages.
        assert!(most > 2 * each * principals, "{most} of {each} each");
    }

    #[test]
    fn looks_are_counted_before_they_are_made() {
        let ops = |state: &str| {
            let text = NOTES.replace("missing-event: off", &format!("interference: {state}"));
            let scenario = Scenario::parse(&text, "notes.yaml").unwrap();
            let overrides = Overrides { shaking: Shaking::Off, ..Overrides::default() };
            let made = plan(&scenario, Seed(1), 0, &overrides).unwrap().op_count;
            (u64::from(made), super::super::interference::ops_max(scenario.compiled()))
        };
        let ((with, most), (without, none)) = (ops("on"), ops("off"));
        assert!(with > without + 34 && with - without <= most, "{with} and {without} of {most}");
        assert_eq!(none, 0);
    }
}
