//! Shows exchanges as they go, and notices the first operation that does not do what it should.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coalmine_canary::{CanaryId, Found};
use coalmine_core::history::{Channel, Happening, Receipt};
use coalmine_core::plan::Op;
use coalmine_core::step::{Action, Step};
use coalmine_core::turns::Turns;
use coalmine_core::{Plan, Principal};
use coalmine_run::{Letter, Onlooker, Scene, Stop};

use super::mask::Mask;
use crate::command::say;

/// Of what came by itself during one operation, no more is shown.
const KEPT_MAX: usize = 1_000;
/// Of a body, no more is shown.
const BODY_BYTES_MAX: usize = 1024;

/// An operation that did not do what it should.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) step: String,
    pub(super) why: String,
}

/// What is shown where.
pub(super) struct Screen {
    plan: Arc<Plan>,
    turns: Turns,
    stop: Stop,
    /// Whether steps capture something of what comes by itself, which is known as a secret only when they have ended.
    captures_arrivals: bool,
    state: Mutex<State>,
}

/// What came by itself.
struct Arrival {
    receiver: String,
    channel: Channel,
    letter: Letter,
}

struct State {
    mask: Mask,
    /// Answers wait until what is captured of them is known, and hidden.
    waiting: Vec<(Op, Letter)>,
    /// What came by itself, until the next operation ends.
    kept: Vec<Arrival>,
    /// What came beyond these.
    unshown: u64,
    /// Canaries that came on WebSockets and streams, and to URLs for webhooks.
    heard: BTreeSet<CanaryId>,
    failure: Option<Failure>,
    done: u32,
}

impl Screen {
    pub(super) fn new(plan: Arc<Plan>, mask: Mask, stop: Stop) -> Self {
        let captures = |step: &Step| {
            let waits = matches!(step.action, Action::Receive(_) | Action::AwaitWebhook(_));
            waits && !step.captures.is_empty()
        };
        let captures_arrivals = plan.steps.iter().any(captures);
        Self { turns: Turns::new(&plan), plan, stop, captures_arrivals, state: Mutex::new(State::new(mask)) }
    }

    /// Tells what came after the last operation.
    pub(super) fn close(&self) {
        self.state().tell_kept();
    }

    /// The first one.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.state().failure.clone()
    }

    /// Operations that did what they should.
    pub(super) fn done(&self) -> u32 {
        self.state().done
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, state: &mut State, op: &Op, ended: &Happening) {
        let verdict = match ended {
            Happening::Ok(answer) => self.missing(state, op, &answer.receipt).map_or(Ok("ok"), Err),
            Happening::NotDue { .. } => Ok("not due"),
            // What was never made need not be removed.
            Happening::Skipped { .. } if self.is_cleaning_up(op) => Ok("not due"),
            Happening::Fail { why, .. } | Happening::Info { why, .. } | Happening::Skipped { why } => Err(why.clone()),
            Happening::Withheld { limit } => Err(format!("the budget of {limit} is used up")),
            _ => return,
        };
        let step = &self.plan.step(op.step).name;
        match verdict {
            Ok(word) => {
                state.done += u32::from(word == "ok");
                say(word, step);
            }
            Err(why) => {
                let why = state.mask.text(&why);
                say("FAILED", format_args!("{step}: {why}"));
                state.failure.get_or_insert(Failure { step: step.clone(), why });
                self.stop.set();
            }
        }
    }

    fn is_cleaning_up(&self, op: &Op) -> bool {
        self.plan.ops().any(|(phase, _, other)| other.id == op.id && phase == coalmine_core::plan::Phase::Cleanup)
    }

    /// Which of the canaries that the answer must show it does not show.
    fn missing(&self, state: &State, op: &Op, receipt: &Receipt) -> Option<String> {
        let (plan, step) = (&self.plan, self.plan.step(op.step));
        let scope = plan.whose_canaries(op);
        let wanted = step.sees.iter().map(|canary| plan.canary(scope, *canary));
        let wanted = wanted.chain(self.turns.canaries(plan, scope, step));
        let waits = matches!(step.action, Action::Receive(_) | Action::AwaitWebhook(_));
        let came = canaries(receipt);
        let absent = wanted.filter(|id| !(came.contains(id) || waits && state.heard.contains(id)));
        let names: BTreeSet<String> = absent.map(|id| self.name(id)).collect();
        let names: Vec<String> = names.into_iter().collect();
        (!names.is_empty()).then(|| format!("it does not show {}", names.join(", ")))
    }

    fn name(&self, id: CanaryId) -> String {
        let mut scopes = self.plan.scopes.iter();
        let found = scopes.find_map(|scope| {
            let slot = scope.canaries.iter().position(|canary| *canary == id)?;
            self.plan.flow(scope.flow).canaries.get(slot)
        });
        found.map_or_else(|| "a canary".to_owned(), |spec| format!("`{}`", spec.name))
    }
}

impl Onlooker for Screen {
    fn see(&self, principal: &Principal, op: &Op, scene: Scene<'_>) {
        let mut state = self.state();
        // Without a failure, everything after the first is of no interest.
        if state.failure.is_some() {
            return;
        }
        match scene {
            Scene::Begins => say("step", format_args!("{}, {principal}", self.plan.step(op.step).name)),
            Scene::Sends(letter) => {
                state.show_waiting(op);
                state.show('>', &letter);
            }
            Scene::Receives(letter) => state.waiting.push((op.clone(), letter)),
            Scene::Captures { name, value } => state.mask.learn_value(name, value),
            Scene::Ends(ended) => {
                state.show_waiting(op);
                state.tell_kept();
                self.end(&mut state, op, ended);
            }
        }
    }

    fn hear(&self, principal: &Principal, channel: Channel, letter: Letter, receipt: &Receipt) {
        let mut state = self.state();
        state.heard.extend(canaries(receipt));
        if state.failure.is_some() {
            return;
        }
        let arrival = Arrival { receiver: principal.to_string(), channel, letter };
        if self.captures_arrivals {
            state.keep(arrival);
        } else {
            state.tell(&arrival);
        }
    }
}

impl State {
    fn new(mask: Mask) -> Self {
        Self { mask, waiting: vec![], kept: vec![], unshown: 0, heard: BTreeSet::new(), failure: None, done: 0 }
    }

    fn keep(&mut self, arrival: Arrival) {
        if self.kept.len() < KEPT_MAX {
            self.kept.push(arrival);
        } else {
            self.unshown += 1;
        }
    }

    fn tell_kept(&mut self) {
        for arrival in std::mem::take(&mut self.kept) {
            self.tell(&arrival);
        }
        match std::mem::take(&mut self.unshown) {
            0 => {}
            unshown => say("came", format_args!("{unshown} more, which are not shown")),
        }
    }

    fn tell(&self, arrival: &Arrival) {
        say("came", format_args!("{}, {}", arrival.channel, arrival.receiver));
        self.show('<', &arrival.letter);
    }

    fn show_waiting(&mut self, op: &Op) {
        let waiting = std::mem::take(&mut self.waiting);
        let (own, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(other, _)| other.id == op.id);
        self.waiting = others;
        for (_, letter) in &own {
            self.show('<', letter);
        }
    }

    fn show(&self, way: char, letter: &Letter) {
        let line = |text: &str| say("", format_args!("{way} {text}"));
        if !letter.first_line.is_empty() {
            line(&visible(&self.mask.text(&letter.first_line)));
        }
        for (name, value) in &letter.fields {
            line(&visible(&format!("{name}: {}", self.mask.field(name, value))));
        }
        if !letter.body.is_empty() {
            self.body(&letter.body).lines().for_each(line);
        }
    }

    /// The beginning of a body, what is no text only by its length.
    fn body(&self, bytes: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(bytes) else { return format!("<{} bytes that are no text>", bytes.len()) };
        let shown = visible(&self.mask.text(text));
        match shown.char_indices().find(|(at, _)| *at >= BODY_BYTES_MAX) {
            Some((at, _)) => format!("{}\n... of {} bytes", &shown[..at], bytes.len()),
            None => shown,
        }
    }
}

fn canaries(receipt: &Receipt) -> BTreeSet<CanaryId> {
    let ids = receipt.seen.iter().filter_map(|seen| match seen.sighting.found {
        Found::Canary { id, .. } => Some(id),
        _ => None,
    });
    ids.collect()
}

/// What the target says shall not steer the terminal.
fn visible(text: &str) -> String {
    let shown = |letter: char| letter == '\n' || letter == '\t' || !letter.is_control();
    text.chars()
        .filter(|letter| *letter != '\r')
        .map(|letter| if shown(letter) { letter } else { '\u{fffd}' })
        .collect()
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_where_its_first_kibibyte_ends_and_cannot_steer_the_terminal() {
        let state = State::new(Mask::open());
        assert_eq!(state.body(b"a\x1b[2Jb\r\nc"), "a\u{fffd}[2Jb\nc");
        assert_eq!(state.body(&[0xff, 0xfe]), "<2 bytes that are no text>");
        assert_eq!(state.body("é".repeat(1000).as_bytes()).lines().last(), Some("... of 2000 bytes"));
    }
}
