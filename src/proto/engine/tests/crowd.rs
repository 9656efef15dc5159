//! More links than there may be: strangers make room, members that are known do not.

use super::*;
use crate::proto::clock::Stamp;
use crate::proto::ids::{LogId, LogKey};
use crate::proto::limits::LINKS_FULL_TOLD_MS;
use crate::proto::replication::store_api::{LogRecord, MemberRecord, Run};

const BUDGET: LinkBudget = LinkBudget { links: 4, handshakes: 4, dials: 2, closing: 2 };

/// A member that wrote to the room before this start.
const BEA: NodeId = NodeId([0xfa; 32]);
/// A member that the user verified.
const CLEO: NodeId = NodeId([0xfb; 32]);
/// A member to whom the user wrote.
const DORA: NodeId = NodeId([0xfc; 32]);
/// A member that wrote to the room, and that the user blocked.
const ERIC: NodeId = NodeId([0xfd; 32]);

fn log(author: NodeId, audience: Option<NodeId>) -> LogRecord {
    let (time, head) = (Stamp(1), Hash([7; 32]));
    let run = Run { first: 1, prev: None, last: 1, head, first_time: time, last_time: time };
    LogRecord { key: LogKey { author, log: LogId(9) }, audience, ranges: vec![run], bytes: 300, fork: None }
}

/// A node with room for four links.
fn small() -> Engine {
    let own = engine().own();
    let mut logs = vec![log(BEA, None), log(ERIC, None), log(own, Some(DORA))];
    logs.extend((100..=110).map(|number| log(writer(number), None)));
    let (verified, blocked) = (
        MemberFlags { verified: true, ..MemberFlags::default() },
        MemberFlags { blocked: true, ..MemberFlags::default() },
    );
    let marks = vec![(CLEO, verified), (ERIC, blocked)];
    let members = [CLEO, ERIC].map(|id| MemberRecord {
        id,
        name: Name::from_lossy("Someone", "?"),
        name_time: Stamp(1),
        addresses: Vec::new(),
        port: 7666,
        since_ms: 1,
        lost: false,
    });
    started_within(BUDGET, Snapshot { logs, marks, members: members.to_vec(), ..Snapshot::default() })
}

/// A peer comes from 192.0.2.`last`. Returns the links that are closed for want of room.
fn comes(engine: &mut Engine, link: u64, id: NodeId, last: u8) -> Vec<u64> {
    let from = Peer { address: [192, 0, 2, last].into(), ..peer(id, 5, false) };
    let actions = up(engine, link, link, from);
    let closed = closed(&actions);
    assert!(closed.iter().all(|(_, reason)| *reason == CloseReason::Busy), "{closed:?}");
    closed.into_iter().map(|(link, _)| link).collect()
}

fn stranger(number: u8) -> NodeId {
    NodeId([number; 32])
}

/// One of a crowd that wrote to the room and then came again.
fn writer(number: u8) -> NodeId {
    assert!((100..=110).contains(&number), "it has written");
    stranger(number)
}

#[test]
fn crowd_of_strangers_is_evicted() {
    let mut engine = small();
    for link in 1..=4 {
        assert!(comes(&mut engine, link, stranger(link as u8), 1).is_empty());
    }
    assert_eq!(comes(&mut engine, 5, stranger(5), 1), [5], "one more of the crowd");
    assert_eq!(comes(&mut engine, 6, stranger(6), 2), [4], "a stranger from elsewhere");
    for (link, id, evicted) in [(7, DORA, 3), (8, CLEO, 2)] {
        assert_eq!(comes(&mut engine, link, id, 1), [evicted], "a known member from the crowded address");
    }
    assert_eq!(comes(&mut engine, 9, BEA, 1), [1], "of the crowded address the one that wrote nothing");
    assert_eq!(comes(&mut engine, 10, stranger(10), 3), [10], "one link for each address");
    assert_eq!(engine.links.peers().collect::<Vec<_>>(), [stranger(6), BEA, CLEO, DORA]);
}

#[test]
fn crowd_of_writers_is_evicted() {
    let mut engine = small();
    for link in 1..=4 {
        assert!(comes(&mut engine, link, writer(100 + link as u8), 1).is_empty());
    }
    assert_eq!(comes(&mut engine, 5, stranger(5), 2), [4], "an honest node that was never here");
    assert_eq!(comes(&mut engine, 6, writer(104), 1), [6], "the crowd does not take that back");
    assert_eq!(comes(&mut engine, 7, BEA, 3), [3], "an honest node that wrote");
    assert_eq!(comes(&mut engine, 8, CLEO, 1), [2], "a member that the user verified");
    assert_eq!(comes(&mut engine, 9, writer(103), 1), [9], "and still not");
    assert_eq!(engine.links.peers().collect::<Vec<_>>(), [stranger(5), writer(101), BEA, CLEO]);
}

#[test]
fn second_link_of_a_peer_evicts_no_other() {
    let mut engine = small();
    for link in 1..=4 {
        comes(&mut engine, link, stranger(link as u8), 1);
    }
    // Both sides dial at once. The smaller id would decide; it is not waited for.
    let (one, other) = (peer(stranger(4), 5, true), peer(stranger(0), 5, true));
    assert_eq!(closed(&up(&mut engine, 5, 5, one)), [(5, CloseReason::Duplicate)]);
    assert_eq!(closed(&up(&mut engine, 6, 6, other)), [(6, CloseReason::Busy)]);
    // Another instance, whose old link is dead.
    assert_eq!(closed(&up(&mut engine, 7, 7, peer(stranger(3), 6, false))), []);
    assert_eq!(closed(&up(&mut engine, 8, 8, peer(stranger(2), 6, false))), [(8, CloseReason::Busy)], "no slot");
    assert_eq!(closed(&pass(&mut engine, 8, 7 + PROBE_MS)), [(3, CloseReason::Silent)]);
    assert_eq!(engine.links.ids().iter().map(|link| link.0).collect::<Vec<_>>(), [1, 2, 4, 7]);
}

#[test]
fn evicted_stranger_is_lost_and_not_dialled() {
    let mut engine = small();
    for link in 1..=4 {
        comes(&mut engine, link, stranger(link as u8), 1);
    }
    comes(&mut engine, 5, BEA, 2);
    let actions = pass(&mut engine, 5, 10_000);
    assert_eq!(states(&actions).first(), Some(&Presence::Lost));
    assert!(!actions.iter().any(|action| matches!(action, Action::Dial(dial) if dial.expected == Some(stranger(4)))));
    // When the driver reports the end of that link, nothing is left to do.
    let down = engine.handle(at(10_001), Input::LinkDown { link: LinkId(4), reason: None });
    assert_eq!((closed(&down), states(&down)), (vec![], vec![]));
}

#[test]
fn blocked_member_counts_as_a_stranger() {
    let mut engine = small();
    comes(&mut engine, 1, ERIC, 1);
    for (link, id, last) in [(2, BEA, 1), (3, CLEO, 2), (4, DORA, 2)] {
        comes(&mut engine, link, id, last);
    }
    assert_eq!(comes(&mut engine, 5, stranger(5), 3), [1], "not the newer one that only wrote");
}

#[test]
fn crowd_is_reported_with_its_addresses() {
    let mut engine = small();
    for (link, last) in [(1, 7), (2, 8), (3, 8)] {
        comes(&mut engine, link, stranger(link as u8), last);
    }
    let crowd = engine.crowd(at(10));
    let from = vec![([192, 0, 2, 8].into(), 2), ([192, 0, 2, 7].into(), 1)];
    assert_eq!(crowd, LinkUsage { open: 3, most: 4, is_full: false, from, unreceipted: crowd.unreceipted.clone() });
    for link in 4..=5 {
        comes(&mut engine, link, stranger(link as u8), 8);
    }
    assert!(engine.crowd(at(10)).is_full);
    engine.handle(at(20), Input::LinkDown { link: LinkId(1), reason: Some(CloseReason::Stopping) });
    assert!(engine.crowd(at(20)).is_full, "one was refused a moment ago");
    assert!(!engine.crowd(at(10 + LINKS_FULL_TOLD_MS)).is_full);
}
