//! `coalmine lint`: all problems of scenarios, without sending anything.

use std::collections::BTreeSet;

use coalmine_core::{Plan, Seed, TenantId};
use coalmine_plan::Overrides;

use super::gate::read;
use super::say;
use crate::args::LintArgs;
use crate::exit::{Exit, Failed};

/// Reads each file and plans a round of it; says what is wrong, and what a good one would lack to mean something.
pub(crate) fn run(args: &LintArgs) -> Exit {
    let mut exit = Exit::Pass;
    for path in &args.scenarios {
        let planned = read(path).and_then(|scenario| {
            let anywhere = Overrides { target_url: Some("http://127.0.0.1:1".to_owned()), ..Overrides::default() };
            let overrides = if scenario.target_url().is_some() { Overrides::default() } else { anywhere };
            coalmine_plan::plan(&scenario, Seed(0), 0, &overrides).map_err(Failed::usage)
        });
        match planned {
            Ok(plan) => praise(&path.display().to_string(), &plan),
            Err(failed) => exit = failed.report(),
        }
    }
    exit
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
