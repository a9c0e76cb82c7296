//! The built-in scenario, for the built-in service under any names.

use coalmine_plan::{Naming, renamed};
use coalmine_target::Names;

pub(super) const FILE: &str = "scenarios/demo/scenario.yaml";
const SCENARIO: &str = include_str!("../../../../scenarios/demo/scenario.yaml");

/// The names that a seed draws, or the service's own.
pub(super) fn names_of(seed: Option<u64>) -> Names {
    seed.map(Names::drawn).unwrap_or_default()
}

/// The scenario for a service that goes by these names; under its own, with its comments.
pub(super) fn scenario_for(names: &Names) -> String {
    if names.is_own() { SCENARIO.to_owned() } else { renamed(SCENARIO, &ThoseOf(names)) }
}

struct ThoseOf<'a>(&'a Names);

impl Naming for ThoseOf<'_> {
    fn word(&self, word: &str) -> String {
        self.0.word(word).to_owned()
    }

    fn is_worded(&self, field: &str) -> bool {
        self.0.is_worded(field)
    }

    fn alias(&self, id: &str) -> String {
        self.0.alias(id)
    }
}

#[cfg(test)]
mod tests {
    use coalmine_plan::Scenario;

    use super::*;

    #[test]
    fn scenario_means_something_under_all_names() {
        for seed in 0..32 {
            let text = scenario_for(&names_of(Some(seed)));
            Scenario::parse(&text, FILE).unwrap_or_else(|errors| panic!("seed {seed}: {}", errors.render(false)));
        }
    }

    #[test]
    fn nothing_that_the_service_knows_keeps_its_name() {
        let names = names_of(Some(1));
        let (before, after) = (scenario_for(&names_of(None)), scenario_for(&names));
        let own = [
            "/auth/register",
            "$.user_id",
            "$.thread_id",
            "agent_completed",
            "order-report:",
            "/leads",
            "x-api-key",
            "LEADER",
        ];
        for name in own {
            assert!(!after.contains(name), "{name} is still in\n{after}");
        }
        assert!(own[..4].iter().all(|name| before.contains(name)));
    }
}
