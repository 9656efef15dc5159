//! Tests of the writer in memory: a full disk, and other failures.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use crate::proto::entries::body::{Body, SALT_BYTES};
use crate::proto::entries::timeline::NoticeKind;
use crate::proto::ids::{LogId, NodeId, RoomId};
use crate::proto::names::name::Name;
use crate::proto::replication::store_api::{Append, Appended, Committed, WriteError, WriteResult};
use crate::store::connection::Location;
use crate::store::open::ready;
use crate::store::recovery::state_file::StateFile;
use crate::store::schema::ExpectedOwner;

const ROOM: RoomId = RoomId([1; 32]);
const OWN: NodeId = NodeId([2; 32]);

fn batch(log: u64, bytes: usize) -> Verified {
    signed(log, &Body::say("x".repeat(bytes), None, None))
}

fn signed(log: u64, body: &Body) -> Verified {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let body = body.encode([0; SALT_BYTES]);
    let header = Header {
        version: HEADER_VERSION,
        room: ROOM,
        author: NodeId(key.verifying_key().to_bytes()),
        audience: None,
        log: LogId(log),
        first_seq: 1,
        prev: None,
        after: None,
        entries: vec![slot(Stamp(log + 1), &body)],
    };
    sign(&key, header, &[body])
}

fn append(token: u64, bytes: usize) -> Job {
    put(token, batch(token, bytes))
}

fn put(token: u64, batch: Verified) -> Job {
    Job::Write(Write::Append { token, batches: vec![Append { batch, own: None }] })
}

/// A message, and its deletion in another log.
fn deleted() -> [Verified; 2] {
    let said = batch(1, 10);
    let deletion = Body::Delete { entry: said.entry_id(0), channel: Some("general".to_owned()) };
    let deletion = signed(2, &deletion);
    [said, deletion]
}

fn notice() -> Job {
    let name = Name::from_lossy("Ana", "?");
    Job::Write(Write::Notice { wall_ms: 1, kind: NoticeKind::Joined, member: OWN, name })
}

/// Does these jobs and those that follow them. Returns true if the next run is to erase text.
fn leaves_text(jobs_of: impl IntoIterator<Item = Job>) -> bool {
    let state = Arc::new(StateFile::load(None));
    let (writer, jobs, _answers) = writer_with(state.clone());
    let failure = writer.failure.clone();
    for job in jobs_of.into_iter().chain([Job::Close]) {
        jobs.send(job).expect("the writer waits");
    }
    writer.run();
    assert!(!failure.has_failed());
    state.get().erasing
}

fn writer() -> (Writer, Sender<Job>, UnboundedReceiver<Committed>) {
    writer_with(Arc::new(StateFile::load(None)))
}

fn writer_with(state: Arc<StateFile>) -> (Writer, Sender<Job>, UnboundedReceiver<Committed>) {
    let opened = ready(&Location::Memory, ExpectedOwner { room: &ROOM, own: OWN, wall_ms: 0 }).expect("opens");
    let (jobs, queue) = channel();
    let (answers, answered) = tokio::sync::mpsc::unbounded_channel();
    let start = WriterStart {
        db: opened.db,
        tables: opened.tables,
        notes: RepairNotes::new(state.clone(), 0),
        erasure: Erasure::new(state.clone(), false),
        scrub: Scrub::resume(state, None, 0),
    };
    let channels = WriterChannels {
        jobs: queue,
        answers,
        failure: WriterFailure::new(None),
        rebuilds: Arc::default(),
        commit_times: DurationHistogram::default(),
    };
    let writer = Writer::new(start, channels, None).expect("reads the index");
    (writer, jobs, answered)
}

/// Limits the growth of the database to some pages, which simulates a full disk.
fn room_for(pages: i64) -> Job {
    Job::Read(Box::new(move |db| {
        let now: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a number");
        db.query_row(&format!("PRAGMA max_page_count = {}", now + pages), [], |_| Ok(())).expect("set");
    }))
}

#[test]
fn full_disk_refuses_messages_and_defers_the_rest() {
    let (writer, jobs, mut answers) = writer();
    let failure = writer.failure.clone();
    for job in [append(1, 10), room_for(1), append(2, 10), append(3, 30_000), notice(), room_for(100)] {
        jobs.send(job).expect("the writer waits");
    }
    for job in [append(4, 10), append(3, 30_000), Job::Close] {
        jobs.send(job).expect("the writer waits");
    }
    writer.run();
    assert!(!failure.has_failed());
    let mut seen = Vec::new();
    while let Ok(answer) = answers.try_recv() {
        seen.push(match answer.result {
            WriteResult::Appended(Appended { token, .. }) => {
                format!("{token} at {}", answer.shown[0].arrival)
            }
            WriteResult::Failed { token, error: WriteError::DiskFull } => format!("{token} refused"),
            WriteResult::Noted(notice) => format!("notice at {}", notice.arrival),
            WriteResult::Changed(_)
            | WriteResult::Receipts(_)
            | WriteResult::Read(_)
            | WriteResult::Marked(_)
            | WriteResult::NotMarked(_) => "something else".to_owned(),
        });
    }
    // The first two refusals share a transaction. Arrival numbers of refused writes are given
    // again.
    assert_eq!(seen, ["1 at 1", "2 refused", "3 refused", "notice at 2", "4 at 3", "3 at 4"]);
}

#[test]
fn a_rebuild_without_room_is_not_tried_at_once_again() {
    let (writer, jobs, mut answers) = writer();
    let failure = writer.failure.clone();
    let changed = Job::Read(Box::new(|db| db.execute_batch("DELETE FROM span").expect("deleted")));
    // A write that does not fit discards the cached ranges. The same batch again then meets the
    // contradiction.
    for job in [append(1, 10), changed, room_for(0), append(3, 30_000), room_for(0), append(1, 10)] {
        jobs.send(job).expect("the writer waits");
    }
    for job in [room_for(100), append(1, 10), Job::Close] {
        jobs.send(job).expect("the writer waits");
    }
    writer.run();
    assert!(!failure.has_failed());
    let mut refused = 0;
    while let Ok(answer) = answers.try_recv() {
        refused += usize::from(matches!(answer.result, WriteResult::Failed { token: 1, error: WriteError::DiskFull }));
        assert!(!matches!(answer.result, WriteResult::Changed(_)), "rebuilt: {answer:?}");
    }
    assert_eq!(refused, 2);
}

#[test]
fn other_failure_stops_the_writer_unanswered() {
    let (writer, jobs, mut answers) = writer();
    let failure = writer.failure.clone();
    let broken = Job::Read(Box::new(|db| db.execute_batch("DROP TABLE span").expect("dropped")));
    for job in [broken, append(1, 10), append(2, 10)] {
        jobs.send(job).expect("the writer waits");
    }
    writer.run();
    assert!(failure.has_failed());
    assert!(answers.try_recv().is_err());
    assert!(jobs.send(notice()).is_err(), "nobody takes work any more");
}

#[test]
fn deletion_before_a_stop_is_erased_by_the_next_run() {
    let [said, deletion] = deleted();
    assert!(!leaves_text([put(1, said.clone())]));
    assert!(leaves_text([put(1, said), put(2, deletion)]));
}

#[test]
fn deletion_before_a_failed_job_is_erased_later() {
    let [said, deletion] = deleted();
    let (answer, _answered) = tokio::sync::oneshot::channel();
    let change = Change { key: "k".to_owned(), value: Some("x".repeat(200_000)) };
    let group = [put(1, said), put(2, deletion), Job::ChangePageStorage(change, answer)];
    assert!(leaves_text([room_for(30)].into_iter().chain(group)));
}

#[test]
fn cleared_copy_of_a_deleted_entry_is_erased_later() {
    let [said, deletion] = deleted();
    let sql = "INSERT INTO damaged (batch, log, first_seq, bytes) SELECT 99, log, 1, x'abcd' FROM log;
               DELETE FROM batch; DELETE FROM entry; DELETE FROM span";
    let damaged = || Job::Read(Box::new(move |db| db.execute_batch(sql).expect("set aside")));
    assert!(!leaves_text([put(1, said.clone()), damaged()]));
    assert!(leaves_text([put(1, said), damaged(), put(2, deletion)]));
}
