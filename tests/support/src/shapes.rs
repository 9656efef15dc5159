//! Message shapes: texts of maximum length that are hard to parse, draw or lay out. Used to test
//! the span parser and to measure the page.

/// The length of each text, in bytes: the longest message.
const BYTES: usize = 32 * 1024;

/// What is repeated for each shape, with the name of the shape.
const PATTERNS: &[(&str, &str)] = &[
    ("lines of one letter", "a\n"),
    ("lines of one letter, CRLF", "a\r\n"),
    ("empty lines", "\n"),
    ("no break", "a"),
    ("no break, wide letters", "界"),
    ("words", "what is said on an ordinary day "),
    ("spaces", " "),
    ("tabs", "\t"),
    ("tabs and letters", "a\tb\t"),
    ("emphasis", "*a* "),
    ("emphasis by underscores", "_a_ "),
    ("strong", "**a** "),
    ("nested emphasis", "*a _b "),
    ("open emphasis", "*"),
    ("open emphasis by both marks", "_a*"),
    ("closing strong", "a**"),
    ("emphasis over lines", "*a\n"),
    ("code", "`a` "),
    ("open code", "`"),
    ("open code of two", "``a"),
    ("code fences", "```\na\n```\n"),
    ("open code fences", "```\n"),
    ("open fences of tildes", "~~~"),
    ("lines of code", "    a\n"),
    ("nested quotes", "> "),
    ("nested quotes without spaces", ">"),
    ("quoted lines", "> a\n"),
    ("quotes apart", "> a\n\n"),
    ("quotes with emphasis", "> *a\n"),
    ("links", "[a](http://b) "),
    ("links in emphasis", "[*a](http://b)"),
    ("open links", "[a]("),
    ("open brackets", "["),
    ("open images", "!["),
    ("brackets for links", "]("),
    ("link definitions", "[a]: b\n"),
    ("references", "[a]["),
    ("bare links", "http://a "),
    ("bare links in brackets", "(http://a)"),
    ("bare links without an end", "http://"),
    ("bare links with open brackets", "https://a("),
    ("mail addresses", "mailto:a@b "),
    ("mail addresses without an end", "mailto:a"),
    ("at signs", "a@"),
    ("angle brackets", "<"),
    ("tags", "<a "),
    ("comments", "<!--"),
    ("instructions", "<?"),
    ("raw data", "<![CDATA["),
    ("entities", "&"),
    ("backslashes", "\\"),
    ("list items", "- "),
    ("emoji", "👍"),
    ("emoji of several", "👩\u{200d}👩\u{200d}👧\u{200d}👦"),
    ("flags", "🇪🇸"),
    ("two combining marks", "e\u{301}\u{323}"),
    ("right to left", "שלום "),
    ("both directions", "שלום abc "),
    ("turned directions", "\u{202e}abc\u{202c}"),
    ("isolates", "\u{2067}a"),
    ("zero width", "\u{200b}"),
    ("joiners", "\u{200d}"),
    ("ligatures", "لا"),
    ("conjuncts", "क्ष"),
    ("control characters", "\u{1}"),
];

/// Every shape: its name and its text.
pub fn all() -> Vec<(&'static str, String)> {
    let mut shapes: Vec<_> =
        PATTERNS.iter().map(|(name, pattern)| (*name, pattern.repeat(BYTES / pattern.len()))).collect();
    let start_of_link = "https://";
    shapes.push(("one long link", format!("{start_of_link}{}", "a".repeat(BYTES - start_of_link.len()))));
    shapes.push(("a letter with all marks", format!("a{}", "\u{301}".repeat(BYTES / 2 - 1))));
    let letter = format!("a{}", "\u{301}".repeat(500));
    shapes.push(("letters with 500 marks", letter.repeat(BYTES / letter.len())));
    let nested = format!("{}{}", "*a _b ".repeat(40), "_ *".repeat(40));
    shapes.push(("closed nested emphasis", nested.repeat(BYTES / nested.len())));
    shapes
}
