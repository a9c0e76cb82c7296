//! `coalmine target`: run the built-in service.

use std::fs;

use coalmine_target::{Config, FlawSet, start};

use super::renaming::{names_of, scenario_for};
use super::{listen, say};
use crate::args::TargetArgs;
use crate::exit::{Exit, Failed};
use crate::services::Services;

/// Serves until Ctrl-C.
pub(crate) async fn run(args: &TargetArgs) -> Result<Exit, Failed> {
    let mut interrupts = listen()?;
    let flaws: FlawSet = args.flaws.iter().copied().collect();
    let services = Services::open(&args.storage).await?;
    let names = names_of(args.rename);
    if let Some(path) = &args.scenario {
        let written = fs::write(path, scenario_for(&names));
        written.map_err(|e| Failed::usage(format!("cannot write {}: {e}", path.display())))?;
    }
    let platform_key = args.platform_key.clone();
    let config =
        Config { listen: args.listen, flaws, names, storage: services.storage(), platform_key, ..Config::default() };
    let running = start(config).await.map_err(Failed::usage)?;
    say("Serving", running.url());
    say("data in", services.name());
    for flaw in &args.flaws {
        say("flaw", format_args!("{}: {}", flaw.id(), flaw.mechanism()));
    }
    interrupts.next().await;
    running.stop().await;
    Ok(Exit::Pass)
}
