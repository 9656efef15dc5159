//! Deletions: the text leaves every file of the database, whatever happens meanwhile, and nothing
//! brings it back.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use roomful::proto::entries::batch::{Verified, verify};
use roomful::proto::entries::body::Body;
use roomful::proto::entries::deletion::strip;
use roomful::proto::entries::mention::Mentions;
use roomful::proto::entries::timeline::Conversation;
use roomful::proto::history::PagePosition;
use roomful::proto::ids::EntryId;
use roomful::proto::limits::BATCH_BYTES_MAX;
use roomful::proto::replication::frame::Fetch;
use roomful::proto::replication::store_api::{Append, OwnBatch};
use roomful::store::Location;

use crate::fixtures::{Author, Bed, me, room, say_in, texts};
use crate::search::indexed;

const RARE: &str = "quetzalcoatlus";

fn edit(entry: EntryId, text: &str) -> Body {
    Body::Edit { entry, text: text.to_owned(), mentions: Mentions::default() }
}

/// The deletion of a message in the default channel.
fn delete(entry: EntryId) -> Body {
    Body::Delete { entry, channel: Some(Conversation::GENERAL.to_owned()) }
}

/// The files in a directory that contain a word.
fn files_with(dir: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        if bytes.windows(word.len()).any(|part| part == word.as_bytes()) {
            found.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// Waits until no file in a directory contains a word.
async fn erased(dir: &Path, word: &str) {
    let begun = Instant::now();
    loop {
        let files = files_with(dir, word);
        if files.is_empty() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{word} stays in {files:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The only batch of a log as it goes to a peer.
async fn served(bed: &Bed, batch: &Verified) -> Verified {
    let (key, seq) = (batch.header().key(), batch.header().first_seq);
    let fetch = Fetch { key, first: seq, last: seq, bytes: 100_000 };
    bed.store.history(fetch).await.expect("readable").batches.remove(0)
}

#[tokio::test]
async fn deleted_text_leaves_all_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said = ana.say_all(&["before", &format!("a {RARE} here"), "after"]);
    bed.append(&[&said]).await;
    indexed(dir.path()).await;
    let edited = ana.batch(&[edit(said.entry_id(1), &format!("the {RARE}s fly"))], None);
    bed.append(&[&edited]).await;
    indexed(dir.path()).await;
    assert!(!files_with(dir.path(), RARE).is_empty(), "the search finds it while it is there");

    let deletions =
        [ana.batch(&[delete(said.entry_id(1))], None), ana.batch(&[Body::delete(edited.entry_id(0))], None)];
    bed.append(&deletions.iter().collect::<Vec<_>>()).await;
    assert_eq!(bed.texts().await, ["before", "", "after"]);
    let page = bed.page(PagePosition::Newest, 9).await;
    assert!(page.lines[1].changes.deleted);
    erased(dir.path(), RARE).await;

    let sent = served(&bed, &said).await;
    assert_eq!((sent.hash(), sent.is_deleted(1), sent.body(0).is_some()), (said.hash(), true, true));
    assert!(served(&bed, &edited).await.is_deleted(0));
    bed.store.close().await;
    assert!(files_with(dir.path(), RARE).is_empty());
    let bed = Bed::at(&dir);
    assert_eq!((bed.store.mended_now(), bed.texts().await), (None, vec!["before".into(), "".into(), "after".into()]));
}

#[tokio::test]
async fn newcomer_shows_the_deletion_where_it_stood() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said = ana.batch(&[say_in("birds", "kept"), say_in("birds", RARE)], None);
    let channel = Some("birds".to_owned());
    let deletion = ana.batch(&[Body::Delete { entry: said.entry_id(1), channel }], None);
    bed.append(&[&said, &deletion]).await;
    let shown = bed.page(PagePosition::Newest, 9).await.lines;
    for batches in [[served(&bed, &said).await, deletion.clone()], [deletion, served(&bed, &said).await]] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut newcomer = Bed::at(&dir);
        newcomer.append(&batches.iter().collect::<Vec<_>>()).await;
        let line = newcomer.page(PagePosition::Newest, 9).await.lines.pop().expect("it is shown");
        let expected = shown.last().expect("it is shown");
        assert_eq!((&line.id, &line.conversation, line.order), (&expected.id, &expected.conversation, expected.order));
        assert_eq!((&line.text, &line.changes, line.kind), (&expected.text, &expected.changes, expected.kind));
        let conversations = newcomer.store.conversations().await.expect("readable");
        assert_eq!(conversations.iter().map(|read| read.unread).sum::<u64>(), 1, "what is deleted is not unread");
    }
}

#[tokio::test]
async fn deletion_before_its_message_removes_the_text() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said = ana.say(RARE);
    let edited = ana.batch(&[edit(said.entry_id(0), &format!("{RARE}!"))], None);
    let deletions =
        [ana.batch(&[Body::delete(edited.entry_id(0))], None), ana.batch(&[delete(said.entry_id(0))], None)];
    for batch in [&deletions[0], &deletions[1], &edited, &said] {
        bed.append(&[batch]).await;
    }
    assert_eq!(bed.texts().await, [""]);
    erased(dir.path(), RARE).await;
    bed.store.close().await;
    assert_eq!(Bed::at(&dir).store.mended_now(), None);
}

#[tokio::test]
async fn deletion_that_counts_for_nothing_removes_no_text() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut bo) = (Author::new(2), Author::new(3));
    let said = ana.say_all(&["first", "second", "third", "fourth"]);
    let ids = [0, 1, 2, 3].map(|index| said.entry_id(index));
    let elsewhere = Body::Delete { entry: ids[1], channel: Some("elsewhere".to_owned()) };
    let deletions = [
        // Of another member, in another channel, not alone, and without a channel.
        bo.batch(&[delete(ids[0])], None),
        ana.batch(&[elsewhere], None),
        ana.batch(&[delete(ids[2]), Body::say("beside".to_owned(), None, None)], None),
        ana.batch(&[Body::delete(ids[3])], None),
    ];
    for deletion in &deletions {
        assert!((0..4).all(|index| strip(&said, index, deletion).is_none()));
    }
    bed.append(&[&said]).await;
    bed.append(&deletions.iter().collect::<Vec<_>>()).await;
    assert_eq!(bed.texts().await, ["first", "", "", "", "beside"]);
    assert_eq!(served(&bed, &said).await, said);
}

#[tokio::test]
async fn largest_batch_without_its_bodies_is_still_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let long = "x".repeat(31_000);
    let mut bodies: Vec<_> = (0..60).map(|n| say_in(Conversation::GENERAL, &format!("short {n}"))).collect();
    bodies.extend((0..4).map(|_| say_in(Conversation::GENERAL, &long)));
    let said = ana.batch(&bodies, None);
    let deletions: Vec<_> = (0..60).map(|index| ana.batch(&[delete(said.entry_id(index))], None)).collect();
    bed.append(&[&said]).await;
    bed.append(&deletions.iter().collect::<Vec<_>>()).await;
    let sent = served(&bed, &said).await;
    assert!(sent.bytes().len() > BATCH_BYTES_MAX, "{}", sent.bytes().len());
    assert_eq!(verify(sent.bytes(), &room()), Ok(sent.clone()));
    assert_eq!((0..64).filter(|index| sent.is_deleted(*index)).count(), 60);
}

#[tokio::test]
async fn own_edits_of_a_deleted_message_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut own = me();
    let said = own.say("hello");
    let edits = own.batch(&[edit(said.entry_id(0), "hello!"), edit(said.entry_id(0), "hello?")], None);
    bed.append(&[&said, &edits]).await;
    bed.append(&[&own.batch(&[delete(said.entry_id(0))], None)]).await;
    let mut told: Vec<_> = std::mem::take(&mut bed.to_delete).into_iter().map(|edit| edit.id).collect();
    told.sort_unstable();
    assert_eq!(told, [edits.entry_id(0), edits.entry_id(1)]);
    bed.append(&[&own.batch(&[Body::delete(edits.entry_id(0))], None)]).await;
    assert_eq!(bed.to_delete.iter().map(|edit| edit.id).collect::<Vec<_>>(), [edits.entry_id(1)]);
    bed.store.close().await;
    // A crash between the two is made up for at the start.
    let mut bed = Bed::at(&dir);
    assert_eq!(bed.opened.snapshot.to_delete.len(), 1);
    bed.append(&[&own.batch(&[Body::delete(edits.entry_id(1))], None)]).await;
    assert!(bed.to_delete.is_empty());
}

#[tokio::test]
async fn all_own_edits_of_deleted_messages_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut own = me();
    let mut edits = BTreeSet::new();
    let messages = own.say_all(&["one", "two"]);
    bed.append(&[&messages]).await;
    for index in 0..2 {
        let said = messages.entry_id(index);
        let batch = own.batch(&(0..40).map(|n| edit(said, &n.to_string())).collect::<Vec<_>>(), None);
        edits.extend((0..40).map(|at| batch.entry_id(at)));
        bed.append(&[&batch]).await;
        let deletions = [own.batch(&[delete(said)], None), own.batch(&[delete(said)], None)];
        bed.append(&deletions.iter().collect::<Vec<_>>()).await;
    }
    bed.store.close().await;
    let mut bed = Bed::at(&dir);
    let mut told = bed.opened.snapshot.to_delete.clone();
    let mut seen = BTreeSet::new();
    while let Some(next) = told.pop() {
        if seen.insert(next.id) {
            bed.append(&[&own.batch(&[Body::delete(next.id)], None)]).await;
            told.append(&mut bed.to_delete);
        }
    }
    assert_eq!(seen, edits);
}

/// Version 5 signed deletions without the channel. The text goes with one that has it.
#[tokio::test]
async fn deletions_of_version_5_are_signed_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut own = me();
    let said = own.batch(&[say_in("birds", RARE)], None);
    let first = own.batch(&[Body::delete(said.entry_id(0))], None);
    bed.append(&[&said, &first]).await;
    bed.store.close().await;
    let Location::File(file) = Location::in_dir(dir.path(), &room()) else { panic!("a file") };
    let db = rusqlite::Connection::open(&file).expect("opens");
    db.execute_batch("DROP TABLE attachment; PRAGMA user_version = 5").expect("as version 5 left it");
    drop(db);

    let mut bed = Bed::at(&dir);
    let waiting = bed.opened.snapshot.fallen.clone();
    let body = Body::Delete { entry: said.entry_id(0), channel: Some("birds".to_owned()) };
    assert_eq!(waiting.iter().map(|entry| (entry.body.clone(), entry.audience)).collect::<Vec<_>>(), [(body, None)]);
    let again = OwnBatch { again: vec![waiting[0].number], ..OwnBatch::default() };
    let second = own.batch(&[waiting[0].body.clone()], None);
    bed.append_all(vec![Append { batch: second, own: Some(again) }]).await.expect("there is room");
    assert!(served(&bed, &said).await.is_deleted(0));
    std::fs::remove_file(dir.path().join(format!("{}.version-5", file.file_name().expect("a name").display())))
        .expect("the copy of the old database");
    erased(dir.path(), RARE).await;
    bed.store.close().await;
    assert!(Bed::at(&dir).opened.snapshot.fallen.is_empty(), "once");
}

#[tokio::test]
async fn unread_message_that_is_deleted_counts_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said = ana.say_all(&["one", "two"]);
    bed.append(&[&said]).await;
    bed.append(&[&ana.batch(&[delete(said.entry_id(0))], None)]).await;
    assert_eq!(bed.read.iter().map(|read| read.unread).collect::<Vec<_>>(), [1]);
    bed.append(&[&ana.batch(&[delete(said.entry_id(0))], None)]).await;
    assert!(bed.read.is_empty(), "a second deletion changes nothing");
    assert_eq!(bed.store.conversations().await.expect("readable")[0].unread, 1);
    assert_eq!(texts(&bed.page(PagePosition::Newest, 9).await.lines), ["", "two"]);
}

#[tokio::test]
async fn text_left_by_a_crash_is_erased_by_the_next_run() {
    let (dir, crashed) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said = ana.say_all(&["before", &format!("a {RARE} here")]);
    bed.append(&[&said]).await;
    indexed(dir.path()).await;
    bed.append(&[&ana.batch(&[delete(said.entry_id(1))], None)]).await;
    // The files as a crash leaves them: the erasing has not begun.
    copy(dir.path(), crashed.path());
    assert!(!files_with(crashed.path(), RARE).is_empty(), "the commit alone leaves bytes");
    let bed = Bed::at(&crashed);
    assert_eq!(bed.texts().await, ["before", ""]);
    erased(crashed.path(), RARE).await;
}

/// A restored backup holds the text until the deletion comes again, and then no more.
#[tokio::test]
async fn restored_backup_and_salvage_bring_nothing_back() {
    let (dir, backup) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said = ana.say_all(&["before", &format!("a {RARE} here")]);
    bed.append(&[&said]).await;
    indexed(dir.path()).await;
    bed.store.close().await;
    copy(dir.path(), backup.path());
    let deletion = ana.batch(&[delete(said.entry_id(1))], None);
    for dir in [&dir, &backup] {
        let mut bed = Bed::at(dir);
        assert_eq!(bed.texts().await[1], format!("a {RARE} here"));
        bed.append(&[&deletion]).await;
        // What is not erased yet at the stop is erased by the next run.
        bed.store.close().await;
        let bed = Bed::at(dir);
        erased(dir.path(), RARE).await;
        bed.store.close().await;
    }

    // A page of the database is lost: it is salvaged from the others.
    let Location::File(file) = Location::in_dir(dir.path(), &room()) else { panic!("a file") };
    let mut bytes = std::fs::read(&file).expect("readable");
    bytes[4_096..8_192].fill(0x55);
    std::fs::write(&file, bytes).expect("written");
    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().expect("a repair").contains("history was damaged"));
    let shown = bed.page(PagePosition::Newest, 9).await.lines;
    assert!(shown.iter().all(|line| line.text == "before" || line.changes.deleted), "{shown:?}");
    assert!(files_with(dir.path(), RARE).is_empty());
}

/// Free parts of pages keep nothing either: many bodies of all lengths go from between others.
#[tokio::test]
async fn many_deletions_leave_no_bytes() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let text = |n: usize| format!("{} {RARE}{n}x", "y".repeat(n * 37 % 900));
    let said: Vec<_> = (0..300).map(|n| ana.say(&text(n))).collect();
    for part in said.chunks(30) {
        bed.append(&part.iter().collect::<Vec<_>>()).await;
        indexed(dir.path()).await;
    }
    let gone = |n: &usize| n * 7_919 % 10 < 6;
    let deletions: Vec<_> = (0..300).filter(gone).map(|n| ana.batch(&[delete(said[n].entry_id(0))], None)).collect();
    for part in deletions.chunks(40) {
        bed.append(&part.iter().collect::<Vec<_>>()).await;
    }
    for n in (0..300).filter(gone) {
        erased(dir.path(), &format!("{RARE}{n}x")).await;
    }
    assert!(!files_with(dir.path(), RARE).is_empty(), "the others stay");
}
