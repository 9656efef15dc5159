//! Rules for the sources, checked by reading them: imports, purity, the page's safety, lengths,
//! words, and that no test is skipped. Each rule is a function from sources to complaints, and is
//! itself tested with samples that violate it.

mod cycles;
mod imports;
mod modules;
mod page;
mod project;
mod rust;
mod source;
mod words;

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
