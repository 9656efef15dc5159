//! What becomes a span, what stays as typed, and that any text has an end in time and number.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::proto::limits::TEXT_BYTES_MAX;

#[path = "../../../tests/support/src/shapes.rs"]
mod shapes;

/// Spans in a short notation: `*em*` as (em …), and so on.
fn show(spans: &[Span]) -> String {
    let inner = |name: &str, spans: &[Span]| format!("({name} {})", show(spans));
    let one = |span: &Span| match span {
        Span::Text { text } => text.clone(),
        Span::Code { text } => format!("(code {text})"),
        Span::Pre { text, lang } => format!("(pre {} {text:?})", lang.as_deref().unwrap_or("-")),
        Span::Em { spans } => inner("em", spans),
        Span::Strong { spans } => inner("strong", spans),
        Span::Strike { spans } => inner("strike", spans),
        Span::Quote { spans } => inner("quote", spans),
        Span::Mention { id, text } => format!("(mention {} {text})", &id[..2]),
        Span::Link { href, spans } => inner(&format!("link {href}"), spans),
    };
    spans.iter().map(one).collect()
}

#[track_caller]
fn check(source: &str, expected: &str) {
    assert_eq!(show(&spans(source, &[])), expected, "{source:?}");
}

#[test]
fn marks_become_spans() {
    check("a *b* __c__ `d`", "a (em b) (strong c) (code d)");
    check("***x***", "(em (strong x))");
    check("**a *b* c**", "(strong a (em b) c)");
    check("``a`b``", "(code a`b)");
    check("snake_case_name 2*3*4", "snake_case_name 2(em 3)4");
    check("~~a *b*~~ ~c~ ~~ d", "(strike a (em b)) ~c~ ~~ d");
}

#[test]
fn mentions_become_spans_outside_code() {
    let source = "hi @Ana *and @Bo* `@Cy` [@Di](https://x.y) @Eve";
    let mention = |id: u8, name: &str| {
        let at = source.find(name).expect("in the text");
        Mention::new(crate::proto::ids::NodeId([id; 32]), &(at..at + name.len()))
    };
    let mentions = [mention(1, "@Ana"), mention(2, "@Bo"), mention(3, "@Cy"), mention(4, "@Di"), mention(5, "@Eve")];
    let shown = "hi (mention 01 @Ana) (em and (mention 02 @Bo)) (code @Cy) (link https://x.y @Di) (mention 05 @Eve)";
    assert_eq!(show(&spans(source, &mentions)), shown);
}

#[test]
fn blocks_become_spans() {
    check("```rust x\na\n\n*b*\n```\nz", "(pre rust \"a\\n\\n*b*\")z");
    check("see\n```\nx\n```", "see\n(pre - \"x\")");
    check("```\nopen", "(pre - \"open\")");
    check("> a *b*\n> c\n\nd", "(quote a (em b)\nc)\nd");
    check("> a\n>> b\nlazy", "(quote a\n(quote b\nlazy))");
    check("- > a\n  > b", "- (quote a\nb)");
    check("> ```\n> x\n> ```", "(quote (pre - \"x\"))");
}

#[test]
fn a_fence_without_code_stays_as_typed() {
    for text in ["see ```js\nlet a;\n```", "```\n```", "```"] {
        assert!(!show(&spans(text, &[])).contains("(pre"), "{text:?}");
    }
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
    check("**www.a.b** [www.c.d](http://e)", "(strong (link http://www.a.b www.a.b)) (link http://e www.c.d)");
    check("ana_b_c@d.e _x@y.z_", "(link mailto:ana_b_c@d.e ana_b_c@d.e) (em (link mailto:x@y.z x@y.z))");
}

#[test]
fn other_links_stay_as_typed() {
    for text in
        ["[a](javascript:alert(1))", "[a](data:x)", "[a](file:///x)", "[](https://x)", "javascript:x", "[a](/b)"]
    {
        assert!(!show(&spans(text, &[])).contains("(link javascript"));
        assert!(!show(&spans(text, &[])).contains("(link data"));
        assert!(!show(&spans(text, &[])).contains("(link file"));
    }
    check("[*a*](javascript:x)", "[(em a)](javascript:x)");
    check("[a][b]\n\n[b]: x", "[a][b]\n\n[b]: x");
    check("![a *b*](c)", "![a *b*](c)");
}

#[test]
fn other_text_stays_as_typed() {
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
        "~a~",
        "~~~~",
        "שלום 👩\u{200d}💻",
        "\u{202e}abc",
    ] {
        check(text, text);
    }
    for text in ["a\nb\r\n\nc  \nd\\\ne", "Title\n===", "\n\na\n"] {
        assert_eq!(spans(text, &[]), [Span::Text { text: text.to_owned() }]);
    }
}

#[test]
fn nesting_ends_at_the_limit() {
    let quotes = "> ".repeat(30) + "*deep* https://a.b";
    let spans = spans(&quotes, &[]);
    assert_eq!(depth(&spans), SPAN_DEPTH_MAX);
    assert!(show(&spans).contains("> > > *deep* https://a.b"));
    let stars = format!("{}{}", "*a _b ".repeat(40), "_ *".repeat(40));
    assert!(depth(&super::spans(&stars, &[])) <= SPAN_DEPTH_MAX);
}

fn depth(spans: &[Span]) -> usize {
    let inner = |span: &Span| match span {
        Span::Em { spans }
        | Span::Strong { spans }
        | Span::Strike { spans }
        | Span::Quote { spans }
        | Span::Link { spans, .. } => depth(spans),
        Span::Text { .. } | Span::Code { .. } | Span::Pre { .. } | Span::Mention { .. } => 0,
    };
    spans.iter().map(|span| 1 + inner(span)).max().unwrap_or(0)
}

fn flat(spans: &[Span], text: &mut String) {
    for span in spans {
        match span {
            Span::Text { text: piece }
            | Span::Code { text: piece }
            | Span::Pre { text: piece, .. }
            | Span::Mention { text: piece, .. } => text.push_str(piece),
            Span::Em { spans }
            | Span::Strong { spans }
            | Span::Strike { spans }
            | Span::Quote { spans }
            | Span::Link { spans, .. } => {
                flat(spans, text);
            }
        }
    }
}

/// What is shown was typed, in this order; what is not shown are marks, white space and where links
/// lead.
fn explain(source: &str) {
    let spans = spans(source, &[]);
    assert!(depth(&spans) <= SPAN_DEPTH_MAX, "{source:?}");
    assert!(count(&spans) <= SPANS_MAX, "{source:?}");
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
        Span::Em { spans } | Span::Strong { spans } | Span::Strike { spans } | Span::Quote { spans } => {
            spans_hold_label(spans)
        }
        Span::Text { .. } | Span::Code { .. } | Span::Mention { .. } => false,
    })
}

fn is_mark(c: char) -> bool {
    matches!(c, '*' | '_' | '`' | '~' | '>' | '<')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn spans_cover_any_text(source in "\\PC{0,80}") {
        explain(&source);
    }

    #[test]
    fn spans_cover_any_marks(
        parts in proptest::collection::vec(
            proptest::sample::select(&[
                "*", "**", "_", "`", "```", "~~~", "~~", "www.a.b", "a@b.c", "> ", ">", "[", "]", "](", ")", "(", "<", "!", "\n", "\n\n", "\r\n", " ",
                "    ", "\t", "a", "b ", "\\", "&amp;", "- ", "1. ", "# ", "http://x.y", "mailto:a@b", "[a](http://b)",
                "<http://c>", "</p>", "<b>", "---", "===", "é", "👍", "[x]: http://y", "\u{a0}",
            ][..]),
            0..40,
        )
    ) {
        explain(&parts.concat());
    }
}

fn count(spans: &[Span]) -> usize {
    let inner = |span: &Span| match span {
        Span::Em { spans }
        | Span::Strong { spans }
        | Span::Strike { spans }
        | Span::Quote { spans }
        | Span::Link { spans, .. } => count(spans),
        Span::Text { .. } | Span::Code { .. } | Span::Pre { .. } | Span::Mention { .. } => 0,
    };
    spans.iter().map(|span| 1 + inner(span)).sum()
}

#[test]
fn line_ends_stay_inside_text_spans() {
    let text = "a\n".repeat(TEXT_BYTES_MAX / 2);
    assert_eq!(spans(&text, &[]), [Span::Text { text }]);
}

#[test]
fn text_past_the_span_limit_is_one_span() {
    // Emphasis, its text and the space behind: 3 spans each.
    let pieces = "*a* ".repeat(1_000);
    let cut = spans(&pieces, &[]);
    let formatted = (SPANS_MAX - 1) / 3;
    assert_eq!(count(&cut), 3 * formatted);
    // The space behind the last emphasis belongs to the remaining text.
    assert_eq!(cut.last(), Some(&Span::Text { text: pieces[4 * formatted - 1..].to_owned() }));

    let links = "http://a.b\n".repeat(1_000);
    let cut = spans(&links, &[]);
    assert_eq!(count(&cut), 3 * formatted);
    assert_eq!(cut.last(), Some(&Span::Text { text: links[11 * formatted - 1..].to_owned() }));
}

#[test]
fn spans_up_to_the_limit_are_kept() {
    // 333 times 3 spans, and 1 before them.
    let pieces = format!("x {}", "*a* ".repeat(333));
    let all = spans(&pieces, &[]);
    assert_eq!((count(&all), all.last()), (SPANS_MAX, Some(&Span::Text { text: " ".to_owned() })));
    let more = spans(&format!("{pieces}*b*"), &[]);
    assert_eq!(more.last(), Some(&Span::Text { text: " *b*".to_owned() }));
}

#[test]
fn quote_beyond_the_limit_stays_as_typed() {
    let text = format!("*x* > y\n\n> {}", "*a* ".repeat(1_000));
    let cut = spans(&text, &[]);
    assert_eq!(show(&cut), format!("(em x){}", &text[3..]));
    assert_eq!(cut.len(), 2);
}

#[test]
fn spans_cover_every_message_shape() {
    for (name, text) in shapes::all() {
        assert!(text.len() <= TEXT_BYTES_MAX, "{name}");
        explain(&text);
        let json = crate::api::json_len(&spans(&text, &[]));
        assert!(json <= 8 * TEXT_BYTES_MAX, "{name}: {json} bytes of JSON");
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    // Work is told by the clock of this thread, which other programs do not move by much. What is
    // quadratic takes 64 times as long for 8 times as much.
    for (name, text) in shapes::all() {
        let end = (0..=text.len() / 8).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let (short, long) = (cost(&text[..end]), cost(&text));
        let floor = Duration::from_millis(20);
        assert!(long < 32 * short.max(floor), "{name}: {short:?} for {end} bytes, {long:?} for {}", text.len());
    }
}

/// How long this thread works for the spans of a text.
fn cost(text: &str) -> Duration {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let begun = now();
    spans(text, &[]);
    now().saturating_sub(begun)
}
