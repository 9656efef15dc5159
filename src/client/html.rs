//! An export as one HTML file. Everything that comes from a node passes through [`escape`]; there is no script in it, and
//! its policy lets nothing be fetched.

use super::print;
use crate::api::{self, Entry};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
article{margin:0 0 1rem}header{font-size:.875rem}p{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}\
b,p{unicode-bidi:isolate}small,time{opacity:.75}";

/// The end of the file.
pub(super) const FOOT: &str = "</main>\n</body>\n</html>\n";

/// The file up to the first message of the room called `room`.
pub(super) fn head(room: &str) -> String {
    let room = escape(room);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Roomful: {room}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1 dir=\"auto\">{room}</h1>\n<main>\n"
    )
}

/// One message.
pub(super) fn entry(entry: &Entry) -> String {
    let place = match (&entry.channel, &entry.to) {
        (Some(channel), _) => format!("#{}", escape(channel)),
        (None, Some(to)) => format!("to {}", escape(&api::short(to))),
        (None, None) => "direct".to_owned(),
    };
    let reply = match &entry.reply_to {
        Some(id) => format!(" <a href=\"#{}\">in reply to</a>", escape(id)),
        None => String::new(),
    };
    let hooray = if entry.kind == "hooray" { "Hooray! " } else { "" };
    format!(
        "<article id=\"{id}\">\n<header><b dir=\"auto\">{name}</b> <small>{author}</small> <span dir=\"auto\">{place}</span> \
         <time datetime=\"{time}\">{time}</time>{reply}</header>\n<p dir=\"auto\">{hooray}{text}</p>\n</article>\n",
        id = escape(&entry.id),
        name = escape(&entry.name),
        author = escape(&api::short(&entry.author)),
        time = escape(&entry.time),
        text = escape(&entry.text),
    )
}

/// `text` as text of HTML, also between double quotes. Controls, which HTML has no way to write, are shown as pictures,
/// and a carriage return is the line break that a parser would make of it.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            _ if c.is_control() => escaped.push_str(&print::harmless(c.encode_utf8(&mut [0; 4]))),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::export::tests;
    use super::*;

    #[test]
    fn nothing_that_was_said_is_markup() {
        let hostile = "</p><script>alert(\"x\")</script>&amp;\u{1b}\r\n'";
        let mut message = tests::entry(hostile, Some("<b>"), hostile);
        message.reply_to = Some("\" onclick=\"x".to_owned());
        let written = entry(&message);
        assert!(
            !written.contains("<script") && !written.contains("<b>\"") && !written.contains("\" onclick"),
            "{written}"
        );
        assert!(written.contains("&lt;/p&gt;&lt;script&gt;alert(&quot;x&quot;)"), "{written}");
        assert!(written.contains("&amp;amp;␛\n&#39;</p>"), "{written}");
        assert!(head("<i>").contains("<title>Roomful: &lt;i&gt;</title>"));
    }
}
