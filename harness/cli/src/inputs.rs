//! What the world says to a scenario: values of its variables and its secrets, from the environment, and files that it names.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use coalmine_plan::Scenario;
use coalmine_run::Secrets;

use crate::exit::Failed;

/// Longer files that a scenario names are not read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The text of a file that a scenario names, relative to the scenario's own.
pub(crate) fn file_beside(scenario: &Path, name: &str) -> Result<String, String> {
    let path = scenario.parent().unwrap_or(Path::new("")).join(name);
    let cannot = |error: std::io::Error| format!("cannot read it: {error}");
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > FILE_BYTES_MAX { Err(format!("it has more than {FILE_BYTES_MAX} bytes")) } else { Ok(text) }
}

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
    let mut secrets = Secrets::new(secrets);
    for (tenant, user, attribute, value) in scenario.account_secrets() {
        secrets.add_of_account(tenant, user, attribute, value.to_owned());
    }
    Ok(secrets)
}
