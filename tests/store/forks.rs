//! Forked logs: what remains, independent of the order of arrival, and what is removed with it.

use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::history::PagePosition;
use roomful::proto::replication::fork::{Fork, SignedHeader};
use roomful::proto::replication::store_api::{Append, IdempotencyKey, OwnBatch, Write, WriteResult};
use roomful::store::Location;

use crate::fixtures::{Author, Bed, NOON, budget, me, say, texts};

/// A log with one common entry and then two branches, the one that stays first.
fn branches(author: Author) -> (Verified, Vec<Verified>, Vec<Verified>) {
    let mut trunk = author;
    let first = trunk.named("Ana");
    let branch = |word: &str| {
        let mut author = trunk.clone();
        (1..=3).map(|number| author.say(&format!("{word} {number}"))).collect::<Vec<_>>()
    };
    let (a, b) = (branch("a"), branch("b"));
    if a[0].hash() < b[0].hash() { (first, a, b) } else { (first, b, a) }
}

fn said(batch: &Verified) -> String {
    match batch.body(0) {
        Some(roomful::proto::entries::body::Body::Say { text, .. }) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn forked_log_ends_with_the_smaller_hash() {
    let (first, stays, falls) = branches(Author::new(2));
    let expected = [said(&stays[0])];
    for order in [[&stays, &falls], [&falls, &stays]] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bed = Bed::at(&dir);
        bed.append(&[&first]).await;
        for branch in order {
            bed.append(&branch.iter().collect::<Vec<_>>()).await;
        }
        // Once more: what had to go first comes again from others, and nothing else does.
        let (lines, _) = bed.append(&stays.iter().chain(&falls).collect::<Vec<_>>()).await;
        assert!(lines.len() <= 1);
        assert_eq!(bed.texts().await, expected);
        let counts = bed.store.counts().await.expect("readable");
        assert_eq!((counts.entries, counts.missing), (2, 0));
        // And the next run knows it.
        bed.store.close().await;
        let mut bed = Bed::at(&dir);
        let log = &bed.opened.snapshot.logs[0];
        let end = log.fork.as_ref().map(Fork::end).expect("a fork");
        assert_eq!((end.seq, end.head), (2, Some(stays[0].hash())));
        bed.append(&falls.iter().collect::<Vec<_>>()).await;
        assert_eq!(bed.texts().await, expected);
    }
}

#[tokio::test]
async fn removed_batch_leaves_no_rows_and_places_move() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let mut ahead = Author::new(2);
    ahead.at_ms = 3_600_000;
    let (first, stays, falls) = branches(ahead);
    let mut ben = Author::new(3);
    let standing = ben.batch(&[say("stands on it")], Some(falls[1].entry_id(0)));
    let mut cid = Author::new(4);
    cid.at_ms = 60_000;
    let plain = cid.say("a minute later");
    bed.append(&[&first, &falls[0], &falls[1], &standing, &plain]).await;
    assert_eq!(bed.texts().await.last().map(String::as_str), Some("stands on it"));
    let seen = bed.store.arrival().await.expect("readable");
    assert_eq!(bed.store.conversations().await.expect("readable")[0].unread, 4);

    bed.append(&[&stays[0]]).await;
    assert_eq!(bed.texts().await, ["stands on it".to_owned(), "a minute later".to_owned(), said(&stays[0])]);
    assert_eq!(bed.store.conversations().await.expect("readable")[0].unread, 3);
    crate::search::finds(&bed, "stands", &["stands on it"]).await;
    // Tabs can't go on: what they show is not there any more.
    let run = bed.changed.run.clone().expect("a run has begun");
    let resume =
        async |run: &str| bed.store.resume(run.to_owned(), seen, 100, budget(1 << 20)).await.expect("readable");
    assert_eq!(resume(&bed.opened.run).await, None);
    assert!(resume(&run).await.is_some());
    assert_eq!(bed.changed.logs.len(), 1);
    let newest = bed.page(PagePosition::Newest, 1).await.lines.remove(0);
    let top = bed.changed.tops.iter().map(|(_, place, id)| (*place, *id)).max();
    assert_eq!(top, Some((newest.order.place, newest.id)));
}

#[tokio::test]
async fn a_proof_alone_ends_a_log() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let (first, stays, falls) = branches(Author::new(2));
    bed.append(&[&first, &falls[0], &falls[1]]).await;
    let fork = Fork::new(SignedHeader::of(&stays[0]), SignedHeader::of(&falls[0])).expect("a fork");
    bed.store.write(Write::Fork(fork.clone()));
    let WriteResult::Changed(changed) = bed.answer().await else { panic!("not told") };
    assert_eq!(changed.logs[0].ranges.iter().map(|run| (run.first, run.last)).collect::<Vec<_>>(), [(1, 1)]);
    assert_eq!(bed.texts().await, [""; 0]);
    // It is no news a second time, and the batch with which the log ends has its place.
    bed.store.write(Write::Fork(fork));
    let WriteResult::Changed(changed) = bed.answer().await else { panic!("not told") };
    assert!(changed.logs.is_empty() && changed.run.is_none());
    bed.append(&[&stays[0]]).await;
    assert_eq!(bed.texts().await, [said(&stays[0])]);
}

#[tokio::test]
async fn removed_own_entries_wait_for_republishing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (first, stays, falls) = branches(me());
    bed.append_all(vec![Append { batch: first, own: Some(OwnBatch::default()) }]).await.expect("there is room");
    let name = IdempotencyKey { name: "r".to_owned(), content: roomful::proto::ids::Hash([5; 32]) };
    let own = OwnBatch { refs: vec![Some(name.clone())], ..OwnBatch::default() };
    bed.append_own(&falls[0], own).await;
    bed.append(&stays.iter().collect::<Vec<_>>()).await;
    let told = std::mem::take(&mut bed.changed.fallen);
    let what = |fallen: &roomful::proto::replication::store_api::UnpublishedEntry| {
        (fallen.body.clone(), fallen.reference.clone())
    };
    let lost: Vec<_> = told.iter().map(what).collect();
    // What others bring that is behind the end is this user's as well.
    let expected = [(say(&said(&falls[0])), Some(name)), (say(&said(&stays[1])), None), (say(&said(&stays[2])), None)];
    assert_eq!(lost, expected);
    assert!(bed.store.by_ref("r".to_owned()).await.expect("readable").is_none(), "it names nothing now");
    bed.store.close().await;

    let mut bed = Bed::at(&dir);
    assert_eq!(bed.opened.snapshot.fallen, told, "a crash forgets nothing");
    let mut again = me().with_log(99);
    again.at_ms = 60_000;
    let reference = told[0].reference.clone();
    let own = OwnBatch { refs: vec![reference], again: vec![told[0].number], ..OwnBatch::default() };
    bed.append_own(&again.say(&said(&falls[0])), own).await;
    bed.append(&falls.iter().chain(&stays).collect::<Vec<_>>()).await;
    assert_eq!(texts(&bed.page(PagePosition::Newest, 10).await.lines), [said(&stays[0]), said(&falls[0])]);
    assert!(bed.store.by_ref("r".to_owned()).await.expect("readable").is_some());
    bed.store.close().await;
    let left: Vec<_> = Bed::at(&dir).opened.snapshot.fallen.iter().map(what).collect();
    assert_eq!(
        left,
        [expected[1].clone(), expected[2].clone(), (say(&said(&falls[1])), None), (say(&said(&falls[2])), None)]
    );
}

#[tokio::test]
async fn removed_message_is_saved_with_its_current_text() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut trunk = me();
    let first = trunk.named("Me");
    // Of two branches, the one with the smaller hash stays.
    let (mut a, mut b) = (trunk.clone(), trunk.clone());
    let (one, other) = (a.say("one"), b.say("other"));
    let (stays, slip, mut author) = if one.hash() < other.hash() { (one, other, b) } else { (other, one, a) };
    let edit = |text: &str| {
        let mentions = roomful::proto::entries::mention::Mentions::default();
        Body::Edit { entry: slip.entry_id(0), text: text.to_owned(), mentions }
    };
    let gone = author.say("regretted");
    let edits = author.batch(&[edit("a slp"), edit("a slip")], None);
    let channel = Some("general".to_owned());
    let deletion = author.batch(&[Body::Delete { entry: gone.entry_id(0), channel }], None);
    for batch in [&first, &slip, &gone, &edits, &deletion] {
        bed.append_all(vec![Append { batch: batch.clone(), own: Some(OwnBatch::default()) }]).await.expect("room");
    }
    bed.append(&[&stays]).await;
    let left: Vec<_> = bed.changed.fallen.iter().map(|fallen| fallen.body.clone()).collect();
    assert_eq!(left, [say("a slip"), deletion.body(0).expect("a deletion")]);
}

/// The engine answers its request, or publishes it again by itself.
#[tokio::test]
async fn refused_new_entry_is_not_saved_beside() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let (first, stays, falls) = branches(me());
    bed.append(&[&first, &falls[0], &stays[0]]).await;
    let waiting = bed.changed.fallen.iter().map(|fallen| fallen.number).collect::<Vec<_>>();
    assert_eq!(waiting.len(), 1);
    let own = OwnBatch { again: waiting, ..OwnBatch::default() };
    let (lines, _) =
        bed.append_all(vec![Append { batch: falls[1].clone(), own: Some(own) }]).await.expect("there is room");
    assert_eq!((lines.len(), bed.changed.logs.len(), bed.changed.fallen.len()), (0, 1, 0));
}

#[tokio::test]
async fn deleted_own_message_is_never_published_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut trunk = me();
    let first = trunk.named("Me");
    let (mut a, mut b) = (trunk.clone(), trunk.clone());
    let (one, other) = (a.say("one"), b.say("other"));
    let (stays, slip, mut author) = if one.hash() < other.hash() { (one, other, b) } else { (other, one, a) };
    let gone = author.say_all(&["regretted", "hidden"]);
    let later = author.say("regretted later");
    let delete = |entry| Body::Delete { entry, channel: Some("general".to_owned()) };
    let hidden = author.batch(&[Body::delete(gone.entry_id(1))], None);
    let deletion = author.batch(&[delete(gone.entry_id(0))], None);
    // Of a message that is not held, in a log that stays.
    let mut elsewhere = me().with_log(78);
    elsewhere.at_ms = 60_000;
    let early = elsewhere.batch(&[delete(later.entry_id(0))], None);
    for batch in [&first, &slip, &gone, &hidden, &deletion, &early] {
        bed.append_all(vec![Append { batch: (*batch).clone(), own: Some(OwnBatch::default()) }]).await.expect("room");
    }
    bed.append(&[&stays]).await;
    let kept = |bed: &Bed| bed.changed.fallen.iter().map(|fallen| fallen.body.clone()).collect::<Vec<_>>();
    let deletions = [&hidden, &deletion].map(|batch| batch.body(0).expect("a deletion"));
    assert_eq!(kept(&bed), [vec![say(&said(&slip))], deletions.to_vec()].concat());
    // A peer that does not have the deletions yet still has the texts.
    bed.append(&[&gone, &later]).await;
    assert_eq!(kept(&bed), []);
}

/// A deletion in the place of a body counts even if its own batch is gone: what is lost with a fork
/// does not bring the text back.
#[tokio::test]
async fn fork_that_removes_a_deletion_brings_nothing_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let mut trunk = ana.clone().with_log(77);
    let said = ana.say_all(&["regretted", "kept"]);
    let first = trunk.named("Ana");
    let (mut one, other) = (trunk.clone(), trunk.clone());
    let channel = Some("general".to_owned());
    let deletion = one.batch(&[Body::Delete { entry: said.entry_id(0), channel }], None);
    // Any batch in its place with a smaller hash ends the log.
    let stays = (0..)
        .map(|n| other.clone().say(&n.to_string()))
        .find(|batch| batch.hash() < deletion.hash())
        .expect("one of two has it");
    bed.append(&[&said, &first, &deletion]).await;
    assert_eq!(bed.texts().await, ["", "kept"]);
    bed.append(&[&stays]).await;
    let shown = bed.page(PagePosition::Newest, 9).await.lines;
    assert!(shown[0].changes.deleted && shown[0].text.is_empty(), "{shown:?}");
    // Not even if another node sends the batch with its text again.
    bed.append(&[&said]).await;
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert_eq!(bed.store.mended_now(), None);
    let shown = bed.page(PagePosition::Newest, 9).await.lines;
    assert!(shown[0].changes.deleted && shown[0].text.is_empty(), "{shown:?}");
}
