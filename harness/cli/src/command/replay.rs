//! `coalmine replay`: does a leak come back?

use coalmine_core::Script;
use coalmine_core::bound::rate_max;
use coalmine_core::perturb::{Manner, Start};
use coalmine_core::plan::Phase;
use coalmine_target::FlawSet;

use super::{say, seed_or_chance, stop_on_ctrl_c};
use crate::args::{How, RecordingArgs, ReplayArgs};
use crate::exit::{Exit, Failed};
use crate::inputs::Inputs;
use crate::recording::Recording;
use crate::rehearsal::{Rehearsals, Stage, Tally};

/// How much later one side of a race begins, in one trial after another.
const JITTER_US: [u32; 8] = [0, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000];

/// Plays it again as often as was asked for, and counts.
pub(crate) async fn run(args: &ReplayArgs) -> Result<Exit, Failed> {
    let recording = open(&args.recording)?;
    let scripts = scripts(&recording, args.how)?;
    let inputs = Inputs::read(args.recording.variables.as_deref())?;
    let seed = seed_or_chance(args.recording.seed);
    tell(&recording, &scripts(0));
    let (given, sought, stage) = ((&recording.scenario, &inputs), &recording.sought, recording.stage.clone());
    let mut rehearsals = Rehearsals::new(given, sought, stage, seed, stop_on_ctrl_c()?)?;
    let tally = rehearsals.count((0..args.times).map(&scripts)).await?;
    for line in outcome(&tally) {
        say(line.0, line.1);
    }
    say("Reproduce", reproduce(args, seed));
    Ok(tally.exit())
}

/// Reads what is to be replayed, and where.
pub(super) fn open(args: &RecordingArgs) -> Result<Recording, Failed> {
    let mut recording = Recording::open(&args.file, args.finding.as_deref())?;
    if let Some(url) = &args.target {
        recording.stage = Stage::Url(url.clone());
    }
    if !args.flaws.is_empty() {
        recording.stage = Stage::BuiltIn(args.flaws.iter().copied().collect::<FlawSet>());
    }
    Ok(recording)
}

/// What is looked for, and with what.
pub(super) fn tell(recording: &Recording, script: &Script) {
    let Recording { sought, stage, from, .. } = recording;
    say("Replay", format_args!("{}; operation {}, oracle {}", sought.summary, sought.operation, sought.oracle));
    let (tenants, ops) = (script.tenants(), script.ops());
    say(
        "Plan",
        format_args!(
            "{tenants} tenants, {ops} operations of round {} of seed {}, against {stage}",
            from.round, from.seed
        ),
    );
}

type Scripts<'r> = Box<dyn Fn(u32) -> Script + 'r>;

/// The script of each trial.
fn scripts(recording: &Recording, how: How) -> Result<Scripts<'_>, Failed> {
    let whole = &recording.script;
    Ok(match (how, &recording.course) {
        (How::Plan, _) => Box::new(|_| whole.clone()),
        (How::Order, Some(course)) => {
            let ordered = course.in_order(whole);
            Box::new(move |_| ordered.clone())
        }
        (How::Order, None) => {
            return Err(Failed::usage(
                "a case does not say in which order its operations ended: give the folder of the run, or `--how plan`",
            ));
        }
        (How::Stress, course) => {
            let racing = course.as_ref().map_or_else(|| whole.clone(), |course| course.racing(whole));
            Box::new(move |nth| jittered(&racing, nth))
        }
    })
}

/// Every second lane begins its operations later, those of even places in one trial and the others in the next.
fn jittered(script: &Script, nth: u32) -> Script {
    let delay_us = JITTER_US[(nth as usize / 2) % JITTER_US.len()];
    let phases: std::collections::BTreeMap<_, _> = script.lines().map(|(phase, _, line)| (line.op, phase)).collect();
    script.with_manners(|by, line| match line.manner.start {
        Start::AtOnce if phases[&line.op] != Phase::Auth && by % 2 == nth % 2 && delay_us > 0 => {
            Manner { start: Start::After { delay_us }, ..line.manner }
        }
        _ => line.manner,
    })
}

/// What the trials mean.
fn outcome(tally: &Tally) -> Vec<(&'static str, String)> {
    let Tally { rate, void, why_void } = tally;
    let mut lines = vec![];
    match (rate.hits, rate.trials) {
        (_, 0) => lines.push(("INCONCLUSIVE", "no trial says anything".to_owned())),
        (0, trials) => {
            let bound = rate_max(0, u64::from(trials)).unwrap_or(1.0) * 100.0;
            lines.push(("Gone", format!("0 of {trials}: at 95 %, it comes back in fewer than {bound:.0} % of trials")));
        }
        (hits, trials) if hits == trials => lines.push(("FOUND AGAIN", format!("{rate}: logic, it comes back always"))),
        _ => lines.push(("FOUND AGAIN", format!("{rate}: a race, it comes back sometimes"))),
    }
    if let (1.., Some(why)) = (void, why_void) {
        lines.push(("Void", format!("{void} trials say nothing: {why}")));
    }
    lines
}

fn reproduce(args: &ReplayArgs, seed: coalmine_core::Seed) -> String {
    let RecordingArgs { file, finding, target, flaws, variables, .. } = &args.recording;
    let mut line = format!("coalmine replay {} --times {}", file.display(), args.times);
    if args.how != How::Plan {
        line = format!("{line} --how {}", args.how);
    }
    let texts = [
        ("--finding", finding.clone()),
        ("--target", target.clone()),
        ("--variables", variables.as_ref().map(|file| file.display().to_string())),
    ];
    for (flag, text) in texts {
        line = text.map_or(line.clone(), |text| format!("{line} {flag} {text}"));
    }
    for flaw in flaws {
        line = format!("{line} --flaw {flaw}");
    }
    format!("{line} --seed {seed}")
}
