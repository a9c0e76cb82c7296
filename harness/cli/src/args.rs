//! What was typed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use coalmine_canary::Shape;
use coalmine_core::budget::{Rate, parse_bytes};
use coalmine_core::{Budget, Seed};
use coalmine_target::Flaw;

use crate::exit::Exit;

/// Find every secret that one tenant of your service can see of another.
#[derive(Parser, Debug)]
#[command(name = "coalmine", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit codes:
  0 pass   1 leak   2 usage or scenario error   3 target could not be tested
  4 inconclusive   70 fault of Coalmine's own   130 interrupted")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Show it all on a built-in service: first with its flaws, then repaired
    #[command(after_help = "Examples:
  coalmine demo
  coalmine demo --seed 9c3f1e")]
    Demo(DemoArgs),
    /// Test a service and block when it leaks
    #[command(after_help = "Examples:
  coalmine gate scenario.yaml --target http://127.0.0.1:8080
  coalmine gate scenario.yaml --tenants 64 --seed 9c3f1e --out results
  coalmine gate scenario.yaml --regressions coalmine-out/notes-9c3f1e/findings")]
    Gate(GateArgs),
    /// Search for hours: keep what reached something new, change it, and tell each leak once
    #[command(after_help = "Examples:
  coalmine fuzz scenario.yaml --target http://127.0.0.1:8080 --for 2h
  coalmine fuzz scenario.yaml --for 8h --resume coalmine-out/latest

Each leak is written as it comes, as a case that `coalmine replay` plays: findings/FINGERPRINT.yaml in the folder of the
campaign. It is made small and diagnosed in a third of the time, unless the budget bounds requests, bytes or time.
Ctrl-C ends it in order; also when it is killed, what was found is there, and --resume goes on.

Exit codes: 1 leaks, 0 none and everything was exercised, 3 the target could not be tested, 4 too little was exercised")]
    Fuzz(FuzzArgs),
    /// Test a service that others use: few tenants, a gentle rate, nothing changed unless you allow it
    #[command(after_help = "Examples:
  coalmine smoke scenario.yaml --profile staging
  coalmine smoke scenario.yaml --profile staging --allow-writes --max-rate 2/s

At most 4 tenants and 2 passes of a flow, 500 requests, 5 a second, 50 MB, 5 minutes and 8 connections, unless the
scenario, its profile or an option says otherwise. One tenant goes first; when that does not go well, nobody follows (3).
Without --allow-writes nothing is planted, so that the verdict is inconclusive at best.")]
    Smoke(SmokeArgs),
    /// Say everything that is wrong with scenarios; nothing is sent
    #[command(after_help = "Examples:
  coalmine lint scenario.yaml
  coalmine lint scenarios/*/scenario.yaml")]
    Lint(LintArgs),
    /// Go through a scenario once with one tenant, and show each exchange as it goes
    #[command(after_help = "Examples:
  coalmine try scenario.yaml
  coalmine try scenario.yaml --step read-note
  coalmine try scenario.yaml --profile staging --show-secrets

It stops at the first step that fails or does not show what it `sees`, and says where that stands. Canaries, credentials
and captured values are shown by their names and lengths. A secret in an answer that nothing captures is shown.

Exit codes: 0 every step did what it should, 2 usage or scenario error, 3 a step did not, or the target is not ready")]
    Try(TryArgs),
    /// Show what would be sent, without its secrets; nothing is sent
    #[command(after_help = "Examples:
  coalmine plan scenario.yaml
  coalmine plan scenario.yaml --tenants 2 --all --seed 9c3f1e")]
    Plan(PlanArgs),
    /// Write a commented scenario to begin with
    #[command(after_help = "Examples:
  coalmine init
  coalmine init --auth api-key my-service.yaml")]
    Init(InitArgs),
    /// Judge a recorded history again, without the target
    #[command(after_help = "Examples:
  coalmine check coalmine-out/latest/history.jsonl.zst
  coalmine check history.jsonl.zst --format json")]
    Check(CheckArgs),
    /// Bring a leak back: how often does it come, and is it logic or a race?
    #[command(after_help = "Examples:
  coalmine replay coalmine-out/latest --times 20
  coalmine replay coalmine-out/latest --how order
  coalmine replay fuzz/regressions/finance-cache-key.yaml

A file that ends in .zst is a history, a folder that of a run, and anything else a case, as `coalmine shrink` and a gate
write them: what was found, where, who does what (people, passes, and operations lane by lane), and the scenario.
Take an operation out of it and replay it: what names it goes with it. Each trial has other people and other secrets.

Exit codes: 1 it came back, 0 it did not (and how sure that is), 2 usage error, 3 the target could not be tested,
4 no trial says anything")]
    Replay(ReplayArgs),
    /// Make a leak small: the fewest tenants and operations that show it, and what kind of defect it is
    #[command(after_help = "Examples:
  coalmine shrink coalmine-out/latest
  coalmine shrink coalmine-out/latest --finding 3f2a --target http://127.0.0.1:8080 --out leak.yaml

It tries smaller and smaller scripts against the target, as often as the rate of the leak demands, and then the smallest
without overlap, cancellation, shared connections and so on. Exit codes: 1 it came back, 4 it did not")]
    Shrink(ShrinkArgs),
    /// Run the built-in service, with flaws if you like
    #[command(after_help = "Examples:
  coalmine target
  coalmine target --flaw agents.shared-state --flaw finance.cache-key --listen 127.0.0.1:8080
  coalmine target --services --flaw leads.session-setting
  coalmine target --rename 7 --scenario renamed.yaml --listen 127.0.0.1:8080
  coalmine target --database postgres://me@127.0.0.1/db --redis redis://127.0.0.1")]
    Target(TargetArgs),
    /// List the flaws that the built-in service can have
    #[command(after_help = "Examples:
  coalmine flaws
  coalmine flaws agents.shared-state")]
    Flaws(FlawsArgs),
    /// Search files, dumps and logs for canaries, in every form that they may take
    #[command(after_help = "Examples:
  coalmine scan --history coalmine-out/latest/history.jsonl.zst /var/log/service
  pg_dump staging | coalmine scan --seed 9c3f1e -
  coalmine scan --dictionary secrets.txt core.1234

Exit codes: 0 nothing found, 1 found, 2 usage error, 4 something could not be read to its end")]
    Scan(ScanArgs),
    /// Print canaries, to plant them by hand
    #[command(after_help = "Examples:
  coalmine mint --seed 9c3f1e --owner 3 --shape email --count 2")]
    Mint(MintArgs),
    /// Prove the leaky patterns of concurrent code with a model checker: guilty, right and hollow structures
    #[command(after_help = "Examples:
  coalmine models
  coalmine models router stream --preemptions 3
  coalmine models pool --implementation unread-answer
  coalmine models --sample pct:3 --schedules 10000
  coalmine models --replay coalmine-out/models/pool-unread-answer.json

A right structure that breaks a promise is 1. A guilty one that is not caught, a hollow one that is not refused and
an exploration that is not complete are 4. A LOOM_MAX_... variable in the environment is refused with 2.")]
    Models(ModelsArgs),
    /// Measure Coalmine itself: run every flaw of the built-in service and its twin, and count what was found
    #[command(after_help = "Examples:
  coalmine bench --seeds 10
  coalmine bench --search --seeds 20 --format markdown
  coalmine bench --diagnose --seeds 10 --format markdown
  coalmine bench --services --seeds 3
  coalmine bench --rename 1 --seeds 1
  coalmine bench --flaw agents.context-slot --flaw finance.cache-key --format json")]
    Bench(BenchArgs),
    /// Print the JSON Schema of scenarios, histories, reports or models, for editors and programs
    #[command(after_help = "Examples:
  coalmine schema > scenario.schema.json
  coalmine schema --markdown | less

An editor with a YAML language server uses it after the line
  # yaml-language-server: $schema=scenario.schema.json")]
    Schema(SchemaArgs),
    /// Print completions for a shell
    #[command(after_help = "Examples:
  coalmine completions bash > /etc/bash_completion.d/coalmine")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// The only source of randomness, in hexadecimal [default: by chance]
    #[arg(long)]
    pub(crate) seed: Option<Seed>,
    /// Where the reports go
    #[arg(long, default_value = "coalmine-out")]
    pub(crate) out: PathBuf,
}

/// A scenario, and where its values come from.
#[derive(Args, Debug)]
pub(crate) struct SourceArgs {
    /// The scenario file
    pub(crate) scenario: PathBuf,
    /// One of the scenario's profiles, laid over it
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// A file of `NAME=value` lines with variables and secrets that the environment does not set
    #[arg(long, value_name = "FILE")]
    pub(crate) variables: Option<PathBuf>,
}

/// A scenario, and what is said instead of it.
#[derive(Args, Debug)]
pub(crate) struct ScenarioArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Address of the service, instead of the scenario's `target.url`
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// The only source of randomness, in hexadecimal [default: by chance]
    #[arg(long)]
    pub(crate) seed: Option<Seed>,
    /// How many tenants, instead of the scenario's number
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) tenants: Option<u32>,
    #[command(flatten)]
    pub(crate) budget: BudgetArgs,
}

/// How much a run may cost the target, instead of the scenario's `budget`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Budget")]
pub(crate) struct BudgetArgs {
    /// Requests, handshakes and frames at most; what is planned beyond them is not sent, and counted
    #[arg(long = "max-requests", value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) requests: Option<u64>,
    /// Requests of all tenants together in a second, a minute or an hour, such as 5/s
    #[arg(long = "max-rate", value_name = "RATE", value_parser = Rate::parse)]
    pub(crate) rate: Option<Rate>,
    /// Bytes in both directions, such as 10MB
    #[arg(long = "max-bytes", value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) bytes: Option<u64>,
    /// Time until the last request that does not clean up, such as 5m
    #[arg(long = "max-time", value_name = "TIME", value_parser = parse_time)]
    pub(crate) time: Option<u64>,
    /// Connections at the same time
    #[arg(long = "max-connections", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: Option<u32>,
}

impl From<&BudgetArgs> for Budget {
    fn from(args: &BudgetArgs) -> Self {
        Self {
            requests_max: args.requests,
            rate_max: args.rate,
            bytes_max: args.bytes,
            time_max_ms: args.time,
            connections_max: args.connections,
        }
    }
}

/// A time, in milliseconds.
fn parse_time(text: &str) -> Result<u64, String> {
    coalmine_plan::parse_ms(text).map_err(|why| format!("{why}; write one such as `250ms`, `30s` or `5m`"))
}

#[derive(Args, Debug)]
pub(crate) struct GateArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// How often each user goes through each flow in a round, instead of the scenario's `repeat`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) repeat: Option<u32>,
    /// Rounds, each with fresh tenants, instead of a time
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "run_time")]
    pub(crate) rounds: Option<u32>,
    /// How long rounds are begun
    #[arg(long = "for", id = "run_time", value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub(crate) time_ms: u64,
    /// When to end before the time or the rounds are over
    #[arg(long, value_enum, default_value_t = Until::Leak)]
    pub(crate) until: Until,
    /// Whether the target is shaken as the scenario says, or not at all
    #[arg(long, value_enum, default_value_t = Perturb::On)]
    pub(crate) perturb: Perturb,
    /// Whether tenants act at the same time
    #[arg(long, value_enum, default_value_t = Schedule::Together)]
    pub(crate) schedule: Schedule,
    /// A case, or a folder of cases, of leaks that may not come back: each is played before the search. Without it, the
    /// cases of this scenario in the folder `regressions` beside it
    #[arg(long, value_name = "PATH")]
    pub(crate) regressions: Option<PathBuf>,
    /// Try each finding again, make it small, and say what kind of defect it is; that sends more to the target
    #[arg(long)]
    pub(crate) explain: bool,
    /// Prove the built-in models first, so that one exit code covers both; they are told on stderr
    #[arg(long)]
    pub(crate) models: bool,
    /// Where history and reports go
    #[arg(long, default_value = "coalmine-out")]
    pub(crate) out: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// When a run ends before everything is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// As soon as a violation is seen
    Leak,
    /// As soon as a violation is seen, or the verdict would be a pass
    Floor,
    /// Not before
    Spent,
}

/// Whether the target is shaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Perturb {
    /// As the scenario says
    On,
    /// Not at all
    Off,
}

#[derive(Args, Debug)]
pub(crate) struct FuzzArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// How often each user goes through each flow in a round, instead of the scenario's `repeat`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) repeat: Option<u32>,
    /// How long rounds are begun, all parts of a campaign together
    #[arg(long = "for", id = "run_time", value_name = "TIME", default_value = "10m", value_parser = parse_time)]
    pub(crate) time_ms: u64,
    /// Rounds, all parts of a campaign together, instead of a time
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "run_time")]
    pub(crate) rounds: Option<u32>,
    /// Go on with the campaign in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["seed", "out"])]
    pub(crate) resume: Option<PathBuf>,
    /// Write leaks down as they were found, without making them small
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Where the folder of the campaign goes
    #[arg(long, default_value = "coalmine-out")]
    pub(crate) out: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct SmokeArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// How often each user goes through each flow, instead of the scenario's `repeat`, 2 at most
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) repeat: Option<u32>,
    /// Send also what changes something, and remove it again
    #[arg(long)]
    pub(crate) allow_writes: bool,
    /// Where history and reports go
    #[arg(long, default_value = "coalmine-out")]
    pub(crate) out: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct LintArgs {
    /// Scenario files
    #[arg(required = true)]
    pub(crate) scenarios: Vec<PathBuf>,
    /// Only with this profile [default: without any, and with each of them]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// Every user's operations, not only the first one's
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TryArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Address of the service, instead of the scenario's `target.url`
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// The only source of randomness, in hexadecimal [default: by chance]
    #[arg(long)]
    pub(crate) seed: Option<Seed>,
    /// Only what leads to this step, and what cleans up after it
    #[arg(long, value_name = "ID")]
    pub(crate) step: Option<String>,
    /// Show canaries, credentials and captured values as they are
    #[arg(long)]
    pub(crate) show_secrets: bool,
}

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// The file to write; it must not exist
    #[arg(default_value = "scenario.yaml")]
    pub(crate) file: PathBuf,
    /// How users of the service say who they are
    #[arg(long, value_enum, default_value_t = Style::Bearer)]
    pub(crate) auth: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Style {
    /// Register, log in, send a bearer token
    Bearer,
    /// Create an account, send its API key
    ApiKey,
    /// HTTP basic: user and password in every request
    Basic,
    /// A login form with a hidden token, and a cookie
    CookieForm,
    /// A header that names tenant and user
    Header,
    /// Not at all
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schedule {
    /// All at once
    Together,
    /// One tenant after another, as a harness without concurrency would; never enough for a pass
    OneAtATime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// The report as JSON
    Json,
    /// The report as JUnit XML
    Junit,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The history file
    pub(crate) history: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// A leak that was found, and where it is looked for again.
#[derive(Args, Debug)]
pub(crate) struct RecordingArgs {
    /// A case file, the folder of a run, or its history
    pub(crate) file: PathBuf,
    /// Which finding of the run: the beginning of its fingerprint [default: the worst]
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) finding: Option<String>,
    /// Address of the service [default: where it was found]
    #[arg(long, value_name = "URL", conflicts_with = "flaws")]
    pub(crate) target: Option<String>,
    /// Look at the built-in service with this flaw, a new one for each trial
    #[arg(long = "flaw", id = "flaws", value_name = "ID")]
    pub(crate) flaws: Vec<Flaw>,
    /// Names and secrets of the people come from it, in hexadecimal [default: by chance]
    #[arg(long)]
    pub(crate) seed: Option<Seed>,
    /// A file of `NAME=value` lines with variables and secrets that the environment does not set
    #[arg(long, value_name = "FILE")]
    pub(crate) variables: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) recording: RecordingArgs,
    /// How often it is tried
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) times: u32,
    /// What is done each time
    #[arg(long, value_enum, default_value_t = How::Plan)]
    pub(crate) how: How,
}

/// How a leak is looked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum How {
    /// All that was planned, as it was planned
    Plan,
    /// The same, each operation held back until those have ended that had ended before it
    Order,
    /// Only what was under way together with the leak, one side of it later by more and more
    Stress,
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plan => "plan",
            Self::Order => "order",
            Self::Stress => "stress",
        })
    }
}

#[derive(Args, Debug)]
pub(crate) struct ShrinkArgs {
    #[command(flatten)]
    pub(crate) recording: RecordingArgs,
    /// Trials that making it smaller may take
    #[arg(long, default_value_t = 1200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) trials: u32,
    /// Time after which it is made no smaller, and only its kind is looked for
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    pub(crate) time_ms: Option<u64>,
    /// Where the case goes [default: its fingerprint, .yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct TargetArgs {
    /// A flaw that it shall have; see `coalmine flaws`
    #[arg(long = "flaw", value_name = "ID")]
    pub(crate) flaws: Vec<Flaw>,
    /// Where it listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
    /// Other names, drawn from a number, for its routes, fields, events and ids
    #[arg(long, value_name = "SEED")]
    pub(crate) rename: Option<u64>,
    /// What a user says at its registration to become a super admin, who sees all clients
    #[arg(long, value_name = "KEY", default_value = coalmine_target::PLATFORM_KEY)]
    pub(crate) platform_key: String,
    /// Write the scenario that fits it to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
}

/// Where the built-in service keeps its data. In itself, where nothing is said.
#[derive(Args)]
pub(crate) struct StorageArgs {
    /// Keep data in PostgreSQL, as a user who may create roles and schemas; what is made there is removed at the end
    #[arg(long, value_name = "URL", requires = "redis", conflicts_with = "services")]
    pub(crate) database: Option<String>,
    /// Keep caches, jobs and events in Redis
    #[arg(long, value_name = "URL", requires = "database", conflicts_with = "services")]
    pub(crate) redis: Option<String>,
    /// Start a private PostgreSQL and a private Redis for that, or use those that `DATABASE_URL` and `REDIS_URL` name
    #[arg(long)]
    pub(crate) services: bool,
}

/// URLs may hold passwords.
impl std::fmt::Debug for StorageArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageArgs").field("services", &self.services).finish_non_exhaustive()
    }
}

#[derive(Args, Debug)]
pub(crate) struct ScanArgs {
    /// Files and folders; `-` is stdin
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Search for the canaries of the run with this seed [default: of any run, with no owner named]
    #[arg(long, conflicts_with = "history")]
    pub(crate) seed: Option<Seed>,
    /// Search for the canaries of this recorded run, their hashes as well, and name tenants and fields
    #[arg(long)]
    pub(crate) history: Option<PathBuf>,
    /// A file of your own secrets, one a line, to search for as well
    #[arg(long)]
    pub(crate) dictionary: Option<PathBuf>,
    /// Files searched at the same time [default: one a core]
    #[arg(long)]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

#[derive(Args, Debug)]
pub(crate) struct MintArgs {
    /// The seed of the run to which they shall belong, in hexadecimal
    #[arg(long)]
    pub(crate) seed: Seed,
    /// Whose they are
    #[arg(long, default_value_t = 0)]
    pub(crate) owner: u32,
    /// The first serial number
    #[arg(long, default_value_t = 0)]
    pub(crate) serial: u32,
    /// What they look like
    #[arg(long, default_value = "token")]
    pub(crate) shape: Shape,
    /// How many
    #[arg(long, default_value_t = 1)]
    pub(crate) count: u32,
}

#[derive(Args, Debug)]
pub(crate) struct ModelsArgs {
    /// Only these patterns
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// Only structures of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) implementation: Option<String>,
    /// Preemptions in one interleaving, at most: 2 takes seconds, 3 is for the night
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=8))]
    pub(crate) preemptions: u8,
    /// Draw schedules instead of exploring all: random, or pct:DEPTH for bugs that need so many orderings to be just right
    #[arg(long, value_name = "HOW", conflicts_with = "preemptions")]
    pub(crate) sample: Option<Sample>,
    /// How many are drawn of each model
    #[arg(long, value_name = "COUNT", default_value_t = 2000, requires = "sample", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) schedules: u32,
    /// By what they are drawn
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "sample")]
    pub(crate) seed: u64,
    /// Play the interleaving of this file again, and nothing else; 1 when it goes wrong again
    #[arg(long, value_name = "FILE", conflicts_with_all = ["patterns", "implementation", "preemptions", "sample"])]
    pub(crate) replay: Option<PathBuf>,
    /// Where interleavings go that broke a promise
    #[arg(long, default_value = "coalmine-out")]
    pub(crate) out: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// A bug that needs more orderings to be just right is not found by chance.
const SAMPLE_DEPTH_MAX: u8 = 9;

/// How schedules are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sample {
    Random,
    Pct { depth: u8 },
}

impl FromStr for Sample {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let depth = text.strip_prefix("pct:").map(str::parse);
        match (text, depth) {
            ("random", _) => Ok(Self::Random),
            (_, Some(Ok(depth @ 1..=SAMPLE_DEPTH_MAX))) => Ok(Self::Pct { depth }),
            _ => Err("it is `random`, or `pct:` and a depth from 1 to 9"),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Pct { depth } => write!(f, "pct:{depth}"),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// How many seeds, counted up from `--seed`
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: u32,
    /// The first seed, in hexadecimal
    #[arg(long, default_value = "1")]
    pub(crate) seed: Seed,
    /// Only these flaws [default: all]
    #[arg(long = "flaw", value_name = "ID")]
    pub(crate) flaws: Vec<Flaw>,
    /// Go on until each flaw is found or the time is over, and count the operations that took, beside two baselines: nothing
    /// shaken, and one tenant after another
    #[arg(long)]
    pub(crate) search: bool,
    /// Make each flaw small and name its kind, and count which kind was named for which flaw; on embedded storage
    #[arg(long, conflicts_with_all = ["search", "services", "database"])]
    pub(crate) diagnose: bool,
    /// How long rounds are begun in each run of --search
    #[arg(long = "for", value_name = "TIME", default_value = "30s", requires = "search", value_parser = parse_time)]
    pub(crate) time_ms: u64,
    /// How many services are tested beside each other; trials mostly wait, but share the processors [default: 5 for each processor; with --search, 1]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) at_a_time: Option<u16>,
    /// Test the service, and write the scenario, under other names for routes, fields, events, ids and steps, drawn from a number
    #[arg(long, value_name = "SEED", conflicts_with = "diagnose")]
    pub(crate) rename: Option<u64>,
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value_t = BenchFormat::Text)]
    pub(crate) format: BenchFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For a page
    Markdown,
}

#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t = Described::Scenario)]
    pub(crate) of: Described,
    /// The language of scenarios as a reference for people, in Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Described {
    /// A scenario file
    Scenario,
    /// A line of a history
    History,
    /// A report as JSON
    Report,
    /// What `coalmine models --format json` prints
    Models,
}

#[derive(Args, Debug)]
pub(crate) struct FlawsArgs {
    /// Only this one
    pub(crate) id: Option<Flaw>,
}

/// Reads the command line; help and mistakes are printed here.
pub(crate) fn parse() -> Result<Cli, Exit> {
    Cli::try_parse().map_err(|error| {
        // Nothing is left to do when stdout is closed.
        let _ = error.print();
        if error.use_stderr() { Exit::Usage } else { Exit::Pass }
    })
}

/// The command with its help, for completions.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}
