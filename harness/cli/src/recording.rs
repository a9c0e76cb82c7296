//! What is replayed: the folder or the history of a run, or a case file.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use coalmine_core::bound::Rate;
use coalmine_core::case::{Origin, Sought};
use coalmine_core::history::{Decision, Event, Happening, HistoryError, Reader, Record, Shaken};
use coalmine_core::perturb::{Moment, Start};
use coalmine_core::plan::{OpId, Phase};
use coalmine_core::script::{Line, step_names};
use coalmine_core::verdict::Finding;
use coalmine_core::{Budget, Plan, Script};
use coalmine_plan::{CaseFile, Scenario};
use coalmine_target::{Flaw, FlawSet};

use crate::exit::Failed;
use crate::folder::{HISTORY, SCENARIO};
use crate::pipeline::judge;
use crate::rehearsal::Stage;
use crate::source;

/// See the module.
pub(crate) struct Recording {
    pub(crate) scenario: Scenario,
    /// The scenario as one text.
    pub(crate) text: String,
    pub(crate) script: Script,
    pub(crate) sought: Sought,
    pub(crate) stage: Stage,
    pub(crate) from: Origin,
    /// How often a case came back when it was written down.
    pub(crate) rate: Option<Rate>,
    /// What is known of a run; a case knows nothing of it.
    pub(crate) course: Option<Course>,
}

/// The places at which operations began and ended.
type Spans = BTreeMap<OpId, (u64, u64)>;

/// When the operations of a round began and ended, and which of them show a leak.
pub(crate) struct Course {
    /// Places in the order of events.
    spans: Spans,
    seen: OpId,
    planted: Option<OpId>,
    /// The longest time that an operation took which ended ok.
    pub(crate) slowest_us: u64,
}

impl Recording {
    /// Reads it. Of a run with several findings, `finding` says which: the beginning of its fingerprint.
    pub(crate) fn open(path: &Path, finding: Option<&str>) -> Result<Self, Failed> {
        let is_history = path.extension().is_some_and(|extension| extension == "zst");
        if !path.is_dir() && !is_history {
            return Self::case(path);
        }
        let folder = if is_history { path.parent().unwrap_or(Path::new(".")) } else { path };
        let history = if is_history { path.to_owned() } else { folder.join(HISTORY) };
        let scenario = folder.join(SCENARIO);
        let text = std::fs::read_to_string(&scenario).map_err(|error| {
            Failed::usage(format!("cannot read {}, which a run leaves beside its history: {error}", scenario.display()))
        })?;
        let findings = judge(&history)?.report.verdict.findings;
        let found = chosen(&findings, finding)?;
        let mut rounds = Rounds::of(&history);
        Ok(Self::of_round(rounds.played(found)?, (source::read_with(&scenario, None)?, text), found))
    }

    /// The round of a run that shows a finding.
    pub(crate) fn of_round(
        Played { plan, spans, slowest_us, usual_us }: &Played,
        (scenario, text): (Scenario, String),
        found: &Finding,
    ) -> Self {
        let round = plan.round;
        let planted = found.evidence.planted.as_ref().filter(|planted| planted.round == round);
        let course = Course {
            spans: spans.clone(),
            seen: found.evidence.seen.op,
            planted: planted.map(|planted| planted.op),
            slowest_us: *slowest_us,
        };
        Self {
            scenario,
            text,
            script: Script { usual_us: usual_us.clone(), ..Script::of(plan) },
            sought: Sought::from(found),
            stage: Stage::Url(plan.target.base_url.clone()),
            from: Origin { seed: plan.seed, round },
            rate: None,
            course: Some(course),
        }
    }

    fn case(path: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| Failed::usage(format!("cannot read {name}: {e}")))?;
        let read = CaseFile::parse(&text, &name, &mut source::text_of);
        let CaseFile { case, scenario, text } = read.map_err(|errors| Failed::usage(errors.render(false)))?;
        let flaws: Result<FlawSet, _> = case.target.flaws.iter().map(|flaw| flaw.parse::<Flaw>()).collect();
        let flaws = flaws.map_err(Failed::usage)?;
        let stage = match (case.target.url, scenario.target_url()) {
            (Some(url), _) => Stage::Url(url),
            (None, Some(url)) if flaws.iter().next().is_none() => Stage::Url(url.to_owned()),
            _ => Stage::BuiltIn(flaws),
        };
        let (script, sought) = (case.script, case.found);
        Ok(Self { scenario, text, script, sought, stage, from: case.from, rate: case.rate, course: None })
    }

    /// How large the smallest script is that may show the leak.
    pub(crate) fn size(&self) -> usize {
        self.excerpts().first().map_or(usize::MAX, |script| script.lines().count())
    }

    /// Scripts that may show the leak, in ascending order of size: what shows it alone, then more and more around it.
    pub(crate) fn excerpts(&self) -> Vec<Script> {
        let whole = self.script.clone();
        let Some(course) = &self.course else { return vec![whole] };
        let around = Around::new(&whole, course);
        // What one leaves behind for the next comes again in the same order, and hardly ever in another.
        let mut excerpts = vec![course.in_turn(&around.passes()), around.passes()];
        excerpts.extend([around.same_flows(), around.people(), around.flows_of_all()]);
        for count in CUTS {
            let cut = course.in_turn(&around.with_cuts(course, count).passes());
            excerpts.extend([cut.given_up_at(HALF_WAY_PERMILLE), cut]);
        }
        excerpts.push(whole);
        excerpts.retain(|script| script.ops() > 0);
        excerpts.sort_by_key(|script| script.lines().count());
        excerpts.dedup();
        excerpts
    }
}

/// So many of the passes that were given up before a leak was seen may have left behind what leaked.
const CUTS: [usize; 2] = [1, 4];
/// Where a request is given up in the middle of the work on it, if anywhere.
const HALF_WAY_PERMILLE: u16 = 450;

/// The finding that is meant: the worst, unless one is named.
fn chosen<'f>(findings: &'f [Finding], named: Option<&str>) -> Result<&'f Finding, Failed> {
    let mut fitting =
        findings.iter().filter(|finding| named.is_none_or(|name| finding.fingerprint.0.starts_with(name)));
    fitting.next().ok_or_else(|| match named {
        Some(name) => Failed::usage(format!("the run has no finding whose fingerprint begins with `{name}`")),
        None => Failed::usage("the run has no findings: there is nothing to bring back"),
    })
}

/// A round of a history: its plan, and when its operations began and ended.
pub(crate) struct Played {
    plan: Plan,
    spans: Spans,
    slowest_us: u64,
    /// What was known last of the usual time of steps that were given up at a part of it.
    usual_us: BTreeMap<String, u32>,
}

impl Played {
    /// What it might cost the target.
    pub(crate) fn budget(&self) -> Budget {
        self.plan.budget
    }
}

/// The rounds of a history, each read once.
pub(crate) struct Rounds<'a> {
    history: &'a Path,
    played: BTreeMap<u32, Played>,
}

impl<'a> Rounds<'a> {
    pub(crate) fn of(history: &'a Path) -> Self {
        Self { history, played: BTreeMap::new() }
    }

    /// The round in which something was found.
    pub(crate) fn played(&mut self, found: &Finding) -> Result<&Played, Failed> {
        let round = found.evidence.seen.round;
        Ok(match self.played.entry(round) {
            Entry::Occupied(played) => played.into_mut(),
            Entry::Vacant(place) => {
                let unreadable = |error| Failed::usage(format!("{}: {error}", self.history.display()));
                place.insert(round_of(self.history, round).map_err(unreadable)?)
            }
        })
    }
}

fn round_of(history: &Path, round: u32) -> Result<Played, HistoryError> {
    let mut plan: Option<Plan> = None;
    let (mut spans, mut began_us, mut slowest_us) = (Spans::new(), BTreeMap::new(), 0);
    let mut usual_us: BTreeMap<OpId, u32> = BTreeMap::new();
    for record in Reader::new(File::open(history).map_err(HistoryError::Io)?) {
        match record? {
            Record::Round(next) if next.round == round => plan = Some(*next),
            Record::Round(_) if plan.is_some() => break,
            Record::Event(event) if plan.is_some() => {
                note(&event, &mut spans);
                match event.what {
                    Happening::Invoke { .. } => drop(began_us.insert(event.op, event.at_us)),
                    Happening::Ok(_) => {
                        let took_us = began_us.get(&event.op).map_or(0, |began| event.at_us - began);
                        slowest_us = took_us.max(slowest_us);
                    }
                    Happening::Perturbed(Shaken {
                        decided: Some(Decision::GivenUp { usual_us: us @ 1.., .. }),
                        ..
                    }) => {
                        usual_us.insert(event.op, us);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let missing = || HistoryError::Io(std::io::Error::other(format!("it has no round {round}")));
    let plan = plan.ok_or_else(missing)?;
    let names = step_names(&plan.steps);
    let usual_us =
        plan.ops().filter_map(|(.., op)| Some((names[usize::from(op.step.0)].clone(), *usual_us.get(&op.id)?)));
    let usual_us = usual_us.collect();
    Ok(Played { plan, spans, slowest_us, usual_us })
}

fn note(event: &Event, spans: &mut Spans) {
    match event.what {
        Happening::Invoke { .. } => {
            spans.entry(event.op).or_insert((event.seq, u64::MAX));
        }
        Happening::Ok(_) | Happening::Fail { .. } | Happening::Info { .. } => {
            spans.entry(event.op).and_modify(|span| span.1 = event.seq);
        }
        _ => {}
    }
}

/// What stands around the operations that show a leak.
#[derive(Clone)]
struct Around<'a> {
    script: &'a Script,
    /// Passes that the operations which show it are part of, or name.
    passes: BTreeSet<u32>,
    people: BTreeSet<u32>,
    tenants: BTreeSet<Option<u32>>,
    flows: BTreeSet<&'a str>,
}

impl<'a> Around<'a> {
    fn new(script: &'a Script, course: &Course) -> Self {
        let shows = |op: OpId| op == course.seen || Some(op) == course.planted;
        let lines = || script.lines().filter(|(.., line)| shows(line.op));
        let mut passes: BTreeSet<u32> = lines().flat_map(|(.., line)| line.passes()).collect();
        // What a turn of a block needs was made around it.
        let outer: Vec<u32> = passes.iter().map(|pass| outermost(script, *pass)).collect();
        passes.extend(outer);
        let sessions = script.people.len();
        let flows = passes.iter().filter(|pass| **pass as usize >= sessions);
        let flows = flows.map(|pass| script.passes[*pass as usize].flow.as_str()).collect();
        let people = lines().map(|(_, by, _)| by).collect();
        Self { script, passes: BTreeSet::new(), people, tenants: BTreeSet::new(), flows }.with(passes)
    }

    /// The same with these passes, and whose they are.
    fn with(mut self, passes: BTreeSet<u32>) -> Self {
        self.people.extend(passes.iter().map(|pass| self.script.passes[*pass as usize].by));
        self.passes.extend(passes);
        self.tenants = self.people.iter().map(|one| self.script.tenant_of(*one)).collect();
        self
    }

    /// The same with the last passes through those flows that were given up before the leak was seen.
    fn with_cuts(&self, course: &Course, count: usize) -> Self {
        let seen_us = course.began_us(course.seen);
        let is_cut =
            |line: &Line| line.manner.cut.is_some() && self.is_in_flows(line) && course.began_us(line.op) < seen_us;
        let mut cut: Vec<&Line> = self.script.lines().map(|(.., line)| line).filter(|line| is_cut(line)).collect();
        cut.sort_by_key(|line| std::cmp::Reverse(course.began_us(line.op)));
        let passes = cut.iter().take(count).map(|line| outermost(self.script, line.pass.0)).collect();
        self.clone().with(passes)
    }

    fn is_set_up(&self, phase: Phase, by: u32) -> bool {
        phase == Phase::Auth && self.tenants.contains(&self.script.tenant_of(by))
    }

    /// Those passes alone.
    fn passes(&self) -> Script {
        self.script.with_only(|phase, by, line| {
            let is_inside = |pass: u32| {
                self.passes.contains(&outermost(self.script, pass)) || (pass as usize) < self.script.people.len()
            };
            self.is_set_up(phase, by)
                || phase != Phase::Auth && self.people.contains(&by) && line.passes().into_iter().all(is_inside)
        })
    }

    /// All that these people do in those flows.
    fn same_flows(&self) -> Script {
        self.script.with_only(|phase, by, line| {
            self.is_set_up(phase, by) || self.people.contains(&by) && phase != Phase::Auth && self.is_in_flows(line)
        })
    }

    /// All that their tenants do.
    fn people(&self) -> Script {
        self.script.with_only(|_, by, _| self.tenants.contains(&self.script.tenant_of(by)))
    }

    /// What everybody does in those flows.
    fn flows_of_all(&self) -> Script {
        self.script.with_only(|phase, _, line| phase == Phase::Auth || self.is_in_flows(line))
    }

    fn is_in_flows(&self, line: &Line) -> bool {
        let pass = outermost(self.script, line.pass.0);
        self.flows.contains(self.script.passes[pass as usize].flow.as_str())
    }
}

/// The pass around a turn, and around that.
fn outermost(script: &Script, pass: u32) -> u32 {
    let outward =
        |pass: &u32| script.passes[*pass as usize].turn.map(|(within, _)| within).filter(|outer| outer < pass);
    std::iter::successors(Some(pass), outward).last().unwrap_or(pass)
}

impl Course {
    /// When an operation began; the latest time for one that never did.
    fn began_us(&self, op: OpId) -> u64 {
        self.spans.get(&op).map_or(u64::MAX, |span| span.0)
    }

    /// The script one operation at a time, as they began.
    fn in_turn(&self, script: &Script) -> Script {
        script.in_turn(|op| (self.began_us(op), op))
    }

    /// The script with each operation held back until what had ended before it began has ended again.
    pub(crate) fn in_order(&self, script: &Script) -> Script {
        let lanes: BTreeMap<OpId, u32> = script.lines().map(|(_, by, line)| (line.op, by)).collect();
        let mut ends: Vec<(u64, OpId)> =
            self.spans.iter().filter(|(_, span)| span.1 != u64::MAX).map(|(op, span)| (span.1, *op)).collect();
        ends.sort_unstable();
        script.with_manners(|by, line| {
            let began = self.spans.get(&line.op).map_or(0, |span| span.0);
            let before = ends.partition_point(|(end, _)| *end < began);
            let last =
                ends[..before].last().map(|(_, op)| *op).filter(|op| lanes.get(op).is_some_and(|lane| *lane != by));
            let start = last.map_or(Start::AtOnce, |op| Start::Once { op, moment: Moment::Ended, delay_us: 0 });
            coalmine_core::perturb::Manner { start, ..line.manner }
        })
    }

    /// The passes of the operations that were under way together with those that show the leak.
    pub(crate) fn racing(&self, script: &Script) -> Script {
        let shows = [Some(self.seen), self.planted];
        let shown: Vec<(u64, u64)> = shows.iter().flatten().filter_map(|op| self.spans.get(op).copied()).collect();
        let meets = |op: OpId| {
            let span = self.spans.get(&op).copied().unwrap_or((u64::MAX, 0));
            shown.iter().any(|other| span.0 <= other.1 && other.0 <= span.1)
        };
        let racing: Vec<(u32, &Line)> = script
            .lines()
            .filter(|(phase, _, line)| *phase != Phase::Auth && meets(line.op))
            .map(|(_, by, line)| (by, line))
            .collect();
        let passes: BTreeSet<u32> =
            racing.iter().flat_map(|(_, line)| line.passes()).map(|pass| outermost(script, pass)).collect();
        let people: BTreeSet<u32> = passes
            .iter()
            .map(|pass| script.passes[*pass as usize].by)
            .chain(racing.iter().map(|(by, _)| *by))
            .collect();
        let tenants: BTreeSet<_> = people.iter().map(|one| script.tenant_of(*one)).collect();
        script.with_only(|phase, by, line| match phase {
            Phase::Auth => tenants.contains(&script.tenant_of(by)),
            _ => line
                .passes()
                .into_iter()
                .all(|pass| (pass as usize) < script.people.len() || passes.contains(&outermost(script, pass))),
        })
    }
}

/// Where the case of a finding lies in the folder of its run.
pub(crate) fn case_path(folder: &Path, fingerprint: &str) -> PathBuf {
    folder.join("findings").join(format!("{fingerprint}.yaml"))
}
