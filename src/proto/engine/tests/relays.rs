//! Whom others say that they reach: what this node believes of it, and what it does not.

use std::collections::BTreeSet;

use super::*;
use crate::proto::limits::SAID_MAX;
use crate::proto::replication::frame::{ReachReport, ReachState, Receipt};
use crate::proto::replication::store_api::{Appended, MemberRecord, WriteResult};

/// Two members that are linked with this node, and one that is linked with them alone.
const REX: NodeId = NodeId([0xfd; 32]);
const RIA: NodeId = NodeId([0xfe; 32]);
const MIA: NodeId = NodeId([0xff; 32]);

/// A member that no node ever saw.
fn nobody(number: u64) -> NodeId {
    let mut id = [0xee; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    NodeId(id)
}

/// The answer of a peer that is asked to compare: the peers it is linked with, and nothing to
/// fetch.
fn linked_with(linked: &[NodeId]) -> Frame {
    Frame::Authors { same: true, authors: Vec::new(), more: false, linked: linked.to_vec() }
}

fn reaches(member: NodeId, state: ReachState) -> Frame {
    let listens = vec![SocketAddr::from(([192, 0, 2, 9], 7666))];
    Frame::Reach(ReachReport { member, state, name: Name::from_lossy("Mia", "?"), uptime_ms: 0, listens })
}

/// The members that were asked for, and the links.
fn relays(actions: &[Action]) -> Vec<(NodeId, u64)> {
    let relay = |action: &Action| match action {
        Action::Send { links, frame: Frame::Relay { member, on: true } } => Some((*member, links[0].0)),
        _ => None,
    };
    actions.iter().filter_map(relay).collect()
}

/// Whose word is kept that they hold own messages.
fn holders(actions: &[Action]) -> Vec<NodeId> {
    let receipts = |action: &Action| match action {
        Action::Write(WriteAction(Write::Receipts(receipts))) => {
            receipts.iter().map(|receipt| receipt.member).collect()
        }
        _ => Vec::new(),
    };
    actions.iter().flat_map(receipts).collect()
}

/// Says something that gets onto the disk; returns what a receipt for it says.
fn say_something(engine: &mut Engine, mono_ms: u64) -> Receipt {
    let actions = engine.handle(at(mono_ms), Input::Say { asker: AskId(1), say: hi() });
    let append = |action: &Action| match action {
        Action::Write(WriteAction(Write::Append { token, batches })) => Some((*token, batches[0].batch.clone())),
        _ => None,
    };
    let (token, batch) = actions.iter().find_map(append).expect("a batch to store");
    let written = WriteResult::Appended(Appended { token, ..Appended::default() });
    engine.handle(at(mono_ms), Input::Written(written));
    Receipt { log: batch.header().log, first: 1, last: batch.header().last_seq() }
}

#[test]
fn carried_receipt_counts_of_relayed_members_only() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(REX, 5, true));
    up(&mut engine, 0, 2, peer(RIA, 5, true));
    let receipt = say_something(&mut engine, 1);
    let own = engine.own();
    let carry = |engine: &mut Engine, link: u64, from: NodeId| {
        let frame = Frame::Carry { author: own, from, receipts: vec![receipt] };
        holders(&tell(engine, 2, link, frame))
    };
    for number in 0..2_000 {
        assert_eq!(carry(&mut engine, 1, nobody(number)), [], "of somebody whom nobody ever saw");
    }
    assert_eq!(carry(&mut engine, 1, RIA), [], "whoever has a link says so itself");
    assert_eq!(carry(&mut engine, 1, own), [], "of oneself");
    assert_eq!(relays(&tell(&mut engine, 3, 1, linked_with(&[MIA]))), [(MIA, 1)]);
    assert_eq!(carry(&mut engine, 1, MIA), [], "not before it is known to be there");
    tell(&mut engine, 5, 1, reaches(MIA, ReachState::Here));
    assert_eq!(carry(&mut engine, 2, MIA), [MIA], "she may have asked another one to pass this node on");
    tell(&mut engine, 6, 1, reaches(MIA, ReachState::Left));
    assert_eq!(carry(&mut engine, 1, MIA), [], "gone");
}

#[test]
fn goodbye_holds_until_another_instance() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(REX, 5, true));
    up(&mut engine, 0, 2, peer(MIA, 5, true));
    tell(&mut engine, 1, 1, linked_with(&[MIA]));
    let left = engine.handle(at(1_000), Input::LinkDown { link: LinkId(2), reason: Some(CloseReason::Stopping) });
    assert_eq!((notices(&left), relays(&left)), (vec![NoticeKind::Left], vec![(MIA, 1)]));
    let here = |uptime_ms| {
        let Frame::Reach(reach) = reaches(MIA, ReachState::Here) else { unreachable!("it says that she is here") };
        Frame::Reach(ReachReport { uptime_ms, ..reach })
    };
    assert_eq!(notices(&tell(&mut engine, 1_003, 1, here(60_000))), []);
    assert_eq!(notices(&tell(&mut engine, 1_004, 1, reaches(MIA, ReachState::Left))), []);
    let late = up(&mut engine, 1_005, 3, peer(MIA, 5, false));
    assert_eq!((notices(&late), closed(&late).len()), (vec![], 1), "nor by a second connection of the same program");
    // Her next start is another program.
    assert_eq!(relays(&tell(&mut engine, 9_000, 1, linked_with(&[MIA]))), [(MIA, 1)]);
    assert_eq!(notices(&tell(&mut engine, 9_001, 1, here(700))), [NoticeKind::Joined]);
    let linked = up(&mut engine, 9_002, 4, peer(MIA, 6, false));
    assert_eq!((notices(&linked), closed(&linked)), (vec![], vec![]));
}

#[test]
fn repeated_report_is_stored_once() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(REX, 5, true));
    let receipt = say_something(&mut engine, 1);
    let mut kept = |mono_ms| holders(&tell(&mut engine, mono_ms, 1, Frame::Receipt(vec![receipt])));
    assert_eq!(kept(2), [REX]);
    for mono_ms in 3..1_000 {
        assert_eq!(kept(mono_ms), [], "it is on its way to the disk");
    }
    // The disk may have been full.
    assert_eq!([kept(6_000), kept(6_001)].concat(), [REX]);
}

#[test]
fn reported_strangers_share_the_newcomer_limit() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(REX, 5, true));
    let mut asked = Vec::new();
    let mut tell_of = |engine: &mut Engine, mono_ms: u64, first: u64| {
        let ghosts: Vec<NodeId> = (first..first + 1_000).map(nobody).collect();
        let asks = relays(&tell(engine, mono_ms, 1, linked_with(&ghosts)));
        let known = asks.iter().filter(|(ghost, _)| asked.contains(ghost)).count();
        for (ghost, _) in &asks {
            tell(engine, mono_ms, 1, reaches(*ghost, ReachState::Here));
        }
        asked.extend(asks.iter().map(|(ghost, _)| *ghost));
        asks.len() - known
    };
    // One came with the link itself.
    let rest = NEWCOMERS_PER_ADDRESS as usize - 1;
    assert_eq!(tell_of(&mut engine, 1, 0), rest);
    assert_eq!(tell_of(&mut engine, 2, 1_000), 0, "another list makes no other budget");
    assert_eq!(engine.members().count(), rest + 2, "with the peer and oneself");
    let later_ms = NEWCOMERS_PER_ADDRESS_REFILL_MS;
    assert_eq!(tell_of(&mut engine, later_ms, 0), 1, "one more after a while");
}

#[test]
fn own_name_beats_a_relayed_one() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(REX, 5, true));
    up(&mut engine, 0, 2, peer(MIA, 5, true));
    engine.handle(at(1), Input::LinkDown { link: LinkId(2), reason: None });
    assert_eq!(relays(&tell(&mut engine, 2, 1, linked_with(&[MIA]))), [(MIA, 1)]);
    let reached = tell(&mut engine, 3, 1, reaches(MIA, ReachState::Here));
    let member = engine.member(MIA).expect("a member");
    assert_eq!((member.via, member.name.as_str()), (Some(REX), "Ana"), "{reached:?}");
}

#[test]
fn member_reached_by_no_relay_is_lost() {
    let mut engine = engine();
    for link in 1..=20 {
        up(&mut engine, 0, link, peer(nobody(link), 5, true));
    }
    let mut asked = relays(&tell(&mut engine, 1, 1, linked_with(&[MIA])));
    tell(&mut engine, 2, 1, reaches(MIA, ReachState::Here));
    for link in 2..=20 {
        tell(&mut engine, 3, link, linked_with(&[MIA]));
    }
    // One after the other is asked, and takes a second to say that it does not reach her either.
    let (mut actions, mut now_ms) = (Vec::new(), 3);
    while let Some((_, link)) = asked.pop() {
        let mut told = tell(&mut engine, now_ms, link, reaches(MIA, ReachState::Gone));
        told.extend(pass(&mut engine, now_ms, now_ms + 1_000));
        now_ms += 1_000;
        asked = relays(&told);
        actions.extend(told);
        if notices(&actions) == [NoticeKind::Lost] {
            break;
        }
    }
    assert_eq!(notices(&actions), [NoticeKind::Lost]);
    assert!(now_ms < 4_000, "after {now_ms} ms");
}

/// A peer that reaches Mia on link 1, and then has a second link.
fn reaching_over_the_first(instance: u64) -> (Engine, Vec<Action>) {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(REX, 5, true));
    tell(&mut engine, 1, 1, linked_with(&[MIA]));
    tell(&mut engine, 2, 1, reaches(MIA, ReachState::Here));
    let actions = up(&mut engine, 3, 2, peer(REX, instance, true));
    (engine, actions)
}

/// Checks that a member reached over link 1 is asked for on link 2 at once, and that none was seen
/// to leave.
#[track_caller]
fn check_goes_on(engine: &mut Engine, mono_ms: u64) {
    assert_eq!(relays(&tell(engine, mono_ms, 2, linked_with(&[MIA]))), [(MIA, 2)]);
    let mut actions = tell(engine, mono_ms + 1, 2, reaches(MIA, ReachState::Here));
    actions.extend(pass(engine, mono_ms + 1, mono_ms + 2_900));
    assert_eq!(notices(&actions), []);
    assert_eq!(engine.relays.route(MIA), Some(LinkId(2)));
}

#[test]
fn relay_survives_a_replaced_link() {
    let (mut engine, actions) = reaching_over_the_first(5);
    assert_eq!(closed(&actions), [(1, CloseReason::Duplicate)]);
    check_goes_on(&mut engine, 4);
}

#[test]
fn relay_survives_a_new_instance_of_the_peer() {
    let (mut engine, _) = reaching_over_the_first(6);
    let actions = pass(&mut engine, 3, 3 + PROBE_MS);
    assert_eq!(closed(&actions), [(1, CloseReason::Silent)]);
    check_goes_on(&mut engine, 3 + PROBE_MS + 1);
}

#[test]
fn impossible_address_is_not_dialled() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(REX, 5, true));
    tell(&mut engine, 1, 1, linked_with(&[MIA]));
    let nowhere = ["127.0.0.1:8080", "[::1]:8080", "[::ffff:127.0.0.1]:8080", "0.0.0.0:7666", "224.0.0.1:7666"];
    let nowhere =
        nowhere.into_iter().chain(["255.255.255.255:7666", "[fe80::1]:7666", "[ff02::1]:7666", "192.0.2.3:22"]);
    let mut listens: Vec<SocketAddr> = nowhere.map(|address| address.parse().expect("an address")).collect();
    let good: Vec<SocketAddr> = (0..50).map(|last| SocketAddr::from(([198, 51, 100, last], 7666))).collect();
    listens.extend(&good);
    let reach =
        ReachReport { member: MIA, state: ReachState::Here, name: Name::from_lossy("Mia", "?"), uptime_ms: 0, listens };
    let actions = tell(&mut engine, 2, 1, Frame::Reach(reach));
    let kept = actions.iter().find_map(|action| match action {
        Action::Write(WriteAction(Write::Member(record))) if record.id == MIA => Some(record.clone()),
        _ => None,
    });
    let good: BTreeSet<SocketAddr> = good[..SAID_MAX].iter().copied().collect();
    assert_eq!(dialled(&mut engine, actions), good);
    // Nor at the next start, of what was kept.
    let members = vec![kept.expect("she is kept")];
    assert_eq!(dialled(&mut started(Snapshot { members, ..Snapshot::default() }), Vec::new()), good);
}

#[test]
fn start_dials_last_known_addresses_only() {
    let start = |addresses: &[&str], port| {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        let (name, name_time) = (Name::from_lossy("Mia", "?"), crate::proto::clock::Stamp(1));
        let member = MemberRecord { id: MIA, name, name_time, addresses, port, since_ms: 1, lost: false };
        let mut engine = started(Snapshot { members: vec![member], ..Snapshot::default() });
        dialled(&mut engine, Vec::new()).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    // The link came from the first; the others are said.
    let said = ["192.0.2.9", "127.0.0.1", "fe80::1", "224.0.0.1", "0.0.0.0", "198.51.100.7"];
    assert_eq!(start(&said, 7666), ["192.0.2.9:7666", "198.51.100.7:7666"]);
    assert_eq!(start(&said, 22), [""; 0]);
    assert_eq!(start(&["127.0.0.2", "192.0.2.9"], 7666), ["127.0.0.2:7666"], "somebody on this machine");
    assert_eq!(start(&[], 7666), [""; 0]);
}

/// Everywhere that is dialled within three seconds, if each dial fails.
fn dialled(engine: &mut Engine, mut actions: Vec<Action>) -> BTreeSet<SocketAddr> {
    let mut dialled = BTreeSet::new();
    for now_ms in (3..3_000).step_by(10) {
        for action in std::mem::take(&mut actions) {
            let Action::Dial(dial) = action else { continue };
            if let DialTarget::Address(address) = dial.target {
                dialled.insert(address);
            }
            actions.extend(engine.handle(at(now_ms), Input::DialFailed(dial.dial)));
        }
        actions.extend(engine.handle(at(now_ms), Input::Tick));
    }
    dialled
}
