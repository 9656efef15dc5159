//! Salvage of damaged, truncated and missing files, and the report for their user.

use roomful::store::StoreError;

use crate::fixtures::{Author, Bed, NOON, me};
use crate::past::{Files, Past, database, files, path, placed, shown};

/// Messages that a start finds in files, as texts, and what it says.
async fn opened(past: &Past, files: &Files) -> (usize, Option<String>, tempfile::TempDir) {
    let dir = placed(files);
    let bed = Bed::at(&dir);
    let lines = shown(&bed.store).await.expect("readable");
    past.check(&lines).expect("as it was signed");
    let told = bed.store.mended_now();
    bed.store.close().await;
    (lines.len(), told, dir)
}

fn changed(from: &Files, suffix: &str, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = from.clone();
    change(files.get_mut(&format!("{}{suffix}", database())).expect("a file"));
    files
}

/// The files as another start of the system finds them.
fn rebooted(from: &Files) -> Files {
    let mut files = from.clone();
    let state = files.get_mut(&format!("{}.state", database())).expect("a state");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("the system names its starts");
    *state = String::from_utf8(state.clone()).expect("text").replace(boot.trim(), "another").into_bytes();
    files
}

/// True for each frame of a log that ends a commit.
fn commits(log: &[u8]) -> Vec<bool> {
    log[32..].chunks(4120).map(|frame| frame[4..8] != [0; 4]).collect()
}

fn without(from: &Files, suffix: &str) -> Files {
    let mut files = from.clone();
    files.remove(&format!("{}{suffix}", database())).expect("a file");
    files
}

#[tokio::test]
async fn a_cut_database_gives_every_batch_left_in_it() {
    let past = Past::new(60).await;
    let all = past.closed[&database()].len();
    for length in [all - 1, all - 4096, all / 2, all / 2 / 4096 * 4096, 8 * 4096, 4096, 100, 30, 1] {
        let cut = changed(&past.closed, "", |bytes| bytes.truncate(length));
        let (count, told, dir) = opened(&past, &cut).await;
        let intact = past.intact(&[&cut[&database()]]);
        let least: usize = intact.iter().map(|batch| batch.header().entries.len()).sum();
        // Names are entries and no messages.
        assert!(count + 3 >= least, "cut to {length} of {all}: {count} of {least}");
        let told = told.unwrap_or_default();
        assert!(told.contains("history was damaged") && told.contains("was kept as"), "cut to {length}: {told}");
        let kept = files(dir.path()).into_iter().find(|(name, _)| name.contains("damaged")).expect("kept");
        assert!(kept.1 == cut[&database()], "cut to {length}: what is kept is what was found");
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_log_loses_one_frame() {
    let past = Past::new(60).await;
    let log = format!("{}-wal", database());
    let frames = (past.killed[&log].len() - 32) / 4120;
    let whole = opened(&past, &past.killed).await;
    assert_eq!(whole.1, None, "a crash is no damage");
    for frame in [0, frames / 3, frames - 1] {
        let flipped = changed(&past.killed, "-wal", |bytes| bytes[32 + frame * 4120 + 24 + 2_000] ^= 8);
        let (count, told, dir) = opened(&past, &flipped).await;
        let told = told.unwrap_or_default();
        assert!(told.contains("a part of its log is not what was written"), "frame {frame}: {told}");
        // A page may hold a few messages, and most stand in later frames again.
        assert!(count + 4 >= whole.0, "frame {frame}: {count} of {}", whole.0);
        let kept = files(dir.path());
        let kept = kept.iter().find(|(name, _)| name.ends_with(&format!("damaged-{NOON}-wal"))).expect("kept");
        assert!(*kept.1 == flipped[&log], "frame {frame}: what is kept is what was found");
    }
}

#[tokio::test]
async fn missing_file_is_reported() {
    let past = Past::new(60).await;
    let whole = opened(&past, &past.killed).await.0;
    let (count, told, _) = opened(&past, &without(&past.closed, "")).await;
    assert!(count == 0 && told.clone().unwrap_or_default().contains("history is gone"), "{told:?}");
    let (count, told, _) = opened(&past, &changed(&past.closed, "", Vec::clear)).await;
    assert!(count == 0 && told.clone().unwrap_or_default().contains("history is gone"), "{told:?}");
    let (count, told, _) = opened(&past, &without(&past.killed, "")).await;
    assert!(count > whole / 4 && told.clone().unwrap_or_default().contains("only its log is left"), "{count} {told:?}");
    let (count, told, _) = opened(&past, &without(&past.killed, "-wal")).await;
    assert!(count >= whole / 4 && told.clone().unwrap_or_default().contains("-wal was removed or cut"), "{told:?}");
    let (count, told, _) = opened(&past, &without(&past.killed, "-shm")).await;
    assert_eq!((count, told), (whole, None), "SQLite makes it anew");
    // A new room, and one that was closed, say nothing.
    assert_eq!(opened(&past, &Files::new()).await.1, None);
    assert_eq!(opened(&past, &past.closed).await.1, None);
}

#[tokio::test]
async fn a_damaged_index_is_rebuilt_at_the_next_start() {
    let past = Past::new(60).await;
    let dir = placed(&past.closed);
    let file = path(dir.path());
    // The index names a row that there is not: the check of pages sees nothing of it.
    let db = rusqlite::Connection::open(&file).expect("open");
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'entry_place'";
    let root: u32 = db.query_row(root, [], |row| row.get(0)).expect("an index");
    drop(db);
    let mut bytes = std::fs::read(&file).expect("readable");
    let page = &mut bytes[(root as usize - 1) * 4096..][..4096];
    // The last byte of the page belongs to the arrival number of the first row that was written.
    page[4095] = 0x7f;
    std::fs::write(&file, &bytes).expect("written");
    let db = rusqlite::Connection::open(&file).expect("open");
    let check = |db: &rusqlite::Connection, pragma: &str| -> String {
        db.query_row(&format!("PRAGMA {pragma}(1)"), [], |row| row.get(0)).expect("checked")
    };
    assert_eq!((check(&db, "quick_check").as_str(), check(&db, "integrity_check") == "ok"), ("ok", false));
    drop(db);

    let mut starts = 0;
    let bed = loop {
        starts += 1;
        assert!(starts < 4, "it stops at every start");
        let bed = Bed::at(&dir);
        match shown(&bed.store).await {
            Ok(lines) if bed.store.mended().is_some() => break past.check_complete(&lines).map(|()| bed),
            Ok(_) => panic!("the damaged row was not read"),
            Err(error) => assert!(matches!(error, StoreError::Damaged(_)), "{error}"),
        }
        bed.store.close().await;
    }
    .expect("complete");
    assert!(starts <= 2, "{starts} starts");
    let told = bed.store.mended_now().expect("told");
    assert!(told.contains("history was damaged") || told.contains("was restored"), "{told}");
}

#[tokio::test]
async fn a_flipped_definition_or_owner_is_repaired() {
    let past = Past::new(20).await;
    let whole = opened(&past, &past.closed).await.0;
    for place in ["CREATE TABLE run (\n    run INTEGER PRIMARY KEY,\n    id", "name TEXT,                   -- this"] {
        let flipped = changed(&past.closed, "", |bytes| {
            // What a page does not use may hold an older copy.
            for at in 0..bytes.len() - place.len() {
                if bytes[at..].starts_with(place.as_bytes()) {
                    bytes[at + place.find("id").unwrap_or(0)] ^= 1;
                }
            }
        });
        let (count, told, _) = opened(&past, &flipped).await;
        assert_eq!((count, told.is_some_and(|told| told.contains("history was damaged"))), (whole, true), "{place}");
    }
    let dir = placed(&past.closed);
    let mut owner = crate::fixtures::me().id().0;
    owner[7] ^= 4;
    let db = rusqlite::Connection::open(path(dir.path())).expect("open");
    db.execute("UPDATE node SET own = ?1", [&owner]).expect("changed");
    drop(db);
    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().is_some_and(|told| told.contains("whose it is")));
    assert_eq!(shown(&bed.store).await.expect("readable").len(), whole);
}

#[tokio::test]
async fn a_flipped_version_is_repaired() {
    let past = Past::new(10).await;
    let whole = opened(&past, &past.closed).await.0;
    // Bits 0, 1 and 3 give a version that a newer program may have written: refused and left
    // unchanged.
    for bit in [2, 4, 5, 9, 20, 31] {
        let flipped = changed(&past.closed, "", |bytes| bytes[63 - bit / 8] ^= 1 << (bit % 8));
        let (count, told, _) = opened(&past, &flipped).await;
        assert_eq!((count, told.is_some_and(|told| told.contains("history was damaged"))), (whole, true), "bit {bit}");
    }
}

#[tokio::test]
async fn a_power_failure_is_no_damage() {
    let past = Past::new(60).await;
    let log = format!("{}-wal", database());
    let frames = (past.killed[&log].len() - 32) / 4120;
    // Later frames reached the disk and an earlier one did not; or the log is shorter than its
    // index says.
    let torn = changed(&past.killed, "-wal", |bytes| bytes[32 + frames / 2 * 4120 + 24..][..4096].fill(0));
    let short = changed(&past.killed, "-wal", |bytes| bytes.truncate(32 + frames / 2 * 4120));
    for files in [torn, short] {
        assert!(opened(&past, &files).await.1.is_some(), "what a killed process wrote is there");
        let (_, told, dir) = opened(&past, &rebooted(&files)).await;
        assert_eq!(told, None);
        assert!(!crate::past::files(dir.path()).keys().any(|name| name.contains("damaged")), "nothing is quarantined");
    }
}

#[tokio::test]
async fn whole_frames_of_a_cut_commit_are_salvaged() {
    let past = Past::new(60).await;
    let log = format!("{}-wal", database());
    let commits = commits(&past.killed[&log]);
    let cut = (commits.len() / 2..commits.len()).find(|at| !commits[*at] && !commits[at - 1]).expect("a long commit");
    let cut = changed(&past.killed, "-wal", |bytes| bytes.truncate(32 + (cut + 1) * 4120));
    let (_, told, dir) = opened(&past, &cut).await;
    assert!(told.clone().unwrap_or_default().contains("history was damaged"), "{told:?}");
    let kept = files(dir.path());
    let kept = kept.iter().find(|(name, _)| name.ends_with(&format!("damaged-{NOON}-wal"))).expect("kept");
    assert!(*kept.1 == cut[&log], "what is kept is what was found");
}

#[tokio::test]
async fn uncommitted_frames_are_not_salvaged() {
    let log = format!("{}-wal", database());
    let dir = tempfile::tempdir().expect("a directory");
    let mut own = me();
    let refused = own.clone().say("refused");
    let said = own.say("said instead");
    let mut bed = Bed::at(&dir);
    bed.append(&[&said]).await;
    let mut left = files(dir.path());
    // What is left of a commit for which the disk was full stands behind the last commit.
    let other = tempfile::tempdir().expect("a directory");
    let mut elsewhere = Bed::at(&other);
    elsewhere.append(&[&Author::new(2).say("another number"), &refused]).await;
    let found = files(other.path());
    let holds = |frame: &&[u8]| frame.windows(refused.bytes().len()).any(|part| part == refused.bytes());
    let mut frame = found[&log][32..].chunks(4120).find(holds).expect("a frame").to_vec();
    frame[4..8].fill(0);
    let bytes = left.get_mut(&log).expect("a log");
    frame[8..16].copy_from_slice(&bytes[16..24]);
    bytes.extend(frame);
    bytes[32 + 24 + 2_000] ^= 1;

    let dir = placed(&left);
    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().is_some_and(|told| told.contains("history was damaged")));
    assert_eq!(bed.texts().await, ["said instead"]);
    assert!(bed.opened.snapshot.logs.iter().all(|log| log.fork.is_none()), "it proves a fork of its own log");
}

#[tokio::test]
async fn an_illegible_state_is_no_loss() {
    let past = Past::new(10).await;
    let whole = opened(&past, &past.closed).await.0;
    for state in [&b""[..], b"{\"open\":tr"] {
        let files = changed(&past.closed, ".state", |bytes| *bytes = state.to_vec());
        let (count, told, _) = opened(&past, &files).await;
        assert_eq!((count, told), (whole, None));
    }
}

#[tokio::test]
async fn damaged_search_index_is_rebuilt_alone() {
    let past = Past::new(30).await;
    let dir = placed(&past.closed);
    let db = rusqlite::Connection::open(path(dir.path())).expect("open");
    let words = "UPDATE search_data SET block = zeroblob(length(block)) WHERE id = (SELECT max(id) FROM search_data)";
    assert_eq!(db.execute(words, []).expect("changed"), 1);
    drop(db);
    // As after a crash: the log is there, and everything in it is in the database.
    let beside = |end: &str| path(dir.path()).with_extension(format!("db{end}"));
    std::fs::write(beside("-wal"), b"").expect("written");
    std::fs::write(beside(".state"), b"{\"open\":true}").expect("written");
    let bed = Bed::at(&dir);
    let told = bed.store.mended_now().expect("told");
    assert!(told.contains("search index") && !told.contains("FTS"), "{told}");
    past.check_complete(&shown(&bed.store).await.expect("readable")).expect("complete");
    assert!(!files(dir.path()).keys().any(|name| name.contains("damaged")), "nothing is quarantined");
}
