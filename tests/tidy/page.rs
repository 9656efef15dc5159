//! Rules for the page: text stays text, nothing is inline, and colours have names.

use crate::source::Source;
use crate::{Complaints, breaks, holds, keeps};

/// The files in which a colour may be written as such: by day and in the dark.
const COLOURS: [&str; 2] = ["static/css/tokens.css", "static/css/dark.css"];

/// What turns text into HTML or code.
const TEXT_INTO_CODE: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "createContextualFragment",
    "DOMParser",
    "setHTMLUnsafe",
    "document.write",
    "eval(",
    "new Function",
    "javascript:",
    "srcdoc",
];

/// How a colour is written.
const COLOUR_FUNCTIONS: &[&str] = &["rgb(", "rgba(", "hsl(", "hsla(", "hwb(", "lab(", "lch(", "oklab(", "oklch("];

/// Common colour names.
const COLOUR_NAMES: &[&str] =
    &["black", "blue", "gray", "green", "grey", "orange", "purple", "red", "teal", "white", "yellow"];

fn is_page(source: &Source) -> bool {
    source.is_in("static") || source.is_in("templates")
}

fn text_stays_text(source: &Source) -> Complaints {
    if !is_page(source) {
        return Complaints::new();
    }
    source.find_words(&source.text, TEXT_INTO_CODE, "text is only ever text in the page")
}

fn nothing_is_inline(source: &Source) -> Complaints {
    if !is_page(source) || source.is_a("css") {
        return Complaints::new();
    }
    let mut complaints =
        source.find_words(&source.text, &["style=", "<style", "cssText"], "styles stand in static/css");
    complaints.extend(source.find_words(&source.text, &["setAttribute(\"style\""], "styles stand in static/css"));
    if !source.is_a("html") {
        return complaints;
    }
    for (at, _) in source.text.match_indices('<') {
        let tag = source.text[at + 1..].split('>').next().unwrap_or_default();
        let handler = tag.split_whitespace().skip(1).find(|word| word.starts_with("on") && word.contains('='));
        if let Some(handler) = handler {
            complaints.push(source.complain(at, &format!("{handler}: handlers are added by modules")));
        }
        if tag.starts_with("script") && !tag.contains(" src=") {
            complaints.push(source.complain(at, "a script stands in static/js"));
        }
    }
    complaints
}

fn colours_have_names(source: &Source) -> Complaints {
    if !is_page(source) || COLOURS.contains(&source.path.as_str()) {
        return Complaints::new();
    }
    if source.is_a("css") {
        let values = css_values(&source.text);
        let raw = values.iter().filter(|(_, value)| is_raw_colour(value));
        return raw.map(|(at, value)| source.complain(*at, &format!("{}: use a token", value.trim()))).collect();
    }
    if !source.is_a("js") && !source.is_a("html") {
        return Complaints::new();
    }
    let in_strings =
        source.text.match_indices(['"', '\'', '`']).filter(|(at, _)| has_hex_colour(&source.text[at + 1..]));
    in_strings.map(|(at, _)| source.complain(at, "a colour: use a token")).collect()
}

/// What is assigned to properties, and where.
fn css_values(text: &str) -> Vec<(usize, String)> {
    let text = without_css_comments(text);
    let mut values = Vec::new();
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !matches!(byte, b'{' | b'}' | b';') {
            continue;
        }
        // Before `{` stands a selector or a condition.
        if let Some((_, value)) = text[start..at].split_once(':').filter(|_| byte != b'{') {
            values.push((at, value.to_owned()));
        }
        start = at + 1;
    }
    values
}

fn without_css_comments(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once("/*") {
        let (comment, next) = after.split_once("*/").unwrap_or((after, ""));
        out.push_str(before);
        out.extend(std::iter::repeat_n(' ', 2));
        out.extend(comment.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        out.extend(std::iter::repeat_n(' ', 2));
        rest = next;
    }
    out.push_str(rest);
    out
}

fn is_raw_colour(value: &str) -> bool {
    let words = value.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '#');
    let is_named = words.clone().any(|word| COLOUR_NAMES.contains(&word));
    let is_function = COLOUR_FUNCTIONS.iter().any(|function| {
        value.match_indices(function).any(|(at, _)| at == 0 || !value.as_bytes()[at - 1].is_ascii_alphanumeric())
    });
    is_named || is_function || words.into_iter().any(has_hex_colour)
}

/// Whether this begins with `#` and three, four, six or eight hex digits, and nothing that goes on.
fn has_hex_colour(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('#') else { return false };
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(rest.len());
    matches!(end, 3 | 4 | 6 | 8) && rest[..end].bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn page_never_turns_text_into_code() {
    holds(text_stays_text);
    breaks(text_stays_text, "static/js/timeline/message_row.js", "row.innerHTML = text;");
    breaks(text_stays_text, "static/js/timeline/message_row.js", "list.insertAdjacentHTML('beforeend', text);");
    breaks(text_stays_text, "templates/shell.html", "<a href=\"javascript:void 0\">");
    keeps(text_stays_text, "static/js/timeline/message_row.js", "row.textContent = text; medieval(text);");
}

#[test]
fn nothing_of_the_page_is_inline() {
    holds(nothing_is_inline);
    breaks(nothing_is_inline, "templates/shell.html", "<p style=\"color: red\">");
    breaks(nothing_is_inline, "templates/shell.html", "<style>p {}</style>");
    breaks(nothing_is_inline, "templates/shell.html", "<script>run()</script>");
    breaks(nothing_is_inline, "templates/shell.html", "<button\n onclick=\"run()\">");
    breaks(nothing_is_inline, "static/js/main.js", "element.setAttribute(\"style\", text)");
    keeps(
        nothing_is_inline,
        "templates/shell.html",
        "<script src=\"{{ parts }}/js/theme_boot.js\"></script><p class=\"a\">",
    );
    keeps(nothing_is_inline, "static/js/main.js", "element.style.setProperty(\"--hue\", hue)");
}

#[test]
fn colours_are_written_once() {
    holds(colours_have_names);
    for css in ["p { color: #fff }", "p { border: 1px solid rgb(0 0 0 / 50%); }", "p { &:hover { color: red } }"] {
        breaks(colours_have_names, "static/css/base.css", css);
    }
    breaks(colours_have_names, "static/js/features/confetti.js", "const confetti = [\"#ff0000\"];");
    for file in COLOURS {
        keeps(colours_have_names, file, ":root { --bg: #ffffff; }");
    }
    for css in
        ["#add, #fade { color: var(--text) }", "/* #fff */ a:hover { color: Highlight }", "p { white-space: nowrap }"]
    {
        keeps(colours_have_names, "static/css/base.css", css);
    }
    keeps(colours_have_names, "static/js/main.js", "location.hash = \"#token=\"; find(\"#add-peer\");");
}
