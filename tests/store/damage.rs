//! Databases that are damaged, of a newer version, or of another node.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use roomful::proto::entries::timeline::Delivery;
use roomful::proto::history::{PagePosition, PageQuery};
use roomful::proto::ids::{Hash, RoomId};
use roomful::proto::member_flags::FlagChange;
use roomful::proto::names::name::Name;
use roomful::proto::replication::store_api::{IdempotencyKey, MemberReceipt, OwnBatch, Write};
use roomful::store::{Location, Store, StoreError};
use tempfile::TempDir;

use crate::fixtures::{Author, Bed, NOON, SIZES, budget, me, room, texts};

fn file(dir: &TempDir) -> PathBuf {
    match Location::in_dir(dir.path(), &room()) {
        Location::File(path) => path,
        Location::Memory => panic!("a file"),
    }
}

fn open(path: &Path, room: RoomId, seed: u8) -> Result<(), StoreError> {
    Store::open(Location::File(path.to_owned()), room, Author::new(seed).id(), NOON).map(|_| ())
}

/// Everything in the directory, by name.
fn contents(dir: &TempDir) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = std::fs::read_dir(dir.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).expect("readable")))
        .filter(|(name, _)| !name.ends_with("-shm"))
        .collect();
    all.sort();
    all
}

/// A directory with some history, closed.
async fn with_history(messages: usize) -> (TempDir, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let filling = "x".repeat(2_000);
    let batches: Vec<_> = (0..messages).map(|number| ana.say(&format!("{number} {filling}"))).collect();
    bed.append(&batches.iter().collect::<Vec<_>>()).await;
    let texts = bed.texts().await;
    bed.store.close().await;
    (dir, texts)
}

#[tokio::test]
async fn database_files_are_private() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(file(&dir), b"").expect("a file");
    std::fs::set_permissions(file(&dir), std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let mut bed = Bed::at(&dir);
    bed.append(&[&Author::new(2).say("x")]).await;
    let entries: Vec<_> = std::fs::read_dir(dir.path()).expect("a directory").map(|e| e.expect("an entry")).collect();
    assert_eq!(entries.len(), 4, "the database, its log, its index, its state");
    for entry in entries {
        let mode = entry.metadata().expect("an entry").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_and_not_touched() {
    let (dir, _) = with_history(3).await;
    let path = file(&dir);
    let change = |sql: &str| rusqlite::Connection::open(&path).expect("open").execute_batch(sql).expect("changed");
    change("CREATE TABLE newer (a INTEGER) STRICT; PRAGMA user_version = 8");
    let before = contents(&dir);
    let error = open(&path, room(), 1).expect_err("from the future");
    assert!(matches!(error, StoreError::SchemaTooNew { found: 8, known: 6, .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("version 8") && said.contains("to 6") && said.contains("--data-dir"), "{said}");
    assert_eq!(contents(&dir), before);
}

#[tokio::test]
async fn a_newer_database_with_a_log_is_not_touched_either() {
    let (dir, _) = with_history(3).await;
    let path = file(&dir);
    // Copied while it is open, so that the version stands in the log alone, as after a crash.
    let db = rusqlite::Connection::open(&path).expect("open");
    db.execute_batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE newer (a INTEGER) STRICT; PRAGMA user_version = 8")
        .expect("changed");
    let copy = tempfile::tempdir().expect("a directory");
    for (name, bytes) in contents(&dir) {
        std::fs::write(copy.path().join(name), bytes).expect("copied");
    }
    let before = contents(&copy);
    assert_eq!(before.len(), 3, "a database, a log, a state");
    let error = open(&file(&copy), room(), 1).expect_err("from the future");
    assert!(matches!(error, StoreError::SchemaTooNew { found: 8, .. }), "{error}");
    assert_eq!(contents(&copy), before);
}

#[tokio::test]
async fn another_identity_or_room_is_refused() {
    let (dir, _) = with_history(3).await;
    let before = contents(&dir);
    for (room, seed) in [(room(), 2), (RoomId::new("other", b""), 1)] {
        let error = open(&file(&dir), room, seed).expect_err("somebody else's");
        assert!(matches!(error, StoreError::WrongOwner(_)), "{error}");
    }
    assert_eq!(contents(&dir), before);
    open(&file(&dir), room(), 1).expect("one's own");
}

#[tokio::test]
async fn acknowledged_writes_survive_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    bed.append(&[&ana.say("one"), &ana.say("two")]).await;
    // What a killed process leaves: the files as they are.
    let copy = tempfile::tempdir().expect("a directory");
    for (name, bytes) in contents(&dir) {
        std::fs::write(copy.path().join(name), bytes).expect("copied");
    }
    let bed = Bed::at(&copy);
    assert_eq!(bed.store.mended_now(), None);
    assert_eq!(bed.texts().await, ["one", "two"]);
}

/// Overwrites pages (of 4 KiB) of the file.
fn scribble(path: &Path, pages: impl Iterator<Item = usize>) {
    let mut bytes = std::fs::read(path).expect("readable");
    for page in pages {
        bytes[page * 4096..(page + 1) * 4096].fill(0x5a);
    }
    std::fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn damaged_database_is_kept_and_salvaged() {
    let (dir, all) = with_history(200).await;
    let path = file(&dir);
    let pages = std::fs::metadata(&path).expect("a file").len() as usize / 4096;
    // A stretch in the middle, and the mark that an unclean end leaves.
    scribble(&path, pages / 2..pages / 2 + 3);
    std::fs::write(path.with_extension("db.suspect"), b"").expect("a mark");
    let damaged = std::fs::read(&path).expect("readable");

    let bed = Bed::at(&dir);
    let sentence = bed.store.mended_now().expect("it says so");
    let aside = path.with_extension(format!("db.damaged-{NOON}"));
    assert!(sentence.contains(&aside.display().to_string()), "{sentence}");
    assert_eq!(std::fs::read(&aside).expect("kept"), damaged);
    let rescued = bed.texts().await;
    // One message to a page: what stands beside the damaged ones is all there.
    assert!((197..200).contains(&rescued.len()), "{} of 200", rescued.len());
    assert!(rescued.iter().all(|text| all.contains(text)));
    let counts = bed.store.counts().await.expect("readable");
    assert_eq!(counts.entries + counts.missing, 200, "what is missing is known to be missing");
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert_eq!(bed.store.mended_now(), None, "repaired once");
    let (again, at_ms) = bed.store.mended().expect("but told again");
    assert!(again == sentence && at_ms >= NOON, "{again} at {at_ms}");
}

#[tokio::test]
async fn illegible_file_does_not_prevent_a_start() {
    for content in [b"no database at all, but long enough to be read as one".repeat(100), vec![0; 8192]] {
        let (dir, _) = with_history(3).await;
        std::fs::write(file(&dir), &content).expect("written");
        let mut bed = Bed::at(&dir);
        assert!(bed.store.mended_now().is_some());
        assert_eq!(bed.append(&[&Author::new(2).say("on it goes")]).await.0.len(), 1);
        let aside = file(&dir).with_extension(format!("db.damaged-{NOON}"));
        assert_eq!(std::fs::read(aside).expect("kept"), content);
    }
}

#[tokio::test]
async fn repeated_repairs_are_limited() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = file(&dir);
    for repairs in 0..4 {
        std::fs::write(&path, b"no database").expect("written");
        let opened = open(&path, room(), 1);
        if repairs < 3 {
            opened.expect("repaired");
            continue;
        }
        let error = opened.expect_err("refused").to_string();
        assert!(error.contains("4 times within an hour") && error.contains("check the disk"), "{error}");
        assert!(error.contains(&format!("{}.damaged-{NOON}, ", path.display())), "{error}");
    }
    assert_eq!(contents(&dir).iter().filter(|(name, _)| name.contains("damaged")).count(), 3);
    let later = Store::open(Location::File(path), room(), Author::new(1).id(), NOON + 60 * 60 * 1_000);
    later.map(|_| ()).expect("an hour later it is repaired");
}

#[tokio::test]
async fn damage_report_has_no_sqlite_terms() {
    let (dir, _) = with_history(50).await;
    let path = file(&dir);
    forget_runs(&path);
    std::fs::write(path.with_extension("db.state"), b"{\"open\":true}").expect("written");
    std::fs::write(path.with_extension("db-wal"), b"").expect("written");
    let told = Bed::at(&dir).store.mended_now().expect("told");
    assert!(told.contains("(some of its pages can't be read)"), "{told}");
}

#[tokio::test]
async fn runtime_damage_is_repaired_at_the_next_start() {
    let (dir, _) = with_history(200).await;
    let path = file(&dir);
    let bed = Bed::at(&dir);
    let pages = std::fs::metadata(&path).expect("a file").len() as usize / 4096;
    scribble(&path, pages / 2..pages / 2 + 3);
    let query = PageQuery { at: PagePosition::Newest, conversation: None, limit: 500 };
    let read = bed.store.page(query, budget(usize::MAX)).await;
    assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
    let told = tokio::time::timeout(std::time::Duration::from_secs(60), bed.store.failed()).await.expect("told");
    assert!(told.contains("damaged"), "{told}");
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().is_some());
    assert!(bed.texts().await.len() >= 190);
}

/// Makes the table of runs illegible; everything else is as it was.
fn forget_runs(path: &Path) {
    let db = rusqlite::Connection::open(path).expect("open");
    let root = db.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'run'", [], |row| row.get::<_, u32>(0));
    let root = root.expect("the table's first page") as usize;
    drop(db);
    scribble(path, root - 1..root);
}

#[tokio::test]
async fn flags_and_unpublished_entries_are_salvaged() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let nuisance = Author::new(3).id();
    bed.append(&[&Author::new(3).say("noise")]).await;
    let change = FlagChange { verified: Some(true), muted: None, blocked: Some(true) };
    bed.store.write(Write::Mark { member: nuisance, change });
    bed.answer().await;
    // Two things signed for one place of an own log: one of them falls.
    let (mut one, mut other) = (me(), me());
    let (one, other) = (one.say("one"), other.say("other"));
    bed.append(&[&one]).await;
    bed.append(&[&other]).await;
    bed.store.set_page_item("draft".to_owned(), Some("begun".to_owned())).await.expect("written");
    bed.store.close().await;
    let before = Bed::at(&dir);
    let (marks, fallen) = (before.opened.snapshot.marks.clone(), before.opened.snapshot.fallen.clone());
    let forks = |bed: &Bed| bed.opened.snapshot.logs.iter().filter(|log| log.fork.is_some()).count();
    assert_eq!((marks.len(), fallen.len(), forks(&before)), (1, 1, 1));
    before.store.close().await;
    forget_runs(&file(&dir));

    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().is_some());
    assert_eq!(bed.opened.snapshot.marks, marks);
    assert_eq!(bed.opened.snapshot.fallen, fallen);
    let storage = bed.store.welcome(None, SIZES).await.expect("readable").storage;
    assert_eq!(storage.get("draft").map(String::as_str), Some("begun"));
    assert_eq!(forks(&bed), 1);
    assert_eq!(bed.texts().await.len(), 1, "who is blocked is not shown");
}

#[tokio::test]
async fn invalid_row_does_not_stop_a_salvage() {
    let (dir, said) = with_history(3).await;
    let db = rusqlite::Connection::open(file(&dir)).expect("open");
    db.execute_batch(
        "DROP TABLE fallen;
         CREATE TABLE fallen (fallen INTEGER PRIMARY KEY, hash, place, audience, body, name, content);
         INSERT INTO fallen (hash, place) VALUES (NULL, 1), (x'00', NULL), (x'00', 'no number'), (1.5, 1)",
    )
    .expect("written");
    drop(db);
    forget_runs(&file(&dir));
    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().is_some());
    assert_eq!(bed.texts().await, said);
}

#[tokio::test]
async fn local_rows_survive_a_salvage() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut own, ana) = (me(), Author::new(2).id());
    let said = IdempotencyKey { name: "r1".to_owned(), content: Hash([5; 32]) };
    // A notice takes an arrival number between the batches and is not salvaged, so the numbers
    // differ afterwards.
    bed.notice(NOON, ana).await;
    let line = bed
        .append_own(&own.say("mine"), OwnBatch { refs: vec![Some(said.clone())], of: vec![ana], ..OwnBatch::default() })
        .await;
    bed.store.write(Write::Receipts(vec![MemberReceipt { member: ana, log: own.log, first: 1, last: 1 }]));
    bed.store.write(Write::OwnName(Name::new("Me").expect("a name")));
    bed.store.close().await;
    forget_runs(&file(&dir));

    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().is_some());
    assert_eq!(bed.opened.own_name.as_ref().map(Name::as_str), Some("Me"));
    let (found, id) = bed.store.by_ref("r1".to_owned()).await.expect("readable").expect("still known");
    let again = bed.store.line(id).await.expect("readable").expect("a message");
    assert_eq!((found, again.id, again.held), (said, line.id, Some(Delivery { held_by: 1, of: 1 })));
    assert_eq!((line.arrival, again.arrival), (2, 1));
    assert_eq!(texts(&bed.page(PagePosition::Newest, 9).await.lines), ["mine"]);
}
