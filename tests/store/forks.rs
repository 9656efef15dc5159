//! Two things signed for one place: what is left of the log, whatever comes first, and all that hangs on what falls.

use roomful::proto::batch::Verified;
use roomful::proto::fork::{Fork, Signed};
use roomful::proto::history::At;
use roomful::proto::record::{Append, OwnBatch, Ref, Write, Written};
use roomful::store::Location;

use crate::support::{Author, Bed, NOON, budget, me, say, texts};

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
        Some(roomful::proto::body::Body::Say { text, .. }) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_log_ends_with_the_smaller_hash_whichever_came_first() {
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
async fn what_falls_leaves_no_trace_and_what_stood_on_it_finds_its_place() {
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
    let newest = bed.page(At::Newest, 1).await.lines.remove(0);
    let top = bed.changed.tops.iter().map(|(_, place, id)| (*place, *id)).max();
    assert_eq!(top, Some((newest.order.place, newest.id)));
}

#[tokio::test]
async fn a_proof_alone_ends_a_log() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let (first, stays, falls) = branches(Author::new(2));
    bed.append(&[&first, &falls[0], &falls[1]]).await;
    let fork = Fork::new(Signed::of(&stays[0]), Signed::of(&falls[0])).expect("a fork");
    bed.store.write(Write::Fork(fork.clone()));
    let Written::Changed(changed) = bed.answer().await else { panic!("not told") };
    assert_eq!(changed.logs[0].ranges.iter().map(|run| (run.first, run.last)).collect::<Vec<_>>(), [(1, 1)]);
    assert_eq!(bed.texts().await, [""; 0]);
    // It is no news a second time, and the batch with which the log ends has its place.
    bed.store.write(Write::Fork(fork));
    let Written::Changed(changed) = bed.answer().await else { panic!("not told") };
    assert!(changed.logs.is_empty() && changed.run.is_none());
    bed.append(&[&stays[0]]).await;
    assert_eq!(bed.texts().await, [said(&stays[0])]);
}

#[tokio::test]
async fn what_the_own_user_lost_is_kept_until_it_is_said_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (first, stays, falls) = branches(me());
    bed.append_all(vec![Append { batch: first, own: Some(OwnBatch::default()) }]).await.expect("there is room");
    let name = Ref { name: "r".to_owned(), content: roomful::proto::ids::Hash([5; 32]) };
    let own = OwnBatch { refs: vec![Some(name.clone())], ..OwnBatch::default() };
    bed.append_own(&falls[0], own).await;
    bed.append(&stays.iter().collect::<Vec<_>>()).await;
    let told = std::mem::take(&mut bed.changed.fallen);
    let what = |fallen: &roomful::proto::record::Fallen| (fallen.body.clone(), fallen.reference.clone());
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
    assert_eq!(texts(&bed.page(At::Newest, 10).await.lines), [said(&stays[0]), said(&falls[0])]);
    assert!(bed.store.by_ref("r".to_owned()).await.expect("readable").is_some());
    bed.store.close().await;
    let left: Vec<_> = Bed::at(&dir).opened.snapshot.fallen.iter().map(what).collect();
    assert_eq!(
        left,
        [expected[1].clone(), expected[2].clone(), (say(&said(&falls[1])), None), (say(&said(&falls[2])), None)]
    );
}
