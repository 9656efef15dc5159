//! A file is a module only if it owns its types: a type whose `impl` is spread over files is one
//! module of their total length.

use std::collections::BTreeSet;

use crate::source::Source;
use crate::{Complaints, breaks, holds, keeps};

/// Inherent `impl` blocks that stand apart from their type, by file and type. No line is ever
/// added.
const IMPLS_APART: &[(&str, &str)] = &[
    // Declared by a macro of the file.
    ("src/proto/ids.rs", "NodeId"),
    ("src/proto/ids.rs", "RoomId"),
    // Not taken apart yet.
    ("src/client/listen.rs", "NodeClient"),
];

fn impls_stand_with_their_type(source: &Source) -> Complaints {
    if !source.is_program() {
        return Complaints::new();
    }
    let code = source.code_without_tests();
    let declared = declared_types(&code);
    let apart = inherent_impls(&code).into_iter().filter(|(_, name)| !declared.contains(name));
    let unknown = apart.filter(|(_, name)| !IMPLS_APART.contains(&(source.path.as_str(), name)));
    unknown.map(|(at, name)| source.complain(at, &format!("`impl {name}` stands in the file of the type"))).collect()
}

/// The names of the types that are declared in some code.
fn declared_types(code: &str) -> BTreeSet<&str> {
    let after = ["struct ", "enum ", "union "]
        .into_iter()
        .flat_map(|word| code.match_indices(word).map(move |(at, _)| name_at(&code[at + word.len()..])));
    after.collect()
}

/// The inherent `impl` blocks at the beginning of a line: where they stand, and of which type.
fn inherent_impls(code: &str) -> Vec<(usize, &str)> {
    let starts = code.match_indices("impl").filter(|(at, _)| *at == 0 || code.as_bytes()[at - 1] == b'\n');
    let blocks = starts.filter_map(|(at, word)| {
        let header = code[at + word.len()..].split('{').next()?;
        let generics = if header.starts_with('<') { generics_length(header) } else { 0 };
        let named = header[generics..].trim_start();
        let is_block = header.starts_with([' ', '<']) && !header.contains(" for ");
        is_block.then(|| (at, name_at(named.rsplit_once("::").map_or(named, |(_, last)| last))))
    });
    blocks.collect()
}

/// The length of the `<…>` with which a text begins.
fn generics_length(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if depth == 1 => return at + 1,
            b'>' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

fn name_at(text: &str) -> &str {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
}

#[test]
fn impl_blocks_stand_in_the_file_of_their_type() {
    holds(impls_stand_with_their_type);
    let rule = impls_stand_with_their_type;
    breaks(rule, "src/net/link.rs", "use super::Engine;\n\nimpl Engine {\n}\n");
    breaks(rule, "src/net/link.rs", "impl<T: Ord> super::Engine<T> {\n}\n");
    keeps(rule, "src/net/link.rs", "pub struct Engine<T>(T);\n\nimpl<T: Ord> Engine<T> {\n}\n");
    keeps(rule, "src/net/link.rs", "impl From<Engine> for Link {\n}\n");
    keeps(rule, "tests/network/main.rs", "impl Engine {\n}\n");
}
