//! What becomes of a leak after it was found: it is made smaller, and tried without this and that, until its kind is known.

use std::cell::Cell;
use std::sync::Arc;

use coalmine_campaign::{Allowance, Own, Shape, Trial, can_be_told, diagnose, is_settled, shrink};
use coalmine_core::bound::Rate;
use coalmine_core::case::{CASE_FORMAT, Case, Retried, Stage as Named};
use coalmine_core::diagnosis::{Ablation, Diagnosis, Trials};
use coalmine_core::step::Action;
use coalmine_core::verdict::Finding;
use coalmine_core::{Plan, Script, Seed};
use coalmine_plan::{CaseFile, without_idle_flows};
use coalmine_run::{Progress, Stop};
use coalmine_target::Flaw;

use crate::ablation::{Ablated, Asking, Clues, ORDERS, ablated, has_common_ids, in_another_order};
use crate::curl;
use crate::exit::Failed;
use crate::inputs::Inputs;
use crate::recording::Recording;
use crate::rehearsal::{Rehearsals, Stage};

/// What is asked about a leak.
pub(crate) struct Inquiry<'a> {
    pub(crate) recording: &'a Recording,
    pub(crate) inputs: &'a Inputs,
    pub(crate) seed: Seed,
    /// What making it smaller may take.
    pub(crate) allowance: Allowance,
    /// What trials are counted in and held to, where they are part of a run.
    pub(crate) progress: Option<Arc<Progress>>,
    pub(crate) stop: Stop,
}

/// What is known then.
pub(crate) struct Known {
    pub(crate) retried: Retried,
    /// The smallest case as a file.
    pub(crate) text: String,
    pub(crate) trials: u32,
}

/// Makes the leak smaller and tries what it depends on. None when it does not come back.
pub(crate) async fn inquire(inquiry: &Inquiry<'_>) -> Result<Option<Known>, Failed> {
    let Inquiry { recording, inputs, seed, .. } = *inquiry;
    let given = (&recording.scenario, inputs);
    let mut rehearsals =
        Rehearsals::new(given, &recording.sought, recording.stage.clone(), seed, inquiry.stop.clone())?
            .counted_in(inquiry.progress.clone());
    let mut last = None;
    let mut patience =
        recording.course.as_ref().map_or_else(Patience::default, |course| Patience::default().after(course.slowest_us));
    // In larger scripts the receiver still does all that it does by itself.
    let mut own = Own::Unknown;
    let trial = async |script: &Script| -> Result<Trial, Failed> {
        let rehearsed = rehearsals.play(script, |plan| patience.bound(plan)).await?;
        if let Some(finding) = rehearsed.finding {
            own = own.and(rehearsed.own);
            // What the whole run took says little about a small script.
            let before = if last.is_none() { Patience::default() } else { patience };
            patience = before.after(rehearsed.slowest_us);
            last = Some((script.clone(), finding, rehearsed.order));
        }
        Ok(rehearsed.trial)
    };
    let shrunk = shrink(&recording.excerpts(), inquiry.allowance, trial).await?;
    let (Some(shrunk), Some((script, finding, order))) = (shrunk, last) else { return Ok(None) };
    let has_accounts = recording.scenario.account_secrets().next().is_some();
    // Where the smallest script did not show it again, nothing is known of the people in it.
    let diagnosis = if script == shrunk.script {
        let clues = Clues::of((&script, &recording.script), &finding, &order, has_accounts);
        Some(ablate(&mut rehearsals, (&script, shrunk.rate, own), (clues, &finding), patience).await?)
    } else {
        None
    };
    let retried = Retried {
        rate: shrunk.rate,
        tenants: u32::try_from(shrunk.script.tenants()).unwrap_or(u32::MAX),
        operations: u32::try_from(shrunk.script.ops()).unwrap_or(u32::MAX),
        diagnosis,
    };
    let text = case_text(recording, &shrunk.script, Some(&retried));
    Ok(Some(Known { retried, text, trials: rehearsals.played() }))
}

/// How long something is waited for that may never come, because what would bring it was left out.
#[derive(Clone, Copy, Debug, Default)]
struct Patience {
    wait_max_ms: Option<u64>,
}

/// A wait takes no longer than so many times the longest that anything took where the leak came.
const PATIENCE: u64 = 4;
/// A wait for what comes by itself takes at least so long.
const WAIT_MIN_MS: u64 = 300;
/// An answer may take at least so long.
const ANSWER_MIN_MS: u64 = 1500;

impl Patience {
    /// The leak came, and nothing took longer than that.
    fn after(self, slowest_us: u64) -> Self {
        let seen_ms = (slowest_us / 1000 * PATIENCE).max(WAIT_MIN_MS);
        Self { wait_max_ms: Some(self.wait_max_ms.map_or(seen_ms, |before| before.max(seen_ms))) }
    }

    fn bound(self, plan: &mut Plan) {
        let Some(wait_max_ms) = self.wait_max_ms else { return };
        for step in &mut plan.steps {
            let is_wait =
                matches!(step.action, Action::Receive(_) | Action::AwaitWebhook(_) | Action::AwaitClose { .. });
            let max_ms = if is_wait { wait_max_ms } else { wait_max_ms.max(ANSWER_MIN_MS) };
            step.time_limit_ms = step.time_limit_ms.min(max_ms);
        }
    }
}

/// Tries the case without this and that.
async fn ablate(
    rehearsals: &mut Rehearsals<'_>,
    (script, rate, own): (&Script, Rate, Own),
    (clues, finding): (Clues, &Finding),
    patience: Patience,
) -> Result<Diagnosis, Failed> {
    let mut table = vec![Trials { change: Ablation::AsItIs, rate, broken: false }];
    let mut shape = Shape { own, operations: script.ops() };
    if !can_be_told(shape) {
        return Ok(diagnose(finding.oracle, shape, table));
    }
    let (common_ids, asking) = (Cell::new(false), Cell::new(Asking::Once));
    let look = |plan: &mut Plan| {
        common_ids.set(has_common_ids(plan));
        asking.set(Asking::of(plan, finding.evidence.seen.op));
    };
    rehearsals.play(script, look).await?;
    let (script, clues) = clues.asking_often(script, asking.get());
    let whole = rehearsals.play(&script, |plan| patience.bound(plan)).await?;
    for change in Ablation::ALL {
        let Some(ablated) = ablated(change, &script, &clues) else { continue };
        let is_known = match change {
            Ablation::UniqueIds => !common_ids.get(),
            Ablation::OwnSecrets => !matches!(shape.own, Own::Unknown | Own::Mixed),
            _ => false,
        };
        if is_known {
            continue;
        }
        let (trials, own) = attempt(rehearsals, rate, (change, &ablated), (patience, whole.failed)).await?;
        if change == Ablation::OwnSecrets && own != Own::Unknown {
            shape.own = own;
        }
        table.push(trials);
    }
    Ok(diagnose(finding.oracle, shape, table))
}

/// Tries one change until it is known whether the leak comes with it, and where it did whether the receiver's own came as well.
///
/// Without haste or cancellation it may need another order of operations: others are tried, and the first in which it comes counts.
async fn attempt(
    rehearsals: &mut Rehearsals<'_>,
    rate: Rate,
    (change, ablated): (Ablation, &Ablated),
    (patience, failed_before): (Patience, u64),
) -> Result<(Trials, Own), Failed> {
    let mut trials = Trials { change, rate: Rate::default(), broken: false };
    let mut own = Own::Unknown;
    let others = match change {
        Ablation::WithoutHaste | Ablation::WithoutCancellation => ORDERS,
        _ => 0,
    };
    let mut in_order: Option<Script> = None;
    let mut nth = 0;
    loop {
        if is_settled(rate, trials.rate) {
            if trials.rate.hits > 0 || nth == others {
                return Ok((trials, own));
            }
            nth += 1;
            in_order = Some(in_another_order(&ablated.script, nth));
        }
        let tried = in_order.as_ref().unwrap_or(&ablated.script);
        let rehearsed = rehearsals
            .play(tried, |plan| {
                ablated.change(plan);
                patience.bound(plan);
            })
            .await?;
        let both = match change {
            Ablation::SecondOwner => rehearsed.owners_at_once > 1,
            Ablation::SecondReceiver => rehearsed.receivers_of_one > 1,
            _ => true,
        };
        let comes = rehearsed.trial == Trial::Found && both;
        if comes && trials.rate.hits == 0 && nth > 0 {
            trials.rate = Rate::default();
        }
        trials.rate.count(comes);
        own = own.and(rehearsed.own);
        let fails = rehearsed.failed > failed_before && !leaves_requests_alone(change);
        trials.broken |= rehearsed.trial == Trial::Void || fails;
    }
}

/// Whether the same is asked for with it. What fails then fails for want of the leak: the receiver may have nothing of its own there.
fn leaves_requests_alone(change: Ablation) -> bool {
    matches!(
        change,
        Ablation::WithoutHaste | Ablation::WithoutCancellation | Ablation::SeparateConnections | Ablation::SilentOwner
    )
}

/// The text of a case file for a script of a recording.
pub(crate) fn case_text(recording: &Recording, script: &Script, retried: Option<&Retried>) -> String {
    let target = match &recording.stage {
        Stage::Url(url) => Named { url: Some(url.clone()), flaws: vec![] },
        Stage::BuiltIn(flaws) => {
            Named { url: None, flaws: flaws.iter().map(|flaw: Flaw| flaw.id().to_owned()).collect() }
        }
    };
    let diagnosis = retried.and_then(|retried| retried.diagnosis.clone());
    let mut remarks = vec![recording.sought.summary.clone()];
    remarks.extend(diagnosis.as_ref().map(Diagnosis::sentence));
    if retried.is_some() {
        remarks.extend(curl::lines(&recording.scenario, script));
    }
    let case = Case {
        format: CASE_FORMAT,
        found: recording.sought.clone(),
        target,
        from: recording.from,
        rate: retried.map(|retried| retried.rate),
        diagnosis,
        script: script.clone(),
    };
    let name = "case.yaml";
    let scenario = match retried {
        Some(_) => without_idle_flows(&recording.text, script, name, &mut crate::source::text_of),
        None => recording.text.clone(),
    };
    CaseFile::write(&case, &scenario, &remarks)
}
