//! `coalmine models`: prove the leaky patterns of concurrent code, guilty, right and hollow.

use std::ffi::OsString;
use std::path::Path;

use coalmine_models::{
    Bounds, Child, Expected, Explored, Extent, Failure, Mark, Model, Sampling, Saved, Violation, catalogue,
    explore_all, run_as_child,
};
use coalmine_report::{
    MODELS_FORMAT, ModelMark, ModelResult, ModelWitness, ModelsReport, models_json, models_junit, models_terminal,
};

use crate::args::{Format, ModelsArgs, Sample};
use crate::exit::{Exit, Failed};
use crate::output::{print, print_line, tell};

const WITHOUT_SHUTTLE: &str = "this coalmine was built without shuttle, which draws schedules; build it with `cargo install --path harness/cli --features shuttle`";

type Outcome = Result<Explored, Failure>;

/// Runs the models that are wanted, each in a process of its own.
pub(crate) fn run(args: &ModelsArgs) -> Result<Exit, Failed> {
    run_as_child();
    let child = child(&args.out)?;
    if let Some(file) = &args.replay {
        return replay(&child, file);
    }
    let report = explored(&wanted(args)?, &child, extent(args)?, command_line(args))?;
    match args.format {
        Format::Text => print(models_terminal(&report, true)),
        Format::Json => print(models_json(&report)),
        Format::Junit => print_line(models_junit(&report)),
    }
    Ok(exit(&report))
}

/// All models, for a command that is about something else. They are told on stderr.
pub(super) fn prove(out: &Path) -> Result<Exit, Failed> {
    let extent = Extent::from(Bounds::default());
    let report = explored(&catalogue(), &child(out)?, extent, "coalmine models".to_owned())?;
    tell(models_terminal(&report, true).trim_end());
    Ok(exit(&report))
}

/// How far models are explored.
fn extent(args: &ModelsArgs) -> Result<Extent, Failed> {
    let Some(sample) = args.sample else {
        return Ok(Bounds::preemptions(args.preemptions).into());
    };
    let sampling = match sample {
        Sample::Random => Sampling::random(args.schedules),
        Sample::Pct { depth } => Sampling::pct(depth, args.schedules),
    };
    can_be_played(Sampling { seed: args.seed, ..sampling }.into())
}

fn can_be_played(extent: Extent) -> Result<Extent, Failed> {
    match extent {
        Extent::Sampled(_) if !cfg!(feature = "shuttle") => Err(Failed::usage(WITHOUT_SHUTTLE)),
        extent => Ok(extent),
    }
}

fn explored(models: &[Model], child: &Child, extent: Extent, reproduce: String) -> Result<ModelsReport, Failed> {
    let results = explore_all(models, child, extent);
    if let Some(failed) = results.iter().find_map(|result| result.as_ref().err().and_then(failed)) {
        return Err(failed);
    }
    Ok(ModelsReport {
        format: MODELS_FORMAT,
        coalmine: env!("CARGO_PKG_VERSION").to_owned(),
        bounds: extent.to_string(),
        models: models.iter().zip(&results).map(|(model, result)| row(model, result)).collect(),
        reproduce,
    })
}

/// This program once more, for one model.
fn child(out: &Path) -> Result<Child, Failed> {
    let program = std::env::current_exe().map_err(|e| Failed::fault("cannot find this program", e))?;
    Ok(Child::new(program, vec![OsString::from("models")], out.join("models"), "coalmine models --replay {}"))
}

fn wanted(args: &ModelsArgs) -> Result<Vec<Model>, Failed> {
    let mut models = catalogue();
    let mut names: Vec<_> = models.iter().map(|model| model.pattern.name).collect();
    names.dedup();
    if let Some(unknown) = args.patterns.iter().find(|wanted| !names.contains(&wanted.as_str())) {
        return Err(Failed::usage(format!("there is no pattern `{unknown}`; there are {}", names.join(", "))));
    }
    models.retain(|model| args.patterns.is_empty() || args.patterns.iter().any(|wanted| wanted == model.pattern.name));
    let Some(implementation) = &args.implementation else {
        return Ok(models);
    };
    let all: Vec<_> = models.iter().map(Model::key).collect();
    models.retain(|model| model.implementation == implementation);
    if models.is_empty() {
        return Err(Failed::usage(format!("there is no such model; there are {}", all.join(", "))));
    }
    Ok(models)
}

/// Plays an interleaving again. When it goes wrong again, that is a violation, whatever was to be expected of the structure.
fn replay(child: &Child, file: &Path) -> Result<Exit, Failed> {
    let saved = Saved::read(file).map_err(Failed::usage)?;
    let is_it = |model: &Model| model.pattern.name == saved.pattern && model.implementation == saved.implementation;
    let extent = can_be_played(saved.bounds)?;
    let Some(model) = catalogue().into_iter().find(is_it) else {
        return Err(Failed::usage(format!("{}: there is no such model here", file.display())));
    };
    // The child may stand elsewhere.
    let file = std::path::absolute(file).map_err(|e| Failed::fault("cannot find the file", e))?;
    match model.explore_in(child, extent, Some(&file)) {
        Err(Failure::Violation(violation)) => {
            print_line(violation);
            Ok(Exit::Violation)
        }
        Err(failure) if failed(&failure).is_some() => Err(failed(&failure).expect("it was just found")),
        Ok(_) | Err(_) => {
            print_line(format_args!("{}/{}: it goes well now", saved.pattern, saved.implementation));
            Ok(Exit::Pass)
        }
    }
}

/// What is nobody's verdict: the user's environment, or the machine.
fn failed(failure: &Failure) -> Option<Failed> {
    match failure {
        Failure::Limited { .. } => Some(Failed::usage(failure)),
        Failure::Fault { what } => Some(Failed::fault("a model could not be run", what)),
        _ => None,
    }
}

/// A right structure that breaks a promise is a violation. A guilty one that is not caught breaks none; but where the models
/// do not see what they must see, their silence means nothing.
fn exit(report: &ModelsReport) -> Exit {
    let any = |wanted: &[ModelMark]| report.models.iter().any(|model| wanted.contains(&model.mark));
    if any(&[ModelMark::Failed]) {
        Exit::Violation
    } else if any(&[ModelMark::Missed, ModelMark::Undecided]) {
        Exit::Inconclusive
    } else {
        Exit::Pass
    }
}

fn row(model: &Model, result: &Outcome) -> ModelResult {
    let explored = match result {
        Ok(explored) | Err(Failure::Hollow { explored, .. }) => Some(explored),
        Err(_) => None,
    };
    let violation = result.as_ref().err().and_then(Failure::violation);
    let witnesses = explored.into_iter().flat_map(|explored| &explored.witnesses);
    ModelResult {
        pattern: model.pattern.name.to_owned(),
        risk: model.pattern.risk.to_owned(),
        implementation: model.implementation.to_owned(),
        expected: match model.expected {
            Expected::Right => "right".to_owned(),
            Expected::Guilty(invariant) => invariant.to_owned(),
            Expected::Hollow => "hollow".to_owned(),
        },
        mark: mark(model, result),
        iterations: explored
            .map_or_else(|| violation.map_or(0, |found| found.iteration), |explored| explored.iterations),
        complete: explored.is_some_and(|explored| explored.complete),
        witnesses: witnesses
            .map(|witness| ModelWitness { name: witness.name.clone(), iterations: witness.iterations })
            .collect(),
        result: words(result),
        interleaving: violation.map(Violation::to_string),
        replay: violation.and_then(|violation| violation.replay.clone()),
    }
}

fn mark(model: &Model, result: &Outcome) -> ModelMark {
    match (model.mark(result), model.expected) {
        (Mark::AsExpected, Expected::Right) => match result {
            Ok(explored) if explored.complete => ModelMark::Proved,
            _ => ModelMark::Sampled,
        },
        (Mark::AsExpected, Expected::Guilty(_)) => ModelMark::Caught,
        (Mark::AsExpected, Expected::Hollow) => ModelMark::Refused,
        (Mark::RightFailed, _) => ModelMark::Failed,
        (Mark::Missed, _) => ModelMark::Missed,
        (Mark::Undecided, _) => ModelMark::Undecided,
    }
}

fn words(result: &Outcome) -> String {
    match result {
        Ok(explored) if explored.complete => "complete, nothing broken".to_owned(),
        Ok(_) => "sampled, nothing broken".to_owned(),
        Err(Failure::Violation(violation)) => format!("{}: {}", violation.invariant, violation.what),
        Err(failure) => failure.to_string(),
    }
}

fn command_line(args: &ModelsArgs) -> String {
    let mut words = vec!["coalmine models".to_owned()];
    words.extend(args.patterns.iter().cloned());
    words.extend(args.implementation.iter().map(|name| format!("--implementation {name}")));
    words.push(match args.sample {
        Some(sample) => format!("--sample {sample} --schedules {} --seed {}", args.schedules, args.seed),
        None => format!("--preemptions {}", args.preemptions),
    });
    words.join(" ")
}
