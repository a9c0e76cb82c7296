//! What is wrong with a scenario, and where.

use std::cell::{Cell, RefCell};
use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::source::{SourceFile, Sources};
use crate::span::Span;

/// More problems than this are not collected.
const PROBLEMS_MAX: usize = 100;

/// One thing that is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file in which it stands: the scenario's, or one that it includes.
    pub file_name: String,
    /// Line of the file, from 1.
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
    text: String,
}

impl ScenarioErrors {
    /// One problem of a scenario that was good when it was read.
    pub(crate) fn one(sources: &Sources, span: Span, message: &str) -> Self {
        let problem = Problems::of(sources).at(span, message.to_owned(), None);
        Self { problems: vec![problem], text: sources.text.clone() }
    }

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
            .path(problem.file_name.as_str())
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
    sources: &'a Sources,
    /// Where each line begins.
    line_starts: Vec<usize>,
    found: RefCell<Vec<Problem>>,
    misread: Cell<bool>,
}

impl<'a> Problems<'a> {
    pub(crate) fn of(sources: &'a Sources) -> Self {
        let ends = sources.text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(ends).collect();
        Self { sources, line_starts, found: RefCell::default(), misread: Cell::new(false) }
    }

    /// The files from which the problems come.
    pub(crate) fn sources(&self) -> &'a Sources {
        self.sources
    }

    /// The line of its file in which a span begins, from 1.
    pub(crate) fn line(&self, span: Span) -> u32 {
        let file_start = self.file(span).start;
        let until = |place: usize| self.line_starts.partition_point(|start| *start <= place);
        u32::try_from(until(span.start) - until(file_start) + 1).unwrap_or(u32::MAX)
    }

    /// File and line of a span, for messages about another place.
    pub(crate) fn describe_place(&self, span: Span) -> String {
        format!("in {}, line {}", self.file(span).name, self.line(span))
    }

    fn file(&self, span: Span) -> &'a SourceFile {
        self.sources.file_at(span.start)
    }

    /// The column in which a span begins, in characters from 1.
    fn column(&self, span: Span) -> u32 {
        let before = self.line_starts.partition_point(|start| *start <= span.start);
        let line_start = self.line_starts[before - 1];
        u32::try_from(self.text()[line_start..span.start].chars().count() + 1).unwrap_or(u32::MAX)
    }

    /// Whether anything is wrong so far.
    pub(crate) fn has_some(&self) -> bool {
        !self.found.borrow().is_empty()
    }

    /// The scenario's text.
    pub(crate) fn text(&self) -> &'a str {
        &self.sources.text
    }

    /// Where a part of a value stands in the text; the whole value where escapes hide it.
    pub(crate) fn locate(&self, part: &str, span: Span) -> Span {
        let source = &self.text()[span.start..span.end];
        source.find(part).map_or(span, |at| Span { start: span.start + at, end: span.start + at + part.len() })
    }

    /// The span, moved to the left until it begins with a character.
    pub(crate) fn whole_characters(&self, mut span: Span) -> Span {
        while !self.text().is_char_boundary(span.start) {
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
            found.push(self.at(span, message.into(), help));
        }
    }

    /// One problem, which is not collected.
    pub(crate) fn at(&self, span: Span, message: String, help: Option<String>) -> Problem {
        let file_name = self.file(span).name.clone();
        Problem { file_name, line: self.line(span), column: self.column(span), message, help, span }
    }

    /// Something that is missing. Where part of the text was misread it may well stand there, so nothing is said then.
    pub(crate) fn absent(&self, span: Span, message: impl Into<String>, help: Option<String>) {
        if !self.misread.get() {
            self.add(span, message, help);
        }
    }

    /// The problems, or `value` when there are none.
    pub(crate) fn or<T>(self, value: Option<T>) -> Result<T, ScenarioErrors> {
        if value.is_none() && self.found.borrow().is_empty() {
            self.add(Span::default(), "this is not a scenario", None);
        }
        let text = self.text().to_owned();
        let mut problems = self.found.into_inner();
        problems.sort_by_key(|problem| problem.span.start);
        problems.dedup();
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(ScenarioErrors { problems, text }),
        }
    }
}
