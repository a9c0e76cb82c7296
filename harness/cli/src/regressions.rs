//! Leaks that were found once and are kept as cases: a gate plays each of them before it searches, and none may come back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coalmine_campaign::Trial;
use coalmine_core::bound::{Rate, trials_for};
use coalmine_core::report::Regression;
use coalmine_core::verdict::Outcome;
use coalmine_core::{Report, Seed};
use coalmine_run::{Progress, Stop};

use crate::exit::{Exit, Failed};
use crate::inputs::Inputs;
use crate::output::tell;
use crate::recording::Recording;
use crate::rehearsal::{Rehearsals, Rehearsed, Stage};

/// Its name beside a scenario, where none is named.
const FOLDER: &str = "regressions";
/// What makes a file a case.
const CASE_KEY: &str = "coalmine-case:";
/// A gate has little time: more cases are refused.
const CASES_MAX: usize = 200;
/// Trials of a case that always came back, or of which it is not known.
const TRIALS_MIN: u32 = 3;
/// Trials of a case that came back seldom.
const TRIALS_MAX: u32 = 30;
/// Trials that say nothing, after which no more are made.
const VOID_MAX: u32 = 3;

/// See the module.
pub(crate) struct Regressions {
    cases: Vec<(PathBuf, Recording)>,
}

/// The run that they are part of.
pub(crate) struct Setting<'a> {
    pub(crate) inputs: &'a Inputs,
    /// The address of the service, whatever that of a case was.
    pub(crate) target: &'a str,
    pub(crate) seed: Seed,
    /// What trials are held to.
    pub(crate) progress: Arc<Progress>,
    pub(crate) stop: Stop,
}

impl Regressions {
    /// The case or the folder of cases that was named. Without one, those cases in the folder beside the scenario that are of it.
    pub(crate) fn open(named: Option<&Path>, scenario: &Path, name: &str) -> Result<Self, Failed> {
        let Some(path) = named else { return Self::beside(scenario, name) };
        let files = if path.is_dir() { files(path)? } else { vec![path.to_owned()] };
        if files.is_empty() {
            return Err(Failed::usage(format!(
                "there is no case in {}: a case is a file that ends in .yaml",
                path.display()
            )));
        }
        Ok(Self { cases: files.into_iter().map(opened).collect::<Result<_, _>>()? })
    }

    fn beside(scenario: &Path, name: &str) -> Result<Self, Failed> {
        let folder = scenario.parent().unwrap_or(Path::new("")).join(FOLDER);
        let files = if folder.is_dir() { files(&folder)? } else { vec![] };
        let mut cases = vec![];
        for file in files {
            if is_case(&file)? {
                cases.push(opened(file)?);
            }
        }
        let all = cases.len();
        cases.retain(|(_, recording)| recording.scenario.name() == name);
        if cases.len() < all {
            tell(format_args!("{} of {all} cases in {} are of other scenarios", all - cases.len(), folder.display()));
        }
        Ok(Self { cases })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Plays each of them. When the target cannot be tested, the rest are not tried.
    pub(crate) async fn play(&self, setting: &Setting<'_>) -> Result<Vec<Regression>, Failed> {
        tell(format_args!("Playing known leaks before the search: {}", self.cases.len()));
        let (mut tried, mut untestable) = (vec![], None);
        for (number, (path, recording)) in (0..).zip(&self.cases) {
            let mut one = case(path, recording, setting);
            match &untestable {
                Some(why) => one.why_void = Some(String::clone(why)),
                None => untestable = count(&mut one, (number, recording), setting).await?,
            }
            one.outcome = outcome(&one);
            tried.push(one);
        }
        Ok(tried)
    }
}

/// What is to be said of them, beside what a search has found.
pub(crate) fn add(report: &mut Report, regressions: Vec<Regression>) -> Exit {
    let exits = regressions.iter().map(|one| match one.outcome {
        Outcome::Pass => Exit::Pass,
        Outcome::Inconclusive => Exit::Inconclusive,
        Outcome::Leak => Exit::Violation,
    });
    let exit = exits.fold(Exit::Pass, Exit::merged);
    report.regress(regressions);
    exit
}

/// Cases in a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let cannot = |error: std::io::Error| Failed::usage(format!("cannot read {}: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(cannot)?;
    let mut files =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    files.sort();
    if files.len() > CASES_MAX {
        let (count, folder) = (files.len(), folder.display());
        return Err(Failed::usage(format!("{folder} has {count} cases, and a gate plays {CASES_MAX} at most")));
    }
    Ok(files)
}

fn is_case(file: &Path) -> Result<bool, Failed> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Failed::usage(format!("cannot read {}: {error}", file.display())))?;
    Ok(text.lines().any(|line| line.starts_with(CASE_KEY)))
}

fn opened(file: PathBuf) -> Result<(PathBuf, Recording), Failed> {
    let recording = Recording::open(&file, None)?;
    Ok((file, recording))
}

fn case(path: &Path, recording: &Recording, setting: &Setting<'_>) -> Regression {
    let (case, sought) = (path.display().to_string(), recording.sought.clone());
    let replay = format!("coalmine replay {case} --target {}", setting.target);
    Regression {
        case,
        found: sought,
        outcome: Outcome::Inconclusive,
        rate: Rate::default(),
        void: 0,
        why_void: None,
        replay,
    }
}

/// Tries a case as often as its rate demands. Tells why, if the target cannot be tested.
async fn count(
    one: &mut Regression,
    (number, recording): (u32, &Recording),
    setting: &Setting<'_>,
) -> Result<Option<String>, Failed> {
    let (given, stage) = ((&recording.scenario, setting.inputs), Stage::Url(setting.target.to_owned()));
    let seed = setting.seed.child("coalmine regressions v1", number);
    let rehearsals = Rehearsals::new(given, &recording.sought, stage, seed, setting.stop.clone())?;
    let mut rehearsals = rehearsals.counted_in(Some(Arc::clone(&setting.progress)));
    let trials = trials(recording.rate);
    while one.rate.trials < trials && one.void < VOID_MAX && (one.rate.hits == 0 || one.rate.trials < TRIALS_MIN) {
        let rehearsed = rehearsals.play(&recording.script, |_| {}).await.map_err(|failed| failed.about(&one.case))?;
        match why_void(&rehearsed) {
            Some(why) => {
                one.void += 1;
                one.why_void.get_or_insert(why);
            }
            None => one.rate.count(rehearsed.trial == Trial::Found),
        }
        if rehearsed.untestable {
            return Ok(one.why_void.clone());
        }
    }
    Ok(None)
}

/// What did not do anything cannot bring a leak back.
fn why_void(rehearsed: &Rehearsed) -> Option<String> {
    let idle = || "none of its operations ended as its scenario expects".to_owned();
    match rehearsed.trial {
        Trial::Found => None,
        Trial::Void => Some(rehearsed.void.clone().unwrap_or_default()),
        Trial::Absent => (!rehearsed.worked).then(idle),
    }
}

/// So many that a leak which came back as seldom as it may have is missed in one of twenty, within reason.
fn trials(known: Option<Rate>) -> u32 {
    let (rate_min, _) = known.filter(|rate| rate.hits < rate.trials).map_or((1.0, 1.0), Rate::interval);
    if rate_min >= 1.0 {
        return TRIALS_MIN;
    }
    let trials = trials_for(rate_min.max(f64::EPSILON)).min(u64::from(TRIALS_MAX));
    u32::try_from(trials).unwrap_or(TRIALS_MAX).max(TRIALS_MIN)
}

fn outcome(one: &Regression) -> Outcome {
    match one.rate {
        Rate { hits: 1.., .. } => Outcome::Leak,
        Rate { trials, .. } if trials > one.void => Outcome::Pass,
        _ => Outcome::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_that_came_back_seldom_is_tried_more_often() {
        let of = |hits, trials_then| trials(Some(Rate { hits, trials: trials_then }));
        assert_eq!((trials(None), of(12, 12)), (TRIALS_MIN, TRIALS_MIN));
        assert!(of(9, 10) < of(5, 10) && of(5, 10) < of(3, 10), "{} {} {}", of(9, 10), of(5, 10), of(3, 10));
        assert_eq!((of(1, 400), of(0, 5)), (TRIALS_MAX, TRIALS_MAX));
    }
}
