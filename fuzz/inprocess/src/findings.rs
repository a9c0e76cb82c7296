//! What was found: each once, told or thrown.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use coalmine_core::verdict::{Finding, OracleId};
use data_encoding::HEXLOWER;

/// Names the file of what is known, one fingerprint at the beginning of each line. What is found is added to it.
const KNOWN: &str = "COALMINE_KNOWN";
/// `collect` tells what is found and goes on; anything else panics.
const REACTION: &str = "COALMINE_FINDINGS";

/// What is done about a finding that is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reaction {
    /// A panic, so that libFuzzer keeps the input as a crash.
    #[default]
    Panic,
    /// A line on stderr; the fuzzer goes on.
    Tell,
}

/// What is known already, and what is done about the rest.
#[derive(Debug)]
pub(crate) struct Findings {
    reaction: Reaction,
    known: BTreeSet<String>,
    file: Option<PathBuf>,
    began: Instant,
    trials: u64,
}

impl Findings {
    pub(crate) fn new(reaction: Reaction) -> Self {
        Self { reaction, known: BTreeSet::new(), file: None, began: Instant::now(), trials: 0 }
    }

    /// As the environment says.
    pub(crate) fn of_environment() -> io::Result<Self> {
        let is_collecting = std::env::var(REACTION).is_ok_and(|word| word == "collect");
        let findings = Self::new(if is_collecting { Reaction::Tell } else { Reaction::Panic });
        match std::env::var_os(KNOWN) {
            Some(path) => findings.known_from(path.into()),
            None => Ok(findings),
        }
    }

    /// The same, but for what stands in a file, to which the rest is added.
    fn known_from(self, path: PathBuf) -> io::Result<Self> {
        Ok(Self { known: read(&path)?, file: Some(path), ..self })
    }

    /// One more trial has shown this. The answer is what is to be thrown, where something is.
    pub(crate) fn learn(&mut self, found: &[Finding], input: &[u8]) -> Option<String> {
        self.trials += 1;
        let new: Vec<&Finding> =
            found.iter().filter(|finding| says_something(finding) && !self.knows(finding)).collect();
        if new.is_empty() {
            return None;
        }
        for finding in &new {
            self.known.insert(finding.fingerprint.0.clone());
            self.note(finding, input);
        }
        let told: Vec<String> = new.into_iter().map(told).collect();
        match self.reaction {
            Reaction::Panic => Some(told.join("\n")),
            Reaction::Tell => {
                let (seconds, trials) = (self.began.elapsed().as_secs(), self.trials);
                for told in told {
                    eprintln!("after {seconds} s and {trials} trials: {told}");
                }
                None
            }
        }
    }

    fn knows(&self, finding: &Finding) -> bool {
        self.known.contains(&finding.fingerprint.0)
    }

    /// A file that cannot be written to makes the next process find the same again, and no more.
    fn note(&self, finding: &Finding, input: &[u8]) {
        let Some(path) = &self.file else { return };
        let input = HEXLOWER.encode(input);
        let Finding { fingerprint, oracle, operation, route, .. } = finding;
        let (seconds, trials) = (self.began.elapsed().as_secs(), self.trials);
        let line =
            format!("{}\t{}\t{operation}\t{route}\t{seconds}\t{trials}\t{input}\n", fingerprint.0, oracle.name());
        let written = OpenOptions::new().create(true).append(true).open(path);
        if let Err(error) = written.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("cannot write to {}: {error}", path.display());
        }
    }
}

fn read(path: &PathBuf) -> io::Result<BTreeSet<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// How long answers take says nothing where every edge is counted and other fuzzers run beside.
fn says_something(finding: &Finding) -> bool {
    !matches!(finding.oracle, OracleId::ExistenceByTime | OracleId::NoisyNeighbour)
}

fn told(finding: &Finding) -> String {
    let evidence = &finding.evidence;
    format!(
        "{} at step {}: {}; owner {}, reader {}; fingerprint {}",
        finding.oracle.name(),
        finding.operation,
        finding.summary,
        evidence.owner.as_deref().unwrap_or("unknown"),
        evidence.receiver,
        finding.fingerprint.0
    )
}

#[cfg(test)]
mod tests {
    use coalmine_core::plan::OpId;
    use coalmine_core::principal::{Principal, PrincipalId, TenantId};
    use coalmine_core::verdict::{Evidence, Fingerprint, Moment};

    use super::*;

    fn finding(oracle: OracleId, fingerprint: &str) -> Finding {
        let principal = |tenant| Principal {
            id: PrincipalId(tenant),
            tenant: TenantId(tenant),
            user: 0,
            session: 0,
            role: None,
            attributes: vec![],
        };
        let seen = Moment { round: 0, op: OpId(0), operation: "read".into(), seq: 0, at_us: 0 };
        Finding {
            oracle,
            fingerprint: Fingerprint(fingerprint.into()),
            operation: "read".into(),
            route: "GET /pages/{}".into(),
            channel: None,
            summary: "tenant 1 received the canary `entry` of tenant 0".into(),
            count: 1,
            anonymous: 0,
            receivers: 1,
            owners: 1,
            patterns: vec![],
            evidence: Evidence::of(&principal(1), Some(&principal(0)), seen),
        }
    }

    #[test]
    fn a_finding_is_thrown_once_also_by_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let process = || Findings::new(Reaction::Panic).known_from(folder.path().join("known")).unwrap();
        let (first, second) = (finding(OracleId::ForeignCanary, "aa"), finding(OracleId::Access, "bb"));
        let mut findings = process();
        let told = findings.learn(std::slice::from_ref(&first), b"\x01\xff").unwrap();
        assert!(
            told.contains("foreign-canary at step read") && told.contains("owner tenant 0, reader tenant 1"),
            "{told}"
        );
        assert_eq!(findings.learn(std::slice::from_ref(&first), b""), None);
        let told = process().learn(&[first, second], b"").unwrap();
        assert!(!told.contains("foreign-canary") && told.contains("access"), "{told}");
        let lines = std::fs::read_to_string(folder.path().join("known")).unwrap();
        assert!(lines.lines().next().unwrap().ends_with("\t01ff") && lines.lines().count() == 2, "{lines}");
    }

    #[test]
    fn what_is_only_told_is_not_thrown() {
        let found = [finding(OracleId::ForeignCanary, "aa")];
        assert_eq!(Findings::new(Reaction::Tell).learn(&found, b""), None);
    }

    #[test]
    fn how_long_answers_take_is_no_finding_under_a_fuzzer() {
        let found = [finding(OracleId::ExistenceByTime, "aa"), finding(OracleId::NoisyNeighbour, "bb")];
        assert_eq!(Findings::new(Reaction::Panic).learn(&found, b""), None);
    }
}
