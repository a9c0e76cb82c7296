//! What was exercised: the ground on which a pass stands.

use serde::{Deserialize, Serialize};

use crate::history::Channel;
use crate::perturb::Perturbation;
use crate::plan::Access;
use crate::worth::Worth;

/// What was exercised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Rounds that were completed.
    pub rounds: u32,
    /// Tenants that acted, over all rounds.
    pub tenants: u32,
    /// Principals that acted, over all rounds.
    pub principals: u32,
    /// Microseconds from the start of the run to its last event.
    pub duration_us: u64,
    /// All operations together.
    pub sent: Sent,
    /// Pauses that were made; they are no operations.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pauses: u64,
    /// Answers that were not the last of their operations.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u64,
    /// Each operation of the scenario, in its order.
    pub operations: Vec<Operation>,
    /// Positive controls.
    pub controls: Controls,
    /// Each pair of operations that could have been in flight together for different tenants.
    pub pairs: Vec<Pair>,
    /// Tries to reach others' objects.
    pub probes: Vec<Probes>,
    /// The role matrix: a cell for each role and each step of which `allowed` says who may do it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleCell>,
    /// The forged leaks.
    pub self_test: Vec<SelfTest>,
    /// Sessions that were made anew, as the target no longer accepted them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub renewals: u64,
    /// Operations that were in flight together with another tenant's: the trials in which a race could have shown itself.
    pub trials: u64,
    /// With no leak in [`Coverage::trials`] independent trials, the leak rate per trial is below this at 95 % confidence
    /// (Clopper and Pearson 1934, one-sided, zero successes: `1 - 0.05^(1/n)`). None without a trial or with a leak.
    pub leak_rate_max: Option<f64>,
    /// The number of trials that the policy's bound takes, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials_needed: Option<u64>,
    /// How the target was shaken, by kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perturbations: Vec<Perturbed>,
    /// How often the scenario's rules about operations of different tenants were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Kept>,
    /// How close together operations were released, from the first to the last of each group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// What floods of one tenant did to the others, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floods: Vec<Flooded>,
    /// Passes through flows, where the policy demands something of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<Passes>,
    /// What the tenants are worth, where the policy demands something of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<Worth>,
}

/// How many passes through flows were gone through whole: each step ended ok, and showed what it had to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    /// All that were due and that were not to be given up.
    pub due: u64,
    /// Those that were gone through whole.
    pub whole: u64,
    /// The share that the policy demands.
    pub whole_min_percent: u8,
}

impl Passes {
    /// Whether as many were gone through whole as the policy demands. Without a pass, none of it is shown.
    pub fn are_enough(&self) -> bool {
        self.due > 0 && self.whole * 100 >= self.due * u64::from(self.whole_min_percent)
    }
}

/// How much longer an operation of others took during the floods of one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flooded {
    /// The step that one tenant sent many times.
    pub flood: String,
    /// The step that others did meanwhile.
    pub operation: String,
    /// Floods that were compared with what came before and after them.
    pub floods: u64,
    /// By how much longer it took: the median of the floods, each compared with its two quiet neighbours.
    pub ratio: f64,
    /// Where the true median lies with a confidence of 95 %, from here; none with too few floods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio_low: Option<f64>,
    /// To here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio_high: Option<f64>,
    /// A target that shares what it has among the requests that are in flight stays below it, however slow it is.
    pub ratio_limit: f64,
}

/// One kind of perturbation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Perturbed {
    /// Which.
    pub kind: Perturbation,
    /// How often it was planned.
    pub planned: u64,
    /// How often it hit the point that was aimed at.
    pub reached: u64,
    /// As [`Coverage::leak_rate_max`], with those that hit as trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak_rate_max: Option<f64>,
}

/// One rule of the scenario about operations of different tenants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Its name.
    pub rule: String,
    /// How often it was planned.
    pub planned: u64,
    /// How often it was kept.
    pub kept: u64,
    /// As [`Coverage::leak_rate_max`], with those that were kept as trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak_rate_max: Option<f64>,
}

/// How close together the last bytes of a group of operations went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Groups that were measured.
    pub gates: u64,
    /// Half of them took no longer, in microseconds.
    pub p50_us: u32,
    /// 95 % of them took no longer.
    pub p95_us: u32,
    /// None took longer.
    pub max_us: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// How operations ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// In the plan.
    pub planned: u64,
    /// The whole answer came, as expected.
    pub ok: u64,
    /// They certainly did not happen as asked.
    pub fail: u64,
    /// They may have happened.
    pub info: u64,
    /// They were not sent, for want of what they need or because the budget was used up.
    pub skipped: u64,
    /// They were planned for a case that did not come.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_due: u64,
    /// They were sent and had not ended when the history did.
    pub open: u64,
}

/// One operation of the scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The step's name.
    pub name: String,
    /// Method and path, with `{}` for values.
    pub route: String,
    /// How it ended, tries at others' objects not counted.
    pub sent: Sent,
    /// Own canaries that it had to show, and how many it did show.
    pub controls: Controls,
    /// How often it was in flight together with another tenant's operation.
    pub overlapped: u64,
}

/// Positive controls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controls {
    /// Own canaries that had to be seen, in operations that ended ok.
    pub due: u64,
    /// Those that were.
    pub met: u64,
}

/// Two operations of different tenants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The one that was in flight.
    pub first: String,
    /// The one that began meanwhile.
    pub second: String,
    /// How often, in either order.
    pub together: u64,
    /// How often the second began while the first was in one of its phases.
    #[serde(default, skip_serializing_if = "Phases::is_none")]
    pub during_first: Phases,
    /// How often the first began while the second was in one of its phases; none for an operation and itself.
    #[serde(default, skip_serializing_if = "Phases::is_none")]
    pub during_second: Phases,
    /// As [`Coverage::leak_rate_max`], with these as trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak_rate_max: Option<f64>,
}

/// In which phases of an operation another tenant's began: operations with at least one that did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// While its request was being sent.
    pub sending: u64,
    /// While the target was at work on it: all was sent, and no head of an answer had come.
    pub processing: u64,
    /// While its answer came in.
    pub answering: u64,
}

impl Phases {
    /// Whether there were none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Tries to reach an object of another tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// The object's name.
    pub object: String,
    /// What was tried.
    pub access: Access,
    /// By whom.
    #[serde(default, skip_serializing_if = "Prober::is_tenant")]
    pub by: Prober,
    /// How often.
    pub tried: u64,
    /// How often the owner reached the same object in the same run, so that a refusal proves something.
    pub counted: u64,
}

/// What was tried of a role at a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleCell {
    /// The step's name.
    pub step: String,
    /// The role.
    pub role: String,
    /// What the scenario says of it.
    pub rule: Rule,
    /// How often.
    pub tried: u64,
    /// How often that proved something: allowed and ended ok, or denied and answered for the role's sake. At 0 the cell was not
    /// tested.
    pub counted: u64,
}

/// Whether a role may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// It may.
    Allowed,
    /// It may not.
    Denied,
}

/// Who tries to reach others' objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prober {
    /// A user of another tenant.
    #[default]
    Tenant,
    /// Somebody without credentials.
    Anonymous,
}

impl Prober {
    /// Whether it is a user of another tenant.
    pub fn is_tenant(&self) -> bool {
        *self == Self::Tenant
    }
}

/// A forged leak in one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Which channel.
    pub channel: Channel,
    /// How often it was forged.
    pub forged: u64,
    /// How often it was found.
    pub found: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Sent {
    /// Those that were sent.
    pub fn invoked(&self) -> u64 {
        self.ok + self.fail + self.info + self.open
    }

    /// Those that were planned for a case that came.
    pub fn due(&self) -> u64 {
        self.planned.saturating_sub(self.not_due)
    }
}

impl Controls {
    /// Whether all were met.
    pub fn all_met(&self) -> bool {
        self.met == self.due
    }
}

impl Operation {
    /// Whether events come by it: on a WebSocket or on a stream of server-sent events.
    pub fn brings_events(&self) -> bool {
        self.route.starts_with("WS ") || self.route.starts_with("SSE ")
    }
}

impl Coverage {
    /// Pairs that were in flight together at least once, and all pairs.
    pub fn pairs_overlapped(&self) -> (usize, usize) {
        let overlapped = self.pairs.iter().filter(|pair| pair.together > 0).count();
        (overlapped, self.pairs.len())
    }
}
