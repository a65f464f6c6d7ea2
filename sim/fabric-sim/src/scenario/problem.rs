//! What is wrong with a scenario, and how it is shown: with file, line, column, caret and a way to mend it.

use super::source::{Sources, Span};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// More than these are counted and not shown: they would scroll the first ones away.
const SHOWN_MAX: usize = 20;
/// After so many no long search for a way to mend them is made.
const FIXED_MAX: usize = 200;

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    message: String,
    span: Option<Span>,
    label: String,
    fix: Option<String>,
}

/// Everything that is wrong, so that one look at a file finds all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    is_ignored: bool,
}

impl Problem {
    /// Says how to mend it.
    pub(crate) fn fix(&mut self, fix: impl Into<String>) {
        self.fix = Some(fix.into());
    }

    /// What is wrong and where, in one line.
    pub(crate) fn line(&self, sources: &Sources) -> String {
        let Some(span) = self.span else { return self.message.clone() };
        format!("{} ({})", self.message, sources.place(span))
    }
}

impl Problems {
    /// Nobody wants to know: what is wrong was said of another like this one.
    pub(crate) const fn ignored() -> Self {
        Self { list: Vec::new(), is_ignored: true }
    }

    /// Whether it is worth a while to look for how the next one can be mended.
    pub(crate) const fn want_fix(&self) -> bool {
        !self.is_ignored && self.list.len() < FIXED_MAX
    }

    /// Something is wrong at a place: what, and what the caret says.
    pub(crate) fn at(&mut self, span: Span, message: impl Into<String>, label: impl Into<String>) -> &mut Problem {
        self.push(Problem { message: message.into(), span: Some(span), label: label.into(), fix: None })
    }

    /// Something is wrong that has no place in a text.
    pub(crate) fn nowhere(&mut self, message: impl Into<String>) -> &mut Problem {
        self.push(Problem { message: message.into(), span: None, label: String::new(), fix: None })
    }

    fn push(&mut self, problem: Problem) -> &mut Problem {
        if self.is_ignored {
            self.list.clear();
        }
        self.list.push(problem);
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn first(&self) -> Option<&Problem> {
        self.list.first()
    }

    pub(crate) const fn len(&self) -> usize {
        self.list.len()
    }

    /// Shows them in the order of their places, for a terminal of `width` columns.
    pub(crate) fn render(mut self, sources: &Sources, style: Style) -> String {
        self.list.sort_by_key(|problem| problem.span.map(|span| sources.order(span)));
        self.list.dedup_by(|a, b| a.span == b.span && a.message == b.message);
        let renderer = style.renderer();
        let shown: Vec<_> =
            self.list.iter().take(SHOWN_MAX).map(|problem| problem.render(sources, &renderer)).collect();
        let text = shown.join("\n\n");
        match self.list.len().saturating_sub(SHOWN_MAX) {
            0 => format!("{text}\n"),
            more => format!("{text}\n\nand {more} more\n"),
        }
    }
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) colour: bool,
    pub(crate) width: usize,
}

impl Style {
    fn renderer(self) -> Renderer {
        let renderer = if self.colour { Renderer::styled() } else { Renderer::plain() };
        renderer.term_width(self.width).decor_style(DecorStyle::Ascii)
    }
}

impl Problem {
    fn render(&self, sources: &Sources, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let mut group = match self.span {
            Some(span) => {
                let source = sources.of(span);
                let mark = AnnotationKind::Primary.span(visible(&source.text, span.range())).label(self.label.as_str());
                title.element(Snippet::source(&source.text).path(&source.name).annotation(mark))
            }
            None => annotate_snippets::Group::with_title(title),
        };
        if let Some(fix) = &self.fix {
            group = group.element(Level::HELP.message(fix.as_str()));
        }
        renderer.render(&[group])
    }
}

/// A span over several lines is shown by its first one.
fn visible(text: &str, range: core::ops::Range<usize>) -> core::ops::Range<usize> {
    let piece = text.get(range.clone()).unwrap_or_default();
    let first_line = piece.find('\n').unwrap_or(piece.len());
    range.start..range.start + first_line
}
