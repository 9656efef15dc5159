//! Uploads, transfers between two stores, crashes, and disks that lie.

use bao_tree::blake3;

use super::*;
use crate::proto::limits::FILE_BYTES_MAX;

fn bytes(size: u64) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

fn store() -> (tempfile::TempDir, ContentStore) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = ContentStore::open(&dir.path().join("files")).expect("open");
    (dir, store)
}

fn upload(store: &ContentStore, bytes: &[u8]) -> Hash {
    let mut upload = Upload::begin(store, 1).expect("begin");
    bytes.chunks(70_001).for_each(|piece| upload.write(piece).expect("write"));
    let (content, size) = upload.finish().expect("finish");
    assert_eq!(size, bytes.len() as u64);
    content
}

/// Copies units from one store to another, as a link does.
fn copy(from: &ContentStore, to: &ContentStore, content: &Hash, first: u64, count: u64) -> bool {
    let sent = from.encode(content, first, count).expect("read").expect("held");
    to.write(content, first, count, &sent).expect("verified")
}

#[test]
fn upload_is_stored_under_its_hash() {
    for size in [0, 1, GROUP_BYTES, 5 * GROUP_BYTES + 3] {
        let (dir, store) = store();
        let data = bytes(size);
        let content = upload(&store, &data);
        assert_eq!(content.0, *blake3::hash(&data).as_bytes());
        assert_eq!(store.complete_size(&content), Some(size));
        let path = dir.path().join("files").join(content.to_string());
        assert_eq!(std::fs::read(&path).expect("a file"), data);
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("metadata").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn dropped_upload_leaves_nothing() {
    let (dir, store) = store();
    let mut upload = Upload::begin(&store, 1).expect("begin");
    upload.write(b"half").expect("write");
    drop(upload);
    assert_eq!(std::fs::read_dir(dir.path().join("files")).expect("list").count(), 0);
}

#[test]
fn upload_beyond_the_limit_is_refused() {
    let (_dir, store) = store();
    let mut upload = Upload::begin(&store, 1).expect("begin");
    upload.skip_for_test(FILE_BYTES_MAX);
    assert_eq!(upload.write(b"x").expect_err("too long").kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn wrong_bytes_are_never_accepted() {
    let (_a, from) = store();
    let (_b, to) = store();
    let data = bytes(7 * GROUP_BYTES + 9);
    let content = upload(&from, &data);
    to.update(&content, data.len() as u64, |_| {}).expect("record");
    let sent = from.encode(&content, 3, 3).expect("read").expect("held");
    for at in (0..sent.len()).step_by(997) {
        let mut wrong = sent.clone();
        wrong[at] ^= 1;
        assert!(matches!(to.write(&content, 3, 3, &wrong), Err(VerifyError::Mismatch)), "{at}");
    }
    for wrong in [&sent[..sent.len() - 1], &[&sent[..], &[0]].concat(), b""] {
        assert!(matches!(to.write(&content, 3, 3, wrong), Err(VerifyError::Mismatch)));
    }
    assert!(matches!(to.write(&content, 0, 3, &sent), Err(VerifyError::Mismatch)), "another place");
    assert_eq!(to.state(&content).expect("a record").held.bytes_held(), 0);
    assert!(!copy(&from, &to, &content, 3, 3));
    assert_eq!(to.encode(&content, 0, 3).expect("read"), None, "what is not held is not served");
    assert_eq!(to.encode(&content, 3, 3).expect("read"), Some(sent));
}

#[test]
fn units_in_any_order_make_the_file() {
    let (_a, from) = store();
    let (b, to) = store();
    let data = bytes(10 * GROUP_BYTES + 1);
    let content = upload(&from, &data);
    to.update(&content, data.len() as u64, |_| {}).expect("record");
    for (first, count) in [(9, 2), (3, 3), (0, 3)] {
        assert!(!copy(&from, &to, &content, first, count));
    }
    assert!(copy(&from, &to, &content, 6, 3));
    assert_eq!(std::fs::read(b.path().join("files").join(content.to_string())).expect("a file"), data);
    let mut read = Vec::new();
    while let Some(more) = to.read(&content, read.len() as u64).expect("read") {
        read.extend(more);
    }
    assert_eq!(read, data);
}

#[test]
fn verified_units_survive_a_crash() {
    let (_a, from) = store();
    let (b, to) = store();
    let data = bytes(100 * GROUP_BYTES);
    let content = upload(&from, &data);
    to.update(&content, data.len() as u64, |info| info.wanted = true).expect("record");
    copy(&from, &to, &content, 0, 3);
    copy(&from, &to, &content, 60, 3);
    // The store is not closed: what is on the disk has to be enough.
    let again = ContentStore::open(&b.path().join("files")).expect("open");
    assert_eq!(again.state(&content).expect("a record").held.bytes_held(), 0, "not before the check");
    again.check(&content).expect("check");
    let state = again.state(&content).expect("a record");
    assert!(state.info.wanted);
    assert_eq!(state.held.bytes_held(), 6 * GROUP_BYTES);
    assert!(state.held.contains_all(60, 3));
}

#[test]
fn units_lost_in_a_crash_are_fetched_again() {
    let (_a, from) = store();
    let (b, to) = store();
    let data = bytes(100 * GROUP_BYTES);
    let content = upload(&from, &data);
    to.update(&content, data.len() as u64, |_| {}).expect("record");
    copy(&from, &to, &content, 0, 3);
    copy(&from, &to, &content, 60, 3);
    let part = b.path().join("files").join(format!("{content}.part"));
    // The record reached the disk, and one unit of the bytes did not.
    let file = File::options().write(true).open(part).expect("open");
    file.write_all_at(&[0; 16], 61 * GROUP_BYTES).expect("write");
    let again = ContentStore::open(&b.path().join("files")).expect("open");
    again.check(&content).expect("check");
    let held = again.state(&content).expect("a record").held;
    assert!(held.contains_all(0, 3) && held.contains(60) && !held.contains(61) && held.contains(62));
}

#[test]
fn bytes_that_the_disk_changed_are_not_served() {
    let (dir, store) = store();
    let data = bytes(9 * GROUP_BYTES);
    let content = upload(&store, &data);
    let path = dir.path().join("files").join(content.to_string());
    File::options().write(true).open(path).expect("open").write_all_at(&[9], 4 * GROUP_BYTES).expect("write");
    assert_eq!(store.encode(&content, 3, 3).expect("read"), None);
    assert_eq!(store.complete_size(&content), None, "it is to be fetched again");
    assert!(store.encode(&content, 0, 3).expect("read").is_some(), "the rest is good");
}

#[test]
fn other_size_for_known_content_is_refused() {
    let (_dir, store) = store();
    let content = upload(&store, &bytes(100));
    assert!(store.update(&content, 100, |info| info.pinned = true).expect("record"));
    assert!(!store.update(&content, 101, |info| info.pinned = false).expect("no change"));
    assert!(store.info(&content).expect("a record").pinned);
}

#[test]
fn removed_content_leaves_no_file() {
    let (dir, store) = store();
    let content = upload(&store, &bytes(100));
    store.remove(&content).expect("remove");
    assert_eq!(store.state(&content), None);
    assert_eq!(std::fs::read_dir(dir.path().join("files")).expect("list").count(), 0);
}
