//! What the environment says to a scenario: values of its variables, and its secrets.

use std::collections::BTreeMap;

use coalmine_plan::Scenario;
use coalmine_run::Secrets;

use crate::exit::Failed;

/// Values for the variables of the scenario that are no secrets, as far as the environment has them.
pub(crate) fn values(scenario: &Scenario) -> BTreeMap<String, String> {
    scenario.variables().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect()
}

/// The scenario's secrets. All of them must be set.
pub(crate) fn secrets(scenario: &Scenario) -> Result<Secrets, Failed> {
    let mut secrets = BTreeMap::new();
    for name in scenario.secrets() {
        let missing = |_| Failed::usage(format!("the scenario needs the secret `{name}`: set it in the environment"));
        secrets.insert(name.to_owned(), std::env::var(name).map_err(missing)?);
    }
    Ok(Secrets::new(secrets))
}
