//! Rules for the project as a whole: allowed top-level files, clean text, and no skipped tests.

use std::fs;

use crate::source::{self, Source};
use crate::{Complaints, breaks, holds, keeps};

/// What may stand at the top of the repository, beside files that begin with a dot.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "src",
    "static",
    "target",
    "templates",
    "tests",
];

/// Where tests of the page's pure modules stand, and how tests/run finds them.
const PAGE_TESTS: (&str, &str) = ("tests/js", "node --test tests/js/*/*.test.mjs");

fn stray_entries<'a>(entries: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    entries.into_iter().filter(|entry| !entry.starts_with('.') && !TOP.contains(entry)).collect()
}

fn text_is_clean(source: &Source) -> Complaints {
    let mut complaints = Complaints::new();
    let mut at = 0;
    for line in source.text.split('\n') {
        if line.ends_with([' ', '\t', '\r']) {
            complaints.push(source.complain(at, "white space at the end of the line"));
        }
        at += line.len() + 1;
    }
    if !source.text.is_empty() && (!source.text.ends_with('\n') || source.text.ends_with("\n\n")) {
        complaints.push(source.complain(source.text.len(), "a file ends with one newline"));
    }
    complaints
}

fn every_test_runs(source: &Source) -> Complaints {
    if source.is_a("rs") {
        return source.find_words(
            &source.code(),
            &["#[ignore", "#[should_panic"],
            "a test runs, and says what it expects",
        );
    }
    if !source.is_in(PAGE_TESTS.0) {
        return Complaints::new();
    }
    let skips = [".only(", ".skip(", ".todo(", "skip: true", "only: true", "todo: true"];
    source.find_words(&source.text, &skips, "every test runs")
}

/// Files of `tests/js` that neither are run nor belong to one that is.
fn never_run(sources: &[Source]) -> Vec<&str> {
    let tests: Vec<&Source> = sources.iter().filter(|source| source.is_in(PAGE_TESTS.0)).collect();
    let is_run = |source: &&&Source| {
        let name = &source.path[PAGE_TESTS.0.len() + 1..];
        let is_test = name.ends_with(".test.mjs") && name.matches('/').count() == 1;
        let (folder, file) = source.path.rsplit_once('/').unwrap_or_default();
        let is_named_by = |test: &Source| {
            test.text.contains(&format!("./{name}"))
                || test.path.rsplit_once('/').is_some_and(|(beside, _)| beside == folder)
                    && test.text.contains(&format!("\"./{file}\""))
        };
        is_test || tests.iter().any(|test| test.path.ends_with(".test.mjs") && is_named_by(test))
    };
    tests.iter().filter(|source| !is_run(source)).map(|source| source.path.as_str()).collect()
}

/// Rust files that no other names: the compiler never sees them.
fn orphans(sources: &[Source]) -> Vec<&str> {
    let is_root = |path: &str| {
        let is_target =
            |name: &str| !name.contains('/') || name.ends_with("/main.rs") && name.matches('/').count() == 1;
        ["src/lib.rs", "src/main.rs", "tests/support/src/lib.rs"].contains(&path)
            || path.strip_prefix("tests/").is_some_and(is_target)
    };
    let is_named = |path: &str| {
        let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let name = module.rsplit('/').next().unwrap_or_default();
        let from_tests = path.strip_prefix("tests/").unwrap_or(path);
        sources.iter().any(|other| {
            other.path != path
                && (other.text.contains(&format!("mod {name};")) || other.text.contains(&format!("\"{from_tests}\"")))
                || other.path == "Cargo.toml" && other.text.contains(path)
        })
    };
    let rust = sources.iter().filter(|source| source.is_a("rs") && !source.is_in("tests/fuzz"));
    rust.map(|source| source.path.as_str()).filter(|path| !is_root(path) && !is_named(path)).collect()
}

#[test]
fn top_level_has_only_allowed_entries() {
    let entries = fs::read_dir(source::top()).expect("the top is a directory").flatten();
    let entries: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let stray = stray_entries(entries.iter().map(String::as_str));
    assert!(stray.is_empty(), "at the top beside what was decided: {stray:?}");
    assert_eq!(stray_entries(["src", ".ci", "docs", "ARCHITECTURE.md"]), ["docs", "ARCHITECTURE.md"]);
}

#[test]
fn files_are_clean() {
    holds(text_is_clean);
    for text in ["a \nb\n", "a\t\n", "a\r\n", "a", "a\n\n"] {
        breaks(text_is_clean, "src/lib.rs", text);
    }
    keeps(text_is_clean, "src/lib.rs", "a\n\n  b\n");
}

#[test]
fn no_test_is_skipped() {
    holds(every_test_runs);
    breaks(every_test_runs, "tests/network/main.rs", "#[test]\n#[ignore]\nfn f() {}");
    breaks(every_test_runs, "tests/js/model/state.test.mjs", "test.skip(\"later\", () => {});");
    keeps(every_test_runs, "tests/js/model/state.test.mjs", "list.skipped(1); // all run");

    let sources = source::all();
    let command = sources.iter().find(|source| source.path == "tests/run").expect("the README's test command");
    assert!(command.text.contains(PAGE_TESTS.1), "tests/run runs the page's tests");
    assert_eq!(never_run(&sources), [""; 0]);
    let sample = ["model/state.test.mjs", "helper.mjs", "forgotten.mjs", "too/deep/x.test.mjs"]
        .map(|name| Source::new(&format!("tests/js/{name}"), "import { a } from \"./helper.mjs\";\n"));
    assert_eq!(never_run(&sample), ["tests/js/forgotten.mjs", "tests/js/too/deep/x.test.mjs"]);
}

#[test]
fn node_and_page_share_the_confusables() {
    let pairs = |path: &str| {
        let text = fs::read_to_string(source::top().join(path)).expect("it is there");
        let list = text.split("PAIRS").nth(1).and_then(|rest| rest.split('"').nth(1));
        list.expect("a list of letters").to_owned()
    };
    let known = pairs("src/proto/names/confusables.rs");
    assert!(known.len() > 100, "{known}");
    assert_eq!(known, pairs("static/js/model/members/confusables.js"));
}

#[test]
fn no_file_is_an_orphan() {
    assert_eq!(orphans(&source::all()), [""; 0]);
    let sample = [
        ("src/lib.rs", "pub mod net;\n"),
        ("src/net/mod.rs", "mod link;\n"),
        ("src/net/link.rs", ""),
        ("src/old.rs", ""),
    ]
    .map(|(path, text)| Source::new(path, text));
    assert_eq!(orphans(&sample), ["src/old.rs"]);
}
