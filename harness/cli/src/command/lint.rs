//! `coalmine lint`: all problems of scenarios, without sending anything.

use std::collections::BTreeSet;
use std::path::Path;

use coalmine_core::{Plan, Seed, TenantId};
use coalmine_plan::{Overrides, Scenario};

use super::say;
use crate::args::LintArgs;
use crate::exit::{Exit, Failed};
use crate::source::read_with;

/// Reads each file and plans a round of it, also with each of its profiles; says what is wrong, and what a good one would
/// lack to mean something.
pub(crate) fn run(args: &LintArgs) -> Exit {
    let mut exit = Exit::Pass;
    for path in &args.scenarios {
        let linted = lint(path, args.profile.as_deref());
        exit = exit.merged(linted.unwrap_or_else(Failed::report));
    }
    exit
}

fn lint(path: &Path, profile: Option<&str>) -> Result<Exit, Failed> {
    let name = path.display().to_string();
    let scenario = read_with(path, profile)?;
    praise(&profile.map_or(name.clone(), |profile| format!("{name} with {profile}")), &planned(&scenario)?);
    if profile.is_none() {
        for profile in scenario.profiles() {
            praise(&format!("{name} with {profile}"), &planned(&read_with(path, Some(profile))?)?);
        }
    }
    Ok(Exit::Pass)
}

/// What whoever starts the run will say later is made up.
fn planned(scenario: &Scenario) -> Result<Plan, Failed> {
    let inputs = scenario.variables().map(|name| (name.to_owned(), name.to_owned())).collect();
    let target_url = scenario.target_url().is_none().then(|| "http://127.0.0.1:1".to_owned());
    let overrides = Overrides { inputs, target_url, ..Overrides::default() };
    coalmine_plan::plan(scenario, Seed(0), 0, &overrides).map_err(Failed::usage)
}

fn praise(path: &str, plan: &Plan) {
    let controls: usize = plan.steps.iter().map(|step| step.sees.len()).sum();
    let tenants: BTreeSet<TenantId> = plan.principals.iter().map(|principal| principal.tenant).collect();
    let names: BTreeSet<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    let (tenants, steps) = (tenants.iter().filter(|tenant| **tenant != TenantId::NOBODY).count(), names.len());
    say(
        "ok",
        format_args!("{path}: {steps} steps, {tenants} tenants, {controls} controls, {} operations", plan.op_count),
    );
    for lack in lacks(plan, tenants, controls) {
        say("lacks", lack);
    }
}

/// What the verdict of such a run would rest on and does not have.
fn lacks(plan: &Plan, tenants: usize, controls: usize) -> Vec<&'static str> {
    let has_canary = plan.flows.iter().any(|flow| !flow.canaries.is_empty());
    let table = [
        (has_canary, "no canary is sent: nothing can be recognised when it leaks"),
        (controls > 0, "no step `sees` an own canary: the verdict is inconclusive without a positive control"),
        (tenants > 1, "one tenant cannot leak to another: `tenants` must be 2 at least"),
        (!plan.objects.is_empty(), "no `objects`: nobody tries ids of others"),
        (!plan.identities.is_empty(), "no `identity`: an answer that says it is somebody else's goes unnoticed"),
    ];
    table.into_iter().filter(|(has, _)| !has).map(|(_, lack)| lack).collect()
}
