//! The weight of the page: what its scripts and styles cost on the wire.

use std::collections::BTreeSet;
use std::path::Path;

use crate::fake::Server;

/// Transferred bytes, compressed with gzip, of the scripts and styles that the shell names and that
/// are needed before typing.
const FIRST_BYTES_MAX: usize = 60_000;

/// The same of everything that a page loads by itself.
const LOADED_BYTES_MAX: usize = 150_000;

/// The same of all parts that are loaded only when the user asks for them, such as dialogs.
const LAZY_BYTES_MAX: usize = 30_000;

#[tokio::test]
async fn page_weight_stays_within_budget() {
    let server = Server::start().await;
    let shell = server.raw("GET /", &[("Host", "localhost")], "").await.body;
    let shell = String::from_utf8(shell).expect("text");
    let first: Vec<&str> = shell.split('"').filter(|text| text.starts_with("/static/")).collect();
    let root = first.first().and_then(|part| part.get(.."/static/0123456789abcdef".len())).expect("a part");
    let top = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/static"));
    let loaded = loaded_scripts(top, first.iter().filter_map(|part| part.strip_prefix(root)));
    let gzip = [("Host", "localhost"), ("Accept-Encoding", "gzip")];
    let (mut before_typing, mut by_itself, mut lazy) = (0, 0, 0);
    let styles = first.iter().filter(|part| part.ends_with(".css")).map(|part| part[root.len() + 1..].to_owned());
    let later_styles = ["css/later.css".to_owned()];
    for path in scripts(top).into_iter().chain(styles).chain(later_styles) {
        let part = format!("{root}/{path}");
        let packed = server.raw(&format!("GET {part}"), &gzip, "").await;
        assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")), "{part}");
        let bytes = packed.body.len();
        before_typing += if first.contains(&part.as_str()) { bytes } else { 0 };
        let is_lazy = path.ends_with(".js") && !loaded.contains(&path);
        *(if is_lazy { &mut lazy } else { &mut by_itself }) += bytes;
    }
    assert!(before_typing > 30_000 && by_itself > before_typing && lazy > 5_000, "the search itself finds them");
    assert!(before_typing <= FIRST_BYTES_MAX, "{before_typing} bytes before one can type");
    assert!(by_itself <= LOADED_BYTES_MAX, "{by_itself} bytes by itself");
    assert!(lazy <= LAZY_BYTES_MAX, "{lazy} bytes when asked for");
}

/// The scripts that a page loads by itself: those that the shell names, those that it loads right
/// after, and all that these import.
fn loaded_scripts<'a>(top: &Path, named: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let later = ["js/features.js", "js/timeline/timeline.js", "js/model/storage/tab_storage.js"];
    let mut waiting: Vec<String> = named.map(|part| part[1..].to_owned()).chain(later.map(ToOwned::to_owned)).collect();
    let mut loaded = BTreeSet::new();
    while let Some(path) = waiting.pop().filter(|path| !path.is_empty()) {
        if !path.ends_with(".js") || !loaded.insert(path.clone()) {
            continue;
        }
        let text = std::fs::read_to_string(top.join(&path)).expect("a script");
        let imported = text.split(" from \"").skip(1).filter_map(|rest| rest.split('"').next());
        waiting.extend(imported.map(|name| joined(&path, name)));
    }
    loaded
}

/// The path that a script imports, below the same folder as the script's own.
fn joined(script: &str, name: &str) -> String {
    let mut parts: Vec<&str> = script.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Paths of all scripts below static/.
fn scripts(top: &Path) -> Vec<String> {
    let mut folders = vec![top.to_owned()];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "js") {
                paths.push(path.strip_prefix(top).expect("below").to_str().expect("text").to_owned());
            }
        }
    }
    paths
}
