//! `coalmine target`: run the built-in service.

use coalmine_target::{Config, FlawSet, start};

use super::say;
use crate::args::TargetArgs;
use crate::exit::{Exit, Failed};

/// Serves until Ctrl-C.
pub(crate) async fn run(args: &TargetArgs) -> Result<Exit, Failed> {
    let flaws: FlawSet = args.flaws.iter().copied().collect();
    let config = Config { listen: args.listen, flaws, ..Config::default() };
    let running = start(config).await.map_err(Failed::usage)?;
    say("Serving", running.url());
    for flaw in &args.flaws {
        say("flaw", format_args!("{}: {}", flaw.id(), flaw.mechanism()));
    }
    tokio::signal::ctrl_c().await.map_err(|e| Failed::fault("cannot wait for Ctrl-C", e))?;
    running.stop().await;
    Ok(Exit::Pass)
}
