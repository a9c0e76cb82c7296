//! `coalmine target`: run the built-in service.

use coalmine_target::{Config, FlawSet, start};

use super::{listen, say};
use crate::args::TargetArgs;
use crate::exit::{Exit, Failed};
use crate::services::Services;

/// Serves until Ctrl-C.
pub(crate) async fn run(args: &TargetArgs) -> Result<Exit, Failed> {
    let mut interrupts = listen()?;
    let flaws: FlawSet = args.flaws.iter().copied().collect();
    let services = Services::open(&args.storage).await?;
    let config = Config { listen: args.listen, flaws, storage: services.storage(), ..Config::default() };
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
