//! Databases of earlier versions: each is opened, migrated, and keeps its content. The directories
//! in `samples/` stay for ever. A new schema version adds one, made by the program before the
//! change.

use std::path::Path;

use roomful::proto::entries::timeline::{Conversation, Delivery};
use roomful::store::Location;

use crate::fixtures::{Author, Bed, NOON, me, room, texts};

/// A copy of a sample, so that opening it changes nothing here.
fn copy(version: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/samples").join(version);
    for entry in std::fs::read_dir(sample).expect("a sample") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).expect("copied");
    }
    dir
}

/// The content of every sample: a room with two channels, a direct conversation, a range beyond a
/// gap, an own message with a `ref` and a receipt, a notice, a read marker and a known member.
async fn holds_what_it_held(bed: &Bed) {
    let page = bed.page(roomful::proto::history::PagePosition::Newest, 100).await;
    let said = ["psst: 東京都に行きます", "Good morning, Zoë", "Who is here?", "It rains.", "Me, beyond a gap"];
    assert_eq!(texts(&page.lines), said);
    assert_eq!(page.notices.len(), 1);
    let own = &page.lines[2];
    assert_eq!((own.name.as_str(), own.held), ("Kai", Some(Delivery { held_by: 1, of: 2 })));
    let found = bed.store.by_ref("r1".to_owned()).await.expect("readable").expect("known");
    assert_eq!((found.1, found.0.content.0), (own.id, [5; 32]));

    let (ana, ben) = (Author::new(2).id(), Author::new(3).id());
    let conversations = bed.store.conversations().await.expect("readable");
    let told: Vec<_> = conversations.iter().map(|state| (&state.conversation, state.unread, state.read)).collect();
    let news = Conversation::Channel(roomful::proto::names::name::Name::from_lossy("news", "?"));
    assert_eq!(told, [(&Conversation::general(), 1, 2), (&news, 1, 0), (&Conversation::Direct(ana), 1, 0)]);

    let snapshot = &bed.opened.snapshot;
    assert_eq!(bed.opened.own_name.as_ref().map(|name| name.as_str()), Some("Kai"));
    assert_eq!(snapshot.logs.len(), 4);
    let known: Vec<_> = snapshot.members.iter().map(|member| (member.id, member.name.as_str(), member.lost)).collect();
    assert_eq!(known, [(ana, "Ana", true), (ben, ben.short().as_str(), false)]);
}

/// Every table of a database with its columns.
fn columns(db: &Path) -> Vec<(String, String, String, bool)> {
    let db = rusqlite::Connection::open(db).expect("opens");
    let sql = "SELECT m.name, c.name, c.type, c.\"notnull\" FROM sqlite_schema m JOIN pragma_table_info(m.name) c
               ORDER BY m.name, c.name";
    let mut statement = db.prepare(sql).expect("sound");
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    statement.query_map([], read).expect("columns").collect::<Result<_, _>>().expect("columns")
}

#[tokio::test]
async fn migrated_database_equals_a_new_one() {
    let new = tempfile::tempdir().expect("a directory");
    let mut tables = Vec::new();
    for dir in [&new, &copy("v1"), &copy("v2"), &copy("v3"), &copy("v4"), &copy("v5")] {
        let location = Location::in_dir(dir.path(), &room());
        Bed::open(location.clone(), NOON).store.close().await;
        let Location::File(path) = location else { panic!("a file") };
        tables.push(columns(&path));
    }
    assert!(!tables[0].is_empty());
    assert!(tables.iter().all(|table| *table == tables[0]), "{tables:?}");
}

#[tokio::test]
async fn version_1_is_opened() {
    is_opened("v1").await;
}

#[tokio::test]
async fn version_2_is_opened() {
    is_opened("v2").await;
}

#[tokio::test]
async fn version_3_is_opened() {
    is_opened("v3").await;
}

#[tokio::test]
async fn version_4_is_opened() {
    is_opened("v4").await;
}

/// The one before today's.
#[tokio::test]
async fn version_5_is_opened() {
    is_opened("v5").await;
}

async fn is_opened(version: &str) {
    let dir = copy(version);
    let mut bed = Bed::open(Location::in_dir(dir.path(), &room()), NOON + 60_000);
    holds_what_it_held(&bed).await;
    crate::search::finds(&bed, "morning zoe", &["Good morning, Zoë"]).await;
    crate::search::finds(&bed, "京都", &["psst: 東京都に行きます"]).await;
    crate::search::indexed(dir.path()).await;
    crate::search::finds(&bed, "morning zoe", &["Good morning, Zoë"]).await;
    let kept = copy(version);
    for entry in std::fs::read_dir(kept.path()).expect("a sample") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let copy = format!("{name}.version-{}", version.trim_start_matches('v'));
        let (before, after) = (kept.path().join(&name), dir.path().join(copy));
        assert_eq!(columns(&before), columns(&after), "the old one is kept");
    }
    // And it goes on: numbers, places, chains.
    let highest = bed.opened.arrival;
    let mut own = me().with_log(99);
    own.at_ms = 60_000;
    let line = bed.append_own(&own.say("on we go"), Default::default()).await;
    assert!(line.arrival > highest);
}
