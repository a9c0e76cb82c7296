//! One file a subcommand.

mod bench;
mod check;
mod demo;
mod flaws;
mod fuzz;
mod gate;
mod init;
mod lint;
mod mint;
mod models;
mod plan;
mod renaming;
mod replay;
mod scan;
mod schema;
mod shrink;
mod side_by_side;
mod smoke;
mod target;
mod trial;
mod r#try;

use coalmine_core::Report;
use coalmine_core::seed::Seed;
use coalmine_report::Style;
use coalmine_run::Stop;
use tokio::runtime::{Builder, Runtime};

use crate::args::{self, Cli, Command, Format};
use crate::exit::{Exit, Failed};
use crate::interrupt::Interrupts;
use crate::output;

/// Longer lines are hard to read.
const COLUMNS_MAX: usize = 120;

/// Carries out what was typed.
pub(crate) fn run(cli: Cli) -> Result<Exit, Failed> {
    match cli.command {
        Command::Demo(args) => runtime()?.block_on(demo::run(&args)),
        Command::Gate(args) => sending_runtime()?.block_on(gate::run(&args)),
        Command::Fuzz(args) => sending_runtime()?.block_on(fuzz::run(&args)),
        Command::Try(args) => sending_runtime()?.block_on(r#try::run(&args)),
        Command::Smoke(args) => sending_runtime()?.block_on(smoke::run(&args)),
        Command::Check(args) => check::run(&args),
        Command::Replay(args) => runtime()?.block_on(replay::run(&args)),
        Command::Shrink(args) => runtime()?.block_on(shrink::run(&args)),
        Command::Target(args) => runtime()?.block_on(target::run(&args)),
        Command::Lint(args) => Ok(lint::run(&args)),
        Command::Plan(args) => plan::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Mint(args) => mint::run(&args),
        Command::Bench(args) => runtime()?.block_on(bench::run(&args)),
        Command::Models(args) => models::run(&args),
        Command::Flaws(args) => Ok(flaws::run(&args)),
        Command::Completions { shell } => {
            let mut script = vec![];
            clap_complete::generate(shell, &mut args::command(), "coalmine", &mut script);
            output::print(String::from_utf8_lossy(&script));
            Ok(Exit::Pass)
        }
    }
}

/// For commands that also serve.
fn runtime() -> Result<Runtime, Failed> {
    Builder::new_multi_thread().enable_all().build().map_err(|e| Failed::fault("cannot start the runtime", e))
}

/// For commands that only send: one thread costs a fifth less for each request than two that wake each other, and leaves the
/// other cores to a target on the same machine.
fn sending_runtime() -> Result<Runtime, Failed> {
    Builder::new_current_thread().enable_all().build().map_err(|e| Failed::fault("cannot start the runtime", e))
}

/// The seed that was given, or one by chance.
fn seed_or_chance(given: Option<Seed>) -> Seed {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds its hashers from the operating system.
    let chance = || std::hash::RandomState::new().build_hasher().finish() >> 16;
    given.unwrap_or_else(|| Seed(chance()))
}

/// A stop that Ctrl-C sets. A second Ctrl-C ends the process at once.
fn stop_on_ctrl_c() -> Result<Stop, Failed> {
    let stop = Stop::new();
    let set = stop.clone();
    let mut interrupts = listen()?;
    tokio::spawn(async move {
        interrupts.next().await;
        set.set();
        output::tell(" Interrupted: judging what was recorded; once more to end at once");
        interrupts.next().await;
        std::process::exit(i32::from(Exit::Interrupted as u8));
    });
    Ok(stop)
}

fn listen() -> Result<Interrupts, Failed> {
    Interrupts::listen().map_err(|e| Failed::fault("cannot listen for Ctrl-C", e))
}

fn print(report: &Report, format: Format) {
    match format {
        Format::Text => output::print(coalmine_report::terminal(report, style())),
        Format::Json => output::print(coalmine_report::json(report)),
        Format::Junit => output::print_line(coalmine_report::junit(report)),
    }
}

/// As wide as the terminal, within reason. Colours are taken out again where stdout is none.
fn style() -> Style {
    let columns = terminal_size::terminal_size().map_or(COLUMNS_MAX, |(width, _)| usize::from(width.0));
    Style { colour: true, width: columns.min(COLUMNS_MAX) }
}

/// A result's line: a verb that ends in the twelfth column, then what it says.
fn say(verb: &str, text: impl std::fmt::Display) {
    output::print_line(format_args!("{verb:>12} {text}"));
}
