//! Authors of whom only others speak, more of them than are kept.

use super::*;
use crate::proto::clock::Stamp;
use crate::proto::ids::{LogKey, NodeId};
use crate::proto::limits::UNMET_AUTHORS_MAX;
use crate::proto::replication::author_limits::{LimitReason, LimitedAuthors};
use crate::proto::replication::drop_reason::DropReason;
use crate::proto::replication::store_api::{LogRecord, Run};

const BEA: NodeId = NodeId([0xfe; 32]);
const LATE: NodeId = NodeId([0xff; 32]);

/// The holdings of a store in the log of an author that no node ever met.
fn made_up(number: u64) -> LogRecord {
    let mut id = [0xee; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let (time, head) = (Stamp(1), Hash([7; 32]));
    let run = Run { first: 1, prev: None, last: 1, head, first_time: time, last_time: time };
    let key = LogKey { author: NodeId(id), log: LogId(number) };
    LogRecord { key, audience: None, ranges: vec![run], bytes: 300, fork: None }
}

/// The limits that were sent, and the links.
fn told(actions: &[Action]) -> Vec<(u64, Vec<NodeId>)> {
    let closed = |action: &Action| match action {
        Action::Send { links, frame: Frame::Closed(LimitedAuthors { authors, others: false }) } => {
            Some((links[0].0, authors.iter().copied().collect()))
        }
        _ => None,
    };
    actions.iter().filter_map(closed).collect()
}

fn asks(actions: &[Action], link: u64) -> usize {
    let asks = |action: &&Action| match action {
        Action::Send { links, frame: Frame::Compare { .. } | Frame::AskLogs { .. } } => *links == [LinkId(link)],
        _ => false,
    };
    actions.iter().filter(asks).count()
}

/// A node that holds something of as many as it will, linked with Bea, which holds something of
/// one more.
fn full() -> (Engine, Vec<Action>) {
    let logs = (0..UNMET_AUTHORS_MAX as u64).map(made_up).collect();
    let mut engine = started(Snapshot { logs, ..Snapshot::default() });
    up(&mut engine, 0, 1, peer(BEA, 5, true));
    let authors = vec![(LATE, Hash([1; 32]))];
    let actions = tell(&mut engine, 10, 1, Frame::Authors { same: false, authors, more: false, linked: Vec::new() });
    (engine, actions)
}

#[test]
fn surplus_author_is_closed_to_its_holder() {
    let (mut engine, actions) = full();
    assert_eq!(told(&actions), [(1, vec![LATE])]);
    assert_eq!(asks(&actions, 1), 0, "{actions:?}");
    assert_eq!(engine.refused().of(DropReason::Unmet), 1);
    // Once is enough, and no other peer needs to know.
    let authors = vec![(LATE, Hash([2; 32]))];
    engine.handle(at(6_000), Input::Tick);
    let actions = tell(&mut engine, 6_010, 1, Frame::Authors { same: false, authors, more: false, linked: Vec::new() });
    assert_eq!((told(&actions), engine.refused().of(DropReason::Unmet)), (vec![], 1));
    assert_eq!(told(&up(&mut engine, 6_020, 2, peer(NodeId([0xfd; 32]), 5, true))), []);
}

#[test]
fn met_author_is_accepted_and_fetched_at_once() {
    let (mut engine, _) = full();
    let actions = up(&mut engine, 100, 2, peer(LATE, 5, true));
    assert_eq!(told(&actions), [(1, vec![])]);
    assert_eq!(engine.member(LATE).map(|member| member.closed), Some(None));
    // One comparison at a time: first with the peer that came.
    let same = Frame::Authors { same: true, authors: Vec::new(), more: false, linked: Vec::new() };
    assert_eq!(asks(&tell(&mut engine, 110, 2, same), 1), 1, "Bea may hold what was not taken until now");
}

#[test]
fn known_author_is_not_counted_as_unmet() {
    let logs = || (0..UNMET_AUTHORS_MAX as u64).map(made_up).collect();
    let name = Name::from_lossy("Late", "?");
    let record = |port| crate::proto::replication::store_api::MemberRecord {
        id: LATE,
        name: name.clone(),
        name_time: Stamp(1),
        addresses: Vec::new(),
        port,
        since_ms: 1,
        lost: false,
    };
    let closed = |snapshot| started(snapshot).frontier.closed(LATE);
    let from_history = Snapshot { logs: logs(), members: vec![record(0)], ..Snapshot::default() };
    assert_eq!(closed(from_history.clone()), Some(LimitReason::Unmet));
    assert_eq!(closed(Snapshot { members: vec![record(7666)], ..from_history.clone() }), None);
    let marks = MemberFlags { verified: true, ..MemberFlags::default() };
    assert_eq!(closed(Snapshot { marks: vec![(LATE, marks)], ..from_history }), None);
}
