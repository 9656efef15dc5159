//! Files that import each other in a circle: none of them can be read, tried or replaced without
//! the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::Complaints;
use crate::source::{self, Source, block_length};

/// Folders within which neither files nor folders may form a circle.
const HELD: &[&str] = &[
    "src/api",
    "src/cli",
    "src/client",
    "src/content",
    "src/identity",
    "src/logging",
    "src/net",
    "src/service",
    "src/node",
    "src/proto",
    "src/proto/engine",
    "src/store",
    "src/web",
    "src/wire",
];

/// What each module imports, by paths below `crate`.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// Complaints about circles of files below `folder`, and about circles of the folders directly in
/// it.
fn circles_below(folder: &str, sources: &[Source]) -> Complaints {
    let files = imports(folder, sources);
    let root = files.keys().map(String::as_str).min_by_key(|module| module.len()).unwrap_or_default().to_owned();
    let mut folders = Imports::new();
    for (module, imported) in &files {
        let from = part_of(module, &root);
        let others = imported.iter().map(|imported| part_of(imported, &root)).filter(|other| *other != from);
        folders.entry(from.clone()).or_default().extend(others);
    }
    let mut complaints: Vec<_> = circle(&files).map(|circle| complaint(folder, "files", &circle)).into_iter().collect();
    complaints.extend(circle(&folders).map(|circle| complaint(folder, "folders", &circle)));
    complaints
}

fn complaint(folder: &str, what: &str, circle: &[String]) -> String {
    format!("{folder}: {what} import each other in a circle: {}", circle.join(" -> "))
}

/// The folder or file directly below the root that a module belongs to.
fn part_of(module: &str, root: &str) -> String {
    let below = module.strip_prefix(root).and_then(|rest| rest.strip_prefix("::")).unwrap_or_default();
    below.split("::").next().unwrap_or_default().to_owned()
}

/// What each module of the program below `folder` imports of the others.
fn imports(folder: &str, sources: &[Source]) -> Imports {
    let program: Vec<(String, &Source)> = sources
        .iter()
        .filter(|source| source.is_in(folder) && source.is_program())
        .map(|source| (module_of(&source.path), source))
        .collect();
    let known: BTreeSet<&str> = program.iter().map(|(module, _)| module.as_str()).collect();
    let mut imports = Imports::new();
    for (module, source) in &program {
        let named = named_paths(&source.code_without_tests(), module);
        let modules = named.iter().filter_map(|path| longest_module(path, &known));
        imports.insert(module.clone(), modules.filter(|other| other != module).collect());
    }
    imports
}

/// The module that a file holds: `store::read::page`.
fn module_of(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.replace('/', "::")
}

/// The module in which a path ends; the rest of it are items.
fn longest_module(path: &str, known: &BTreeSet<&str>) -> Option<String> {
    let mut path = path;
    loop {
        if known.contains(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// The paths below `crate` that the code of a module names.
fn named_paths(code: &str, module: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            let begins = !code[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before));
            if begins {
                extend_paths(String::new(), &code[at..], &mut paths);
            }
        }
    }
    paths.iter().filter_map(|path| absolute(path, module)).collect()
}

/// Adds every path that begins here: `a::{b, c::d}` has two.
fn extend_paths(before: String, code: &str, into: &mut Vec<String>) {
    if code.starts_with('{') {
        let group = &code[1..block_length(code).max(2) - 1];
        let mut depth = 0_i32;
        let parts = group.split(|letter| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            letter == ',' && depth == 0
        });
        parts.for_each(|part| extend_paths(before.clone(), part.trim_start(), into));
        return;
    }
    let end = code.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(code.len());
    let path = if before.is_empty() { code[..end].to_owned() } else { format!("{before}::{}", &code[..end]) };
    match code[end..].strip_prefix("::") {
        Some(rest) => extend_paths(path, rest, into),
        None => into.push(path),
    }
}

/// A path from the top, without `crate`.
fn absolute(path: &str, module: &str) -> Option<String> {
    let mut base: Vec<&str> = module.split("::").collect();
    let mut rest = path;
    loop {
        let (first, more) = rest.split_once("::").unwrap_or((rest, ""));
        match first {
            "crate" => return Some(more.to_owned()),
            "super" => _ = base.pop()?,
            "self" => {}
            _ => break,
        }
        rest = more;
    }
    base.extend(rest.split("::").filter(|part| !part.is_empty()));
    Some(base.join("::"))
}

/// A circle, if there is one, with its first module at both ends.
fn circle(imports: &Imports) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    imports.keys().find_map(|module| circle_from(module, imports, &mut Vec::new(), &mut done))
}

fn circle_from<'a>(
    module: &'a str,
    imports: &'a Imports,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    if let Some(at) = way.iter().position(|before| *before == module) {
        return Some(way[at..].iter().copied().chain([module]).map(str::to_owned).collect());
    }
    if done.contains(module) {
        return None;
    }
    way.push(module);
    let found = imports.get(module).into_iter().flatten().find_map(|next| circle_from(next, imports, way, done));
    way.pop();
    done.insert(module);
    found
}

#[test]
fn no_file_imports_itself_through_others() {
    let sources = source::all();
    let complaints: Complaints = HELD.iter().flat_map(|folder| circles_below(folder, &sources)).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn circles_of_files_and_folders_are_seen() {
    let circles = |files: &[(&str, &str)]| {
        let mut sources = vec![Source::new("src/a/mod.rs", "mod b;")];
        sources.extend(files.iter().map(|(path, text)| Source::new(path, text)));
        circles_below("src/a", &sources).len()
    };
    assert_eq!(
        circles(&[("src/a/b.rs", "use super::c::{self, D};"), ("src/a/c.rs", "use crate::a::{x::y, b::E};")]),
        2
    );
    assert_eq!(circles(&[("src/a/b.rs", "fn f() { super::c::g() }"), ("src/a/c.rs", "use super::super::a::b;")]), 2);
    // Two folders that need each other, though no two files do.
    let folders = [
        ("src/a/b/one.rs", "use crate::a::c::two;"),
        ("src/a/c/two.rs", ""),
        ("src/a/c/three.rs", "use crate::a::b::four;"),
        ("src/a/b/four.rs", ""),
    ];
    assert_eq!(circles(&folders), 1);
    assert_eq!(circles(&[("src/a/b.rs", "// use super::c;\nuse super::d;"), ("src/a/c.rs", "use super::b;")]), 0);
}
