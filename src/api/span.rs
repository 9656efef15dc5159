//! Markdown to typed spans: what a page shows, without a string of HTML anywhere.
//!
//! Emphasis, strong, code, fenced code, quotes, links and bare links become spans; everything else (headings, lists,
//! tables, HTML, entities, backslashes) stays exactly as it was typed. pulldown-cmark says where the marks begin and
//! end; the text is always a slice of the source, because the parser decodes entities and drops backslashes.
//!
//! This is total: any text gives spans, at most [`SPAN_DEPTH_MAX`] deep, in time linear in its length. Marks that
//! would lead deeper stay as typed.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bare::{self, Bare};
use super::marks::{self, Kind, Node};
use crate::proto::limits::SPAN_DEPTH_MAX;

/// A piece of formatted text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Span {
    /// As typed.
    Text {
        /// What it says; never a newline.
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
    /// A newline.
    Break,
}

/// The spans of a text.
pub fn spans(source: &str) -> Vec<Span> {
    spans_at(source, 1)
}

/// The spans of a text that stands at `level`, the outermost being 1: a quote's content is a text of its own.
fn spans_at(source: &str, level: usize) -> Vec<Span> {
    let bare = bare::find(source);
    let nodes = marks::collect(source, &bare, level);
    let mut spans = Vec::new();
    Writer { source, bare: &bare }.write(0..source.len(), nodes, level, &mut spans);
    spans
}

/// Turns what was recognised, and the source between it, into spans.
struct Writer<'a> {
    source: &'a str,
    bare: &'a [Bare],
}

impl Writer<'_> {
    fn write(&self, content: Range<usize>, nodes: Vec<Node>, level: usize, spans: &mut Vec<Span>) {
        let mut at = content.start;
        for node in nodes {
            self.write_typed(at..node.range.start, level, spans);
            at = node.range.end;
            let span = match node.kind {
                Kind::Em => Span::Em { spans: self.inside(node.inner, node.children, level) },
                Kind::Strong => Span::Strong { spans: self.inside(node.inner, node.children, level) },
                Kind::Link(href) => {
                    // A link holds no other link, so nothing bare in it becomes one.
                    let mut inside = Vec::new();
                    Writer { source: self.source, bare: &[] }.write(node.inner, node.children, level + 1, &mut inside);
                    Span::Link { href, spans: inside }
                }
                Kind::Code(text) => Span::Code { text },
                Kind::Pre(text, lang) => Span::Pre { text, lang },
                Kind::Quote(text) => Span::Quote { spans: spans_at(&text, level + 1) },
            };
            spans.push(span);
        }
        self.write_typed(at..content.end, level, spans);
    }

    fn inside(&self, content: Range<usize>, nodes: Vec<Node>, level: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        self.write(content, nodes, level + 1, &mut spans);
        spans
    }

    /// Writes a piece of the source as it was typed, bare links apart.
    fn write_typed(&self, piece: Range<usize>, level: usize, spans: &mut Vec<Span>) {
        let mut at = piece.start;
        if level < SPAN_DEPTH_MAX {
            let first = self.bare.partition_point(|bare| bare.range.start < piece.start);
            for bare in self.bare[first..].iter().take_while(|bare| bare.range.end <= piece.end) {
                write_text(&self.source[at..bare.range.start], spans);
                let text = self.source[bare.range.clone()].to_owned();
                spans.push(Span::Link { href: bare.href.clone(), spans: vec![Span::Text { text }] });
                at = bare.range.end;
            }
        }
        write_text(&self.source[at..piece.end], spans);
    }
}

/// Writes text, its newlines as breaks.
fn write_text(text: &str, spans: &mut Vec<Span>) {
    for line in text.split_inclusive('\n') {
        let typed = line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n'));
        let text = typed.unwrap_or(line);
        if !text.is_empty() {
            spans.push(Span::Text { text: text.to_owned() });
        }
        if typed.is_some() {
            spans.push(Span::Break);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    /// Spans in a short notation: `*em*` as (em …), and so on.
    fn show(spans: &[Span]) -> String {
        let inner = |name: &str, spans: &[Span]| format!("({name} {})", show(spans));
        let one = |span: &Span| match span {
            Span::Text { text } => text.clone(),
            Span::Code { text } => format!("(code {text})"),
            Span::Pre { text, lang } => format!("(pre {} {text:?})", lang.as_deref().unwrap_or("-")),
            Span::Em { spans } => inner("em", spans),
            Span::Strong { spans } => inner("strong", spans),
            Span::Quote { spans } => inner("quote", spans),
            Span::Link { href, spans } => inner(&format!("link {href}"), spans),
            Span::Break => "|".to_owned(),
        };
        spans.iter().map(one).collect()
    }

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(show(&spans(source)), expected, "{source:?}");
    }

    #[test]
    fn marks_become_spans() {
        check("a *b* __c__ `d`", "a (em b) (strong c) (code d)");
        check("***x***", "(em (strong x))");
        check("**a *b* c**", "(strong a (em b) c)");
        check("``a`b``", "(code a`b)");
        check("snake_case_name 2*3*4", "snake_case_name 2(em 3)4");
    }

    #[test]
    fn blocks_become_spans() {
        check("```rust x\na\n\n*b*\n```\nz", "(pre rust \"a\\n\\n*b*\")z");
        check("see\n```\nx\n```", "see|(pre - \"x\")");
        check("```\nopen", "(pre - \"open\")");
        check("> a *b*\n> c\n\nd", "(quote a (em b)|c)|d");
        check("> a\n>> b\nlazy", "(quote a|(quote b|lazy))");
        check("- > a\n  > b", "- (quote a|b)");
        check("> ```\n> x\n> ```", "(quote (pre - \"x\"))");
    }

    #[test]
    fn links_become_spans() {
        check("[a *b*](https://x.y/?a=1&amp;b 'title') c", "(link https://x.y/?a=1&b a (em b)) c");
        check("<https://a.b> <a@b.c>", "(link https://a.b https://a.b) (link mailto:a@b.c a@b.c)");
        check("(see https://a.b/c_(d).)", "(see (link https://a.b/c_(d) https://a.b/c_(d)).)");
        check(
            "https://a.b/_c_/d *https://d.e*",
            "(link https://a.b/_c_/d https://a.b/_c_/d) (em (link https://d.e https://d.e))",
        );
        check("[https://good](https://real)", "(link https://real https://good)");
    }

    #[test]
    fn other_links_stay_as_typed() {
        for text in
            ["[a](javascript:alert(1))", "[a](data:x)", "[a](file:///x)", "[](https://x)", "javascript:x", "[a](/b)"]
        {
            assert!(!show(&spans(text)).contains("(link javascript"));
            assert!(!show(&spans(text)).contains("(link data"));
            assert!(!show(&spans(text)).contains("(link file"));
        }
        check("[*a*](javascript:x)", "[(em a)](javascript:x)");
        check("[a][b]\n\n[b]: x", "[a][b]||[b]: x");
        check("![a *b*](c)", "![a *b*](c)");
    }

    #[test]
    fn all_else_stays_as_typed() {
        for text in [
            "# Title",
            "Title",
            "- a",
            "1. b",
            "\\*a\\*",
            "&amp; &#65;",
            "<b>x</b>",
            "<!-- *x* -->",
            "| a | b |",
            "    *code*",
            " spaces  and\ttabs ",
            "---",
            "/me waves",
            "~~a~~",
            "שלום 👩\u{200d}💻",
            "\u{202e}abc",
        ] {
            check(text, text);
        }
        check("a\nb\r\n\nc  \nd\\\ne", "a|b||c  |d\\|e");
        check("Title\n===", "Title|===");
        check("\n\na\n", "||a|");
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let quotes = "> ".repeat(30) + "*deep* https://a.b";
        let spans = spans(&quotes);
        assert_eq!(depth(&spans), SPAN_DEPTH_MAX);
        assert!(show(&spans).contains("> > > *deep* https://a.b"));
        let stars = format!("{}{}", "*a _b ".repeat(40), "_ *".repeat(40));
        assert!(depth(&super::spans(&stars)) <= SPAN_DEPTH_MAX);
    }

    fn depth(spans: &[Span]) -> usize {
        let inner = |span: &Span| match span {
            Span::Em { spans } | Span::Strong { spans } | Span::Quote { spans } | Span::Link { spans, .. } => {
                depth(spans)
            }
            Span::Text { .. } | Span::Code { .. } | Span::Pre { .. } | Span::Break => 0,
        };
        spans.iter().map(|span| 1 + inner(span)).max().unwrap_or(0)
    }

    fn flat(spans: &[Span], text: &mut String) {
        for span in spans {
            match span {
                Span::Text { text: piece } | Span::Code { text: piece } | Span::Pre { text: piece, .. } => {
                    text.push_str(piece)
                }
                Span::Em { spans } | Span::Strong { spans } | Span::Quote { spans } | Span::Link { spans, .. } => {
                    flat(spans, text);
                }
                Span::Break => text.push('\n'),
            }
        }
    }

    /// What is shown was typed, in this order; what is not shown are marks, white space and where links lead.
    fn explain(source: &str) {
        let spans = spans(source);
        assert!(depth(&spans) <= SPAN_DEPTH_MAX, "{source:?}");
        let mut shown = String::new();
        flat(&spans, &mut shown);
        let linked = spans_hold_label(&spans);
        let mut typed = source.chars().filter(|c| !c.is_whitespace());
        for c in shown.chars().filter(|c| !c.is_whitespace()) {
            loop {
                let Some(next) = typed.next() else { panic!("{c:?} was never typed in {source:?}: {spans:?}") };
                if next == c {
                    break;
                }
                assert!(linked || is_mark(next), "{next:?} is lost from {source:?}: {spans:?}");
            }
        }
        assert!(typed.all(|c| linked || is_mark(c)), "the end is lost from {source:?}: {spans:?}");
    }

    /// Whether something other than marks may be left out: a link's target, what stands behind a fence.
    fn spans_hold_label(spans: &[Span]) -> bool {
        spans.iter().any(|span| match span {
            Span::Link { .. } | Span::Pre { .. } => true,
            Span::Em { spans } | Span::Strong { spans } | Span::Quote { spans } => spans_hold_label(spans),
            Span::Text { .. } | Span::Code { .. } | Span::Break => false,
        })
    }

    fn is_mark(c: char) -> bool {
        matches!(c, '*' | '_' | '`' | '~' | '>' | '<')
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_text_is_explained(source in "\\PC{0,80}") {
            explain(&source);
        }

        #[test]
        fn any_marks_are_explained(
            parts in proptest::collection::vec(
                proptest::sample::select(&[
                    "*", "**", "_", "`", "```", "~~~", "> ", ">", "[", "]", "](", ")", "(", "<", "!", "\n", "\n\n", "\r\n", " ",
                    "    ", "\t", "a", "b ", "\\", "&amp;", "- ", "1. ", "# ", "http://x.y", "mailto:a@b", "[a](http://b)",
                    "<http://c>", "</p>", "<b>", "---", "===", "é", "👍", "[x]: http://y", "\u{a0}",
                ][..]),
                0..40,
            )
        ) {
            explain(&parts.concat());
        }
    }

    #[test]
    fn hostile_texts_take_linear_time() {
        let patterns = [
            "[",
            "*",
            "_a*",
            "a**",
            "`",
            "``a",
            "> ",
            ">",
            "![",
            "](",
            "[a](",
            "<",
            "<a ",
            "\\",
            "*a _b ",
            "- ",
            "http://",
            "https://a(",
            "(http://a)",
            "\n",
            "> a\n",
            "```\n",
            "&",
            "<!--",
            "[a]: b\n",
            "[a][",
            "mailto:a",
            "~~~",
            "\t",
            "> *a\n",
            "<?",
            "<![CDATA[",
            "a@",
            "*a\n",
            "[*a](http://b)",
        ];
        for pattern in patterns {
            let source = pattern.repeat(32 * 1024 / pattern.len());
            let begun = Instant::now();
            explain(&source);
            // It takes no time, also on a machine that has much to do; what is quadratic takes minutes.
            assert!(begun.elapsed() < Duration::from_secs(30), "{pattern:?} took {:?}", begun.elapsed());
        }
    }
}
