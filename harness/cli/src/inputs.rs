//! What the machine says to a scenario: values of its variables, its secrets, the files that it names.

use std::collections::BTreeMap;
use std::io::Read;

use coalmine_core::plan::Tls;
use coalmine_plan::Scenario;
use coalmine_run::{Certificates, Secrets};

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
