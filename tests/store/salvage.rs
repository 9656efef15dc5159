//! What is read of files that are damaged, cut or missing, and what their user is told of it.

use roomful::store::StoreError;

use crate::past::{Files, Past, database, files, path, placed, shown};
use crate::support::{Bed, NOON};

/// Messages that a start finds in files, as texts, and what it says.
async fn opened(past: &Past, files: &Files) -> (usize, Option<String>, tempfile::TempDir) {
    let dir = placed(files);
    let bed = Bed::at(&dir);
    let lines = shown(&bed.store).await.expect("readable");
    past.judge(&lines).expect("as it was signed");
    let told = bed.store.mended_now();
    bed.store.close().await;
    (lines.len(), told, dir)
}

fn changed(from: &Files, suffix: &str, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = from.clone();
    change(files.get_mut(&format!("{}{suffix}", database())).expect("a file"));
    files
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
        assert!(told.contains("was damaged") && told.contains("was kept as"), "cut to {length}: {told}");
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
async fn a_missing_file_is_told() {
    let past = Past::new(60).await;
    let whole = opened(&past, &past.killed).await.0;
    let (count, told, _) = opened(&past, &without(&past.closed, "")).await;
    assert!(count == 0 && told.clone().unwrap_or_default().contains("history of this room is gone"), "{told:?}");
    let (count, told, _) = opened(&past, &changed(&past.closed, "", Vec::clear)).await;
    assert!(count == 0 && told.clone().unwrap_or_default().contains("history of this room is gone"), "{told:?}");
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
            Ok(lines) if bed.store.mended().is_some() => break past.judge_complete(&lines).map(|()| bed),
            Ok(_) => panic!("the damaged row was not read"),
            Err(error) => assert!(matches!(error, StoreError::Damaged(_)), "{error}"),
        }
        bed.store.close().await;
    }
    .expect("complete");
    assert!(starts <= 2, "{starts} starts");
    let told = bed.store.mended_now().expect("told");
    assert!(told.contains("was damaged") || told.contains("was made again"), "{told}");
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
        assert_eq!((count, told.is_some_and(|told| told.contains("was damaged"))), (whole, true), "{place}");
    }
    let dir = placed(&past.closed);
    let mut owner = crate::support::me().id().0;
    owner[7] ^= 4;
    let db = rusqlite::Connection::open(path(dir.path())).expect("open");
    db.execute("UPDATE node SET own = ?1", [&owner]).expect("changed");
    drop(db);
    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().is_some_and(|told| told.contains("whose it is")));
    assert_eq!(shown(&bed.store).await.expect("readable").len(), whole);
}
