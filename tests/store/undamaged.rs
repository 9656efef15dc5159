//! Differences from signed data that are no damage: the user gets no warning about the disk.

use std::path::PathBuf;

use roomful::proto::clock::Stamp;
use roomful::proto::entries::timeline::{Conversation, Message};
use roomful::proto::history::{PagePosition, PageQuery};
use roomful::proto::names::name::Name;
use roomful::proto::replication::store_api::{MemberRecord, Write};
use roomful::store::Location;
use tempfile::TempDir;

use crate::fixtures::{Author, Bed, NOON, budget, profile, room, say, say_in};

fn file(dir: &TempDir) -> PathBuf {
    let Location::File(path) = Location::in_dir(dir.path(), &room()) else { panic!("a file") };
    path
}

/// What a hello says, which is not signed and names any time.
fn told(ana: &Author, name: &str, at_ms: u64) -> Write {
    Write::Member(MemberRecord {
        id: ana.id(),
        name: Name::new(name).expect("a name"),
        name_time: Stamp::from_ms(NOON + at_ms),
        addresses: Vec::new(),
        port: 1,
        since_ms: NOON,
        lost: false,
    })
}

#[tokio::test]
async fn reported_name_does_not_override_a_signed_one() {
    let mut ana = Author::new(2);
    let (first, second) = (ana.batch(&[profile("Ana"), say("hi")], None), ana.named("Anna"));
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    bed.append(&[&first]).await;
    // The name that is signed comes first, and then last.
    bed.store.write(told(&ana, "Other", 1_000));
    bed.store.write(told(&ana, "Another", 3_000));
    bed.append(&[&second]).await;
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert_eq!(bed.opened.snapshot.members[0].name.as_str(), "Anna");
    assert_eq!(bed.store.mended_now(), None);
}

/// The newest messages of a channel.
async fn lines(bed: &Bed, channel: &str) -> Vec<Message> {
    let conversation = Some(Conversation::Channel(Name::new(channel).expect("a name")));
    let page = bed.store.page(PageQuery { at: PagePosition::Newest, conversation, limit: 9 }, budget(usize::MAX)).await;
    page.expect("readable").expect("a page").lines
}

#[tokio::test]
async fn names_of_an_earlier_rule_are_shown_cleaned() {
    let many = "x\u{323}\u{323}\u{323}\u{323}\u{323}\u{323}";
    let clean = "x\u{323}\u{323}\u{323}\u{323}";
    for also_clean in [false, true] {
        let mut ana = Author::new(2);
        let dir = tempfile::tempdir().expect("a directory");
        let mut bed = Bed::at(&dir);
        bed.append(&[&ana.batch(&[profile(many), say_in(many, "old")], None)]).await;
        let channel = if also_clean { clean } else { "other" };
        bed.append(&[&ana.batch(&[say_in(channel, "new")], None)]).await;
        let before = bed.texts().await;
        bed.store.close().await;
        // An earlier version kept the channel as it was signed.
        let db = rusqlite::Connection::open(file(&dir)).expect("opens");
        for sql in [
            "UPDATE conversation SET channel = ?2 WHERE channel = ?1 AND NOT ?3",
            "INSERT INTO conversation (channel, read, unread) SELECT ?2, 0, 1 WHERE ?3 AND ?1 IS NOT NULL",
            "UPDATE entry SET conversation = (SELECT conversation FROM conversation WHERE channel = ?2)
             WHERE arrival = 2 AND ?3 AND ?1 IS NOT NULL",
        ] {
            db.execute(sql, rusqlite::params![clean, many, also_clean]).expect("changed");
        }
        drop(db);
        let mut bed = Bed::at(&dir);
        assert_eq!(bed.store.mended_now(), None, "{also_clean}");
        let shown = lines(&bed, clean).await;
        assert_eq!(shown.len(), if also_clean { 2 } else { 1 });
        assert_eq!((shown[0].text.as_str(), shown[0].name.as_str()), ("old", clean));
        assert_eq!(bed.texts().await, before);
        assert_eq!(bed.append(&[&ana.batch(&[say_in(many, "again")], None)]).await.0.len(), 1);
        bed.store.close().await;
        assert_eq!(Bed::at(&dir).store.mended_now(), None, "{also_clean}");
    }
}

#[tokio::test]
async fn times_far_ahead_are_cleared() {
    let mut ana = Author::new(2);
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    bed.append(&[&ana.batch(&[profile("Ana"), say("hi")], None)]).await;
    bed.store.write(told(&ana, "Anna", 5_000));
    bed.notice(NOON, ana.id()).await;
    bed.store.close().await;
    let db = rusqlite::Connection::open(file(&dir)).expect("opens");
    let sql = "UPDATE author SET since_ms = since_ms | 1 << 44, name_time = name_time | 1 << 61;
               UPDATE notice SET wall_ms = wall_ms | 1 << 44";
    db.execute_batch(sql).expect("changed");
    drop(db);
    let mut bed = Bed::at(&dir);
    let member = &bed.opened.snapshot.members[0];
    assert!(member.since_ms <= NOON + 10_000 && member.name_time.ms() <= NOON + 10_000, "{member:?}");
    let page = bed.page(PagePosition::Newest, 9).await;
    assert_eq!(page.notices.iter().map(|notice| notice.wall_ms).collect::<Vec<_>>(), [NOON]);
    bed.append(&[&ana.named("Another")]).await;
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert_eq!((bed.opened.snapshot.members[0].name.as_str(), bed.store.mended_now()), ("Another", None));
}
