//! Markdown to typed spans: what a page shows, without a string of HTML anywhere.
//!
//! Emphasis, strong, code, fenced code, quotes, links and bare links become spans; everything else (headings, lists,
//! tables, HTML, entities, backslashes) stays exactly as it was typed. pulldown-cmark says where the marks begin and
//! end; the text is always a slice of the source, because the parser decodes entities and drops backslashes.
//!
//! This is total: any text gives spans, at most [`SPAN_DEPTH_MAX`] deep and at most [`SPANS_MAX`] of them, in time
//! linear in its length. Marks that would lead deeper stay as typed, and so does the remaining text behind the last
//! formatted piece that still fits.
//!
//! Line ends stand inside the texts, as typed. A line has no span of its own: 16,384 lines of one letter would be
//! 32,768 spans.

use std::cell::Cell;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bare::{self, Bare};
use super::marks::{self, Kind, Node};
use crate::proto::limits::{SPAN_DEPTH_MAX, SPANS_MAX};

/// A piece of formatted text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Span {
    /// As typed.
    Text {
        /// What it says, with its line ends; never empty.
        text: String,
    },
    /// Code within a line.
    Code {
        /// What it says.
        text: String,
    },
    /// A fenced block of code.
    Pre {
        /// What it says, without the last newline.
        text: String,
        /// The first word behind the fence.
        lang: Option<String>,
    },
    /// Emphasis.
    Em {
        /// What is in it.
        spans: Vec<Span>,
    },
    /// Strong emphasis.
    Strong {
        /// What is in it.
        spans: Vec<Span>,
    },
    /// A quote.
    Quote {
        /// What is in it.
        spans: Vec<Span>,
    },
    /// A link.
    Link {
        /// Where to: `http:`, `https:` or `mailto:`.
        href: String,
        /// What is shown.
        spans: Vec<Span>,
    },
}

/// The spans of a text.
pub fn spans(source: &str) -> Vec<Span> {
    let budget = Budget { left: Cell::new(SPANS_MAX), cut: Cell::new((0, 0)) };
    let mut spans = Vec::new();
    if write_source(source, 1, &budget, &mut spans).is_err() {
        let (kept, rest) = budget.cut.get();
        spans.truncate(kept);
        spans.push(Span::Text { text: source[rest..].to_owned() });
    }
    spans
}

/// Writes a text that stands at `level`, the outermost being 1: a quote's content is a text of its own.
fn write_source(source: &str, level: usize, budget: &Budget, spans: &mut Vec<Span>) -> Result<(), BudgetSpentError> {
    let bare = bare::find(source);
    let nodes = marks::collect(source, &bare, level);
    Writer { source, bare: &bare, budget }.write(0..source.len(), nodes, level, spans)
}

/// How many spans a message may still have.
struct Budget {
    left: Cell<usize>,
    /// Where the message is cut if it has too many: the number of outermost spans that stay, and where in the source
    /// the remaining text begins. One span is left for that text.
    cut: Cell<(usize, usize)>,
}

impl Budget {
    /// Takes one span for a piece that begins at `at` of the source, behind `spans`.
    fn take(&self, level: usize, at: usize, spans: &[Span]) -> Result<(), BudgetSpentError> {
        let left = self.left.get();
        // The remaining text joins a text that stands before it.
        if level == 1 && left > 0 && !matches!(spans.last(), Some(Span::Text { .. })) {
            self.cut.set((spans.len(), at));
        }
        self.left.set(left.checked_sub(1).ok_or(BudgetSpentError)?);
        Ok(())
    }
}

/// A message would have more than [`SPANS_MAX`] spans.
struct BudgetSpentError;

/// Turns what was recognised, and the source between it, into spans.
struct Writer<'a> {
    source: &'a str,
    bare: &'a [Bare],
    budget: &'a Budget,
}

impl Writer<'_> {
    fn write(
        &self,
        content: Range<usize>,
        nodes: Vec<Node>,
        level: usize,
        spans: &mut Vec<Span>,
    ) -> Result<(), BudgetSpentError> {
        let mut at = content.start;
        for node in nodes {
            self.write_typed(at..node.range.start, level, spans)?;
            at = node.range.end;
            self.budget.take(level, node.range.start, spans)?;
            let span = match node.kind {
                Kind::Em => Span::Em { spans: self.inside(node.inner, node.children, level)? },
                Kind::Strong => Span::Strong { spans: self.inside(node.inner, node.children, level)? },
                Kind::Link(href) => {
                    // A link holds no other link, so nothing bare in it becomes one.
                    let label = Writer { bare: &[], ..*self };
                    Span::Link { href, spans: label.inside(node.inner, node.children, level)? }
                }
                Kind::Code(text) => Span::Code { text },
                Kind::Pre(text, lang) => Span::Pre { text, lang },
                Kind::Quote(text) => {
                    let mut inside = Vec::new();
                    write_source(&text, level + 1, self.budget, &mut inside)?;
                    Span::Quote { spans: inside }
                }
            };
            spans.push(span);
        }
        self.write_typed(at..content.end, level, spans)
    }

    fn inside(&self, content: Range<usize>, nodes: Vec<Node>, level: usize) -> Result<Vec<Span>, BudgetSpentError> {
        let mut spans = Vec::new();
        self.write(content, nodes, level + 1, &mut spans)?;
        Ok(spans)
    }

    /// Writes a piece of the source as it was typed, bare links apart.
    fn write_typed(&self, piece: Range<usize>, level: usize, spans: &mut Vec<Span>) -> Result<(), BudgetSpentError> {
        let mut at = piece.start;
        if level < SPAN_DEPTH_MAX {
            let first = self.bare.partition_point(|bare| bare.range.start < piece.start);
            for bare in self.bare[first..].iter().take_while(|bare| bare.range.end <= piece.end) {
                self.write_text(at..bare.range.start, level, spans)?;
                self.budget.take(level, bare.range.start, spans)?;
                let mut shown = Vec::new();
                self.write_text(bare.range.clone(), level + 1, &mut shown)?;
                spans.push(Span::Link { href: bare.href.clone(), spans: shown });
                at = bare.range.end;
            }
        }
        self.write_text(at..piece.end, level, spans)
    }

    fn write_text(&self, piece: Range<usize>, level: usize, spans: &mut Vec<Span>) -> Result<(), BudgetSpentError> {
        if !piece.is_empty() {
            self.budget.take(level, piece.start, spans)?;
            spans.push(Span::Text { text: self.source[piece].to_owned() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
