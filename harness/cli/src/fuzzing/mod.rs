//! A campaign: rounds without an end, of which those that reached something new are kept and changed.
//!
//! Rounds share a run key, and each has a history of its own, which brings what the rounds before have planted and is judged by itself: judging
//! costs the same after hours as at the beginning. Every file is written whole or not at all, and what a round shows is on disk before the next one begins.
//! A leftover history says what the round had shown that was going on when the process was killed.

mod corpus;
mod durable;
mod era;
mod log;
mod outcome;
mod small;
mod states;
mod view;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coalmine_campaign::{GENOME_BYTES, Ground, Limit, Reach, mutate, wanted};
use coalmine_canary::CanaryId;
use coalmine_core::case::{Explanation, Origin};
use coalmine_core::plan::Shapes;
use coalmine_core::verdict::{Finding, Shortfall, ShortfallKind, Site, Verdict};
use coalmine_core::{Plan, Script, Seed};
use coalmine_plan::{Overrides, PlanError, Scenario};
use coalmine_run::{Destinations, Progress, Recorder, Secrets, Stop, run_round};

use crate::exit::Failed;
use crate::folder::HISTORY;
use crate::inputs::{self, Inputs};
use crate::inquiry::case_text;
use crate::pipeline::{Judged, judge};
use crate::recording::{Recording, Rounds, case_path};
use corpus::Corpus;
use era::{is_shared_by_rounds, own_seed};
use log::Log;
use view::{Standing, View, clock};

/// After so many rounds in a row in which the target could not be tested, it is given up.
const UNTESTABLE_MAX: u32 = 3;
/// At most one part in so many of the time goes into making findings small.
const EXPLAINING_PART: u32 = 3;
/// Making one small is not begun with less time than this.
const EXPLAINING_MIN: Duration = Duration::from_secs(5);
/// Trials that making one finding small may take.
const TRIALS_MAX: u32 = 400;

/// What becomes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shrinking {
    /// It is made small, and diagnosed.
    On,
    /// It is written down as it was found.
    Off,
}

/// A campaign that has been decided on.
pub(crate) struct Campaign<'a> {
    pub(crate) scenario: &'a Scenario,
    /// The scenario as one text.
    pub(crate) text: &'a str,
    pub(crate) overrides: Overrides,
    pub(crate) inputs: &'a Inputs,
    pub(crate) folder: &'a Path,
    /// Of the whole campaign, with all its parts.
    pub(crate) limit: Limit,
    pub(crate) shrinking: Shrinking,
    pub(crate) command_line: String,
}

/// Where the next round comes from.
struct Course {
    plan: Arc<Plan>,
    reach: Reach,
}

/// Why no more rounds are played.
enum Over {
    Spent,
    Stopped,
    BudgetUsedUp,
    Untestable(Shortfall),
}

/// Which rounds know each other's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keying {
    /// Those of an era.
    ByEra,
    /// Each its own alone.
    ByRound,
}

/// A campaign under way.
struct Hunt<'a> {
    campaign: &'a Campaign<'a>,
    log: Log,
    corpus: Corpus,
    began: Instant,
    elapsed_before_ms: u64,
    operations_before: u64,
    /// Making one finding small was broken off after this long; the next try has more.
    patience: Duration,
    secrets: Arc<Secrets>,
    destinations: Arc<Destinations>,
    /// Whether rounds share a run key.
    keying: Keying,
    progress: Arc<Progress>,
    stop: Stop,
    view: View,
}

impl Campaign<'_> {
    /// Begins a campaign in its folder.
    pub(crate) async fn begin(&self, seed: Seed, stop: &Stop) -> Result<Judged, Failed> {
        self.run(Log::new(seed), stop).await
    }

    /// Goes on with the one in its folder.
    pub(crate) async fn resume(&self, stop: &Stop) -> Result<Judged, Failed> {
        self.run(Log::read(self.folder)?, stop).await
    }

    async fn run(&self, log: Log, stop: &Stop) -> Result<Judged, Failed> {
        let first = coalmine_plan::plan(self.scenario, log.seed, 0, &self.overrides()).map_err(Failed::usage)?;
        let certificates = inputs::certificates(&first.target.tls)?;
        let destinations = Destinations::resolve(&first.target, &certificates).await.map_err(Failed::usage)?;
        let progress = Arc::new(Progress::within(first.budget));
        let corpus = Corpus::open(self.folder).map_err(|e| Failed::fault("cannot read the corpus", e))?;
        let before = Duration::from_millis(log.elapsed_ms);
        let limit = match self.limit {
            Limit::Time(time) => Some(clock(time)),
            Limit::Rounds(_) => None,
        };
        let view = View::start(Standing { doing: "Fuzzing", before, limit, ..Standing::default() }, progress.clone());
        let mut hunt = Hunt {
            campaign: self,
            elapsed_before_ms: log.elapsed_ms,
            operations_before: log.operations,
            patience: EXPLAINING_MIN,
            corpus,
            began: Instant::now(),
            secrets: Arc::new(self.inputs.secrets(self.scenario)?),
            destinations: Arc::new(destinations),
            keying: if is_shared_by_rounds(&first) { Keying::ByEra } else { Keying::ByRound },
            progress,
            stop: stop.clone(),
            view,
            log,
        };
        hunt.recover()?;
        hunt.save()?;
        let over = hunt.search().await?;
        hunt.finish(over, &first)
    }

    fn overrides(&self) -> Overrides {
        Overrides { inputs: self.inputs.values(self.scenario), ..self.overrides.clone() }
    }

    /// A total that is bounded is for the search alone: trials that it cuts short would say nothing of what they try.
    fn explains(&self, budget: &coalmine_core::Budget) -> bool {
        self.shrinking == Shrinking::On && !budget.is_bounded_in_all()
    }
}

impl Hunt<'_> {
    /// What the round had shown that was going on when the process ended. It is played again.
    fn recover(&mut self) -> Result<(), Failed> {
        let history = self.history();
        if history.exists() {
            // What was killed before its first round says nothing.
            if let Ok(judged) = judge(&history) {
                self.find(&history, &judged.report.verdict.findings)?;
            }
            remove(&history)?;
        }
        Ok(())
    }

    async fn search(&mut self) -> Result<Over, Failed> {
        let mut untestable = 0;
        loop {
            if self.stop.is_set() {
                return Ok(Over::Stopped);
            }
            if self.is_spent() {
                return Ok(Over::Spent);
            }
            let course = self.course()?;
            let verdict = self.play(&course).await?;
            let unfinished = verdict.shortfalls.iter().find(|one| one.kind == ShortfallKind::Unfinished).cloned();
            if let Some(why) = unfinished.filter(|_| !self.stop.is_set()) {
                untestable += 1;
                if untestable == UNTESTABLE_MAX {
                    return Ok(Over::Untestable(why));
                }
                continue;
            }
            untestable = 0;
            if verdict.shortfalls.iter().any(|one| one.kind == ShortfallKind::Budget) {
                return Ok(Over::BudgetUsedUp);
            }
            if self.campaign.explains(&course.plan.budget) {
                self.explain().await?;
            }
        }
    }

    fn is_spent(&self) -> bool {
        match self.campaign.limit {
            Limit::Rounds(rounds) => self.log.rounds >= rounds,
            // A round that would end after the limit by more than half of itself is not begun.
            Limit::Time(time) => {
                let searching = self.elapsed().saturating_sub(Duration::from_millis(self.log.explaining_ms));
                self.elapsed() + searching / self.log.rounds.saturating_mul(2).max(1) >= time
            }
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_before_ms) + self.began.elapsed()
    }

    /// The next round, and numbers for its people that nobody had before.
    fn course(&mut self) -> Result<Course, Failed> {
        let course = self.drawn()?;
        let course = match course {
            Some(course) if self.keying == Keying::ByRound || self.log.era.has_room_for(&course.plan) => course,
            _ => {
                self.log.era = self.log.era.next();
                self.drawn()?.expect("in a new era there is room")
            }
        };
        let Course { mut plan, reach } = course;
        let changed = Arc::make_mut(&mut plan);
        changed.shapes = Shapes::Told;
        if self.keying == Keying::ByEra {
            self.log.era.begin(changed);
        }
        Ok(Course { plan, reach })
    }

    /// Every other round is a mutant, once there is a corpus. None where its era has no more canaries of some shape.
    fn drawn(&mut self) -> Result<Option<Course>, Failed> {
        let genome = genome(self.log.seed, self.log.rounds);
        let number = |at: usize| usize::from(u16::from_le_bytes([genome[at], genome[at + 1]]));
        if genome[0] % 2 == 1
            && let Some((path, parent)) = self.corpus.choose(number(2), number(4)).map_err(cannot_read)?
        {
            match self.mutant(&parent, &genome[6..]) {
                Ok(plan) => return Ok(Some(Course { plan: Arc::new(plan), reach: Reach::Part })),
                Err(PlanError::CanariesExhausted { .. }) if !self.log.era.is_new() => return Ok(None),
                Err(why) => {
                    self.corpus.set_aside(&path, &format!("{}:1: {why}", path.display())).map_err(cannot_read)?;
                }
            }
        }
        let wanted = self.log.gathered.coverage().map(wanted).unwrap_or_default();
        let overrides = Overrides { wanted, ..self.overrides() };
        // Decisions follow from the round, and where the key is the round's own, from the key.
        let round = if self.keying == Keying::ByEra { self.log.rounds } else { 0 };
        match coalmine_plan::plan(self.campaign.scenario, self.round_seed(), round, &overrides) {
            Err(PlanError::CanariesExhausted { .. }) if !self.log.era.is_new() => Ok(None),
            plan => Ok(Some(Course { plan: Arc::new(plan.map_err(Failed::usage)?), reach: Reach::Whole })),
        }
    }

    /// The parent as it is, where what was made of it does not fit.
    fn mutant(&self, parent: &Script, genome: &[u8]) -> Result<Plan, PlanError> {
        let overrides = self.overrides();
        let perform =
            |script: &Script| coalmine_plan::perform(self.campaign.scenario, script, self.round_seed(), &overrides);
        perform(&mutate(parent, genome)).or_else(|_| perform(parent))
    }

    fn overrides(&self) -> Overrides {
        let numbering = (self.keying == Keying::ByEra).then(|| self.log.era.numbering(self.log.rounds));
        Overrides { numbering, ..self.campaign.overrides() }
    }

    fn round_seed(&self) -> Seed {
        match self.keying {
            Keying::ByEra => self.log.era.seed(self.log.seed),
            Keying::ByRound => own_seed(self.log.seed, self.log.rounds),
        }
    }

    fn history(&self) -> PathBuf {
        self.campaign.folder.join(HISTORY)
    }

    /// Plays a round and keeps what it shows.
    async fn play(&mut self, course: &Course) -> Result<Verdict, Failed> {
        // Numbers that were given once are given to nobody else, also where the process is killed now.
        self.save()?;
        let history = self.history();
        let cannot_record = |error: &dyn std::fmt::Display| Failed::fault("cannot record", error);
        let recorder = Recorder::create(&history, &self.campaign.command_line).map_err(|e| cannot_record(&e))?;
        let recorder = Arc::new(recorder);
        let (destinations, secrets) = (&self.destinations, &self.secrets);
        let end = run_round(&course.plan, destinations, secrets, &recorder, &self.progress, &self.stop).await;
        end.map_err(|e| Failed::fault("the round could not be run", e))?;
        let recorder = Arc::into_inner(recorder).expect("every lane has ended");
        recorder.finish(self.stop.is_set()).map_err(|e| cannot_record(&e))?;
        let judged = judge(&history)?;
        let verdict = judged.report.verdict;
        self.find(&history, &verdict.findings)?;
        self.learn(&history, course, (&verdict, &judged.public))?;
        self.save()?;
        remove(&history)?;
        Ok(verdict)
    }

    /// Writes each finding that is new as a case, or that one round shows alone for the first time, and keeps the history that shows it.
    fn find(&mut self, history: &Path, findings: &[Finding]) -> Result<(), Failed> {
        let round = self.log.rounds;
        let new = self.log.gathered.find(round, findings.to_vec());
        if new.is_empty() {
            return Ok(());
        }
        let kept = self.kept(round);
        let copied = kept.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::copy(history, &kept));
        copied.map_err(|e| Failed::fault("cannot keep a history", e))?;
        let mut rounds = Rounds::of(history);
        for finding in findings.iter().filter(|finding| new.contains(&finding.fingerprint.0)) {
            let given = (self.campaign.scenario.clone(), self.campaign.text.to_owned());
            let recording = Recording::of_round(rounds.played(finding)?, given, finding);
            self.write_case(finding, &case_text(&recording, &recording.script, None))?;
            self.tell(finding, round);
        }
        self.save()
    }

    /// Says what was found, the first of each site. What takes two rounds cannot be made small by trials of one.
    fn tell(&mut self, finding: &Finding, round: u32) {
        let fingerprint = finding.fingerprint.0.clone();
        let replay = self.replay_line(&fingerprint);
        let is_told = self.findings_at(&finding.site()).any(|other| self.log.first.contains_key(&other.fingerprint.0));
        if self.log.first.insert(fingerprint.clone(), round).is_none() && !is_told {
            self.view.say("LEAK", &finding.summary);
            self.view.say("", &replay);
        }
        let explanation = Explanation { fingerprint: fingerprint.clone(), replay, retried: None };
        self.log.explanations.insert(fingerprint.clone(), explanation);
        if finding.evidence.planted_in.is_none() {
            self.log.pending.push(fingerprint);
        }
    }

    fn findings_at<'s>(&'s self, site: &'s Site) -> impl Iterator<Item = &'s Finding> {
        self.log.gathered.findings().iter().filter(move |finding| finding.site() == *site)
    }

    /// Where the history of a round lies that was the first to show something.
    fn kept(&self, round: u32) -> PathBuf {
        self.campaign.folder.join("rounds").join(format!("{round:06}.jsonl.zst"))
    }

    fn replay_line(&self, fingerprint: &str) -> String {
        format!("coalmine replay {}", case_path(self.campaign.folder, fingerprint).display())
    }

    fn write_case(&self, finding: &Finding, text: &str) -> Result<(), Failed> {
        let path = case_path(self.campaign.folder, &finding.fingerprint.0);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| durable::write(&path, text.as_bytes())).map_err(|e| Failed::fault("cannot write a case", e))
    }

    /// Counts a round that was gone through, and keeps its script where it reached something new.
    fn learn(
        &mut self,
        history: &Path,
        course: &Course,
        (verdict, public): (&Verdict, &[CanaryId]),
    ) -> Result<(), Failed> {
        let lacks = |kind| verdict.shortfalls.iter().any(|one| one.kind == kind);
        if lacks(ShortfallKind::Unfinished) {
            return Ok(());
        }
        let reach = if lacks(ShortfallKind::Budget) { Reach::Part } else { course.reach };
        self.log.gathered.cover(verdict.clone(), reach);
        let mut ground = Ground::of(&verdict.coverage);
        states::note_states(history, &mut ground).map_err(|e| Failed::fault("cannot read the history", e))?;
        let new = self.log.ground.learn(ground);
        let from = Origin { seed: self.log.seed, round: self.log.rounds };
        if !new.is_empty() {
            let kept = self.corpus.keep(from, new, Script::of(&course.plan));
            kept.map_err(|e| Failed::fault("cannot write the corpus", e))?;
        }
        if self.keying == Keying::ByEra {
            self.log.era.end(&course.plan, public);
        }
        self.log.rounds += 1;
        Ok(())
    }

    fn save(&mut self) -> Result<(), Failed> {
        self.log.elapsed_ms = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.log.operations = self.operations_before + self.progress.ops_ended();
        self.log.save(self.campaign.folder)?;
        let Self { log, corpus, view, .. } = self;
        view.set(|standing| {
            standing.rounds = log.rounds;
            standing.pairs = log.ground.pairs();
            standing.states = log.ground.states();
            standing.corpus = corpus.len();
            standing.findings = log.gathered.findings().len();
            standing.sites = log.gathered.findings().iter().map(Finding::site).collect::<BTreeSet<_>>().len();
            standing.small = log.explanations.values().filter(|known| known.retried.is_some()).count();
        });
        Ok(())
    }
}

/// The decisions of a round.
fn genome(seed: Seed, round: u32) -> Vec<u8> {
    let parts = (0..).map(|part: u32| seed.derive(&format!("coalmine fuzz genome v1 {part}"), round));
    parts.flatten().take(GENOME_BYTES).collect()
}

fn cannot_read(error: std::io::Error) -> Failed {
    Failed::fault("cannot read the corpus", error)
}

fn remove(history: &Path) -> Result<(), Failed> {
    std::fs::remove_file(history).map_err(|e| Failed::fault("cannot remove a history", e))
}
