//! Findings are made small and diagnosed between rounds, within their share of the time.

use std::time::{Duration, Instant};

use coalmine_campaign::{Allowance, Limit};
use coalmine_core::case::Explanation;
use coalmine_core::verdict::Finding;
use coalmine_run::Stop;

use super::{EXPLAINING_MIN, EXPLAINING_PART, Hunt, TRIALS_MAX};
use crate::exit::Failed;
use crate::inquiry::{Inquiry, inquire};
use crate::pipeline::judge;
use crate::recording::{Recording, Rounds};

/// What came of trying to make one small.
enum Tried {
    /// It was, or it did not come back.
    Done,
    /// Its time was over before.
    BrokenOff,
}

impl Hunt<'_> {
    /// Makes as many findings small as there is time for.
    pub(super) async fn explain(&mut self) -> Result<(), Failed> {
        while let Some((place, fingerprint)) = self.next_to_explain() {
            let time = self.time_for_explaining();
            if self.stop.is_set() || time.is_some_and(|time| time < self.patience) {
                break;
            }
            let began = Instant::now();
            self.view.set(|standing| standing.doing = "Shrinking");
            let tried = self.explain_one(&fingerprint, time).await;
            self.view.set(|standing| standing.doing = "Fuzzing");
            self.log.explaining_ms += u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.log.pending.remove(place);
            match tried? {
                Tried::Done => self.patience = EXPLAINING_MIN,
                Tried::BrokenOff => {
                    // The others first; then it has more time.
                    self.log.pending.push(fingerprint);
                    self.patience = self.patience.saturating_mul(2);
                }
            }
            self.save()?;
        }
        Ok(())
    }

    /// One of each site, before others of it. With its place among those that wait.
    fn next_to_explain(&self) -> Option<(usize, String)> {
        let finding = |fingerprint: &str| {
            self.log.gathered.findings().iter().find(|finding| finding.fingerprint.0 == fingerprint)
        };
        let is_small = |finding: &Finding| {
            self.log.explanations.get(&finding.fingerprint.0).is_some_and(|known| known.retried.is_some())
        };
        let is_known = |fingerprint: &String| {
            finding(fingerprint).is_some_and(|finding| self.findings_at(&finding.site()).any(is_small))
        };
        let place = self.log.pending.iter().position(|fingerprint| !is_known(fingerprint)).unwrap_or_default();
        self.log.pending.get(place).map(|fingerprint| (place, fingerprint.clone()))
    }

    /// None where rounds are counted, and not time.
    fn time_for_explaining(&self) -> Option<Duration> {
        match self.campaign.limit {
            Limit::Rounds(_) => None,
            Limit::Time(limit) => {
                let share = self.elapsed() / EXPLAINING_PART;
                let left = limit.saturating_sub(self.elapsed());
                Some(share.saturating_sub(Duration::from_millis(self.log.explaining_ms)).min(left))
            }
        }
    }

    async fn explain_one(&mut self, fingerprint: &str, time: Option<Duration>) -> Result<Tried, Failed> {
        let Some(recording) = self.recording(fingerprint)? else { return Ok(Tried::Done) };
        let (stop, clock) = self.stop_after(time);
        let inquiry = Inquiry {
            recording: &recording,
            inputs: self.campaign.inputs,
            seed: self.log.seed,
            allowance: Allowance::of_trials(TRIALS_MAX),
            progress: Some(self.progress.clone()),
            stop: stop.clone(),
        };
        let known = inquire(&inquiry).await;
        clock.abort();
        let known = match known {
            Err(_) if stop.is_set() => return Ok(Tried::BrokenOff),
            known => known?,
        };
        let Some(known) = known else {
            self.view.say("", format_args!("{fingerprint} did not come back; its case is left as it was found"));
            return Ok(Tried::Done);
        };
        let finding = self.log.gathered.findings().iter().find(|finding| finding.fingerprint.0 == fingerprint).cloned();
        if let Some(finding) = finding {
            self.write_case(&finding, &known.text)?;
        }
        let retried = &known.retried;
        let sentence =
            retried.diagnosis.as_ref().map_or_else(String::new, |diagnosis| format!(": {}", diagnosis.sentence()));
        self.view
            .say("Small", format_args!("{fingerprint}: {} operations, {}{sentence}", retried.operations, retried.rate));
        let replay = self.replay_line(fingerprint);
        let explanation = Explanation { fingerprint: fingerprint.to_owned(), replay, retried: Some(known.retried) };
        self.log.explanations.insert(fingerprint.to_owned(), explanation);
        Ok(Tried::Done)
    }

    /// The round that was the first to show it, from its history.
    fn recording(&self, fingerprint: &str) -> Result<Option<Recording>, Failed> {
        let Some(round) = self.log.first.get(fingerprint) else { return Ok(None) };
        let history = self.kept(*round);
        let findings = judge(&history)?.report.verdict.findings;
        let Some(finding) = findings.iter().find(|finding| finding.fingerprint.0 == fingerprint) else {
            return Ok(None);
        };
        let given = (self.campaign.scenario.clone(), self.campaign.text.to_owned());
        let mut rounds = Rounds::of(&history);
        Ok(Some(Recording::of_round(rounds.played(finding)?, given, finding)))
    }

    /// A stop of its own, set with that of the campaign or when the time is over.
    fn stop_after(&self, time: Option<Duration>) -> (Stop, tokio::task::JoinHandle<()>) {
        let (stop, outer) = (Stop::new(), self.stop.clone());
        let set = stop.clone();
        let clock = tokio::spawn(async move {
            match time {
                Some(time) => drop(tokio::time::timeout(time, outer.wait()).await),
                None => outer.wait().await,
            }
            set.set();
        });
        (stop, clock)
    }
}
