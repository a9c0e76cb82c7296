//! How far the run is, on stderr: a bar where it is a terminal, a line now and then where it is not.

use std::sync::Arc;
use std::time::Duration;

use coalmine_run::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::output::tell;

const BAR_TICK: Duration = Duration::from_millis(100);
const LINE_TICK: Duration = Duration::from_secs(10);

/// Shows progress until it is dropped.
pub(crate) struct Shown {
    task: JoinHandle<()>,
    bar: ProgressBar,
}

impl Shown {
    /// Begins to show how many operations have ended, of about `ops_planned` where that is known.
    pub(crate) fn start(progress: Arc<Progress>, ops_planned: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(ops_planned, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template(match ops_planned {
            Some(_) => "{msg:>12} [{bar:24}] {pos}/{len} operations, {elapsed}",
            None => "{msg:>12} {spinner} {pos} operations, {elapsed}",
        });
        bar.set_style(style.expect("the template is well formed").progress_chars("=> "));
        bar.set_message("Running");
        let hidden = bar.is_hidden();
        let task = tokio::spawn(show(progress, bar.clone(), ops_planned, hidden));
        Self { task, bar }
    }
}

async fn show(progress: Arc<Progress>, bar: ProgressBar, ops_planned: Option<u64>, as_lines: bool) {
    let of_all = ops_planned.map_or_else(String::new, |all| format!("/{all}"));
    let mut ticks = tokio::time::interval(if as_lines { LINE_TICK } else { BAR_TICK });
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let ended = progress.ops_ended();
        if as_lines {
            tell(format_args!("     Running {ended}{of_all} operations"));
        } else {
            bar.set_position(ended);
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}
