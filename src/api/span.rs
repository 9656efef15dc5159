//! Formats Markdown as typed spans, so that the page builds no HTML from strings.
//!
//! Emphasis, strong, strikethrough, code, fenced code, quotes, links and bare links become spans.
//! Everything else (headings, lists, tables, HTML, entities, backslashes) stays as typed.
//! pulldown-cmark finds the marks. The text is always a slice of the source, because the parser
//! decodes entities and drops backslashes.
//!
//! Any text has spans: at most [`SPANS_MAX`], at most [`SPAN_DEPTH_MAX`] deep, in time linear in
//! its length. Marks that would lead deeper stay as typed, and so does the text behind the last
//! formatted piece that fits.
//!
//! Line ends stand within the texts. They have no span of their own: 16,384 lines of one letter
//! would be 32,768 spans.

mod autolink;
mod markdown;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::autolink::BareUrl;
use self::markdown::{MarkKind, MarkNode};
use crate::proto::entries::mention::Mention;
use crate::proto::limits::{SPAN_DEPTH_MAX, SPANS_MAX};

/// A piece of formatted text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[allow(missing_docs, reason = "the variants say what their fields are")]
pub enum Span {
    /// Plain text.
    Text {
        /// The text with its line ends, never empty.
        text: String,
    },
    /// Code within a line.
    Code {
        /// The code.
        text: String,
    },
    /// A fenced block of code.
    Pre {
        /// The code without the last newline.
        text: String,
        /// The first word behind the fence.
        lang: Option<String>,
    },
    /// Emphasis.
    Em { spans: Vec<Span> },
    /// Strong emphasis.
    Strong { spans: Vec<Span> },
    /// Strikethrough.
    Strike { spans: Vec<Span> },
    /// A quote.
    Quote { spans: Vec<Span> },
    /// A link.
    Link {
        /// The target: `http:`, `https:` or `mailto:`.
        href: String,
        /// The spans of its text.
        spans: Vec<Span>,
    },
    /// A mention of a member.
    Mention {
        /// The member's id.
        id: String,
        /// What was typed, from the at sign on.
        text: String,
    },
}

/// Returns the spans of a text, with its mentions in their order. A mention in code, in a link or
/// in a quote makes no span.
pub fn spans(source: &str, mentions: &[Mention]) -> Vec<Span> {
    let budget = SpanBudget { left: Cell::new(SPANS_MAX), cut: Cell::new((0, 0)) };
    let mut spans = Vec::new();
    if write_source(source, mentions, 1, &budget, &mut spans).is_err() {
        let (kept, rest) = budget.cut.get();
        spans.truncate(kept);
        spans.push(Span::Text { text: source[rest..].to_owned() });
    }
    spans
}

/// Formats a text at `level`; the outermost level is 1. The content of a quote is a text of its
/// own.
fn write_source(
    source: &str,
    mentions: &[Mention],
    level: usize,
    budget: &SpanBudget,
    spans: &mut Vec<Span>,
) -> Result<(), BudgetSpentError> {
    let bare = autolink::find(source);
    let nodes = markdown::collect(source, &bare, level);
    SpanWriter { source, bare: &bare, mentions, budget }.write(0..source.len(), nodes, level, spans)
}

/// The number of spans that a message may still have.
struct SpanBudget {
    left: Cell<usize>,
    /// The cut of a message with too many spans: the number of outermost spans that stay, and the
    /// offset of the remaining text. One span is reserved for that text.
    cut: Cell<(usize, usize)>,
}

impl SpanBudget {
    /// Takes one span for a piece at offset `at` of the source, behind `spans`.
    fn take(&self, level: usize, at: usize, spans: &[Span]) -> Result<(), BudgetSpentError> {
        let left = self.left.get();
        // The remaining text joins a text before it.
        if level == 1 && left > 0 && !matches!(spans.last(), Some(Span::Text { .. })) {
            self.cut.set((spans.len(), at));
        }
        self.left.set(left.checked_sub(1).ok_or(BudgetSpentError)?);
        Ok(())
    }
}

/// A message would have more than [`SPANS_MAX`] spans.
struct BudgetSpentError;

/// Makes spans of the formatted pieces and the source between them.
struct SpanWriter<'a> {
    source: &'a str,
    bare: &'a [BareUrl],
    mentions: &'a [Mention],
    budget: &'a SpanBudget,
}

impl SpanWriter<'_> {
    fn write(
        &self,
        content: Range<usize>,
        nodes: Vec<MarkNode>,
        level: usize,
        spans: &mut Vec<Span>,
    ) -> Result<(), BudgetSpentError> {
        let mut at = content.start;
        for node in nodes {
            self.write_typed(at..node.range.start, level, spans)?;
            at = node.range.end;
            self.budget.take(level, node.range.start, spans)?;
            let span = match node.kind {
                MarkKind::Em => Span::Em { spans: self.inside(node.inner, node.children, level)? },
                MarkKind::Strong => Span::Strong { spans: self.inside(node.inner, node.children, level)? },
                MarkKind::Strike => Span::Strike { spans: self.inside(node.inner, node.children, level)? },
                MarkKind::Link(href) => {
                    // A link contains no other link, so bare links in it stay text.
                    let label = SpanWriter { bare: &[], mentions: &[], ..*self };
                    Span::Link { href, spans: label.inside(node.inner, node.children, level)? }
                }
                MarkKind::Code(text) => Span::Code { text },
                MarkKind::Pre(text, lang) => Span::Pre { text, lang },
                MarkKind::Quote(text) => {
                    let mut inside = Vec::new();
                    write_source(&text, &[], level + 1, self.budget, &mut inside)?;
                    Span::Quote { spans: inside }
                }
            };
            spans.push(span);
        }
        self.write_typed(at..content.end, level, spans)
    }

    fn inside(&self, content: Range<usize>, nodes: Vec<MarkNode>, level: usize) -> Result<Vec<Span>, BudgetSpentError> {
        let mut spans = Vec::new();
        self.write(content, nodes, level + 1, &mut spans)?;
        Ok(spans)
    }

    /// Adds a piece of the source as typed, with its bare links.
    fn write_typed(&self, piece: Range<usize>, level: usize, spans: &mut Vec<Span>) -> Result<(), BudgetSpentError> {
        let mut at = piece.start;
        if level < SPAN_DEPTH_MAX {
            let first = self.bare.partition_point(|bare| bare.range.start < piece.start);
            for bare in self.bare[first..].iter().take_while(|bare| bare.range.end <= piece.end) {
                self.write_text(at..bare.range.start, level, spans)?;
                self.budget.take(level, bare.range.start, spans)?;
                let mut shown = Vec::new();
                self.write_plain(bare.range.clone(), level + 1, &mut shown)?;
                spans.push(Span::Link { href: bare.href.clone(), spans: shown });
                at = bare.range.end;
            }
        }
        self.write_text(at..piece.end, level, spans)
    }

    /// Writes a piece of the source in which nothing is formatted: mentions apart, it is text.
    fn write_text(&self, piece: Range<usize>, level: usize, spans: &mut Vec<Span>) -> Result<(), BudgetSpentError> {
        let mut at = piece.start;
        let first = self.mentions.partition_point(|mention| mention.range().start < piece.start);
        for mention in self.mentions[first..].iter().take_while(|mention| mention.range().start < piece.end) {
            let range = mention.range();
            if range.end <= piece.end {
                self.write_plain(at..range.start, level, spans)?;
                self.budget.take(level, range.start, spans)?;
                at = range.end;
                spans.push(Span::Mention { id: mention.id.to_string(), text: self.source[range].to_owned() });
            }
        }
        self.write_plain(at..piece.end, level, spans)
    }

    fn write_plain(&self, piece: Range<usize>, level: usize, spans: &mut Vec<Span>) -> Result<(), BudgetSpentError> {
        if !piece.is_empty() {
            self.budget.take(level, piece.start, spans)?;
            spans.push(Span::Text { text: self.source[piece].to_owned() });
        }
        Ok(())
    }
}
