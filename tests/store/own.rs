//! Local data: refs, receipts for own messages, read markers, members.

use roomful::proto::clock::Stamp;
use roomful::proto::entries::timeline::{Conversation, Delivery};
use roomful::proto::history::{PagePosition, ReadMarker};
use roomful::proto::ids::Hash;
use roomful::proto::limits::REF_MS;
use roomful::proto::names::name::Name;
use roomful::proto::replication::store_api::{
    Append, IdempotencyKey, MemberReceipt, MemberRecord, OwnBatch, StoredRef, Write, WriteResult,
};
use roomful::store::Location;

use crate::fixtures::{Author, Bed, NOON, me, texts};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

#[tokio::test]
async fn holders_are_counted_among_members_in_reach() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut own, ana, ben, cid) = (me(), Author::new(2).id(), Author::new(3).id(), Author::new(4).id());
    let of = OwnBatch { of: vec![ben, ana], ..OwnBatch::default() };
    let first = bed.append_own(&own.say("one"), of.clone()).await;
    bed.append_own(&own.say("two"), of).await;
    let alone = bed.append_own(&own.say("nobody here"), OwnBatch::default()).await;
    assert_eq!(first.held, Some(Delivery { held_by: 0, of: 2 }));
    assert_eq!(alone.held, Some(Delivery { held_by: 0, of: 0 }));

    let receipt = |member, first, last| MemberReceipt { member, log: own.log, first, last };
    bed.store.write(Write::Receipts(vec![
        receipt(ana, 1, 1),
        receipt(ana, 3, 3),
        // Cid was not in reach of the first two.
        receipt(cid, 1, 3),
        // Receipts for unwritten entries or other logs are ignored.
        receipt(ben, 4, 99),
        receipt(ben, 0, 0),
        MemberReceipt { member: ben, log: Author::new(9).log, first: 1, last: 1 },
    ]));
    assert!(matches!(bed.answer().await, WriteResult::Receipts(_)));
    let held = |lines: Vec<roomful::proto::entries::timeline::Message>| {
        lines.iter().map(|line| line.held.map(|held| (held.held_by, held.of)).expect("own")).collect::<Vec<_>>()
    };
    assert_eq!(held(bed.page(PagePosition::Newest, 9).await.lines), [(1, 2), (0, 2), (2, 2)]);
    let holders = bed.store.holders(first.id).await.expect("readable").expect("an own message");
    assert_eq!((holders.held, holders.missing), (vec![ana], vec![ben]));
    let holders = bed.store.holders(alone.id).await.expect("readable").expect("an own message");
    assert_eq!((holders.held.len(), holders.missing.len()), (2, 0), "whoever holds it, and nobody is missing");

    bed.store.write(Write::Receipts(vec![receipt(ana, 2, 2), receipt(ben, 1, 3)]));
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert_eq!(held(bed.store.own_newest(200).await.expect("readable")), [(2, 2), (2, 2), (3, 3)]);
    let snapshot = &bed.opened.snapshot;
    assert_eq!(snapshot.receipts.len(), 3, "ranges that touch are one: {:?}", snapshot.receipts);
    assert!(snapshot.receipts.iter().all(|receipt| receipt.last <= 3), "nobody holds what was never written");
    let of: Vec<_> = snapshot.own.iter().map(|line| line.of.len()).collect();
    assert_eq!((snapshot.own[0].id, of), (first.id, vec![2, 2, 0]));
    assert_eq!(snapshot.members.len(), 0, "a row without a name and a log is no member: {:?}", snapshot.members);
}

#[tokio::test]
async fn a_ref_is_known_for_thirty_days_over_restarts() {
    let dir = tempfile::tempdir().expect("a directory");
    let location = Location::in_dir(dir.path(), &crate::fixtures::room());
    let mut own = me();
    let said = IdempotencyKey { name: "r1".to_owned(), content: Hash([5; 32]) };
    let mut bed = Bed::open(location.clone(), NOON);
    let batch = own.say_all(&["without", "with"]);
    let with = OwnBatch { refs: vec![None, Some(said.clone())], ..OwnBatch::default() };
    let batches = vec![Append { batch, own: Some(with) }];
    let (lines, _) = bed.append_all(batches).await.expect("room");
    assert_eq!(bed.store.by_ref("r1".to_owned()).await.expect("readable"), Some((said, lines[1].id)));
    assert_eq!(bed.store.by_ref("r2".to_owned()).await.expect("readable"), None);
    bed.store.close().await;

    let bed = Bed::open(location.clone(), NOON + REF_MS);
    assert!(bed.store.by_ref("r1".to_owned()).await.expect("readable").is_some(), "still within 30 days");
    let known = StoredRef::new("r1", lines[1].time.ms());
    assert_eq!(bed.opened.snapshot.refs, [known], "the engine starts with it");
    bed.store.close().await;
    let mut bed = Bed::open(location, NOON + REF_MS + 60_000);
    assert_eq!(bed.store.by_ref("r1".to_owned()).await.expect("readable"), None);
    assert_eq!(bed.texts().await, ["without", "with"], "only the name is forgotten");

    // Also while it runs.
    for (text, at_ms) in [("second", REF_MS + 100_000), ("third", 2 * REF_MS + 200_000)] {
        own.at_ms = at_ms;
        let refs = vec![Some(IdempotencyKey { name: text.to_owned(), content: Hash([6; 32]) })];
        bed.append_own(&own.say(text), OwnBatch { refs, ..OwnBatch::default() }).await;
    }
    assert_eq!(bed.store.by_ref("second".to_owned()).await.expect("readable"), None);
    assert!(bed.store.by_ref("third".to_owned()).await.expect("readable").is_some());
}

#[tokio::test]
async fn read_marker_only_grows_up_to_the_newest() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut own, mut ana) = (me(), Author::new(2));
    bed.append(&[&ana.named("Ana"), &ana.say_all(&["a", "b", "c"]), &own.say("mine"), &ana.say("d")]).await;
    let state = async |bed: &Bed| {
        let all = bed.store.conversations().await.expect("readable");
        assert_eq!(all.len(), 1);
        (all[0].unread, all[0].read)
    };
    assert_eq!(state(&bed).await, (4, 0), "a name is no message, and what one says oneself is read");
    let mark = |arrival| Write::Read { conversation: Conversation::general(), arrival };
    bed.store.write(mark(3));
    assert!(matches!(bed.answer().await, WriteResult::Read(ReadMarker { read: 3, .. })));
    assert_eq!(state(&bed).await, (2, 3));
    bed.store.write(mark(2));
    bed.store.write(Write::Read { conversation: Conversation::Channel(name("nowhere")), arrival: 3 });
    bed.store.write(mark(1_000));
    assert!(matches!(bed.answer().await, WriteResult::Read(ReadMarker { read: 6, .. })), "neither back nor beyond");
    assert_eq!(state(&bed).await, (0, 6));
    let (lines, _) = bed.append(&[&ana.say("e")]).await;
    assert_eq!((lines[0].arrival, state(&bed).await), (7, (1, 6)));
}

#[tokio::test]
async fn messages_keep_names_and_members_show_current() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, ben) = (Author::new(2), Author::new(3).id());
    let batches = [ana.named("Ana"), ana.say("one"), ana.named("Anna"), ana.say("two")];
    let (lines, _) = bed.append(&batches.iter().collect::<Vec<_>>()).await;
    assert_eq!([lines[0].name.as_str(), lines[1].name.as_str()], ["Ana", "Anna"]);
    let mut other_log = ana.clone().with_log(99);
    (other_log.seq, other_log.at_ms) = (0, 60_000);
    let nameless = Author::new(2).with_log(98).say("no profile yet");
    let (lines, _) = bed.append(&[&nameless]).await;
    assert_eq!(lines[0].name.as_str(), "Anna", "the latest known name stands in");

    let record = MemberRecord {
        id: ben,
        name: name("Ben"),
        name_time: Stamp::from_ms(NOON),
        addresses: vec!["192.0.2.9".parse().expect("an address"), "fe80::1".parse().expect("an address")],
        port: 7666,
        since_ms: NOON,
        lost: true,
    };
    bed.store.write(Write::Member(record.clone()));
    bed.store.write(Write::OwnName(name("Me")));
    bed.store.close().await;
    let bed = Bed::at(&dir);
    let members = &bed.opened.snapshot.members;
    assert_eq!(members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["Anna", "Ben"]);
    assert_eq!(members[1], record);
    assert_eq!((members[0].id, members[0].lost, members[0].port), (ana.id(), false, 0));
    assert_eq!(members[0].since_ms, NOON + 4_000, "known from history: gone since they last spoke");
    assert_eq!(bed.opened.own_name, Some(name("Me")));
    assert_eq!(texts(&bed.store.own_newest(9).await.expect("readable")), Vec::<String>::new());
    let tops = &bed.opened.snapshot.tops;
    assert_eq!((tops.len(), tops[0].1), (1, Stamp::from_ms(NOON + 4_000).0));
    assert_eq!(tops[0].2, batches[3].entry_id(0));
}
