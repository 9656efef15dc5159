//! The writer in memory: a full disk, and other failures.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tokio::sync::mpsc::UnboundedReceiver;

use super::super::open::{Location, Owner, ready};
use super::*;
use crate::proto::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use crate::proto::body::{Body, SALT_BYTES};
use crate::proto::clock::Stamp;
use crate::proto::ids::{LogId, NodeId, RoomId};
use crate::proto::name::Name;
use crate::proto::record::Append;
use crate::proto::timeline::NoticeKind;

const ROOM: RoomId = RoomId([1; 32]);
const OWN: NodeId = NodeId([2; 32]);

fn batch(log: u64, bytes: usize) -> Verified {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let body = Body::Say { text: "x".repeat(bytes), channel: None, reply_to: None }.encode([0; SALT_BYTES]);
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
    Job::Write(Write::Append { token, batches: vec![Append { batch: batch(token, bytes), own: None }] })
}

fn notice() -> Job {
    let name = Name::lossy("Ana", "?");
    Job::Write(Write::Notice { wall_ms: 1, kind: NoticeKind::Joined, member: OWN, name })
}

fn writer() -> (Writer, Sender<Job>, UnboundedReceiver<Written>) {
    let opened = ready(&Location::Memory, Owner { room: &ROOM, own: OWN, wall_ms: 0 }).expect("opens");
    let (jobs, queue) = channel();
    let (answers, answered) = tokio::sync::mpsc::unbounded_channel();
    let writer = Writer {
        db: opened.db,
        appender: opened.appender,
        jobs: queue,
        answers,
        failure: Failure::new(None),
        mended: Mended::new(Arc::new(StateFile::load(None)), 0),
        wal: None,
        deferred: VecDeque::new(),
        full_told: None,
        altered_told: None,
        indexed: 0,
        index_waits: false,
        reindexed: false,
        scrub: Scrub::Done,
        state: Arc::new(StateFile::load(None)),
        wall_ms: 0,
        rebuild_full: None,
        rebuilds: Arc::default(),
    };
    (writer, jobs, answered)
}

/// Lets the database grow by so many pages and no more: what a full disk does to it.
fn room_for(pages: i64) -> Job {
    Job::Read(Box::new(move |db| {
        let now: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a number");
        db.query_row(&format!("PRAGMA max_page_count = {}", now + pages), [], |_| Ok(())).expect("set");
    }))
}

#[test]
fn a_full_disk_refuses_what_is_said_keeps_the_rest_and_goes_on() {
    let (writer, jobs, mut answers) = writer();
    let failure = writer.failure.clone();
    for job in [append(1, 10), room_for(1), append(2, 10), append(3, 30_000), notice(), room_for(100)] {
        jobs.send(job).expect("the writer waits");
    }
    for job in [append(4, 10), append(3, 30_000), Job::Close] {
        jobs.send(job).expect("the writer waits");
    }
    writer.run();
    assert!(!failure.is_told());
    let mut seen = Vec::new();
    while let Ok(answer) = answers.try_recv() {
        seen.push(match answer {
            Written::Appended { token, lines, .. } => format!("{token} at {}", lines[0].arrival),
            Written::Failed { token, error: WriteError::DiskFull } => format!("{token} refused"),
            Written::Noted(notice) => format!("notice at {}", notice.arrival),
            Written::Changed(_)
            | Written::Receipts(_)
            | Written::Read { .. }
            | Written::Marked(_)
            | Written::NotMarked(_) => "something else".to_owned(),
        });
    }
    // Two shared a transaction with the one that was too much; numbers of what was refused are given again.
    assert_eq!(seen, ["1 at 1", "2 refused", "3 refused", "notice at 2", "4 at 3", "3 at 4"]);
}

#[test]
fn a_rebuild_without_room_is_not_tried_at_once_again() {
    let (writer, jobs, mut answers) = writer();
    let failure = writer.failure.clone();
    let changed = Job::Read(Box::new(|db| db.execute_batch("DELETE FROM span").expect("deleted")));
    // What does not fit makes the writer forget what it remembers; the same batch again then finds the contradiction.
    for job in [append(1, 10), changed, room_for(0), append(3, 30_000), room_for(0), append(1, 10)] {
        jobs.send(job).expect("the writer waits");
    }
    for job in [room_for(100), append(1, 10), Job::Close] {
        jobs.send(job).expect("the writer waits");
    }
    writer.run();
    assert!(!failure.is_told());
    let mut refused = 0;
    while let Ok(answer) = answers.try_recv() {
        refused += usize::from(matches!(answer, Written::Failed { token: 1, error: WriteError::DiskFull }));
        assert!(!matches!(answer, Written::Changed(_)), "rebuilt: {answer:?}");
    }
    assert_eq!(refused, 2);
}

#[test]
fn any_other_failure_stops_it_and_nothing_is_answered() {
    let (writer, jobs, mut answers) = writer();
    let failure = writer.failure.clone();
    let broken = Job::Read(Box::new(|db| db.execute_batch("DROP TABLE span").expect("dropped")));
    for job in [broken, append(1, 10), append(2, 10)] {
        jobs.send(job).expect("the writer waits");
    }
    writer.run();
    assert!(failure.is_told());
    assert!(answers.try_recv().is_err());
    assert!(jobs.send(notice()).is_err(), "nobody takes work any more");
}
