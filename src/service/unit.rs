//! The text of the unit.

use std::path::Path;

/// The first line, by which this program knows its units.
pub(super) const MARK: &str = "# Written by `roomful service install`.";

/// The unit of the Debian package.
const PACKAGED: &str = include_str!("roomful.service");

/// Returns the unit that runs `program` with `options`. Relative paths among them are those of
/// `working_dir`.
pub fn unit(program: &Path, working_dir: Option<&Path>, options: &[String]) -> String {
    let words: Vec<String> =
        std::iter::once(&*program.to_string_lossy()).chain(options.iter().map(String::as_str)).map(quote).collect();
    // A directory that is gone by then is no error.
    let dir = working_dir.filter(|_| !options.is_empty());
    let dir = dir.map_or_else(String::new, |dir| format!("WorkingDirectory=-{}\n", specifiers(&dir.to_string_lossy())));
    let start = format!("ExecStart={}\n{dir}", words.join(" "));
    let (_, packaged) = PACKAGED.split_once('\n').unwrap_or_default();
    format!("{MARK}\n{}", packaged.replace("ExecStart=/usr/bin/roomful\n", &start))
}

/// Writes `text` as one word of a command line in a unit.
fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:._-@+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let text = specifiers(text).replace('$', "$$").replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("\"{text}\"")
}

/// Keeps systemd from replacing `%h` and the like.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_one_word_each() {
        let options = ["--name", "Ana \"%h\" $HOME \\", "--peer", "box:1"].map(str::to_owned);
        let text = unit(Path::new("/opt/my apps/roomful"), Some(Path::new("/home/a%b")), &options);
        let start = r#"ExecStart="/opt/my apps/roomful" --name "Ana \"%%h\" $$HOME \\" --peer box:1"#;
        assert!(text.lines().any(|line| line == start), "{text}");
        assert!(text.contains("\nWorkingDirectory=-/home/a%%b\n"), "{text}");
    }

    #[test]
    fn unit_without_options_is_the_packaged_one() {
        let text = unit(Path::new("/usr/bin/roomful"), Some(Path::new("/home")), &[]);
        assert_eq!(text.split_once('\n').unwrap().1, PACKAGED.split_once('\n').unwrap().1);
        assert!(text.starts_with(MARK) && text.contains("Type=notify\nExecStart=/usr/bin/roomful\n"), "{text}");
    }
}
