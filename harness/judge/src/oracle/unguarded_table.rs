//! Does a table of the tenants' rows show all of them to the role by which the application reads it?

use std::collections::BTreeMap;

use coalmine_core::history::{Channel, Event, OpenFor, OpenTable};
use coalmine_core::verdict::{Evidence, OracleId};

use super::{Oracle, Testimony};
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round, receipt_of};

/// Tables of which a note tells the names.
const TOLD_MAX: usize = 12;
/// Different tables that are kept.
const TABLES_MAX: usize = 1_000;

/// What the database says of itself, whoever asks. Such a table leaks nothing yet: every statement that reads it must name the tenant, and one
/// that forgets to shows everything. So it is a note, unless the scenario says that it is a violation.
pub(crate) struct UnguardedTable {
    leads: Leads,
    /// By name, with the column that says whose a row is.
    noted: BTreeMap<String, (String, OpenFor)>,
}

impl Default for UnguardedTable {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::UnguardedTable), noted: BTreeMap::new() }
    }
}

impl Oracle for UnguardedTable {
    fn id(&self) -> OracleId {
        OracleId::UnguardedTable
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let (Some(place), Some(receipt)) = (round.place(event.op), receipt_of(&event.what)) else { return };
        let is_note = round.plan.policy.is_note(OracleId::UnguardedTable);
        for open in &receipt.open_tables {
            if !is_note {
                self.violation(round, event, place, open);
            } else if self.noted.len() < TABLES_MAX {
                self.noted.insert(open.table.clone(), (open.column.clone(), open.why));
            }
        }
    }

    fn answer(&mut self) -> Testimony {
        Testimony { leads: self.leads.take(), notes: self.note().into_iter().collect(), ..Testimony::default() }
    }
}

impl UnguardedTable {
    fn violation(&mut self, round: &Round, event: &Event, place: Place, open: &OpenTable) {
        let receiver = round.receiver(place.scope);
        let OpenTable { table, column, why } = open;
        let hit = Hit {
            names: &[table],
            place,
            channel: Some(Channel::Store),
            summary: format!(
                "the rows of `{table}` belong to tenants by its column `{column}`, and it shows all of them: {}",
                reason(*why)
            ),
            receiver,
            owner: None,
            evidence: Evidence {
                field: Some(column.clone()),
                context: Some(format!("{table}.{column}")),
                ..Evidence::of(receiver, None, round.moment(event))
            },
            plant: None,
        };
        self.leads.add(round, hit);
    }

    fn note(&mut self) -> Option<String> {
        let noted = std::mem::take(&mut self.noted);
        let told = noted.iter().take(TOLD_MAX);
        let words: Vec<String> =
            told.map(|(table, (column, why))| format!("`{table}` (`{column}`; {})", reason(*why))).collect();
        let more = match noted.len().saturating_sub(TOLD_MAX) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let note = || format!("no policy guards the rows of tenants in {}{more}", words.join(", "));
        (!noted.is_empty()).then(note)
    }
}

fn reason(why: OpenFor) -> &'static str {
    match why {
        OpenFor::Everybody => "row-level security is off",
        OpenFor::ItsOwner => "row-level security is not forced, and the role owns it",
        OpenFor::TheRole => "the role is a superuser or bypasses row-level security",
    }
}

#[cfg(test)]
mod tests {
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CLOSE, Story};

    /// Everybody's search tells of so many tables.
    fn telling(tables: usize, why: OpenFor) -> Story {
        let mut story = Story::searching(3);
        for tenant in 0..3 {
            let open = |number| OpenTable { table: format!("app.t{number:02}"), column: "tenant_id".to_owned(), why };
            let open = (0..tables).map(open).collect();
            story.answers(story.op(tenant, CLOSE), |answer| answer.receipt.open_tables = open);
        }
        story
    }

    #[test]
    fn a_table_without_a_policy_is_a_note_and_the_run_passes() {
        let verdict = telling(1, OpenFor::Everybody).judge().verdict;
        assert_eq!((verdict.outcome, verdict.findings.len()), (Outcome::Pass, 0));
        let words = "no policy guards the rows of tenants in `app.t00` (`tenant_id`; row-level security is off)";
        assert_eq!(verdict.notes, [words]);
    }

    #[test]
    fn where_every_table_has_one_nothing_is_said() {
        let verdict = telling(0, OpenFor::Everybody).judge().verdict;
        assert_eq!((verdict.outcome, verdict.notes), (Outcome::Pass, vec![]));
    }

    #[test]
    fn many_tables_are_counted() {
        let verdict = telling(20, OpenFor::ItsOwner).judge().verdict;
        let [note] = &verdict.notes[..] else { panic!("{:?}", verdict.notes) };
        assert!(note.contains("`app.t11`") && note.ends_with(", and 8 more"), "{note}");
    }

    #[test]
    fn it_is_a_violation_where_the_scenario_says_so_and_each_table_is_one() {
        let mut story = telling(2, OpenFor::TheRole);
        story.plan.policy.oracles_on = vec![OracleId::UnguardedTable];
        let verdict = story.judge().verdict;
        assert_eq!((verdict.outcome, verdict.notes), (Outcome::Leak, vec![]));
        let told: Vec<_> = verdict.findings.iter().map(|it| (it.oracle, it.operation.as_str(), it.count)).collect();
        assert_eq!(told, [(OracleId::UnguardedTable, "search", 3); 2]);
        let words = "the rows of `app.t00` belong to tenants by its column `tenant_id`, and it shows all of them: the role is a superuser \
                     or bypasses row-level security";
        let summaries: Vec<_> = verdict.findings.iter().map(|it| it.summary.as_str()).collect();
        assert!(summaries.contains(&words), "{summaries:?}");
    }

    #[test]
    fn switched_off_it_says_nothing() {
        let mut story = telling(2, OpenFor::Everybody);
        story.plan.policy.oracles_off = vec![OracleId::UnguardedTable];
        let verdict = story.judge().verdict;
        assert_eq!((verdict.outcome, verdict.notes), (Outcome::Pass, vec![]));
    }
}
