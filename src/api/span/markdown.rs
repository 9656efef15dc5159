//! Finds the formatted pieces of a text: Markdown's structure, less all that stays as typed.
//!
//! Each mark of the parser is checked against the source. If the source differs from what the mark
//! should be, the piece stays as typed. The only text built here is that of code, which the parser
//! leaves unchanged.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, OffsetIter, Options, Parser, Tag};

use super::autolink::{self, BareUrl};
use crate::proto::limits::SPAN_DEPTH_MAX;

/// A formatted piece of the source.
pub(super) struct MarkNode {
    /// The whole piece, with its marks.
    pub(super) range: Range<usize>,
    pub(super) kind: MarkKind,
    /// The content.
    pub(super) inner: Range<usize>,
    /// The pieces within the content, in order.
    pub(super) children: Vec<MarkNode>,
}

/// The kind of a formatted piece.
pub(super) enum MarkKind {
    /// Emphasis.
    Em,
    /// Strong emphasis.
    Strong,
    /// Strikethrough, by two tildes on each side.
    Strike,
    /// A link with its target.
    Link(String),
    /// Code within a line.
    Code(String),
    /// A fenced block of code, with the first word behind the fence.
    Pre(String, Option<String>),
    /// A quote. Its content is a text of its own.
    Quote(String),
}

/// Finds the pieces of a text at `level`, as a forest of at most [`SPAN_DEPTH_MAX`] levels.
pub(super) fn collect(source: &str, bare: &[BareUrl], level: usize) -> Vec<MarkNode> {
    let mut collector = Collector { source, bare, level, root: Vec::new(), open: Vec::new(), label_end: 0 };
    let mut events = Parser::new_ext(source, Options::ENABLE_STRIKETHROUGH).into_offset_iter();
    while let Some((event, range)) = events.next() {
        match event {
            Event::Start(tag) => collector.start(tag, range, &mut events),
            Event::End(_) => collector.end(range.end),
            Event::Code(text) => collector.add(done(range, MarkKind::Code(text.into_string()))),
            _ => collector.label_end = collector.label_end.max(range.end),
        }
    }
    collector.root
}

struct Collector<'a> {
    source: &'a str,
    bare: &'a [BareUrl],
    /// Returns the depth at which a span would be added now.
    level: usize,
    root: Vec<MarkNode>,
    /// The open elements; none for one that stays as typed.
    open: Vec<Option<MarkNode>>,
    /// The end of the innermost link's text so far. Links do not nest, so one position is enough.
    label_end: usize,
}

impl Collector<'_> {
    fn start(&mut self, tag: Tag<'_>, range: Range<usize>, events: &mut OffsetIter<'_>) {
        match tag {
            Tag::Emphasis => self.open(self.marked(range, MarkKind::Em, 1)),
            Tag::Strong => self.open(self.marked(range, MarkKind::Strong, 2)),
            Tag::Strikethrough => self.open(self.marked(range, MarkKind::Strike, 2)),
            Tag::Link { link_type, dest_url, .. } => {
                self.label_end = range.start + 1;
                self.open(self.link(range, link_type, &dest_url));
            }
            Tag::BlockQuote(_) => {
                pass_over(events);
                // The content is one level deeper.
                if self.level < SPAN_DEPTH_MAX {
                    let quoted = unquoted(self.source, &range);
                    self.add(done(whole_lines(self.source, range), MarkKind::Quote(quoted)));
                }
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                let mut text = pass_over(events);
                if text.ends_with('\n') {
                    text.pop();
                }
                let lang = info.split_whitespace().next().map(str::to_owned);
                // A fence without code ends a block whose beginning was not at the start of a line.
                if !text.trim().is_empty() {
                    self.add(done(whole_lines(self.source, range), MarkKind::Pre(text, lang)));
                }
            }
            Tag::CodeBlock(CodeBlockKind::Indented) | Tag::HtmlBlock | Tag::Image { .. } => {
                pass_over(events);
                self.label_end = self.label_end.max(range.end);
            }
            _ => self.open.push(None),
        }
    }

    fn open(&mut self, node: Option<MarkNode>) {
        let node = node.filter(|_| self.level < SPAN_DEPTH_MAX);
        self.level += usize::from(node.is_some());
        self.open.push(node);
    }

    fn end(&mut self, at: usize) {
        let Some(Some(mut node)) = self.open.pop() else {
            self.label_end = self.label_end.max(at);
            return;
        };
        self.level -= 1;
        if matches!(node.kind, MarkKind::Link(_)) && node.inner.is_empty() {
            // The end of the link's text is known only now: it ends before the brackets of the
            // target.
            node.inner.end = self.label_end;
            if node.inner.is_empty() || !self.source[self.label_end..].starts_with("](") {
                node.children.into_iter().for_each(|child| self.add(child));
                return;
            }
        }
        self.add(node);
    }

    /// Adds a complete piece to the one around it.
    fn add(&mut self, node: MarkNode) {
        self.label_end = self.label_end.max(node.range.end);
        let around = self.open.iter_mut().rev().flatten().next();
        around.map_or(&mut self.root, |node| &mut node.children).push(node);
    }

    /// Adds emphasis or strikethrough, if `width` equal marks stand at both ends and outside of a
    /// link.
    fn marked(&self, range: Range<usize>, kind: MarkKind, width: usize) -> Option<MarkNode> {
        let piece = self.source.as_bytes().get(range.clone())?;
        let mark = *piece.first()?;
        let inner = range.start + width..range.end.checked_sub(width)?;
        let marks = piece.iter().take(width).chain(piece.iter().rev().take(width));
        let right = matches!(mark, b'*' | b'_' | b'~')
            && inner.start < inner.end
            && marks.into_iter().all(|byte| *byte == mark);
        let apart = self.is_apart(range.start..inner.start) && self.is_apart(inner.end..range.end);
        (right && apart).then_some(MarkNode { range, kind, inner, children: Vec::new() })
    }

    /// Returns true if no bare link covers these marks.
    fn is_apart(&self, marks: Range<usize>) -> bool {
        let next = self.bare.partition_point(|bare| bare.range.end <= marks.start);
        self.bare.get(next).is_none_or(|bare| bare.range.start >= marks.end)
    }

    /// Adds a link with its target beside it or in angle brackets. Others stay as typed.
    /// [`Collector::end`] finds the end of the text of the former.
    fn link(&self, range: Range<usize>, link_type: LinkType, target: &str) -> Option<MarkNode> {
        let (href, inner) = match link_type {
            LinkType::Inline => (target.to_owned(), range.start + 1..range.start + 1),
            LinkType::Autolink => (target.to_owned(), range.start + 1..range.end.checked_sub(1)?),
            LinkType::Email => (format!("mailto:{target}"), range.start + 1..range.end.checked_sub(1)?),
            _ => return None,
        };
        autolink::is_allowed(&href).then_some(MarkNode {
            range,
            kind: MarkKind::Link(href),
            inner,
            children: Vec::new(),
        })
    }
}

fn done(range: Range<usize>, kind: MarkKind) -> MarkNode {
    MarkNode { inner: range.clone(), range, kind, children: Vec::new() }
}

/// Reads to the end of the element that has just begun. Returns its text.
fn pass_over(events: &mut OffsetIter<'_>) -> String {
    let mut text = String::new();
    let mut depth = 1;
    for (event, _) in events {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Text(piece) => text.push_str(&piece),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    text
}

/// Returns a block with the spaces before it and the newline at its end, since a block has lines of
/// its own.
fn whole_lines(source: &str, range: Range<usize>) -> Range<usize> {
    let before = source[..range.start].trim_end_matches(' ');
    let start = if before.is_empty() || before.ends_with('\n') { before.len() } else { range.start };
    let ended = source[range.clone()].ends_with('\n');
    let rest = &source[range.end..];
    let newline = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    start..if ended { range.end } else { range.end + newline }
}

/// Returns the content of a quote: its lines without the outermost `>`, if they have one.
fn unquoted(source: &str, range: &Range<usize>) -> String {
    let line_start = source[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    // CommonMark allows an indent of three spaces before the mark, plus the indent of the list
    // around it.
    let indent_max = range.start - line_start + 3;
    let quote = source[range.clone()].trim_end_matches(['\n', '\r']);
    let mut content = String::with_capacity(quote.len());
    for line in quote.split_inclusive('\n') {
        let marked = line.trim_start_matches([' ', '\t']);
        let rest = marked.strip_prefix('>').filter(|_| line.len() - marked.len() <= indent_max);
        content.push_str(rest.map_or(line, |rest| rest.strip_prefix(' ').unwrap_or(rest)));
    }
    content
}
