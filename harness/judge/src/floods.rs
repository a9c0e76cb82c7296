//! How long operations of others took during floods of one tenant, and just before and after them.
//!
//! Times of one machine at one moment say nothing; what is kept is how a flood compares with its two quiet neighbours.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use coalmine_core::PrincipalId;
use coalmine_core::history::{Event, Happening};
use coalmine_core::perturb::{FLOOD_CONNECTIONS, Perturbation};
use coalmine_core::plan::{Op, OpId, Phase, ScopeId, Stage};
use coalmine_core::step::StepId;
use coalmine_core::verdict::Flooded;

use crate::round::Round;

/// A quiet neighbour stands no more stages away than this: what it takes to make a flood ready may lie between.
const NEIGHBOUR_STAGES_MAX: usize = 2;
/// Times of others that a stage needs.
const TIMES_MIN: usize = 2;
/// Floods of one step that are compared; later ones change little.
const FLOODS_MAX: usize = 1_000;
/// An interval leaves out the true median on either side at most this often.
const TAIL_MAX: f64 = 0.025;
/// What a fair share is multiplied with: caches that do not suffice for two, and locks that cost more the more wait for them, are no
/// defect.
const LENIENCE: f64 = 2.0;

/// The step of a flood, and one that others did meanwhile.
pub(crate) type Key = (StepId, StepId);

/// Compares floods over all rounds.
#[derive(Default)]
pub(crate) struct Floods {
    /// Of the round; made when its first event comes.
    watch: Option<Watch>,
    series: BTreeMap<(String, String), Series>,
}

/// What is compared for one flooded step and one step of others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    ratios: Vec<f64>,
    /// How much longer it took in a flood, in microseconds.
    delays_us: Vec<f64>,
    /// The fewest others who were there.
    watchers: Option<usize>,
}

/// The slowest operation of others in a flood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slowest {
    pub(crate) took_us: u64,
    pub(crate) op: OpId,
    pub(crate) seq: u64,
    pub(crate) at_us: u64,
    /// Whose flood it was.
    pub(crate) by: ScopeId,
}

/// The operations of the round that are timed.
#[derive(Default)]
struct Watch {
    floods: Vec<Flood>,
    stages: HashMap<OpId, usize>,
    began: HashMap<OpId, u64>,
    /// By stage and step, of the operations that ended ok, or took until they were given up.
    times: HashMap<(usize, StepId), Vec<u64>>,
    slowest: HashMap<(usize, StepId), Slowest>,
    /// Requests that were in flight with others of their flood, by stage.
    reached: HashMap<usize, usize>,
}

/// A stage with a flood, and its quiet neighbours.
struct Flood {
    at: usize,
    before: usize,
    after: usize,
    step: StepId,
    by: ScopeId,
    requests: usize,
    watchers: usize,
}

impl Floods {
    /// Something happened to an operation.
    pub(crate) fn event(&mut self, round: &Round, event: &Event) {
        self.watch.get_or_insert_with(|| Watch::new(&round.plan.stages)).event(round, event);
    }

    /// The round is over. Returns the slowest operation of others for each comparison that came to be.
    pub(crate) fn end(&mut self, round: &Round) -> BTreeMap<Key, Slowest> {
        let mut slowest = BTreeMap::new();
        let watch = self.watch.take().unwrap_or_default();
        for flood in watch.floods.iter().filter(|flood| watch.is_real(flood)) {
            for step in watch.steps(flood) {
                let Some((ratio, delay_us)) = watch.compare(flood, step) else { continue };
                self.series(round, (flood.step, step)).add(ratio, delay_us, flood.watchers);
                slowest.extend(watch.slowest.get(&(flood.at, step)).map(|it| ((flood.step, step), *it)));
            }
        }
        slowest
    }

    /// What is known of a comparison so far.
    pub(crate) fn series(&mut self, round: &Round, (flood, step): Key) -> &mut Series {
        let name = |step: StepId| round.plan.step(step).name.clone();
        self.series.entry((name(flood), name(step))).or_default()
    }

    /// As the verdict has them, worst first.
    pub(crate) fn into_coverage(self) -> Vec<Flooded> {
        let mut all: Vec<Flooded> =
            self.series.into_iter().map(|(names, series)| series.into_coverage(names)).collect();
        all.sort_by(|one, other| other.ratio.total_cmp(&one.ratio));
        all
    }
}

impl Watch {
    fn new(stages: &[Stage]) -> Self {
        let floods: Vec<Flood> = (0..stages.len()).filter_map(|at| flood(stages, at)).collect();
        let mut watch = Self::default();
        let watched: BTreeSet<usize> = floods.iter().flat_map(|flood| [flood.before, flood.at, flood.after]).collect();
        for stage in watched {
            let ops = stages[stage].lanes.iter().flat_map(|lane| &lane.ops);
            let ops = ops.filter(|op| op.purpose.is_flow() || op.manner.flood);
            watch.stages.extend(ops.map(|op| (op.id, stage)));
        }
        watch.floods = floods;
        watch
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(stage) = self.stages.get(&event.op).copied() else { return };
        let Some(place) = round.place(event.op) else { return };
        if round.step(place).is_search() {
            return;
        }
        let is_flood = !place.purpose.is_flow();
        match &event.what {
            Happening::Perturbed(shaken) if is_flood => {
                let hits = shaken.what == Perturbation::Flood && shaken.reached;
                *self.reached.entry(stage).or_default() += usize::from(hits);
            }
            Happening::Invoke { .. } if !is_flood => {
                self.began.insert(event.op, event.at_us);
            }
            Happening::Ok(_) if !is_flood => self.ended(event, stage, place.step),
            // It took longer than that. Where it is quiet, such a time would make others look slow.
            Happening::Info { answer, .. } if !is_flood && answer.status.is_none() && self.is_flooded(stage) => {
                self.ended(event, stage, place.step);
            }
            _ => {}
        }
    }

    fn is_flooded(&self, stage: usize) -> bool {
        self.floods.iter().any(|flood| flood.at == stage)
    }

    fn ended(&mut self, event: &Event, stage: usize, step: StepId) {
        let Some(began) = self.began.remove(&event.op) else { return };
        let took_us = event.at_us.saturating_sub(began);
        self.times.entry((stage, step)).or_default().push(took_us);
        let Some(flood) = self.floods.iter().find(|flood| flood.at == stage) else { return };
        let this = Slowest { took_us, op: event.op, seq: event.seq, at_us: event.at_us, by: flood.by };
        let slowest = self.slowest.entry((stage, step)).or_insert(this);
        *slowest = if took_us > slowest.took_us { this } else { *slowest };
    }

    /// Whether most of its requests were in flight with others.
    fn is_real(&self, flood: &Flood) -> bool {
        self.reached.get(&flood.at).is_some_and(|reached| reached * 2 >= flood.requests)
    }

    fn steps(&self, flood: &Flood) -> BTreeSet<StepId> {
        self.times.keys().filter(|(stage, _)| *stage == flood.at).map(|(_, step)| *step).collect()
    }

    /// How many times as long a step took as in the quiet stages, and how much longer in microseconds. Their geometric mean is what
    /// steady drift would have made of the flood.
    fn compare(&self, flood: &Flood, step: StepId) -> Option<(f64, f64)> {
        let of = |stage: usize| {
            let mut times = self.times.get(&(stage, step)).filter(|times| times.len() >= flood.times_min())?.clone();
            times.sort_unstable();
            Some(times)
        };
        // Of an even number the two in the middle are taken so that the flood looks better than it was.
        let quiet = [flood.before, flood.after].map(|stage| of(stage).map(|times| times[times.len() / 2]));
        let quiet = (real(quiet[0]?.max(1)) * real(quiet[1]?.max(1))).sqrt();
        let flooded = of(flood.at).map(|times| real(times[(times.len() - 1) / 2]))?;
        Some((flooded / quiet, flooded - quiet))
    }
}

impl Flood {
    /// Times of others that each stage needs.
    fn times_min(&self) -> usize {
        self.watchers.div_ceil(2).max(TIMES_MIN)
    }
}

/// The flood in a stage, where it has neighbours in which the same others act, and nobody else.
fn flood(stages: &[Stage], at: usize) -> Option<Flood> {
    let ops = || stages[at].lanes.iter().flat_map(|lane| &lane.ops).filter(|op| op.manner.flood);
    let first: &Op = ops().next()?;
    let by = stages[at].lanes.iter().find(|lane| lane.ops.iter().any(|op| op.manner.flood))?.principal;
    let others: BTreeSet<PrincipalId> = principals(&stages[at]).filter(|principal| *principal != by).collect();
    let is_quiet = |stage: &usize| {
        stages
            .get(*stage)
            .is_some_and(|stage| stage.phase == Phase::Flows && principals(stage).collect::<BTreeSet<_>>() == others)
    };
    let before = (1..=NEIGHBOUR_STAGES_MAX).filter_map(|away| at.checked_sub(away)).find(is_quiet)?;
    let after = (1..=NEIGHBOUR_STAGES_MAX).map(|away| at + away).find(is_quiet)?;
    let (requests, watchers) = (ops().count(), others.len());
    Some(Flood { at, before, after, step: first.step, by: first.scope, requests, watchers })
}

fn principals(stage: &Stage) -> impl Iterator<Item = PrincipalId> + '_ {
    stage.lanes.iter().map(|lane| lane.principal)
}

impl Series {
    fn add(&mut self, ratio: f64, delay_us: f64, watchers: usize) {
        if self.ratios.len() < FLOODS_MAX {
            self.ratios.push(ratio);
            self.delays_us.push(delay_us);
            self.watchers = Some(self.watchers.map_or(watchers, |fewest| fewest.min(watchers)));
        }
    }

    /// How many floods were compared.
    pub(crate) fn floods(&self) -> usize {
        self.ratios.len()
    }

    /// Between which values the true median of the ratio lies.
    pub(crate) fn ratio(&self) -> Option<(f64, f64)> {
        interval(&self.ratios)
    }

    /// The same for how much longer it took, in microseconds.
    pub(crate) fn delay_us(&self) -> Option<(f64, f64)> {
        interval(&self.delays_us)
    }

    /// A target that shares what it has among the requests in flight, in whatever order, takes for each at most so many times as long
    /// as without those of the flood; and some more, out of lenience.
    pub(crate) fn limit(&self) -> f64 {
        let watchers = real(self.watchers.unwrap_or(1).max(1) as u64);
        LENIENCE * (watchers + real(FLOOD_CONNECTIONS as u64)) / watchers
    }

    fn into_coverage(self, (flood, operation): (String, String)) -> Flooded {
        let mut ratios = self.ratios.clone();
        ratios.sort_by(f64::total_cmp);
        let interval = self.ratio();
        Flooded {
            flood,
            operation,
            floods: self.ratios.len() as u64,
            ratio: hundredths(ratios.get(ratios.len() / 2).copied().unwrap_or(1.0)),
            ratio_low: interval.map(|(low, _)| hundredths(low)),
            ratio_high: interval.map(|(_, high)| hundredths(high)),
            ratio_limit: hundredths(self.limit()),
        }
    }
}

/// Where the median lies from which the values were drawn, whatever their distribution is: between the `n`th smallest and the `n`th
/// largest of them, where `n` comes from the binomial distribution (the interval of the sign test). None with too few values.
fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    // The chance that so many values, or fewer, lie below the median.
    let mut chance = 0.5_f64.powi(i32::try_from(count).ok()?);
    let (mut tail, mut below) = (chance, 0);
    while tail <= TAIL_MAX {
        chance *= real((count - below) as u64) / real(below as u64 + 1);
        tail += chance;
        below += 1;
    }
    let last = below.checked_sub(1)?;
    Some((sorted[last], sorted[count - 1 - last]))
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "times and counts are far below 2^52")]
fn real(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_takes_six_values_and_leaves_out_more_of_many() {
        let values = |count: u32| (0..count).map(f64::from).collect::<Vec<_>>();
        assert_eq!(interval(&[]), None);
        assert_eq!(interval(&values(5)), None);
        assert_eq!(interval(&values(6)), Some((0.0, 5.0)));
        assert_eq!(interval(&values(9)), Some((1.0, 7.0)));
        // As tables of the sign test have it.
        assert_eq!(interval(&values(15)), Some((3.0, 11.0)));
        assert_eq!(interval(&values(20)), Some((5.0, 14.0)));
        assert!(interval(&values(1_000)).is_some_and(|(low, high)| low > 460.0 && high < 539.0));
    }

    #[test]
    fn the_limit_is_twice_the_share_of_what_is_in_flight() {
        let series = Series { watchers: Some(8), ..Series::default() };
        assert!((series.limit() - 4.0).abs() < 1e-9);
        assert!(Series { watchers: Some(2), ..Series::default() }.limit() > 9.0);
    }
}
