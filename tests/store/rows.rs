//! Single values that flip on disk, in every column of every table. Unsigned content is never
//! shown, lost data is known to be missing, and a peer provides the rest again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::timeline::{Conversation, Message};
use roomful::proto::history::{ExportQuery, PagePosition, PageQuery};
use roomful::proto::ids::{Hash, LogKey, NodeId};
use roomful::proto::names::name::Name;
use roomful::proto::replication::store_api::{
    Append, Appended, IdempotencyKey, LogRecord, MemberReceipt, OwnBatch, Snapshot, Write, WriteResult,
};
use roomful::store::{Location, Store, StoreError};
use rusqlite::types::Value;
use tempfile::TempDir;

use crate::fixtures::{Author, Bed, NOON, budget, me, profile, room, say, say_in};

fn file(dir: &TempDir) -> PathBuf {
    let Location::File(path) = Location::in_dir(dir.path(), &room()) else { panic!("a file") };
    path
}

/// A closed database with some of everything, and what it shows.
struct Twin {
    file: Vec<u8>,
    batches: Vec<Verified>,
    lines: Vec<Message>,
    shown: Vec<Message>,
    by_conversation: Vec<(Conversation, Vec<Message>)>,
    held: Vec<Log>,
}

/// What is held of a log: its key, its ranges, and its bytes.
type Log = (LogKey, Option<NodeId>, Vec<(u64, u64)>, u64);

fn held(snapshot: &Snapshot) -> Vec<Log> {
    held_of(&snapshot.logs)
}

fn held_of(logs: &[LogRecord]) -> Vec<Log> {
    let runs = |log: &LogRecord| log.ranges.iter().map(|run| (run.first, run.last)).collect();
    let mut logs: Vec<_> = logs
        .iter()
        .filter(|log| !log.ranges.is_empty())
        .map(|log| (log.key, log.audience, runs(log), log.bytes))
        .collect();
    logs.sort();
    logs
}

/// Lines without what is this node's own, which no author signed.
fn signed(lines: Vec<Message>) -> Vec<Message> {
    lines.into_iter().map(|line| Message { arrival: 0, held: None, ..line }).collect()
}

/// Returns true if a message is the signed one, as far as it depends on itself alone. While others
/// are missing, it may have an earlier name of its author, and a place without theirs.
fn is_same(line: &Message, signed: &Message) -> bool {
    let (id, name) = (line.order.author, line.name.as_str());
    let is_name = [("Ana", 2), ("Anna", 2), ("Ben", 3), ("Me", 1)].contains(&(name, seed_of(id))) || name == id.short();
    is_name && Message { name: signed.name.clone(), order: signed.order, ..line.clone() } == *signed
}

fn seed_of(id: NodeId) -> u8 {
    (1..4).find(|seed| Author::new(*seed).id() == id).unwrap_or_default()
}

async fn exported(store: &Store) -> Result<Vec<Message>, StoreError> {
    let query = ExportQuery { after: None, direct: true, limit: 1_000 };
    Ok(signed(store.export(query, budget(usize::MAX)).await?.lines))
}

async fn shown(store: &Store, conversation: Option<Conversation>) -> Result<Vec<Message>, StoreError> {
    let query = PageQuery { at: PagePosition::Newest, conversation, limit: 1_000 };
    Ok(signed(store.page(query, budget(usize::MAX)).await?.expect("a page").lines))
}

async fn twin() -> Twin {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut own, mut ana, mut ben) = (me(), Author::new(2), Author::new(3));
    let mut to_me = Author::new(2).with_log(21).to(own.id());
    let mut to_ana = me().with_log(11).to(ana.id());
    ben.at_ms = 600_000;
    let mut batches = vec![ana.batch(&[profile("Ana"), say("one")], None), ben.named("Ben")];
    batches.push(ben.batch(&[say("from ahead"), say_in("other", "elsewhere")], None));
    let ahead = batches[2].entry_id(1);
    batches.push(ana.batch(&[say("two"), say("three")], Some(ahead)));
    batches.extend([ana.say("four"), to_me.say("for you alone"), ana.named("Anna"), ana.say("five")]);
    bed.append(&batches.iter().collect::<Vec<_>>()).await;
    bed.notice(NOON, ana.id()).await;
    let reference = IdempotencyKey { name: "r1".to_owned(), content: Hash([5; 32]) };
    for (batch, refs) in
        [(own.named("Me"), vec![]), (own.say("mine"), vec![Some(reference)]), (to_ana.say("hi"), vec![])]
    {
        let beside = OwnBatch { refs, of: vec![ana.id(), ben.id()], ..OwnBatch::default() };
        bed.append_all(vec![Append { batch: batch.clone(), own: Some(beside) }]).await.expect("room");
        batches.push(batch);
    }
    bed.store.write(Write::Receipts(vec![MemberReceipt { member: ana.id(), log: own.log, first: 1, last: 2 }]));
    bed.store.write(Write::OwnName(Name::new("Me").expect("a name")));
    bed.store.write(Write::Read { conversation: Conversation::general(), arrival: 3 });
    let lines = exported(&bed.store).await.expect("readable");
    let shown_lines = shown(&bed.store, None).await.expect("readable");
    let mut by_conversation = Vec::new();
    for reading in bed.store.conversations().await.expect("readable") {
        let lines = shown(&bed.store, Some(reading.conversation.clone())).await.expect("readable");
        by_conversation.push((reading.conversation, lines));
    }
    bed.store.close().await;
    let bed = Bed::at(&dir);
    let held = held(&bed.opened.snapshot);
    assert_eq!(bed.store.mended_now(), None, "an undamaged database raises no alarm");
    bed.store.close().await;
    let file = std::fs::read(file(&dir)).expect("readable");
    Twin { file, batches, lines, shown: shown_lines, by_conversation, held }
}

/// Opens a damaged copy and compares everything it shows with its twin, before and after a peer
/// provides what is missing. Returns the report for the user.
async fn check(twin: &Twin, dir: &TempDir, what: &str) -> Option<String> {
    let mut told = None;
    // Damage to the form of the file may stop the store once; the next start salvages what it can.
    for _ in 0..3 {
        let mut bed = Bed::at(dir);
        let whole = attempt(twin, &mut bed, what).await;
        told = bed.store.mended_now().or(told);
        bed.store.close().await;
        match whole {
            Ok(()) => return told,
            Err(error) => assert!(matches!(error, StoreError::Damaged(_) | StoreError::Closed), "{what}: {error}"),
        }
    }
    panic!("{what}: it never becomes whole");
}

async fn attempt(twin: &Twin, bed: &mut Bed, what: &str) -> Result<(), StoreError> {
    // What is shown was signed so, each once.
    let lines = exported(&bed.store).await?;
    let ids: BTreeSet<_> = lines.iter().map(|line| line.id).collect();
    assert_eq!(ids.len(), lines.len(), "{what}");
    for line in &lines {
        assert!(twin.lines.iter().any(|signed| is_same(line, signed)), "{what}: shows {line:?}");
    }
    for (conversation, all) in &twin.by_conversation {
        let page = shown(&bed.store, Some(conversation.clone())).await?;
        assert!(
            page.iter().all(|line| all.iter().any(|signed| is_same(line, signed))),
            "{what}: {conversation:?} shows {page:?}"
        );
    }
    // What is held is told as it is: whatever is not shown can be fetched.
    let mut logs = bed.opened.snapshot.logs.clone();
    while let Ok(answer) = bed.opened.answers.try_recv() {
        let WriteResult::Changed(changed) = answer.result else { panic!("{what}: {answer:?}") };
        logs.retain(|log| changed.logs.iter().all(|changed| changed.key != log.key));
        logs.extend(changed.logs);
    }
    let told = held_of(&logs);
    assert!(told != twin.held || lines == twin.lines, "{what}: all is here, in another order");
    for (key, audience, ranges, _) in &told {
        let real = twin.held.iter().find(|(held, ..)| held == key);
        let real = real.unwrap_or_else(|| panic!("{what}: claims a log that nobody wrote"));
        assert_eq!(real.1, *audience, "{what}: for another audience");
        assert!(ranges.iter().all(|range| real.2.iter().any(|held| held.0 <= range.0 && range.1 <= held.1)), "{what}");
    }
    let lacks = |line: &&Message| !lines.iter().any(|shown| shown.id == line.id);
    for line in twin.lines.iter().filter(lacks) {
        let (_, _, ranges, _) = told.iter().find(|(key, ..)| key.log == line.id.log).cloned().unwrap_or((
            LogKey { author: line.order.author, log: line.id.log },
            None,
            Vec::new(),
            0,
        ));
        let claims = ranges.iter().any(|(first, last)| (*first..=*last).contains(&line.id.seq));
        assert!(!claims, "{what}: lacks {:?} and claims to hold it", line.text);
    }
    // A peer brings everything again.
    let batches = twin.batches.iter().map(|batch| Append { batch: batch.clone(), own: None }).collect();
    bed.store.write(Write::Append { token: 99, batches });
    loop {
        tokio::select! {
            answer = bed.opened.answers.recv() => match answer.map(|committed| committed.result) {
                Some(WriteResult::Appended(Appended { token: 99, .. })) => break,
                Some(_) => {}
                None => return Err(StoreError::Closed),
            },
            _ = bed.store.failed() => return Err(StoreError::Closed),
        }
    }
    assert_eq!(exported(&bed.store).await?, twin.lines, "{what}");
    for (conversation, all) in &twin.by_conversation {
        assert_eq!(shown(&bed.store, Some(conversation.clone())).await?, *all, "{what}: {conversation:?}");
    }
    let counts = bed.store.counts().await?;
    let entries: u64 = twin.held.iter().flat_map(|log| &log.2).map(|(first, last)| last - first + 1).sum();
    assert_eq!((counts.entries, counts.missing), (entries, 0), "{what}");
    Ok(())
}

fn copy(twin: &Twin) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(file(&dir), &twin.file).expect("written");
    dir
}

/// The value with one bit changed, at a place that `rng` gives.
fn flipped(value: &Value, rng: &mut StdRng) -> Option<Vec<u8>> {
    let mut bytes = match value {
        Value::Text(text) => text.clone().into_bytes(),
        Value::Blob(bytes) => bytes.clone(),
        Value::Null | Value::Integer(_) | Value::Real(_) => return None,
    };
    let at = rng.random_range(0..bytes.len().max(1));
    *bytes.get_mut(at)? ^= 1 << rng.random_range(0..8);
    Some(bytes)
}

/// Flips a value of a column. Returns how, unless the table refuses it.
fn flip(path: &Path, table: &str, column: &str, rng: &mut StdRng) -> Option<String> {
    let db = rusqlite::Connection::open(path).expect("opens");
    let count: i64 =
        db.query_row(&format!("SELECT count({column}) FROM {table}"), [], |row| row.get(0)).expect("counted");
    if count == 0 {
        return None;
    }
    let keys: Vec<String> = db
        .prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")
        .and_then(|mut keys| keys.query_map([table], |row| row.get(0))?.collect())
        .expect("keys");
    let row = rng.random_range(0..count);
    let which = format!("SELECT {} FROM {table} WHERE {column} IS NOT NULL LIMIT 1 OFFSET {row}", keys.join(", "));
    let key: Vec<Value> =
        db.query_row(&which, [], |row| (0..keys.len()).map(|index| row.get(index)).collect()).expect("a row");
    let is_it = keys.iter().enumerate().map(|(index, key)| format!("{key} = ?{}", index + 1)).collect::<Vec<_>>();
    let is_it = is_it.join(" AND ");
    let read = format!("SELECT {column} FROM {table} WHERE {is_it}");
    let value: Value = db.query_row(&read, rusqlite::params_from_iter(&key), |row| row.get(0)).expect("a value");
    let to = match &value {
        Value::Null => return None,
        Value::Integer(number) => (number ^ 1 << rng.random_range(0..48)).to_string(),
        other => {
            let hex: String = flipped(other, rng)?.iter().map(|byte| format!("{byte:02x}")).collect();
            let kind = if matches!(other, Value::Text(_)) { "TEXT" } else { "BLOB" };
            format!("CAST(x'{hex}' AS {kind})")
        }
    };
    let sql = format!("UPDATE {table} SET {column} = {to} WHERE {is_it}");
    db.execute(&sql, rusqlite::params_from_iter(&key)).ok()?;
    Some(format!("{sql} {key:?}, before {value:?}"))
}

/// Columns derived from batches, whose changes are detectable. A changed signature is detected when
/// a peer requests the batch. Other columns are local data, where a changed value may be as valid
/// as the original.
const DERIVED: [&str; 25] = [
    "log.id",
    "log.author",
    "log.audience",
    "log.bytes",
    "span.log",
    "span.first_seq",
    "span.last_seq",
    "span.prev",
    "span.head",
    "span.first_time",
    "span.last_time",
    "batch.batch",
    "batch.log",
    "batch.first_seq",
    "batch.last_seq",
    "batch.hash",
    "entry.arrival",
    "entry.batch",
    "entry.conversation",
    "entry.place",
    "entry.time",
    "named.id",
    "named.seq",
    "profile.name",
    "conversation.channel",
];

#[tokio::test]
async fn a_flipped_value_is_repaired_wherever_it_is() {
    let twin = twin().await;
    let mut rng = StdRng::seed_from_u64(1);
    let columns: Vec<(String, String)> = {
        let dir = copy(&twin);
        let db = rusqlite::Connection::open(file(&dir)).expect("opens");
        let sql = "SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c
                   WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
                   -- Whom the user blocks, no signature says.
                   AND c.name <> 'blocked' ORDER BY t.name, c.cid";
        let mut statement = db.prepare(sql).expect("a query");
        let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        all.collect::<Result<_, _>>().expect("legible")
    };
    assert!(columns.len() > 60, "{columns:?}");
    let mut seen = BTreeSet::new();
    for (table, column) in &columns {
        let dir = copy(&twin);
        let Some(what) = flip(&file(&dir), table, column, &mut rng) else { continue };
        let told = check(&twin, &dir, &what).await;
        let name = format!("{table}.{column}");
        if DERIVED.contains(&name.as_str()) {
            assert!(told.is_some(), "{what}: the user is not told");
            seen.insert(name);
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[tokio::test]
async fn flipped_bit_of_the_file_is_repaired_anywhere() {
    let twin = twin().await;
    let mut rng = StdRng::seed_from_u64(2);
    let mut tried = 0;
    while tried < 30 {
        let at = rng.random_range(0..twin.file.len());
        if twin.file[at] == 0 {
            continue;
        }
        tried += 1;
        let dir = copy(&twin);
        let mut bytes = twin.file.clone();
        bytes[at] ^= 1 << rng.random_range(0..8);
        std::fs::write(file(&dir), bytes).expect("written");
        check(&twin, &dir, &format!("byte {} of page {}", at % 4096, at / 4096 + 1)).await;
    }
}

#[tokio::test]
async fn a_value_flipped_while_it_runs_stops_nothing() {
    let twin = twin().await;
    for sql in [
        "UPDATE entry SET time = time + (1 << 44) WHERE arrival = 2",
        "UPDATE entry SET place = place + 65536000 WHERE arrival = 2",
        "UPDATE entry SET conversation = 1 WHERE arrival = 5",
        "UPDATE batch SET log = 2 WHERE batch = 8",
        "UPDATE log SET author = 2 WHERE log = 1",
        "UPDATE profile SET name = 'Eve' WHERE log = 1 AND seq = 1",
        "DELETE FROM conversation WHERE conversation = 2",
        "UPDATE conversation SET channel = 'third' WHERE conversation = 2",
        "DELETE FROM reach",
        "UPDATE notice SET name = CAST(x'ff' AS TEXT)",
    ] {
        let dir = copy(&twin);
        let mut bed = Bed::at(&dir);
        rusqlite::Connection::open(file(&dir)).expect("opens").execute_batch(sql).expect("changed");
        assert_eq!(shown(&bed.store, None).await.expect("readable"), twin.shown, "{sql}");
        let told = bed.store.mended_now().expect("told");
        assert!(told.contains("damaged on disk"), "{sql}: {told}");
        let WriteResult::Changed(changed) = bed.answer().await else { panic!("{sql}") };
        assert_eq!(held_of(&changed.logs), twin.held, "{sql}");
        assert!(changed.run.is_some(), "tabs start afresh");
        bed.store.close().await;
        assert_eq!(Bed::at(&dir).store.mended_now(), None, "{sql}: repaired for good");
    }
}

#[tokio::test]
async fn a_reference_to_no_message_is_repaired() {
    let twin = twin().await;
    let dir = copy(&twin);
    let bed = Bed::at(&dir);
    let db = rusqlite::Connection::open(file(&dir)).expect("opens");
    db.execute_batch("UPDATE ref SET arrival = arrival + 1024").expect("changed");
    let (_, id) = bed.store.by_ref("r1".to_owned()).await.expect("readable").expect("known");
    assert_eq!(bed.store.line(id).await.expect("readable").expect("a message").text, "mine");
    assert!(bed.store.mended_now().is_some());
}

#[tokio::test]
async fn too_short_range_is_repaired_by_the_next_write() {
    let twin = twin().await;
    let dir = copy(&twin);
    let mut bed = Bed::at(&dir);
    let db = rusqlite::Connection::open(file(&dir)).expect("opens");
    db.execute_batch("DELETE FROM span WHERE log = 1").expect("changed");
    let batches = twin.batches.iter().map(|batch| Append { batch: batch.clone(), own: None }).collect();
    bed.store.write(Write::Append { token: 1, batches });
    let WriteResult::Changed(changed) = bed.answer().await else { panic!("the engine hears what is held") };
    assert_eq!(held_of(&changed.logs), twin.held);
    let answer = bed.answer().await;
    assert!(
        matches!(&answer, WriteResult::Appended(Appended { token: 1, messages, .. }) if messages.is_empty()),
        "{answer:?}"
    );
    assert!(bed.store.mended_now().is_some());
}

#[tokio::test]
async fn old_messages_are_checked_in_the_background() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let batches: Vec<_> = (0..30).map(|number| ana.say_all(&[number.to_string().as_str(); 64])).collect();
    bed.append(&batches.iter().collect::<Vec<_>>()).await;
    let lines = exported(&bed.store).await.expect("readable");
    bed.store.close().await;
    // Their places say that they stand elsewhere, which no reader of a newer page sees.
    let db = rusqlite::Connection::open(file(&dir)).expect("opens");
    db.execute_batch("DELETE FROM entry WHERE arrival = 7").expect("changed");
    drop(db);
    let mut bed = Bed::at(&dir);
    let WriteResult::Changed(changed) = bed.answer().await else { panic!("it is found") };
    assert_eq!(changed.logs[0].ranges.len(), 1);
    assert!(bed.store.mended_now().is_some());
    assert_eq!(exported(&bed.store).await.expect("readable"), lines);
}

#[tokio::test]
async fn old_logs_are_checked_after_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut ben) = (Author::new(2), Author::new(3));
    let mut batches = vec![ben.say("old")];
    batches.extend((0..30).map(|number| ana.say_all(&[number.to_string().as_str(); 64])));
    bed.append(&batches.iter().collect::<Vec<_>>()).await;
    bed.store.close().await;
    let db = rusqlite::Connection::open(file(&dir)).expect("opens");
    let sql = "INSERT INTO span SELECT log, 9, 12, head, head, first_time, last_time FROM span WHERE log = 1";
    db.execute_batch(sql).expect("changed");
    drop(db);
    let mut bed = Bed::at(&dir);
    let ranges = |logs: &[LogRecord]| {
        let log = logs.iter().find(|log| log.key == ben.log_key()).expect("known");
        log.ranges.iter().map(|run| (run.first, run.last)).collect::<Vec<_>>()
    };
    assert_eq!(ranges(&bed.opened.snapshot.logs), [(1, 1), (9, 12)]);
    let WriteResult::Changed(changed) = bed.answer().await else { panic!("it is found") };
    assert_eq!(ranges(&changed.logs), [(1, 1)]);
}
