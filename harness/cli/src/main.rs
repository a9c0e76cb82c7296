//! Coalmine: finds every secret that one tenant of a service can see of another.
//!
//! The only crate that joins the stages: arguments -> scenario -> plan -> run -> judge -> report -> exit code.

mod ablation;
mod args;
mod command;
mod curl;
mod exit;
mod explanation;
mod folder;
mod fuzzing;
mod inputs;
mod inquiry;
mod interrupt;
mod output;
mod pipeline;
mod progress;
mod recording;
mod regressions;
mod rehearsal;
mod services;
mod source;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(args) => args,
        Err(code) => return code.into(),
    };
    let code = command::run(args).unwrap_or_else(exit::Failed::report);
    code.into()
}
