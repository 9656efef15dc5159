//! Exports: everything, in order, identical on nodes that hold the same.

use roomful::proto::clock::Stamp;
use roomful::proto::entries::timeline::Message;
use roomful::proto::history::ExportQuery;
use roomful::proto::names::name::Name;
use roomful::proto::replication::store_api::{MemberRecord, Write};
use roomful::store::{BEGINNING, Location};

use crate::fixtures::{Author, Bed, NOON, budget, me, say, texts};

/// All of it, in pieces of `limit`.
async fn exported(bed: &Bed, direct: bool, limit: usize) -> Vec<Message> {
    let (mut lines, mut after) = (Vec::new(), Some(BEGINNING));
    while let Some(order) = after {
        let query = ExportQuery { after: Some(order), direct, limit };
        let piece = bed.store.export(query, budget(usize::MAX)).await.expect("readable");
        assert!(piece.lines.len() <= limit && !piece.lines.is_empty());
        lines.extend(piece.lines);
        after = piece.after;
    }
    lines
}

#[tokio::test]
async fn export_is_independent_of_arrival_order() {
    let (mut ana, mut ben, mut cid) = (Author::new(2), Author::new(3), Author::new(4));
    let mut batches = vec![ana.named("Ana"), ana.say_all(&["one", "two"]), ben.named("Ben"), ben.say("three")];
    batches.extend([ana.named("Anna"), ana.say("four")]);
    // Neither holds the beginning of Cid's log, so neither knows Cid's name at that time.
    cid.named("Cid");
    batches.extend([cid.batch(&[say("five")], None), cid.named("Cidney"), cid.say("six")]);
    let dir = tempfile::tempdir().expect("a directory");
    let (mut here, mut there) = (Bed::open(Location::Memory, NOON), Bed::at(&dir));
    here.append(&batches.iter().collect::<Vec<_>>()).await;
    there.append(&batches.iter().rev().collect::<Vec<_>>()).await;
    // One of them has met Cid, who is called something else today.
    there.store.write(Write::Member(MemberRecord {
        id: cid.id(),
        name: Name::new("C").expect("a name"),
        name_time: Stamp::from_ms(NOON * 2),
        addresses: Vec::new(),
        port: 0,
        since_ms: NOON,
        lost: false,
    }));
    there.notice(NOON, ana.id()).await;
    let signed = |lines: Vec<Message>| {
        lines.into_iter().map(|line| (line.id, line.order, line.name, line.time, line.text)).collect::<Vec<_>>()
    };
    let all = signed(exported(&here, false, 100).await);
    for limit in [1, 2, 3, 100] {
        assert_eq!(signed(exported(&there, false, limit).await), all, "in pieces of {limit}");
    }
    let names: Vec<_> = all.iter().map(|(_, _, name, _, text)| format!("{name}: {text}")).collect();
    for said in ["Ana: one", "Anna: four", "Cidney: five", "Cidney: six"] {
        assert!(names.iter().any(|name| name == said), "{said}: {names:?}");
    }
}

#[tokio::test]
async fn direct_messages_only_if_asked_for() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let (mut ana, mut direct) = (Author::new(2), Author::new(2).with_log(5).to(me().id()));
    bed.append(&[&ana.say("room"), &direct.say("psst"), &direct.say("psst again"), &ana.say("room again")]).await;
    assert_eq!(texts(&exported(&bed, false, 1).await), ["room", "room again"]);
    assert_eq!(exported(&bed, true, 1).await.len(), 4);
    // Only direct ones are left behind this place: nothing follows.
    let from_the_beginning = |direct, limit| ExportQuery { after: None, direct, limit };
    let last = bed.store.export(from_the_beginning(false, 2), budget(usize::MAX)).await.expect("readable");
    assert_eq!((last.lines.len(), last.after), (2, None));
    let least = bed.store.export(from_the_beginning(true, 9), budget(0)).await.expect("readable");
    assert_eq!(least.lines.len(), 1, "one always comes");
}
