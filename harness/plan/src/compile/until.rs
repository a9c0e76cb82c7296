//! Requests that are sent again until the answer is the one that is waited for, and pauses.

use coalmine_core::step::{Action, AnswerTest, Until};

use super::Compiler;
use super::condition::Wanted;
use super::settings::{duration_ms, json_path};
use super::words::Planting;
use crate::document::{Content, OneOrMore, StepText};
use crate::span::Spanned;

/// What is compared with the status of an answer.
pub(super) const STATUS: &str = "status";
const EVERY_DEFAULT_MS: u64 = 100;
const ATTEMPTS_DEFAULT: u32 = 1_000;
const ATTEMPTS_MAX: u32 = 10_000;
const PAUSE_MS_MAX: u64 = 60_000;

impl Compiler<'_> {
    pub(super) fn until(&mut self, step: &StepText) -> Option<Until> {
        let Some(written) = &step.until else {
            self.check_polling(step);
            return None;
        };
        if written.value.0.is_empty() {
            let help = "write `{$.status: done}` or `{status: 200}`".to_owned();
            self.problems.add(written.span, "nothing is waited for here", Some(help));
        }
        let tests = written.value.0.iter().filter_map(|(name, value)| self.answer_test(name, value)).collect();
        let every_ms = step.every.as_ref().map_or(EVERY_DEFAULT_MS, |it| duration_ms(it, self.problems));
        let attempts_max = step.attempts.as_ref().map_or(ATTEMPTS_DEFAULT, |it| self.attempts(it));
        Some(Until { tests, every_ms, attempts_max })
    }

    fn check_polling(&self, step: &StepText) {
        let every = step.every.as_ref().map(|it| ("every", it.span));
        for (key, span) in every.into_iter().chain(step.attempts.as_ref().map(|it| ("attempts", it.span))) {
            let help = "say when it is enough: `until: {$.status: done}`".to_owned();
            self.problems.add(span, format!("`{key}` belongs to `until`, which is not there"), Some(help));
        }
    }

    fn attempts(&self, written: &Spanned<u32>) -> u32 {
        if !(2..=ATTEMPTS_MAX).contains(&written.value) {
            let message = format!("a request is sent 2 to {ATTEMPTS_MAX} times until its answer is the right one");
            self.problems.add(written.span, message, None);
        }
        written.value
    }

    pub(super) fn answer_test(&mut self, name: &Spanned<String>, value: &Spanned<Content>) -> Option<AnswerTest> {
        let wanted = self.wanted(value)?;
        if name.value == STATUS {
            return self.status_test(value, wanted);
        }
        if !name.value.starts_with('$') {
            let help = "compare `status`, or what stands at a JSONPath such as `$.state`".to_owned();
            self.problems.add(name.span, format!("`{}` is nothing of an answer", name.value), Some(help));
            return None;
        }
        let path = json_path(name, self.problems);
        Some(match wanted {
            Wanted::Empty(empty) => AnswerTest::Present { path, present: !empty },
            Wanted::OneOf(texts) => {
                let texts = texts.iter().map(|text| self.template_with(text, Planting::Refused, str::to_owned));
                AnswerTest::OneOf { path, texts: texts.collect() }
            }
        })
    }

    pub(super) fn status_test(&self, value: &Spanned<Content>, wanted: Wanted) -> Option<AnswerTest> {
        let Wanted::OneOf(texts) = wanted else {
            self.problems.add(value.span, "an answer always has a status", None);
            return None;
        };
        let mut statuses = vec![];
        for text in texts {
            match text.value.parse() {
                Ok(number) => statuses.push(self.status(&text.with(number))),
                Err(_) => {
                    let help = "a status is a number from 100 to 599".to_owned();
                    self.problems.add(text.span, format!("`{}` is not an HTTP status", text.value), Some(help));
                }
            }
        }
        Some(AnswerTest::Status(statuses))
    }

    pub(super) fn pause(&self, written: &Spanned<OneOrMore>) -> Action {
        let times: Vec<u64> = written.value.as_slice().iter().map(|time| duration_ms(time, self.problems)).collect();
        if let Some(long) = written.value.as_slice().iter().zip(&times).find(|(_, ms)| **ms > PAUSE_MS_MAX) {
            self.problems.add(long.0.span, format!("a pause takes {} s at most", PAUSE_MS_MAX / 1_000), None);
        }
        match times.as_slice() {
            [ms] => Action::Pause { ms_min: *ms, ms_max: *ms },
            [ms_min, ms_max] if ms_min <= ms_max => Action::Pause { ms_min: *ms_min, ms_max: *ms_max },
            _ => {
                let help = "write `pause: 200ms`, or `pause: [100ms, 300ms]` for a time between the two".to_owned();
                self.problems.add(written.span, "a pause is one time, or a shorter and a longer one", Some(help));
                Action::Pause { ms_min: 0, ms_max: 0 }
            }
        }
    }
}
