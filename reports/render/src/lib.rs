//! A Report becomes text: terminal, JSON, JUnit.
//!
//! Each format is a pure function of a [`coalmine_core::Report`], in a file of its own. Much in a report comes from the
//! target, which may be hostile: control characters are shown and never passed on.

mod escape;
mod json;
mod junit;
mod models;
mod terminal;
mod words;

pub use json::json;
pub use junit::junit;
pub use models::{
    MODELS_FORMAT, ModelMark, ModelResult, ModelWitness, ModelsReport, models_json, models_junit, models_terminal,
};
pub use terminal::{Style, terminal};
pub use words::ablations;
