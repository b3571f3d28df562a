//! Problems as text: the message, the line it is about with a caret, and what helps.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use assetsync_core::text;

use super::escape::wrapped;
use super::origin::{ConfigSpan, ConfigTextKind};
use super::problem::{Diagnostic, Severity};
use super::secrets;

/// The width of messages.
const COLUMNS: usize = 80;

/// The width of a note, without the margin and the note's name.
const NOTE_COLUMNS: usize = 66;

/// The problem with an excerpt of the text and a hint, in lines of at most 80 columns if possible;
/// secrets are redacted.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&diagnostic(self))
    }
}

/// The text, without a newline at its end.
fn diagnostic(diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.problem.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let excerpts: Vec<Excerpt> = std::iter::once((diagnostic.span.as_ref(), None))
        .chain(
            diagnostic
                .related
                .iter()
                .map(|(config_span, label)| (Some(config_span), Some(label.as_str()))),
        )
        .filter_map(|(config_span, label)| Some(Excerpt::of(config_span?, label)))
        .collect();
    let message = text::line(diagnostic.problem.to_string());
    let mut group = Group::with_title(level.primary_title(message));
    group = group.elements(excerpts.iter().map(Excerpt::snippet));
    if let Some(note) = &diagnostic.note {
        group = group.element(Level::NOTE.message(wrapped(&text::line(note), NOTE_COLUMNS)));
    }
    for line in diagnostic.hint().unwrap_or_default().lines() {
        let line = wrapped(&text::line(line), NOTE_COLUMNS);
        group = group.element(Level::HELP.with_name("hint").message(line));
    }
    Renderer::plain().term_width(COLUMNS).render(&[group])
}

/// One line of a source, as it may be shown.
struct Excerpt<'a> {
    config_span: &'a ConfigSpan,
    label: Option<&'a str>,
    line: String,
    span: std::ops::Range<usize>,
}

impl<'a> Excerpt<'a> {
    fn of(config_span: &'a ConfigSpan, label: Option<&'a str>) -> Excerpt<'a> {
        let text = &config_span.text.text;
        let at = config_span.range.start;
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let whole = text[start..end].trim_end_matches('\r');
        let line = match is_in_string(&text[..start]) {
            true => secrets::REDACTION.to_owned(),
            false => secrets::masked(whole),
        };
        // What is wrong may be among the carriage returns that are not shown.
        let shown = |at: usize| at.clamp(start, start + whole.len()) - start;
        let span = shown(at)..shown(config_span.range.end);
        let span = if line == whole { span } else { masked_span(&line, span) };
        Excerpt { config_span, label, line, span }
    }

    fn snippet(&self) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let kind = match self.label {
            None => AnnotationKind::Primary,
            Some(_) => AnnotationKind::Context,
        };
        let snippet = Snippet::source(self.line.as_str())
            .fold(false)
            .annotation(kind.span(self.span.clone()).label(self.label));
        match self.config_span.text.kind {
            ConfigTextKind::File => snippet
                .path(text::name(&self.config_span.text.name))
                .line_start(self.config_span.line()),
            ConfigTextKind::Variable | ConfigTextKind::Argument => snippet.line_numbering(false),
        }
    }
}

/// Whether the text after `before` is inside a multi-line string, which may be a secret.
fn is_in_string(before: &str) -> bool {
    ["\"\"\"", "'''"].iter().any(|quotes| before.matches(quotes).count() % 2 == 1)
}

/// A span, limited to the visible part of a masked line.
fn masked_span(line: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let hidden = line.len() - secrets::REDACTION.len();
    match span.end <= hidden {
        true => span,
        false => span.start.min(hidden)..line.len(),
    }
}
