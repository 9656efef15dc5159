//! The sources as text, and views of them: code without comments, strings or tests, and comments
//! alone, with every byte in its place.

use std::fs;
use std::path::{Path, PathBuf};

/// The directories and files that the rules read.
const READ: &[&str] = &["src", "static", "templates", "tests", ".ci", "Cargo.toml", "README.md"];

/// What is not text, or not ours.
const SKIPPED: &[&str] = &["png", "webp", "ico", "woff2", "db", "bin", "hex", "lock"];

/// What a build makes, and inputs that a fuzzer made.
const SKIPPED_DIRECTORIES: &[&str] = &["target", "corpus"];

/// One file.
pub(crate) struct Source {
    /// Its path from the top, with slashes.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

impl Source {
    /// A source that is in no file, for trying a rule.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is below this directory.
    pub(crate) fn is_in(&self, directory: &str) -> bool {
        self.path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether its name ends like this.
    pub(crate) fn is_a(&self, ending: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, own)| own == ending)
    }

    /// Whether it is Rust of the program itself, not of its tests.
    pub(crate) fn is_program(&self) -> bool {
        self.is_in("src") && self.is_a("rs") && !self.path.ends_with("/tests.rs") && !self.path.contains("/tests/")
    }

    /// Rust without comments and without what stands in strings.
    pub(crate) fn code(&self) -> String {
        code_of(&self.text)
    }

    /// The comments alone; each byte stays where it was.
    pub(crate) fn comments(&self) -> String {
        blanked(&self.text, |token| !token.starts_with(b"//") && !token.starts_with(b"/*"))
    }

    /// The same as [`Source::code`] without modules that are compiled for tests only.
    pub(crate) fn code_without_tests(&self) -> String {
        without_tests(self.code())
    }

    /// A complaint about the line at this byte.
    pub(crate) fn complain(&self, at: usize, why: &str) -> String {
        let line = 1 + self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|&&byte| byte == b'\n').count();
        format!("{}:{line}: {why}", self.path)
    }

    /// A complaint for each occurrence of one of `words` as a whole word in `text`, a view of this
    /// source.
    pub(crate) fn find_words(&self, text: &str, words: &[&str], why: &str) -> Vec<String> {
        let found = words.iter().flat_map(|word| {
            let is_whole = |&(at, _): &(usize, &str)| is_word(text, at, word.len());
            text.match_indices(word).filter(is_whole).map(move |(at, _)| self.complain(at, &format!("{word}: {why}")))
        });
        found.collect()
    }
}

/// Everything that the rules read.
pub(crate) fn all() -> Vec<Source> {
    let mut paths = Vec::new();
    for entry in READ {
        collect(&top().join(entry), &mut paths);
    }
    paths.sort();
    paths.iter().filter_map(|path| read(path)).collect()
}

/// The top of the repository.
pub(crate) fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect(path: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(path) else {
        into.push(path.to_owned());
        return;
    };
    for entry in
        entries.flatten().filter(|entry| SKIPPED_DIRECTORIES.iter().all(|skipped| entry.file_name() != *skipped))
    {
        collect(&entry.path(), into);
    }
}

fn read(path: &Path) -> Option<Source> {
    let is_skipped = path.extension().is_some_and(|ending| SKIPPED.iter().any(|skipped| ending == *skipped));
    if is_skipped {
        return None;
    }
    let relative = path.strip_prefix(top()).ok()?.to_str()?.to_owned();
    Some(Source { path: relative, text: fs::read_to_string(path).ok()? })
}

/// Whether what stands at this place is not part of a longer word.
fn is_word(text: &str, at: usize, length: usize) -> bool {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    let begins = is_letter(bytes.get(at)) && at > 0 && is_letter(bytes.get(at - 1));
    let ends = is_letter(bytes.get(at + length - 1)) && is_letter(bytes.get(at + length));
    !begins && !ends
}

/// Blanks comments, strings and character literals; each byte stays where it was.
pub(crate) fn code_of(text: &str) -> String {
    blanked(text, |token| token.len() > 1)
}

/// Blanks the tokens selected by `is_blanked`: comments, strings, character literals, and single
/// bytes of other code. Each byte stays where it was.
fn blanked(text: &str, is_blanked: impl Fn(&[u8]) -> bool) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of(bytes, at, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => end_of(bytes, at + 2, b"*/") + 2,
            b'r' if is_raw_string(bytes, at) => end_of_raw_string(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'\'' => end_of_character(bytes, at),
            _ => at,
        };
        let end = end.max(at + 1).min(bytes.len());
        if is_blanked(&bytes[at..end]) {
            code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end;
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn end_of(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    let found = bytes[from..].windows(end.len()).position(|window| window == end);
    found.map_or(bytes.len(), |position| from + position)
}

fn is_raw_string(bytes: &[u8], at: usize) -> bool {
    let after_hashes = bytes[at + 1..].iter().find(|&&byte| byte != b'#');
    let is_own_word =
        at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') || bytes[at - 1] == b'b';
    is_own_word && after_hashes == Some(&b'"')
}

fn end_of_raw_string(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    let closing = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    end_of(bytes, at + hashes + 2, &closing) + closing.len()
}

fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}

/// The end of `'x'` or `'\n'`; a lifetime is none.
fn end_of_character(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        return end_of(bytes, at + 3, b"'") + 1;
    }
    // One character is up to four bytes.
    let closing = bytes[at + 1..].iter().take(5).skip(1).position(|&byte| byte == b'\'');
    let is_lifetime = bytes.get(at + 2) != Some(&b'\'') && bytes.get(at + 1).is_some_and(u8::is_ascii);
    if is_lifetime { at } else { closing.map_or(at, |position| at + position + 3) }
}

/// Blanks each `#[cfg(test)] mod … { … }`.
fn without_tests(mut code: String) -> String {
    while let Some(start) = code.find("#[cfg(test)]") {
        let rest = &code[start..];
        let opening = rest.find('{').unwrap_or(rest.len());
        let semicolon = rest.find(';').unwrap_or(rest.len());
        let length = if opening < semicolon { opening + block_length(&rest[opening..]) } else { semicolon };
        let blank: String = rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(start..start + length, &blank);
    }
    code
}

/// How long the block is that begins with the first byte of `code`, in bytes.
pub(crate) fn block_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_strings_and_tests_are_blanked() {
    for (text, words) in [
        ("a // b\nc", "a c"),
        ("a /* { */ b", "a b"),
        ("a \"b \\\" c\" d", "a d"),
        ("a r#\"b \" c\"# d", "a d"),
        ("a '\\'' b", "a b"),
        ("a '{' b", "a b"),
        ("a 'é' b", "a b"),
        ("fn a<'x>(b: &'x str)", "fn a<'x>(b: &'x str)"),
    ] {
        let code = code_of(text);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), words, "{text}");
        assert_eq!(code.len(), text.len(), "each byte stays in its place: {text}");
    }
    let source = Source::new("src/a.rs", "one\n#[cfg(test)]\nmod tests {\n fn two() {}\n}\nthree");
    let code = source.code_without_tests();
    assert!(code.contains("one") && code.contains("three") && !code.contains("two"), "{code}");
    assert_eq!(code.lines().count(), source.text.lines().count());
}
