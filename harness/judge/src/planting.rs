//! The second pass: when the secrets of the findings were planted.

use std::collections::HashMap;

use coalmine_core::Plan;
use coalmine_core::history::{Event, Happening, Record};
use coalmine_core::plan::{OpId, ScopeId};
use coalmine_core::verdict::Moment;

use crate::book::Plant;
use crate::fold::earlier_rounds;
use crate::lead::Lead;
use crate::records::Records;

/// Fills in [`coalmine_core::verdict::Evidence::planted`] where the history tells it. Reads only as far as it must; what
/// cannot be read stays unknown.
pub(crate) fn fill(records: impl Records, leads: &mut [Lead]) {
    let mut search = Search { leads, here: HashMap::new(), round: 0, left: 0, begun: None };
    search.left = search.leads.iter().filter(|lead| lead.plant.is_some()).count();
    for record in records.map_while(Result::ok) {
        match record {
            Record::Round(plan) => search.begin(&plan),
            Record::Event(event) => search.event(&event),
            Record::Header(_) | Record::RoundEnd(_) | Record::RunEnd { .. } => {}
        }
        if search.left == 0 {
            return;
        }
    }
}

struct Search<'a> {
    leads: &'a mut [Lead],
    /// For each operation of the current round that plants: its step's name, and the findings that wait for it.
    here: HashMap<OpId, (String, Vec<usize>)>,
    /// The current round's number.
    round: u32,
    /// Findings that still wait.
    left: usize,
    /// Rounds that have begun, with those that the first plan brought with it.
    begun: Option<u32>,
}

impl Search<'_> {
    fn begin(&mut self, plan: &Plan) {
        self.here.clear();
        self.round = plan.round;
        let ordinal = self.begun.unwrap_or_else(|| earlier_rounds(plan));
        self.begun = Some(ordinal + 1);
        let wanted = self.leads.iter().enumerate().filter_map(|(index, lead)| Some((index, lead.plant?)));
        let mut by_scope: HashMap<ScopeId, Vec<(usize, Plant)>> = HashMap::new();
        for (index, plant) in wanted.filter(|(_, plant)| plant.ordinal == ordinal) {
            by_scope.entry(plant.scope).or_default().push((index, plant));
        }
        if !by_scope.is_empty() {
            self.find_ops(plan, &by_scope);
        }
    }

    fn find_ops(&mut self, plan: &Plan, by_scope: &HashMap<ScopeId, Vec<(usize, Plant)>>) {
        for (_, _, op) in plan.ops() {
            for (index, plant) in by_scope.get(&op.scope).into_iter().flatten() {
                if planted_by(plan, *plant) == Some(op.step) {
                    let name =
                        plan.steps.get(usize::from(op.step.0)).map_or_else(String::new, |step| step.name.clone());
                    self.here.entry(op.id).or_insert_with(|| (name, vec![])).1.push(*index);
                }
            }
        }
    }

    fn event(&mut self, event: &Event) {
        if !matches!(event.what, Happening::Invoke { .. }) {
            return;
        }
        let Some((operation, indexes)) = self.here.remove(&event.op) else { return };
        let moment = Moment { round: self.round, op: event.op, operation, seq: event.seq, at_us: event.at_us };
        for index in indexes {
            let lead = &mut self.leads[index];
            if lead.plant.take().is_some() {
                lead.finding.evidence.planted = Some(moment.clone());
                self.left -= 1;
            }
        }
    }
}

fn planted_by(plan: &Plan, plant: Plant) -> Option<coalmine_core::step::StepId> {
    let scope = plan.scopes.get(plant.scope.0 as usize)?;
    let flow = plan.flows.get(usize::from(scope.flow.0))?;
    flow.canaries.get(usize::from(plant.slot)).map(|spec| spec.planted_by)
}
