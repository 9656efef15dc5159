//! Bits that flip on disk inside a stored message. Unsigned content is never shown, exported or
//! relayed. The batch is quarantined as found and counted as missing, and is complete again once a
//! peer provides it.

use std::path::PathBuf;

use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::entries::timeline::{Delivery, Order};
use roomful::proto::history::{ExportQuery, PagePosition};
use roomful::proto::ids::Hash;
use roomful::proto::replication::fork::SignedHeader;
use roomful::proto::replication::frame::Fetch;
use roomful::proto::replication::store_api::{
    Append, Appended, IdempotencyKey, LogChanges, OwnBatch, Write, WriteResult,
};
use roomful::store::{BEGINNING, Location, StoreError};
use tempfile::TempDir;

use crate::fixtures::{Author, Bed, budget, me, room, say, texts};

/// Which part of a batch a disk changes.
#[derive(Clone, Copy, Debug)]
enum Part {
    Header,
    Signature,
    Body,
}

fn file(dir: &TempDir) -> PathBuf {
    let Location::File(path) = Location::in_dir(dir.path(), &room()) else { panic!("a file") };
    path
}

/// Flips one bit of a stored batch. A start checks the newest ones itself, so most tests do it
/// while the store is open.
fn flip(dir: &TempDir, batch: &Verified, part: Part) {
    let mut bytes = batch.bytes().to_vec();
    let signed = SignedHeader::of(batch).bytes().len() - 1;
    let at = match part {
        Part::Header => 40,
        Part::Signature => signed - 10,
        Part::Body => batch.bytes().len() - 2,
    };
    bytes[at] ^= 4;
    let db = rusqlite::Connection::open(file(dir)).expect("opens");
    let sql = "UPDATE batch SET bytes = ?2 WHERE hash = ?1";
    let changed = db.execute(sql, rusqlite::params![batch.hash().0, bytes]).expect("written");
    assert_eq!(changed, 1, "a batch is stored once");
}

/// What the engine hears next.
async fn changed(bed: &mut Bed) -> LogChanges {
    match bed.answer().await {
        WriteResult::Changed(changed) => changed,
        other => panic!("not expected here: {other:?}"),
    }
}

/// Everything in the timeline's order, as an export has it.
async fn exported(bed: &Bed) -> Vec<(Order, String)> {
    let all = bed
        .store
        .export(ExportQuery { after: None, direct: true, limit: 1_000 }, budget(usize::MAX))
        .await
        .expect("readable");
    all.lines.into_iter().map(|line| (line.order, line.text)).collect()
}

/// A closed database with these, and what it exported.
async fn holding(batches: &[&Verified]) -> (TempDir, Vec<(Order, String)>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    bed.append(batches).await;
    let all = exported(&bed).await;
    bed.store.close().await;
    (dir, all)
}

#[tokio::test]
async fn corrupt_batch_is_hidden_and_refetched() {
    let mut ana = Author::new(2);
    let said: Vec<_> = (1..=5).map(|number| ana.say(&format!("message {number}"))).collect();
    for part in [Part::Header, Part::Signature, Part::Body] {
        let (dir, all) = holding(&said.iter().collect::<Vec<_>>()).await;
        let mut bed = Bed::at(&dir);
        flip(&dir, &said[2], part);
        // A history request returns the contiguous batches behind it. Only this request checks the
        // signature.
        let fetch = Fetch { key: ana.log_key(), first: 1, last: 5, bytes: 1 << 20 };
        if matches!(part, Part::Header | Part::Body) {
            let texts = bed.texts().await;
            assert_eq!(texts, ["message 1", "message 2", "message 4", "message 5"], "{part:?}");
        }
        let page = bed.store.history(fetch).await.expect("readable");
        assert_eq!(page.batches, said[3..], "{part:?}");
        let told = changed(&mut bed).await;
        let held: Vec<_> = told.logs[0].ranges.iter().map(|run| (run.first, run.last)).collect();
        assert_eq!((held, told.fallen.len(), told.run.is_some()), (vec![(1, 2), (4, 5)], 0, true), "{part:?}");
        let counts = bed.store.counts().await.expect("readable");
        assert_eq!((counts.entries, counts.missing), (4, 1), "{part:?}");
        assert_eq!(exported(&bed).await.len(), 4, "{part:?}");

        assert_eq!(bed.append(&[&said[2]]).await.0.len(), 1, "{part:?}");
        assert_eq!(exported(&bed).await, all, "{part:?}");
        assert_eq!(bed.store.history(fetch).await.expect("readable").batches, said, "{part:?}");
        bed.store.close().await;
        let db = rusqlite::Connection::open(file(&dir)).expect("opens");
        let kept: Vec<u8> =
            db.query_row("SELECT bytes FROM damaged", [], |row| row.get(0)).expect("kept as it was found");
        let differ = kept.iter().zip(said[2].bytes()).filter(|(kept, signed)| kept != signed).count();
        assert_eq!((kept.len(), differ), (said[2].bytes().len(), 1), "{part:?}");
    }
}

#[tokio::test]
async fn adjacent_corrupt_batches_return_one_by_one() {
    let mut ana = Author::new(2);
    let said: Vec<_> = (1..=6).map(|number| ana.say(&format!("message {number}"))).collect();
    let (dir, all) = holding(&said.iter().collect::<Vec<_>>()).await;
    let mut bed = Bed::at(&dir);
    for batch in &said[1..4] {
        flip(&dir, batch, Part::Body);
    }
    let page = bed.page(PagePosition::After(BEGINNING), 9).await;
    assert_eq!(texts(&page.lines), ["message 1", "message 5", "message 6"]);
    // The indexer may meet the first of them before the others are changed.
    let mut held = Vec::new();
    while held != [(1, 1), (5, 6)] {
        let told = changed(&mut bed).await;
        held = told.logs[0].ranges.iter().map(|run| (run.first, run.last)).collect();
    }
    for batch in [&said[3], &said[1], &said[2]] {
        bed.append(&[batch]).await;
    }
    assert_eq!(exported(&bed).await, all);
    let spans = bed.store.counts().await.expect("readable");
    assert_eq!((spans.entries, spans.missing), (6, 0));
}

#[tokio::test]
async fn own_metadata_waits_for_its_refetched_batch() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut own, ana) = (me(), Author::new(2).id());
    let said = IdempotencyKey { name: "r1".to_owned(), content: Hash([5; 32]) };
    let batch = own.say("mine");
    let beside = OwnBatch { refs: vec![Some(said.clone())], of: vec![ana], ..OwnBatch::default() };
    let line = bed.append_own(&batch, beside).await;
    bed.store.close().await;
    flip(&dir, &batch, Part::Body);

    // The start itself reads the newest own messages.
    let mut bed = Bed::at(&dir);
    assert!(bed.opened.snapshot.own.is_empty() && bed.opened.snapshot.fallen.is_empty());
    assert!(bed.opened.snapshot.logs[0].ranges.is_empty());
    // Who says the same again meanwhile must not make a second message.
    let again = bed.store.by_ref("r1".to_owned()).await;
    assert!(matches!(again, Err(StoreError::AwaitingRefetch)), "{again:?}");
    bed.append(&[&batch]).await;
    let (found, id) = bed.store.by_ref("r1".to_owned()).await.expect("readable").expect("known");
    let back = bed.store.line(id).await.expect("readable").expect("a message");
    assert_eq!((found, back.id, back.held), (said, line.id, Some(Delivery { held_by: 0, of: 1 })));
}

#[tokio::test]
async fn corruption_met_by_the_writer_stops_nothing() {
    let mut ana = Author::new(2);
    let (named, late) = (ana.named("Ana"), ana.batch(&[say("under a name that comes late")], None));
    let (dir, _) = holding(&[&late]).await;
    let mut bed = Bed::at(&dir);
    flip(&dir, &late, Part::Body);
    // The name is told to all messages behind it, so they are read.
    bed.store.write(Write::Append { token: 7, batches: vec![Append { batch: named, own: None }] });
    assert!(changed(&mut bed).await.logs[0].ranges.is_empty());
    let stored = bed.answer().await;
    assert!(matches!(stored, WriteResult::Appended(Appended { token: 7, .. })), "{stored:?}");
    assert!(bed.texts().await.is_empty());
    bed.append(&[&late]).await;
    let line = bed.page(PagePosition::Newest, 9).await.lines.remove(0);
    assert_eq!((line.text.as_str(), line.name.as_str()), ("under a name that comes late", "Ana"));
}

#[tokio::test]
async fn corrupt_batch_is_quarantined_once() {
    let mut ana = Author::new(2);
    let said: Vec<_> =
        (1..=3).map(|number| ana.batch(&[Body::Hooray { text: format!("{number}"), channel: None }], None)).collect();
    let (dir, _) = holding(&said.iter().collect::<Vec<_>>()).await;
    let bed = Bed::at(&dir);
    flip(&dir, &said[1], Part::Body);
    let (one, two, three) = tokio::join!(bed.texts(), bed.texts(), exported(&bed));
    assert_eq!((one, two), (vec!["1".to_owned(), "3".to_owned()], vec!["1".to_owned(), "3".to_owned()]));
    assert_eq!(three.len(), 2);
}

/// Five single messages by Ana, five in one batch by Ben, and a change to the closed database. The
/// third is stored first, so that a start checks it before its neighbours.
async fn damaged(sql: &str) -> TempDir {
    let (mut ana, mut ben) = (Author::new(2), Author::new(3));
    let mut said: Vec<_> = (1..=5).map(|number| ana.say(&format!("ana {number}"))).collect();
    said.swap(0, 2);
    said.push(ben.say_all(&["ben 1", "ben 2", "ben 3", "ben 4", "ben 5"]));
    let (dir, _) = holding(&said.iter().collect::<Vec<_>>()).await;
    let db = rusqlite::Connection::open(file(&dir)).expect("opens");
    db.execute_batch(&format!("UPDATE batch SET bytes = zeroblob(length(bytes)), {sql}")).expect("changed");
    dir
}

#[tokio::test]
async fn quarantine_deletes_rows_of_its_batch_only() {
    // Its log is missing, is another one, or its range is too long, too short or none.
    for sql in [
        "log = 99 WHERE batch = 1",
        "log = (SELECT max(log) FROM log) WHERE batch = 1",
        "last_seq = last_seq + 2 WHERE batch = 1",
        "last_seq = last_seq + (1 << 40) WHERE batch = 1",
        "last_seq = 0 WHERE batch = 1",
    ] {
        let dir = damaged(sql).await;
        let bed = Bed::at(&dir);
        let mut texts = bed.texts().await;
        texts.sort();
        let expected: Vec<_> = (1..=5)
            .filter(|number| *number != 3)
            .map(|number| format!("ana {number}"))
            .chain((1..=5).map(|number| format!("ben {number}")))
            .collect();
        assert_eq!(texts, expected, "{sql}");
        bed.store.close().await;
        assert_eq!(Bed::at(&dir).store.mended_now(), None, "{sql}: repaired for good");
    }
}
