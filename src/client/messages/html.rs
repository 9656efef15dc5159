//! The export as one HTML file, from templates that escape all text. The file contains no script,
//! and its policy forbids every fetch.

use askama::Template;

use crate::api::{self, ExportEntry};
use crate::client::{Error, print};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
article{margin:0 0 1rem}header{font-size:.875rem}p{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}\
b,p{unicode-bidi:isolate}small,time{opacity:.75}";

pub(super) const FOOT: &str = "</main>\n</body>\n</html>\n";

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Roomful: {{ room }}</title>
<style>{{ STYLE|safe }}</style>
</head>
<body>
<h1 dir="auto">{{ room }}</h1>
<main>
"#
)]
struct ExportHead {
    room: String,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<article id="{{ id }}">
<header><b dir="auto">{{ name }}</b> <small>{{ author }}</small> <span dir="auto">{{ place }}</span> <time datetime="{{ time }}">{{ time }}</time>
{%- if let Some(id) = reply_to %} <a href="#{{ id }}">in reply to</a>{% endif %}</header>
<p dir="auto">{{ prefix }}{{ text }}</p>
</article>
"##
)]
struct ExportArticle {
    id: String,
    name: String,
    author: String,
    place: String,
    time: String,
    reply_to: Option<String>,
    prefix: &'static str,
    text: String,
}

/// Returns the file up to the first message of the room called `room`.
pub(super) fn head(room: &str) -> Result<String, Error> {
    render(&ExportHead { room: printable(room) })
}

/// Returns one message.
pub(super) fn entry(entry: &ExportEntry) -> Result<String, Error> {
    render(&ExportArticle {
        id: printable(&entry.id),
        name: printable(&entry.name),
        author: printable(&api::short(&entry.author)),
        place: match (&entry.channel, &entry.to) {
            (Some(channel), _) => format!("#{}", printable(channel)),
            (None, Some(to)) => format!("to {}", printable(&api::short(to))),
            (None, None) => "direct".to_owned(),
        },
        time: printable(&entry.time),
        reply_to: entry.reply_to.as_deref().map(printable),
        prefix: api::text_prefix(&entry.kind),
        text: printable(&entry.text),
    })
}

/// Renders a template, with a final newline.
pub(in crate::client) fn render(template: &impl Template) -> Result<String, Error> {
    let mut html = template.render().map_err(|error| Error::Foreign(error.to_string()))?;
    // askama drops the last line break of a source.
    if !html.ends_with('\n') {
        html.push('\n');
    }
    Ok(html)
}

/// Returns a text without control characters, which HTML cannot write: they become pictures. CRLF
/// becomes a line break, as a parser would read it.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            _ if c.is_control() => shown.push_str(&print::sanitize(c.encode_utf8(&mut [0; 4]))),
            _ => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::export::tests;
    use super::*;

    #[test]
    fn messages_are_escaped_in_html() {
        let hostile = "</p><script>alert(\"x\")</script>&amp;\u{1b}\r\n'";
        let mut message = tests::entry(hostile, Some("<b>"), hostile);
        message.reply_to = Some("\" onclick=\"x".to_owned());
        let written = entry(&message).expect("a template");
        assert!(
            !written.contains("<script") && !written.contains("<b>\"") && !written.contains("\" onclick"),
            "{written}"
        );
        assert!(written.contains("&#60;/p&#62;&#60;script&#62;alert(&#34;x&#34;)"), "{written}");
        assert!(written.contains("&#38;amp;␛\n&#39;</p>"), "{written}");
        assert!(head("<i>").expect("a template").contains("<title>Roomful: &#60;i&#62;</title>"));
    }
}
