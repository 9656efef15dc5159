//! Names of files: what is removed from them before a file system or a user sees them.
//!
//! A name comes from another machine and may be hostile: it may lead out of a directory, hide its
//! extension, or mean a device. Names are cleaned when they are sent and again when they are
//! received.

use unicode_normalization::UnicodeNormalization as _;

use super::name::is_invisible;
use crate::proto::limits::FILE_NAME_BYTES_MAX;

/// The name of a file whose own name has nothing that may stay.
const FALLBACK: &str = "file";

/// Longest extension that survives when a name is cut, in bytes.
const EXTENSION_BYTES_MAX: usize = 16;

/// Names that mean a device on Windows, with any extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// Returns `text` as the name of a file: one path component of 1 to 255 bytes.
///
/// It has no control, invisible or bidi-override characters, no characters that Windows does not
/// allow, no dot at either end, and is none of the names that Windows reserves. Cleaning a clean
/// name changes nothing.
pub fn clean_file_name(text: &str) -> String {
    let component = text.rsplit(['/', '\\']).find(|part| !trimmed(part).is_empty()).unwrap_or_default();
    let visible: String = component.chars().filter(|c| !is_invisible(*c) || c.is_whitespace()).nfc().collect();
    let allowed: String = visible.chars().filter(|c| !is_line_break(*c)).map(allowed).collect();
    let mut name = trimmed(&allowed).to_owned();
    if is_device(&name) {
        name.insert(0, '_');
    }
    let name = cut(&name);
    if name.is_empty() { FALLBACK.to_owned() } else { name }
}

/// Removes spaces and dots at both ends: a leading dot hides a file, Windows ignores the others.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c == '.' || c.is_whitespace())
}

fn is_line_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Replaces a character that Windows does not allow in a name.
fn allowed(c: char) -> char {
    if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let is_port = |port: &str| {
        let number = stem.strip_prefix(port).unwrap_or_default();
        matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    };
    DEVICES.contains(&stem.as_str()) || is_port("com") || is_port("lpt")
}

/// Cuts a name to 255 bytes. A short extension stays.
fn cut(name: &str) -> String {
    if name.len() <= FILE_NAME_BYTES_MAX {
        return name.to_owned();
    }
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    let extension = if extension.len() <= EXTENSION_BYTES_MAX { extension } else { "" };
    let stem = &name[..name.floor_char_boundary(FILE_NAME_BYTES_MAX - extension.len())];
    format!("{}{extension}", trimmed(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(clean_file_name(text), expected);
        assert_eq!(clean_file_name(expected), expected, "a clean name stays");
    }

    #[test]
    fn hostile_names_become_one_component() {
        check("../../.bashrc", "bashrc");
        check("/etc/passwd", "passwd");
        check(r"C:\Windows\System32\cmd.exe", "cmd.exe");
        check(r"..\..\evil.txt", "evil.txt");
        check("dir/", "dir");
        check("..", "file");
        check("", "file");
        check(" . ", "file");
        check("a\nb\0.txt", "ab.txt");
        check("a\u{202e}fdp.exe", "afdp.exe");
        check("line\u{2028}.txt", "line.txt");
        check("what?<now>.txt.", "what__now_.txt");
    }

    #[test]
    fn names_of_devices_are_changed() {
        for name in ["CON", "con.txt", "Aux .tar.gz", "LPT1", "com¹.log", "NUL.", "CONOUT$"] {
            assert!(clean_file_name(name).starts_with('_'), "{name}");
        }
        check("console.txt", "console.txt");
        check("com.txt", "com.txt");
        check("COM10", "COM10");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = clean_file_name(&format!("{}.tar", "é".repeat(4096)));
        assert!(name.len() <= FILE_NAME_BYTES_MAX && name.ends_with("é.tar"), "{name}");
        assert_eq!(clean_file_name(&name), name);
        let no_extension = clean_file_name(&"x.".repeat(4096));
        assert!(no_extension.len() <= FILE_NAME_BYTES_MAX);
    }

    #[test]
    fn usual_names_stay() {
        for name in ["photo.jpg", "Zoë’s notes (2).md", "報告.pdf", "👩\u{200d}💻.png", "a b.tar.gz"] {
            check(name, &name.nfc().collect::<String>());
        }
    }
}
