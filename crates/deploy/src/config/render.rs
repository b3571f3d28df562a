//! Problems as text: the message, the line it is about with a caret, and what helps.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use assetsync_core::text;

use super::place::{ConfigTextKind, Place};
use super::problem::{Diagnostic, Severity};
use super::secret;
use super::text::wrapped;

/// What a terminal shows in a line.
const COLUMNS: usize = 80;

/// What is left of it for a note, behind the margin and the note's name.
const NOTE_COLUMNS: usize = 66;

/// The text, without a newline at its end.
pub(crate) fn diagnostic(diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.problem.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let excerpts: Vec<Excerpt> = std::iter::once((diagnostic.place.as_ref(), None))
        .chain(diagnostic.related.iter().map(|(place, label)| (Some(place), Some(label.as_str()))))
        .filter_map(|(place, label)| Some(Excerpt::of(place?, label)))
        .collect();
    let message = text::line(diagnostic.problem.to_string());
    let mut group = Group::with_title(level.primary_title(message));
    group = group.elements(excerpts.iter().map(Excerpt::snippet));
    if let Some(note) = &diagnostic.note {
        group = group.element(Level::NOTE.message(wrapped(&text::line(note), NOTE_COLUMNS)));
    }
    for line in diagnostic.advice().unwrap_or_default().lines() {
        let line = wrapped(&text::line(line), NOTE_COLUMNS);
        group = group.element(Level::HELP.with_name("hint").message(line));
    }
    Renderer::plain().term_width(COLUMNS).render(&[group])
}

/// One line of a source, as it may be shown.
struct Excerpt<'a> {
    place: &'a Place,
    label: Option<&'a str>,
    line: String,
    span: std::ops::Range<usize>,
}

impl<'a> Excerpt<'a> {
    fn of(place: &'a Place, label: Option<&'a str>) -> Excerpt<'a> {
        let text = &place.source.text;
        let at = place.span.start;
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let whole = text[start..end].trim_end_matches('\r');
        let line = match is_in_string(&text[..start]) {
            true => secret::HIDDEN.to_owned(),
            false => secret::masked(whole),
        };
        let span = at - start..place.span.end.min(end) - start;
        let span = if line == whole { span } else { masked_span(&line, span) };
        Excerpt { place, label, line, span }
    }

    fn snippet(&self) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let kind = match self.label {
            None => AnnotationKind::Primary,
            Some(_) => AnnotationKind::Context,
        };
        let snippet = Snippet::source(self.line.as_str())
            .fold(false)
            .annotation(kind.span(self.span.clone()).label(self.label));
        match self.place.source.kind {
            ConfigTextKind::File => {
                snippet.path(text::name(&self.place.source.name)).line_start(self.place.line())
            }
            ConfigTextKind::Variable | ConfigTextKind::Argument => snippet.line_numbering(false),
        }
    }
}

/// Whether what follows `before` stands inside a string of several lines, which may be a secret.
fn is_in_string(before: &str) -> bool {
    ["\"\"\"", "'''"].iter().any(|quotes| before.matches(quotes).count() % 2 == 1)
}

/// What is left of a span in a line that was masked.
fn masked_span(line: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let hidden = line.len() - secret::HIDDEN.len();
    match span.end <= hidden {
        true => span,
        false => span.start.min(hidden)..line.len(),
    }
}
