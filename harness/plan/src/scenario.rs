//! A scenario that was read and checked.

use std::path::{Path, PathBuf};

use crate::compile::{self, Compiled};
use crate::document::Document;
use crate::problem::{Problems, ScenarioErrors};
use crate::{deserializer, node};

/// What the user wrote, checked: every name means something, every rule of the language holds.
#[derive(Clone, Debug)]
pub struct Scenario {
    compiled: Compiled,
    /// Where the file lies, and with it those that it names.
    folder: PathBuf,
}

impl Scenario {
    /// Reads YAML in the language that this crate's documentation describes. `file_name` is shown in errors, and the
    /// files that the scenario names are taken to lie beside it; none is opened.
    ///
    /// # Errors
    ///
    /// All problems of the text, not just the first.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ScenarioErrors> {
        let problems = Problems::new(text);
        let document = node::read(&problems).and_then(|node| deserializer::read::<Document>(&node, &problems));
        let scenario = document.map(|document| Self {
            compiled: compile::compile(&document, &problems),
            folder: Path::new(file_name).parent().map(Path::to_owned).unwrap_or_default(),
        });
        problems.or(scenario, file_name)
    }

    /// What the scenario is called in reports.
    pub fn name(&self) -> &str {
        &self.compiled.name
    }

    /// Where its traffic goes when nothing else is said.
    pub fn target_url(&self) -> Option<&str> {
        self.compiled.target.url.as_ref().map(crate::target::BaseUrl::as_str)
    }

    /// Names of the variables that may be set, but for secrets.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.compiled.inputs.iter().filter(|input| !input.is_secret).map(|input| input.name.as_str())
    }

    /// Names of the secrets that a run needs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.compiled.inputs.iter().filter(|input| input.is_secret).map(|input| input.name.as_str())
    }

    /// Where a file lies that the scenario names.
    pub(crate) fn beside(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }
}
