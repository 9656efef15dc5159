//! The house's own rules, held by reading the sources: who may import whom, what is pure, what the page may not do, how long
//! things may get, and that no test sleeps in a corner. Each rule is a function from sources to complaints, tried on samples
//! that break it, so that a rule which finds nothing has something to say.

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/page.rs"]
mod page;
#[path = "tidy/project.rs"]
mod project;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/source.rs"]
mod source;

use source::Source;

/// What is wrong, and where: `path:line: why`.
type Complaints = Vec<String>;

/// Holds a rule over every source of the project.
fn holds(rule: impl Fn(&Source) -> Complaints) {
    let sources = source::all();
    assert!(sources.len() > 20, "only {} sources found: the rules would hold over nothing", sources.len());
    let complaints: Complaints = sources.iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// That the rule complains about this sample.
fn breaks(rule: impl Fn(&Source) -> Complaints, path: &str, text: &str) {
    assert!(!rule(&Source::new(path, text)).is_empty(), "nothing was said about {path}: {text}");
}

/// That the rule says nothing about this sample.
fn keeps(rule: impl Fn(&Source) -> Complaints, path: &str, text: &str) {
    let complaints = rule(&Source::new(path, text));
    assert!(complaints.is_empty(), "{complaints:?} was said about {path}: {text}");
}
