//! The import rules: which module may import which.

use std::collections::BTreeSet;

use crate::source::{Source, block_length};
use crate::{Complaints, breaks, holds, keeps};

/// The top-level modules, and the modules of this crate that each may import. `node` connects them
/// and is the only one that knows all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("main", &["cli", "config", "node", "client", "logging", "service"]),
    ("lib", &[]),
    (
        "node",
        &[
            "api",
            "config",
            "start_command",
            "startup_banner",
            "identity",
            "logging",
            "metrics",
            "net",
            "proto",
            "signals",
            "store",
            "content",
            "system",
            "web",
            "wire",
        ],
    ),
    ("web", &["api", "bounded_slots", "logging", "metrics", "proto", "system"]),
    ("client", &["api", "config", "startup_banner", "system"]),
    ("net", &["bounded_slots", "logging", "wire", "proto", "system"]),
    ("store", &["logging", "metrics", "proto", "system"]),
    ("content", &["proto"]),
    ("api", &["proto"]),
    ("wire", &["proto"]),
    ("identity", &["proto", "system"]),
    ("cli", &["config"]),
    ("startup_banner", &["config", "proto", "start_command"]),
    ("start_command", &["cli", "config", "proto"]),
    ("config", &["proto"]),
    ("logging", &["proto"]),
    ("metrics", &["proto"]),
    ("service", &["config", "system"]),
    ("signals", &[]),
    ("system", &[]),
    ("proto", &[]),
    ("bounded_slots", &[]),
];

fn only_what_it_may(source: &Source) -> Complaints {
    let Some(inside) = source.path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")) else {
        return Complaints::new();
    };
    let own = inside.split('/').next().unwrap_or_default();
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == own) else {
        return vec![source.complain(0, &format!("nothing is decided about who may import `{own}`"))];
    };
    let code = source.code();
    let mut complaints = Complaints::new();
    for (at, name) in named_modules(&code, depth_of(inside)) {
        let is_module = MAY_IMPORT.iter().any(|(module, _)| *module == name);
        if is_module && name != own && !allowed.contains(&name) {
            complaints.push(source.complain(at, &format!("`{own}` may not know `{name}`")));
        }
    }
    complaints
}

/// How many times `super::` leads from this file to the top.
fn depth_of(inside: &str) -> usize {
    match inside {
        "lib" | "main" => 0,
        _ => inside.strip_suffix("/mod").unwrap_or(inside).split('/').count(),
    }
}

/// Every name that stands directly below the crate's root, and where.
fn named_modules(code: &str, depth: usize) -> BTreeSet<(usize, &str)> {
    let supers = "super::".repeat(depth);
    let roots = ["crate::", "roomful::", supers.as_str()];
    let mut names = BTreeSet::new();
    for root in roots.into_iter().filter(|root| !root.is_empty()) {
        for (at, _) in code.match_indices(root) {
            names.extend(names_at(&code[at + root.len()..]).into_iter().map(|name| (at, name)));
        }
    }
    names
}

/// `a::b` names a; `{a::b, c::{d, e}}` names a and c.
fn names_at(rest: &str) -> Vec<&str> {
    if !rest.starts_with('{') {
        return vec![first_word(rest)];
    }
    let group = &rest[1..block_length(rest).max(2) - 1];
    let mut depth = 0_usize;
    let mut start = 0;
    let mut parts = Vec::new();
    for (at, byte) in group.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    parts.into_iter().map(|part| first_word(part.trim_start())).collect()
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn imports_follow_the_layers() {
    holds(only_what_it_may);
}

#[test]
fn import_in_the_wrong_direction_is_found() {
    for (path, text) in [
        ("src/proto/ids.rs", "use crate::store::Store;"),
        ("src/web/mod.rs", "fn f() { crate::net::dial() }"),
        ("src/web/page.rs", "use crate::{\n    api::MessageJson,\n    store::{self, Writer},\n};"),
        ("src/store/mod.rs", "use super::net::Link;"),
        ("src/net/link.rs", "use super::super::store::Reader;"),
        ("src/node.rs", "use crate::client::tail;"),
        ("src/main.rs", "use roomful::store::Store;"),
        ("src/newroom.rs", ""),
    ] {
        breaks(only_what_it_may, path, text);
    }
    for (path, text) in [
        ("src/web/page.rs", "use crate::{api::MessageJson, proto::ids::NodeId};"),
        ("src/web/page.rs", "// crate::net would be wrong\nuse crate::web::router;"),
        ("src/net/link.rs", "use super::store::x; // a part of net that is called so"),
        ("src/node.rs", "use crate::{net, store, web};"),
        ("src/main.rs", "use roomful::{cli, client};"),
        ("tests/tidy/main.rs", "use roomful::anything;"),
    ] {
        keeps(only_what_it_may, path, text);
    }
}
