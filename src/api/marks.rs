//! Which pieces of a text are formatted: Markdown's structure, less everything that stays as typed.
//!
//! Only what is certain is recognised: marks are looked up again in the source, and where they are not what they
//! should be the piece stays as typed. No text is made here but that of code, which the parser leaves alone.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, OffsetIter, Options, Parser, Tag};

use super::bare::{self, Bare};
use crate::proto::limits::SPAN_DEPTH_MAX;

/// A recognised piece of the source.
pub(super) struct Node {
    /// All of it, marks included.
    pub(super) range: Range<usize>,
    /// What it is.
    pub(super) kind: Kind,
    /// The part of it that is content.
    pub(super) inner: Range<usize>,
    /// What is recognised in the content, in order.
    pub(super) children: Vec<Node>,
}

/// What a recognised piece is.
pub(super) enum Kind {
    /// Emphasis.
    Em,
    /// Strong emphasis.
    Strong,
    /// A link to there.
    Link(String),
    /// Code within a line.
    Code(String),
    /// A fenced block of code, and the first word behind the fence.
    Pre(String, Option<String>),
    /// A quote: what stands in it is a text of its own.
    Quote(String),
}

/// Finds what is to be formatted in a text at `level`, as a forest that ends at [`SPAN_DEPTH_MAX`].
pub(super) fn collect(source: &str, bare: &[Bare], level: usize) -> Vec<Node> {
    let mut collector = Collector { source, bare, level, root: Vec::new(), open: Vec::new(), label_end: 0 };
    let mut events = Parser::new_ext(source, Options::empty()).into_offset_iter();
    while let Some((event, range)) = events.next() {
        match event {
            Event::Start(tag) => collector.start(tag, range, &mut events),
            Event::End(_) => collector.end(range.end),
            Event::Code(text) => collector.add(done(range, Kind::Code(text.into_string()))),
            _ => collector.label_end = collector.label_end.max(range.end),
        }
    }
    collector.root
}

struct Collector<'a> {
    source: &'a str,
    bare: &'a [Bare],
    /// How deep a span would stand that is added now.
    level: usize,
    root: Vec<Node>,
    /// Every element that is open; none for one that stays as typed.
    open: Vec<Option<Node>>,
    /// How far the text of the innermost link was read. One place is enough: links don't nest.
    label_end: usize,
}

impl Collector<'_> {
    fn start(&mut self, tag: Tag<'_>, range: Range<usize>, events: &mut OffsetIter<'_>) {
        match tag {
            Tag::Emphasis => self.open(self.marked(range, Kind::Em, 1)),
            Tag::Strong => self.open(self.marked(range, Kind::Strong, 2)),
            Tag::Link { link_type, dest_url, .. } => {
                self.label_end = range.start + 1;
                self.open(self.link(range, link_type, &dest_url));
            }
            Tag::BlockQuote(_) => {
                pass_over(events);
                // Its content stands one level deeper.
                if self.level < SPAN_DEPTH_MAX {
                    let quoted = unquoted(self.source, &range);
                    self.add(done(whole_lines(self.source, range), Kind::Quote(quoted)));
                }
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                let mut text = pass_over(events);
                if text.ends_with('\n') {
                    text.pop();
                }
                let lang = info.split_whitespace().next().map(str::to_owned);
                self.add(done(whole_lines(self.source, range), Kind::Pre(text, lang)));
            }
            Tag::CodeBlock(CodeBlockKind::Indented) | Tag::HtmlBlock | Tag::Image { .. } => {
                pass_over(events);
                self.label_end = self.label_end.max(range.end);
            }
            _ => self.open.push(None),
        }
    }

    fn open(&mut self, node: Option<Node>) {
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
        if matches!(node.kind, Kind::Link(_)) && node.inner.is_empty() {
            // Where its text ends is known only now: before what leads on to the target.
            node.inner.end = self.label_end;
            if node.inner.is_empty() || !self.source[self.label_end..].starts_with("](") {
                node.children.into_iter().for_each(|child| self.add(child));
                return;
            }
        }
        self.add(node);
    }

    /// Adds a piece that is complete to the one around it.
    fn add(&mut self, node: Node) {
        self.label_end = self.label_end.max(node.range.end);
        let around = self.open.iter_mut().rev().flatten().next();
        around.map_or(&mut self.root, |node| &mut node.children).push(node);
    }

    /// Emphasis, if `width` equal marks stand at both ends, and not within a link.
    fn marked(&self, range: Range<usize>, kind: Kind, width: usize) -> Option<Node> {
        let piece = self.source.as_bytes().get(range.clone())?;
        let mark = *piece.first()?;
        let inner = range.start + width..range.end.checked_sub(width)?;
        let marks = piece.iter().take(width).chain(piece.iter().rev().take(width));
        let right =
            matches!(mark, b'*' | b'_') && inner.start < inner.end && marks.into_iter().all(|byte| *byte == mark);
        let apart = self.is_apart(range.start..inner.start) && self.is_apart(inner.end..range.end);
        (right && apart).then_some(Node { range, kind, inner, children: Vec::new() })
    }

    /// Whether no bare link covers these marks.
    fn is_apart(&self, marks: Range<usize>) -> bool {
        let next = self.bare.partition_point(|bare| bare.range.end <= marks.start);
        self.bare.get(next).is_none_or(|bare| bare.range.start >= marks.end)
    }

    /// A link with its target beside it, or in angle brackets; others stay as typed. The text of the former ends
    /// where [`Collector::end`] finds it.
    fn link(&self, range: Range<usize>, link_type: LinkType, target: &str) -> Option<Node> {
        let (href, inner) = match link_type {
            LinkType::Inline => (target.to_owned(), range.start + 1..range.start + 1),
            LinkType::Autolink => (target.to_owned(), range.start + 1..range.end.checked_sub(1)?),
            LinkType::Email => (format!("mailto:{target}"), range.start + 1..range.end.checked_sub(1)?),
            _ => return None,
        };
        bare::is_allowed(&href).then_some(Node { range, kind: Kind::Link(href), inner, children: Vec::new() })
    }
}

fn done(range: Range<usize>, kind: Kind) -> Node {
    Node { inner: range.clone(), range, kind, children: Vec::new() }
}

/// Reads to the end of the element that has just begun, and returns the text in it.
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

/// A block together with the spaces before it and the newline that ends its last line: a block has its own lines.
fn whole_lines(source: &str, range: Range<usize>) -> Range<usize> {
    let before = source[..range.start].trim_end_matches(' ');
    let start = if before.is_empty() || before.ends_with('\n') { before.len() } else { range.start };
    let ended = source[range.clone()].ends_with('\n');
    let rest = &source[range.end..];
    let newline = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    start..if ended { range.end } else { range.end + newline }
}

/// The content of a quote: its lines without the outermost `>`, where they have one.
fn unquoted(source: &str, range: &Range<usize>) -> String {
    let line_start = source[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    // CommonMark lets the mark be indented by three spaces, and by what it is itself indented in a list.
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
