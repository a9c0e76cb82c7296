//! As JUnit XML: a suite for each pattern, a case for each structure. A case is green if the structure was found to be what it
//! is.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{ModelMark, ModelResult, ModelsReport};
use crate::escape::visible;

/// The report as JUnit XML.
pub fn models_junit(report: &ModelsReport) -> String {
    let mut xml = Report::new("coalmine models");
    let mut suites: Vec<TestSuite> = Vec::new();
    for model in &report.models {
        if suites.last().is_none_or(|suite| suite.name.as_str() != model.pattern) {
            suites.push(TestSuite::new(&model.pattern));
        }
        suites.last_mut().expect("a suite was pushed").add_test_case(case(model));
    }
    xml.add_test_suites(suites);
    xml.to_string().expect("names and text are valid XML, and writing to memory does not fail")
}

fn case(model: &ModelResult) -> TestCase {
    let status = match model.mark {
        ModelMark::Proved | ModelMark::Sampled | ModelMark::Caught | ModelMark::Refused => TestCaseStatus::success(),
        ModelMark::Failed => status(NonSuccessKind::Failure, model),
        ModelMark::Missed | ModelMark::Undecided => status(NonSuccessKind::Error, model),
    };
    let mut case = TestCase::new(visible(&model.implementation), status);
    case.set_classname(format!("coalmine.models.{}", model.pattern));
    case.set_system_out(visible_lines(model.interleaving.as_deref().unwrap_or(&model.result)));
    case
}

fn status(kind: NonSuccessKind, model: &ModelResult) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(visible(&model.result));
    status.set_type(format!("expected {}", model.expected));
    status
}

/// Line breaks are the renderer's own.
fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}
