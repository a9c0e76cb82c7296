//! `coalmine try`: one tenant, once, each exchange shown as it goes. For writing a scenario step by step.

mod course;
mod mask;
mod screen;

use std::sync::Arc;

use coalmine_core::Plan;
use coalmine_core::history::RoundEnd;
use coalmine_core::plan::Schedule;
use coalmine_plan::{Overrides, PlanError, Scenario, Shaking};
use coalmine_run::{Destinations, Progress, Recorder, Stop, run_round};

use super::{say, seed_or_chance, stop_on_ctrl_c};
use crate::args::TryArgs;
use crate::exit::{Exit, Failed};
use crate::inputs::{self, Inputs};
use crate::output::tell;
use crate::source;
use mask::Mask;
use screen::{Failure, Screen};

/// Goes through the scenario and stops at the first step that does not do what it should.
pub(crate) async fn run(args: &TryArgs) -> Result<Exit, Failed> {
    let scenario = source::read(&args.source)?;
    let inputs = Inputs::read(args.source.variables.as_deref())?;
    let mut plan = plan(args, &scenario, &inputs)?;
    course::narrow(&mut plan, args.step.as_deref()).map_err(|why| unknown_step(&scenario, why))?;
    let plan = Arc::new(plan);
    say("Try", format_args!("{}: seed {}, at {}", plan.scenario, plan.seed, plan.target.base_url));
    let mask = if args.show_secrets { Mask::open() } else { Mask::of(&plan, &inputs.exposed(&scenario)) };
    let stop = stop_on_ctrl_c()?;
    let screen = Arc::new(Screen::new(plan.clone(), mask, stop.clone()));
    let progress = Arc::new(Progress::within(plan.budget).shown_to(screen.clone()));
    let end = carry_out(&plan, (&scenario, &inputs), &progress, &stop).await?;
    screen.close();
    for left in progress.leftovers() {
        say("left", format_args!("{}: {}", left.step, left.command));
    }
    Ok(match (screen.failure(), end) {
        (Some(failure), _) => tell_failure(&scenario, &failure),
        (None, RoundEnd::Untestable { why, .. }) => tell_untestable(&why),
        (None, RoundEnd::Interrupted) => Exit::Interrupted,
        (None, RoundEnd::Completed) => {
            say("ok", format_args!("{} operations did what they should", screen.done()));
            Exit::Pass
        }
    })
}

fn tell_failure(scenario: &Scenario, failure: &Failure) -> Exit {
    let shown = scenario.about_step(&failure.step, &format!("`{}`: {}", failure.step, failure.why));
    tell(shown.map_or_else(|| format!("error: `{}`: {}", failure.step, failure.why), |shown| shown.render(false)));
    Exit::Untestable
}

fn tell_untestable(why: &str) -> Exit {
    tell(format_args!("error: the target is not ready: {why}"));
    Exit::Untestable
}

fn unknown_step(scenario: &Scenario, why: String) -> Failed {
    let steps: Vec<&str> = scenario.steps().collect();
    Failed::usage(format!("{why}; the scenario has {}", steps.join(", ")))
}

/// One tenant, or two where it needs a partner, one after another.
fn plan(args: &TryArgs, scenario: &Scenario, inputs: &Inputs) -> Result<Plan, Failed> {
    let seed = seed_or_chance(args.seed);
    let with = |tenants| {
        let overrides = Overrides {
            target_url: args.target.clone(),
            tenants: Some(tenants),
            repeat: Some(1),
            inputs: inputs.values(scenario),
            schedule: Schedule::OneAtATime,
            shaking: Shaking::Off,
            ..Overrides::default()
        };
        coalmine_plan::plan(scenario, seed, 0, &overrides)
    };
    let planned = match with(1) {
        Err(PlanError::OutOfRange { min: 2, .. }) => with(2),
        one => one,
    };
    planned.map_err(Failed::usage)
}

/// The history is of no use to anybody afterwards.
async fn carry_out(
    plan: &Arc<Plan>,
    (scenario, inputs): (&Scenario, &Inputs),
    progress: &Arc<Progress>,
    stop: &Stop,
) -> Result<RoundEnd, Failed> {
    let secrets = Arc::new(inputs.secrets(scenario)?);
    let certificates = inputs::certificates(&plan.target.tls)?;
    let destinations = Destinations::resolve(&plan.target, &certificates).await;
    let destinations = Arc::new(destinations.map_err(Failed::usage)?);
    let cannot_record = |error: &dyn std::fmt::Display| Failed::fault("cannot record", error);
    let folder = tempfile::tempdir().map_err(|error| cannot_record(&error))?;
    let recorder = Recorder::create(&folder.path().join("history"), "").map_err(|error| cannot_record(&error))?;
    let end = run_round(plan, &destinations, &secrets, &Arc::new(recorder), progress, stop).await;
    end.map_err(|error| Failed::fault("the round could not be run", error))
}
