//! Rules about operations of different tenants: what one does when another has come so far.

use coalmine_core::perturb::{HangUp, Moment};
use coalmine_core::plan::HttpVersion;
use coalmine_core::step::{Action, StepId};

use super::{Compiler, Leg};
use crate::document::{Document, HangUpText, MomentText, ReactionText};
use crate::span::{Span, Spanned};
use crate::{suggestion, time_limit};

/// What is not said otherwise comes at most so much later.
const JITTER_US: u32 = 800;
/// Nobody waits longer for a moment: what comes later would be no reaction.
const JITTER_MS_MAX: u64 = 250;
/// As many meet in one rule at most.
const TOGETHER_MAX: usize = 24;

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Reaction {
    pub(crate) name: String,
    pub(crate) deed: Deed,
    /// Of so many thousandths of the operations, or passes.
    pub(crate) permille: u32,
}

/// What is done by it.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A step begins at the moment, or less than `jitter_us` later.
    Begin { step: StepId, once: Once, jitter_us: u32 },
    /// A step is given up.
    Cancel { step: StepId, once: Once, jitter_us: u32, by: HangUp },
    /// Steps of as many tenants are released together.
    Together(Vec<StepId>),
}

/// A moment of another tenant's step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Once {
    pub(crate) of: StepId,
    pub(crate) moment: Moment,
}

impl Deed {
    /// The steps that it is about, that which leads first.
    pub(crate) fn steps(&self) -> Vec<StepId> {
        match self {
            Self::Begin { step, once, .. } | Self::Cancel { step, once, .. } => vec![*step, once.of],
            Self::Together(steps) => steps.clone(),
        }
    }
}

/// What a step is wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It begins, or somebody waits for it.
    Met,
    /// It is given up.
    GivenUp,
}

impl Compiler<'_> {
    /// Call it when all steps are known.
    pub(super) fn reactions(&self, document: &Document) -> Vec<Reaction> {
        let http = document.target.http.as_ref().map_or(HttpVersion::Http1, |http| http.value);
        let entries = document.reactions.0.iter();
        let all = entries.filter_map(|(name, rule)| {
            self.check_name(name, "rule");
            let permille = self.share(rule)?;
            let deed = self.deed(name, rule, http)?;
            Some(Reaction { name: name.value.clone(), deed, permille })
        });
        all.collect()
    }

    fn deed(&self, name: &Spanned<String>, rule: &ReactionText, http: HttpVersion) -> Option<Deed> {
        match (&rule.begin, &rule.cancel, &rule.together) {
            (Some(step), None, None) => {
                self.refuse_by(rule);
                let (step, once) = (self.step_met(step, Part::Met), self.awaited(name, rule));
                Some(Deed::Begin { step: step?, once: once?, jitter_us: self.jitter_us(rule)? })
            }
            (None, Some(step), None) => {
                let (step, once) = (self.step_met(step, Part::GivenUp), self.awaited(name, rule));
                let by = hang_up(rule.by.as_ref().map(|by| by.value), http);
                Some(Deed::Cancel { step: step?, once: once?, jitter_us: self.jitter_us(rule)?, by })
            }
            (None, None, Some(steps)) => {
                self.refuse_by(rule);
                self.refuse_moment(rule);
                self.together(steps.span, steps.value.as_slice())
            }
            (begin, cancel, together) => {
                let is_none = begin.is_none() && cancel.is_none() && together.is_none();
                let fault = if is_none { "does not say what is done" } else { "does several things" };
                let help = "write one of `begin: STEP`, `cancel: STEP` and `together: [STEP, STEP]`".to_owned();
                let message = format!("the rule `{}` {fault}", name.value);
                self.problems.add(name.span, message, Some(help));
                None
            }
        }
    }

    fn together(&self, span: Span, names: &[Spanned<String>]) -> Option<Deed> {
        if names.len() < 2 || names.len() > TOGETHER_MAX {
            let message = format!("{} of them: 2 to {TOGETHER_MAX} can be released together", names.len());
            let help = "a step may stand there several times: each is another tenant's".to_owned();
            self.problems.add(span, message, Some(help));
            return None;
        }
        let steps: Vec<_> = names.iter().map(|name| self.step_met(name, Part::Met)).collect();
        steps.into_iter().collect::<Option<_>>().map(Deed::Together)
    }

    fn awaited(&self, name: &Spanned<String>, rule: &ReactionText) -> Option<Once> {
        let help = || Some("such as `once: {in_flight: STEP}` or `once: {ended: STEP}`".to_owned());
        let Some(once) = &rule.once else {
            let message = format!("the rule `{}` does not say at which moment", name.value);
            self.problems.add(name.span, message, help());
            return None;
        };
        let (of, moment) = match &once.value {
            MomentText { in_flight: Some(of), ended: None } => (of, Moment::InFlight),
            MomentText { in_flight: None, ended: Some(of) } => (of, Moment::Ended),
            _ => {
                self.problems.add(once.span, "a rule waits for one moment".to_owned(), help());
                return None;
            }
        };
        Some(Once { of: self.step_met(of, Part::Met)?, moment })
    }

    /// A step that users do in flows, and that can be held up.
    fn step_met(&self, name: &Spanned<String>, part: Part) -> Option<StepId> {
        let Some(place) = self.places.get(name.as_str()) else {
            let help = suggestion::help(name.as_str(), self.places.keys().map(String::as_str));
            self.problems.add(name.span, format!("there is no step `{}`", name.value), help);
            return None;
        };
        let course = &self.courses[usize::from(place.flow.0)];
        let is_done = !course.is_anonymous && place.flow.0 > 0 && course.steps.contains(&place.step);
        let refuse = |message: String, help: &str| {
            self.problems.add(name.span, message, Some(help.to_owned()));
            None
        };
        if !is_done {
            let message = format!("`{}` is not done while the flows are", name.value);
            return refuse(message, "a rule is about what stands under `steps` of a flow");
        }
        let action = &self.steps[usize::from(place.step.0)].action;
        match (part, action) {
            (Part::Met, Action::Request(_) | Action::Send { .. }) => Some(place.step),
            (Part::GivenUp, Action::Request(_)) if self.stands_before_blocks(place.step, place.flow.0) => {
                Some(place.step)
            }
            (Part::GivenUp, Action::Request(_)) => refuse(
                format!("`{}` cannot be given up: it stands in a block, or behind one", name.value),
                "what is given up takes a pass of its own, which goes no further than the flow's first block",
            ),
            (Part::GivenUp, _) => {
                refuse(format!("`{}` cannot be given up: it is no request", name.value), "name a request")
            }
            (Part::Met, _) => refuse(
                format!("`{}` cannot be held up: it is no request, and sends nothing on a WebSocket", name.value),
                "name a request, or a step with `send` or `send_binary`",
            ),
        }
    }

    fn stands_before_blocks(&self, step: StepId, flow: u16) -> bool {
        let course = &self.courses[usize::from(flow)];
        let is_single = |leg: &&Leg| match leg {
            Leg::Step(step) => self.steps[usize::from(step.0)].group.is_none(),
            Leg::Block(_) => false,
        };
        course.block.is_none() && course.legs.iter().take_while(is_single).any(|leg| *leg == Leg::Step(step))
    }

    fn jitter_us(&self, rule: &ReactionText) -> Option<u32> {
        let Some(jitter) = &rule.jitter else { return Some(JITTER_US) };
        let Ok(ms @ ..=JITTER_MS_MAX) = time_limit::parse_ms(jitter.as_str()) else {
            let message = format!("`{}` is no jitter", jitter.value);
            self.problems.add(jitter.span, message, Some(format!("write `1ms` to `{JITTER_MS_MAX}ms`")));
            return None;
        };
        u32::try_from(ms * 1000).ok()
    }

    fn share(&self, rule: &ReactionText) -> Option<u32> {
        match &rule.percent {
            None => Some(1000),
            Some(percent) if (1..=100).contains(&percent.value) => Some(percent.value * 10),
            Some(percent) => {
                let message = format!("{} percent: there may be 1 to 100", percent.value);
                self.problems.add(percent.span, message, None);
                None
            }
        }
    }

    fn refuse_by(&self, rule: &ReactionText) {
        if let Some(by) = &rule.by {
            let help = "`by` stands beside `cancel`".to_owned();
            self.problems.add(by.span, "nothing is given up by this rule".to_owned(), Some(help));
        }
    }

    fn refuse_moment(&self, rule: &ReactionText) {
        let places = [rule.once.as_ref().map(|once| once.span), rule.jitter.as_ref().map(|jitter| jitter.span)];
        for span in places.into_iter().flatten() {
            let help = "`once` and `jitter` stand beside `begin` and `cancel`".to_owned();
            self.problems.add(span, "what is released together waits for nothing else".to_owned(), Some(help));
        }
    }
}

/// In HTTP/2 a client gives up a stream and keeps the connection, unless it is told otherwise.
fn hang_up(by: Option<HangUpText>, http: HttpVersion) -> HangUp {
    match by {
        None if http == HttpVersion::Http2 => HangUp::Stream,
        None | Some(HangUpText::Reset) => HangUp::Reset,
        Some(HangUpText::Close) => HangUp::Close,
        Some(HangUpText::HalfClose) => HangUp::HalfClose,
        Some(HangUpText::Silence) => HangUp::Silence,
        Some(HangUpText::Stream) => HangUp::Stream,
    }
}
