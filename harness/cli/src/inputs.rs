//! What a scenario is given from outside: values of its variables, and its secrets.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use coalmine_core::plan::Tls;
use coalmine_plan::Scenario;
use coalmine_run::{Certificates, Secrets};

use crate::exit::Failed;

/// Files with certificates are no longer than this.
const PEM_BYTES_MAX: u64 = 8 << 20;

/// The files that the target's TLS needs.
pub(crate) fn certificates(tls: &Tls) -> Result<Certificates, Failed> {
    let ca = tls.ca.as_deref().map(|file| pem(file, "ca")).transpose()?;
    let client = tls.client.as_ref();
    let client = client.map(|client| Ok::<_, Failed>((pem(&client.cert, "cert")?, pem(&client.key, "key")?)));
    Ok(Certificates { ca, client: client.transpose()? })
}

fn pem(file: &str, of: &str) -> Result<Vec<u8>, Failed> {
    let unreadable = |error| Failed::usage(format!("cannot read {file}, the file of `target.tls.{of}`: {error}"));
    let mut bytes = vec![];
    std::fs::File::open(file).and_then(|file| file.take(PEM_BYTES_MAX).read_to_end(&mut bytes)).map_err(unreadable)?;
    Ok(bytes)
}

/// What the environment says, and a file of `NAME=value` lines where that says nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    file: BTreeMap<String, String>,
}

impl Inputs {
    /// Reads the file, if there is one.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, Failed> {
        let Some(path) = file else { return Ok(Self::default()) };
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| Failed::usage(format!("cannot read {name}: {e}")))?;
        let wrong = |line: usize| Failed::usage(format!("{name}:{}: a line is NAME=value, or begins with #", line + 1));
        let mut file = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| says_something(line)) {
            let (key, value) = line.split_once('=').ok_or_else(|| wrong(number))?;
            file.insert(key.trim().to_owned(), unquoted(value.trim()).to_owned());
        }
        Ok(Self { file })
    }

    /// Values for the variables of the scenario that are no secrets, as far as there are any.
    pub(crate) fn values(&self, scenario: &Scenario) -> BTreeMap<String, String> {
        scenario.variables().filter_map(|name| Some((name.to_owned(), self.value(name)?))).collect()
    }

    /// The scenario's secrets. All of them must be set.
    pub(crate) fn secrets(&self, scenario: &Scenario) -> Result<Secrets, Failed> {
        let missing = |name: &str| {
            let ways = "set it in the environment, or in the file of `--variables`";
            Failed::usage(format!("the scenario needs the secret `{name}`: {ways}"))
        };
        let value = |name: &str| Ok((name.to_owned(), self.value(name).ok_or_else(|| missing(name))?));
        let mut secrets = Secrets::new(scenario.secrets().map(value).collect::<Result<_, Failed>>()?);
        for (tenant, user, attribute, value) in scenario.account_secrets() {
            secrets.add_of_account(tenant, user, attribute, value.to_owned());
        }
        Ok(secrets)
    }

    /// The scenario's secrets by their names, as far as they are set.
    pub(crate) fn exposed(&self, scenario: &Scenario) -> Vec<(String, String)> {
        let own = scenario.secrets().filter_map(|name| Some((name.to_owned(), self.value(name)?)));
        let of_accounts = scenario.account_secrets().map(|(_, _, name, value)| (name, value.to_owned()));
        own.chain(of_accounts).collect()
    }

    fn value(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().or_else(|| self.file.get(name).cloned())
    }
}

fn says_something(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

fn unquoted(value: &str) -> &str {
    let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    quoted.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_around_a_value_are_no_part_of_it() {
        assert_eq!(unquoted("\"a b\""), "a b");
        assert_eq!(unquoted("'a'"), "a");
        assert_eq!(unquoted("\""), "\"");
    }
}
