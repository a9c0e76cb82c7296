//! How far the campaign is, on stderr: three lines that stay in place where it is a terminal, one now and then where it is not.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use coalmine_run::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::output::tell;

const SCREEN_TICK: Duration = Duration::from_millis(200);
const LINE_TICK: Duration = Duration::from_secs(10);
/// Operations per second are those of so many ticks.
const WINDOW: usize = 25;

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) doing: &'static str,
    pub(super) rounds: u32,
    pub(super) pairs: usize,
    pub(super) states: usize,
    pub(super) corpus: usize,
    pub(super) findings: usize,
    /// Where defects probably lie.
    pub(super) sites: usize,
    pub(super) small: usize,
    /// How long it takes in all, and how much of it was over when this part of the campaign began.
    pub(super) before: Duration,
    pub(super) limit: Option<String>,
}

/// Shows it until it is dropped.
pub(super) struct View {
    standing: Arc<Mutex<Standing>>,
    bar: ProgressBar,
    task: JoinHandle<()>,
}

impl View {
    pub(super) fn start(standing: Standing, progress: Arc<Progress>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix:>12} {msg}").expect("the template is well formed");
        bar.set_style(style);
        let standing = Arc::new(Mutex::new(standing));
        let task = tokio::spawn(show(standing.clone(), progress, bar.clone()));
        Self { standing, bar, task }
    }

    /// Changes what is shown.
    pub(super) fn set(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A line that stays, above what moves.
    pub(super) fn say(&self, verb: &str, text: impl Display) {
        self.bar.suspend(|| tell(format_args!("{verb:>12} {text}")));
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}

async fn show(standing: Arc<Mutex<Standing>>, progress: Arc<Progress>, bar: ProgressBar) {
    let as_lines = bar.is_hidden();
    let began = Instant::now();
    let mut ticks = tokio::time::interval(if as_lines { LINE_TICK } else { SCREEN_TICK });
    let mut window: VecDeque<(Instant, u64)> = VecDeque::from([(began, progress.ops_ended())]);
    if as_lines {
        ticks.tick().await;
    }
    loop {
        ticks.tick().await;
        let now = (Instant::now(), progress.ops_ended());
        window.push_back(now);
        if window.len() > WINDOW {
            window.pop_front();
        }
        let pace = pace(&window);
        let standing = standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lines = standing.lines(standing.before + began.elapsed(), pace);
        if as_lines {
            tell(format_args!("{:>12} {}", standing.doing, lines.join("; ")));
        } else {
            bar.set_prefix(standing.doing);
            bar.set_message(lines.join(&format!("\n{:>12} ", "")));
            bar.tick();
        }
    }
}

/// Operations per second.
fn pace(window: &VecDeque<(Instant, u64)>) -> u128 {
    let (Some(first), Some(last)) = (window.front(), window.back()) else { return 0 };
    let ms = last.0.duration_since(first.0).as_millis();
    u128::from(last.1.saturating_sub(first.1)) * 1000 / ms.max(1)
}

impl Standing {
    /// Short enough for 80 columns.
    fn lines(&self, elapsed: Duration, pace: u128) -> [String; 3] {
        let limit = self.limit.as_ref().map_or_else(String::new, |limit| format!(" of {limit}"));
        let Self { rounds, pairs, states, corpus, findings, sites, small, .. } = self;
        [
            format!("{}{limit}, round {}, {pace} operations/s", clock(elapsed), rounds + 1),
            format!("{pairs} pairs, {states} states, {corpus} kept"),
            format!("{findings} findings at {sites} sites, {small} made small"),
        ]
    }
}

/// Hours, minutes and seconds.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_into_80_columns_after_days() {
        let standing = Standing {
            doing: "Fuzzing",
            rounds: 1_234_567,
            pairs: 12_345,
            states: 20_000,
            corpus: 256,
            findings: 123,
            sites: 123,
            small: 123,
            before: Duration::ZERO,
            limit: Some("240:00:00".into()),
        };
        for line in standing.lines(Duration::from_secs(900_000), 123_456) {
            assert!(13 + line.len() <= 80, "{line}");
        }
    }

    #[test]
    fn clocks_show_hours_where_there_are_any() {
        assert_eq!([61, 3661].map(|seconds| clock(Duration::from_secs(seconds))), ["1:01", "1:01:01"]);
    }
}
