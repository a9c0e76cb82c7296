//! What is wrong with a scenario, and where.

use std::cell::{Cell, RefCell};
use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::span::Span;

/// More problems than this are not collected.
const PROBLEMS_MAX: usize = 100;

/// One thing that is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the text, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong, as one sentence without a full stop.
    pub message: String,
    /// What could be done about it.
    pub help: Option<String>,
    span: Span,
}

/// Everything that is wrong with a scenario, in the order of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioErrors {
    /// At least one.
    pub problems: Vec<Problem>,
    file_name: String,
    text: String,
}

impl ScenarioErrors {
    /// Each problem with its line, its text and a caret below it, as rustc shows errors. Plain is the form for files and pipes;
    /// `colour` adds ANSI styles.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let shown: Vec<String> = self.problems.iter().map(|problem| self.render_one(&renderer, problem)).collect();
        shown.join("\n\n")
    }

    fn render_one(&self, renderer: &Renderer, problem: &Problem) -> String {
        let (line, within) = self.line_around(problem.span);
        let snippet = Snippet::source(line)
            .line_start(problem.line as usize)
            .path(self.file_name.as_str())
            .annotation(AnnotationKind::Primary.span(within));
        let mut group = Level::ERROR.primary_title(&problem.message).element(snippet);
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }

    /// The line in which the span begins, and the part of the span that lies in it.
    fn line_around(&self, span: Span) -> (&str, std::ops::Range<usize>) {
        let before = &self.text[..span.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let start = (span.start - line_start).min(line.len());
        let end = (span.end - line_start).min(line.trim_end().len()).max(start);
        (line, start..end)
    }
}

impl fmt::Display for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ScenarioErrors {}

/// Collects problems while a scenario is read.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    text: &'a str,
    /// Where each line begins.
    line_starts: Vec<usize>,
    found: RefCell<Vec<Problem>>,
    misread: Cell<bool>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, line_starts, found: RefCell::default(), misread: Cell::new(false) }
    }

    /// The line in which a span begins, from 1.
    pub(crate) fn line(&self, span: Span) -> u32 {
        u32::try_from(self.line_starts.partition_point(|start| *start <= span.start)).unwrap_or(u32::MAX)
    }

    /// The column in which a span begins, in characters from 1.
    fn column(&self, span: Span) -> u32 {
        let before = self.line_starts.partition_point(|start| *start <= span.start);
        let line_start = self.line_starts[before - 1];
        u32::try_from(self.text[line_start..span.start].chars().count() + 1).unwrap_or(u32::MAX)
    }

    /// Whether anything is wrong so far.
    pub(crate) fn has_some(&self) -> bool {
        !self.found.borrow().is_empty()
    }

    /// The scenario's text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Where a part of a value stands in the text; the whole value where escapes hide it.
    pub(crate) fn locate(&self, part: &str, span: Span) -> Span {
        let source = &self.text[span.start..span.end];
        source.find(part).map_or(span, |at| Span { start: span.start + at, end: span.start + at + part.len() })
    }

    /// The span, moved to the left until it begins with a character.
    pub(crate) fn whole_characters(&self, mut span: Span) -> Span {
        while !self.text.is_char_boundary(span.start) {
            span.start -= 1;
        }
        span
    }

    /// A part of the text could not be read as what it should be, so that it is missing from what is checked later.
    pub(crate) fn misread(&self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.misread.set(true);
        self.add(span, message, help);
    }

    /// Something that is wrong for sure.
    pub(crate) fn add(&self, span: Span, message: impl Into<String>, help: Option<String>) {
        let mut found = self.found.borrow_mut();
        if found.len() < PROBLEMS_MAX {
            let (line, column) = (self.line(span), self.column(span));
            found.push(Problem { line, column, message: message.into(), help, span });
        }
    }

    /// Something that is missing. Where part of the text was misread it may well stand there, so nothing is said then.
    pub(crate) fn absent(&self, span: Span, message: impl Into<String>, help: Option<String>) {
        if !self.misread.get() {
            self.add(span, message, help);
        }
    }

    /// The problems, or `value` when there are none.
    pub(crate) fn or<T>(self, value: Option<T>, file_name: &str) -> Result<T, ScenarioErrors> {
        let mut problems = self.found.into_inner();
        problems.sort_by_key(|problem| problem.span.start);
        problems.dedup();
        if value.is_none() && problems.is_empty() {
            let (message, span) = ("this is not a scenario".to_owned(), Span::default());
            problems.push(Problem { line: 1, column: 1, message, help: None, span });
        }
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(ScenarioErrors { problems, file_name: file_name.to_owned(), text: self.text.to_owned() }),
        }
    }
}
