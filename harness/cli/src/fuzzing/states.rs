//! Which states answers were in: how each ended, with which status, what its JSON is made of, and how long it was, roughly.

use std::fs::File;
use std::path::Path;

use coalmine_campaign::Ground;
use coalmine_core::history::{Answer, Happening, HistoryError, Reader, Record};
use coalmine_core::{Plan, plan::OpId};

/// Adds the states of a history to what its round reached.
pub(super) fn note_states(history: &Path, ground: &mut Ground) -> Result<(), HistoryError> {
    let mut plan: Option<(Plan, Vec<u16>)> = None;
    for record in Reader::new(File::open(history).map_err(HistoryError::Io)?) {
        match record? {
            Record::Round(next) => {
                let mut steps = vec![0; next.op_count as usize];
                next.ops().for_each(|(.., op)| {
                    if let Some(step) = steps.get_mut(op.id.0 as usize) {
                        *step = op.step.0;
                    }
                });
                plan = Some((*next, steps));
            }
            Record::Event(event) => {
                let Some((plan, steps)) = &plan else { continue };
                if let Some(state) = state(&event.what) {
                    ground.note_state(name(plan, steps, event.op), &state);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn name<'p>(plan: &'p Plan, steps: &[u16], op: OpId) -> &'p str {
    let step = steps.get(op.0 as usize).and_then(|step| plan.steps.get(usize::from(*step)));
    step.map_or("", |step| &step.name)
}

fn state(what: &Happening) -> Option<String> {
    match what {
        Happening::Ok(answer) => Some(format!("ok {}", answered(answer))),
        Happening::Fail { answer, why } => Some(format!("fail {} {}", answered(answer), kind(why))),
        Happening::Info { answer, why } => Some(format!("info {} {}", answered(answer), kind(why))),
        Happening::Attempt { answer, why, .. } => Some(format!("attempt {} {}", answered(answer), kind(why))),
        Happening::Renewed => Some("renewed".to_owned()),
        Happening::Frame(frame) => {
            let named = frame.event_type.as_deref().unwrap_or("untyped");
            Some(format!("event {named} of {} bits", length(frame.bytes)))
        }
        _ => None,
    }
}

fn answered(answer: &Answer) -> String {
    let status = answer.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let hops: Vec<String> = answer.hops.iter().map(|hop| hop.status.to_string()).collect();
    let arrived = if answer.arrived.is_empty() { String::new() } else { format!(" events {:?}", answer.arrived) };
    let shape = answer.shape.map_or_else(String::new, |shape| format!(" {shape:04x}"));
    format!("{}{status} {}{shape}{arrived}", hops.concat(), length(answer.body_bytes))
}

/// Lengths that differ by less than a factor of four are the same state, for the most part.
fn length(bytes: u64) -> u32 {
    (u64::BITS - bytes.leading_zeros()).div_ceil(2) * 2
}

/// The class of an error: its words, without the numbers in them.
fn kind(why: &str) -> String {
    why.chars().filter(|letter| !letter.is_ascii_digit()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_differ_in_numbers_are_one_state() {
        let fail = |why: &str| state(&Happening::Fail { answer: Answer::default(), why: why.into() });
        assert_eq!(fail("no answer after 201 ms"), fail("no answer after 30 ms"));
        assert_ne!(fail("no answer"), fail("refused"));
    }

    #[test]
    fn answers_of_the_same_length_with_other_keys_are_two_states() {
        let ok =
            |shape| state(&Happening::Ok(Answer { status: Some(200), body_bytes: 40, shape, ..Answer::default() }));
        assert_eq!(ok(Some(7)), ok(Some(7)));
        assert!(ok(Some(7)) != ok(Some(8)) && ok(Some(7)) != ok(None));
    }

    #[test]
    fn lengths_are_the_same_within_a_factor_of_four() {
        assert_eq!(length(0), 0);
        assert_eq!(length(300), length(1000));
        assert_ne!(length(100), length(10_000));
    }
}
