//! Rules for words: what comments say and how wide they are, and names of types and tests.

use std::collections::BTreeMap;

use crate::source::{self, Source};
use crate::{Complaints, breaks, holds, keeps};

/// Widest comment in columns, indentation included.
const COMMENT_COLUMNS_MAX: usize = 100;

/// Longest name of a test in characters.
const TEST_NAME_CHARS_MAX: usize = 50;

/// Pronouns as subjects. A comment names the component instead: the writer, the peer, the caller.
const PERSONS: &[&str] = &["whoever", "somebody", "nobody", "everybody", "anybody"];

/// Doc comments that say nothing about the item.
const EMPTY: &[&str] = &["Which.", "What.", "It.", "That.", "Them.", "Whether.", "Why."];

/// Types that each module may declare for itself, and always names with its module.
const SHARED_TYPES: &[&str] = &["Error"];

fn comments_name_components(source: &Source) -> Complaints {
    if !source.is_a("rs") {
        return Complaints::new();
    }
    let comments = source.comments().to_ascii_lowercase();
    source.find_words(&comments, PERSONS, "name the component instead")
}

fn comments_are_narrow_and_say_something(source: &Source) -> Complaints {
    if !source.is_a("rs") {
        return Complaints::new();
    }
    let mut complaints = Complaints::new();
    let mut at = 0;
    for line in source.comments().split('\n') {
        let comment = line.trim_start();
        let is_whole_line = comment.len() == source.text[at..].lines().next().unwrap_or_default().trim_start().len();
        let is_table = comment.starts_with("//! |") || comment.starts_with("/// |");
        if is_whole_line && !is_table && line.chars().count() > COMMENT_COLUMNS_MAX {
            complaints.push(source.complain(at, &format!("a comment is wider than {COMMENT_COLUMNS_MAX} columns")));
        }
        if comment.strip_prefix("/// ").is_some_and(|text| EMPTY.contains(&text)) {
            complaints.push(source.complain(at, "a doc comment that says nothing"));
        }
        at += line.len() + 1;
    }
    complaints
}

fn test_names_are_short(source: &Source) -> Complaints {
    if !source.is_a("rs") {
        return Complaints::new();
    }
    let code = source.code();
    let mut complaints = Complaints::new();
    for (at, _) in code.match_indices("test]\n") {
        let Some(name_at) = code[at..].find("fn ").map(|found| at + found + "fn ".len()) else { continue };
        let length = code[name_at..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or_default();
        if length > TEST_NAME_CHARS_MAX {
            complaints.push(source.complain(name_at, &format!("a test's name of {length} characters")));
        }
    }
    complaints
}

/// Names of the types that a source declares outside functions.
fn declared_types(source: &Source) -> Vec<String> {
    let code = source.code_without_tests();
    let mut names = Vec::new();
    for line in code.lines() {
        let line = match line.strip_prefix("pub") {
            Some(rest) => rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest),
            None => line,
        };
        let mut words = line.trim_start_matches(' ').split(|c: char| !c.is_alphanumeric() && c != '_');
        let is_type = words.next().is_some_and(|word| ["struct", "enum", "trait", "type", "union"].contains(&word));
        if is_type && !line.starts_with("  ") {
            names.extend(words.next().map(str::to_owned));
        }
    }
    names
}

/// Types of the program that several modules declare.
fn repeated_types(sources: &[Source]) -> Complaints {
    let mut paths: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_program()) {
        for name in declared_types(source).into_iter().filter(|name| !SHARED_TYPES.contains(&name.as_str())) {
            paths.entry(name).or_default().push(&source.path);
        }
    }
    let repeated = paths.into_iter().filter(|(_, paths)| paths.len() > 1);
    repeated.map(|(name, paths)| format!("{name} is declared in {}", paths.join(", "))).collect()
}

#[test]
fn comments_follow_the_rules() {
    holds(comments_name_components);
    holds(comments_are_narrow_and_say_something);
    for text in ["/// Whoever asks.", "let a = 1; // Nobody asks.", "//! For everybody."] {
        breaks(comments_name_components, "src/net/link.rs", text);
    }
    keeps(comments_name_components, "src/net/link.rs", "let nobody = \"somebody\"; // The peer asks.");
    for text in ["    /// Which.", &format!("// {}", "x".repeat(COMMENT_COLUMNS_MAX))] {
        breaks(comments_are_narrow_and_say_something, "src/net/link.rs", text);
    }
    let table = format!("//! | {} |", "x".repeat(COMMENT_COLUMNS_MAX));
    for text in ["/// Which link.", &table, &format!("let a = \"{}\"; // b", "x".repeat(COMMENT_COLUMNS_MAX))] {
        keeps(comments_are_narrow_and_say_something, "src/net/link.rs", text);
    }
}

#[test]
fn names_of_tests_are_short() {
    holds(test_names_are_short);
    let named = |length: usize| format!("#[tokio::test]\nasync fn {}() {{}}\n", "a".repeat(length));
    breaks(test_names_are_short, "tests/lan.rs", &named(TEST_NAME_CHARS_MAX + 1));
    keeps(test_names_are_short, "tests/lan.rs", &named(TEST_NAME_CHARS_MAX));
}

#[test]
fn each_type_is_declared_once() {
    let repeated = repeated_types(&source::all());
    assert!(repeated.is_empty(), "\n{}\n", repeated.join("\n"));
    let found = |texts: [&str; 2]| {
        let sources = texts.map(|text| Source::new(&format!("src/{}.rs", text.len()), text));
        repeated_types(&sources).len()
    };
    assert_eq!(found(["pub struct Link;", "pub(super) enum Link {}"]), 1);
    assert_eq!(found(["struct Link<T>(T);", "fn f() {\n    struct Link;\n}"]), 0);
    assert_eq!(found(["pub enum Error {}", "pub struct Error;"]), 0);
}
