//! Single turns of the engine, where a rule is finer than what a whole world shows.

mod asking;
mod crowd;
mod disk_full;
mod notices;
mod pings;
mod relays;
mod typing;
mod unmet;

use std::net::SocketAddr;

use ed25519_dalek::SigningKey;

use super::*;
use crate::proto::commands::SayCommand;
use crate::proto::entries::timeline::{Conversation, MessageKind, NoticeKind};
use crate::proto::ids::{DialId, Hash, Instance, LogId, LogKey, RoomId, RoomTag};
use crate::proto::limits::{
    BUSY_RETRY_MS, COMPARE_TURN_MS, LINKS_MAX, NEWCOMERS_PER_ADDRESS, NEWCOMERS_PER_ADDRESS_REFILL_MS, PROBE_MS,
    PROTOCOL_RETRY_MS,
};
use crate::proto::links::address_book::DialTarget;
use crate::proto::links::link_budget::LinkBudget;
use crate::proto::member_flags::MemberFlags;
use crate::proto::members::member::Presence;
use crate::proto::replication::frame::{Beacon, CloseReason, Frame, HeldRange, Intro, LogHoldings, Peer};
use crate::proto::replication::store_api::{IdempotencyKey, Write};

const QUOTA: u64 = 1024 * 1024;

const START: Now = Now { mono_ms: 10_000, wall_ms: 1_800_000_000_000 };

fn at(mono_ms: u64) -> Now {
    Now { mono_ms: START.mono_ms + mono_ms, wall_ms: START.wall_ms + mono_ms }
}

fn hi() -> SayCommand {
    SayCommand::new(MessageKind::Say, Conversation::general(), "hi".to_owned())
}

fn engine() -> Engine {
    started(Snapshot::default())
}

fn started(snapshot: Snapshot) -> Engine {
    started_within(LinkBudget::default(), snapshot)
}

fn started_within(budget: LinkBudget, snapshot: Snapshot) -> Engine {
    let settings = EngineConfig {
        key: SigningKey::from_bytes(&[1; 32]),
        room: RoomId::new("lobby", b""),
        tag: RoomTag::new("lobby"),
        instance: Instance(1),
        name: Name::from_lossy("Kai", "?"),
        port: 7666,
        addresses: Vec::new(),
        peers: Vec::new(),
        quota: QUOTA,
        budget,
        seed: [7; 32],
    };
    Engine::new(START, settings, snapshot)
}

fn peer(id: NodeId, instance: u64, dialled: bool) -> Peer {
    let intro = Intro {
        name: Name::from_lossy("Ana", "?"),
        uptime_ms: 0,
        wall_ms: START.wall_ms,
        listens: vec![SocketAddr::from(([192, 0, 2, 1], 7666))],
    };
    Peer { id, instance: Instance(instance), version: 2, intro, address: [192, 0, 2, 1].into(), dialled }
}

fn up(engine: &mut Engine, mono_ms: u64, link: u64, peer: Peer) -> Vec<Action> {
    engine.handle(at(mono_ms), Input::LinkUp { link: LinkId(link), dial: None, peer })
}

fn tell(engine: &mut Engine, mono_ms: u64, link: u64, frame: Frame) -> Vec<Action> {
    engine.handle(at(mono_ms), Input::Frame { link: LinkId(link), frame })
}

fn closed(actions: &[Action]) -> Vec<(u64, CloseReason)> {
    let close = |action: &Action| match action {
        Action::Close { link, reason } => Some((link.0, *reason)),
        _ => None,
    };
    actions.iter().filter_map(close).collect()
}

fn notices(actions: &[Action]) -> Vec<NoticeKind> {
    let notice = |action: &Action| match action {
        Action::Write(WriteAction(Write::Notice { kind, .. })) => Some(*kind),
        _ => None,
    };
    actions.iter().filter_map(notice).collect()
}

/// The one of two links of the same peer that this node closes, if it is the one to decide.
#[track_caller]
fn check_tie(peer_id: [u8; 32], first_dialled: bool, second_dialled: bool, expected: &[(u64, CloseReason)]) {
    let mut engine = engine();
    let id = NodeId(peer_id);
    up(&mut engine, 0, 1, peer(id, 5, first_dialled));
    let actions = up(&mut engine, 10, 2, peer(id, 5, second_dialled));
    assert_eq!(closed(&actions), expected);
    assert_eq!(notices(&actions), [], "nobody sees anybody leave");
}

#[test]
fn link_dialled_by_the_smaller_id_survives() {
    // This node's id lies between these two.
    let (small, great) = ([0; 32], [0xff; 32]);
    check_tie(great, true, false, &[(2, CloseReason::Duplicate)]);
    check_tie(great, false, true, &[(1, CloseReason::Duplicate)]);
    check_tie(great, true, true, &[(1, CloseReason::Duplicate)]);
    check_tie(great, false, false, &[(1, CloseReason::Duplicate)]);
    // The smaller id decides alone.
    check_tie(small, true, false, &[]);
    check_tie(small, true, true, &[]);
}

#[test]
fn no_peer_has_more_links_than_a_tie_needs() {
    // The smaller id is to decide, and does not.
    let mut engine = engine();
    let id = NodeId([0; 32]);
    let mut ended: Vec<u64> = Vec::new();
    for link in 1..=2 * LINKS_MAX as u64 {
        let actions = up(&mut engine, 10 * link, link, peer(id, 5, link % 3 == 0));
        ended.extend(closed(&actions).iter().map(|(link, _)| *link));
        assert!(engine.links.ids().len() <= 2, "{:?}", engine.links.ids());
        assert_eq!(notices(&actions).len(), usize::from(link == 1), "nobody sees anybody leave");
    }
    ended.dedup();
    assert_eq!(ended.len(), 2 * LINKS_MAX - 2, "all others are ended");
    assert_eq!(closed(&up(&mut engine, 30_000, 9_999, peer(NodeId([0xff; 32]), 5, false))), [], "there is room");
    // When the one in use ends, the other one is there.
    let used = engine.links.primary_id(id).expect("a link");
    let actions = engine.handle(at(30_001), Input::LinkDown { link: used, reason: None });
    assert!(engine.links.primary_id(id).is_some() && notices(&actions).is_empty());
}

#[test]
fn new_instance_replaces_a_silent_one() {
    let mut engine = engine();
    let id = NodeId([0xff; 32]);
    up(&mut engine, 0, 1, peer(id, 5, true));
    assert_eq!(closed(&up(&mut engine, 100, 2, peer(id, 6, false))), []);
    let actions = engine.handle(at(100 + PROBE_MS), Input::Tick);
    assert_eq!(closed(&actions), [(1, CloseReason::Silent)]);
    assert_eq!(engine.links.primary_id(id), Some(LinkId(2)));
}

#[test]
fn key_in_use_on_two_machines_is_reported() {
    // On a fast network the answer is there within the same millisecond.
    for pong_ms in [100, 150] {
        let mut engine = engine();
        let id = NodeId([0xff; 32]);
        up(&mut engine, 0, 1, peer(id, 5, true));
        up(&mut engine, 100, 2, peer(id, 6, false));
        let pong = Input::Frame { link: LinkId(1), frame: Frame::Pong { wall_ms: 0 } };
        let mut actions = engine.handle(at(pong_ms), pong);
        actions.extend(engine.handle(at(150 + PROBE_MS), Input::Tick));
        assert_eq!(closed(&actions), [(2, CloseReason::KeyInUse)]);
        assert!(actions.contains(&Action::Warn(Warning::KeyInUse(id))));
        assert_eq!(engine.links.primary_id(id), Some(LinkId(1)));
    }
}

/// Lets time pass, as a driver does, and collects what happens.
fn pass(engine: &mut Engine, from_ms: u64, to_ms: u64) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut now_ms = from_ms;
    while now_ms < to_ms {
        now_ms = (engine.next_deadline_ms() - START.mono_ms).clamp(now_ms, to_ms);
        actions.extend(engine.handle(at(now_ms), Input::Tick));
    }
    actions
}

fn states(actions: &[Action]) -> Vec<Presence> {
    let state = |action: &Action| match action {
        Action::Show(UiEvent::Member(member)) => Some(member.state),
        _ => None,
    };
    actions.iter().filter_map(state).collect()
}

#[test]
fn link_back_within_the_grace_is_not_announced() {
    let mut engine = engine();
    let id = NodeId([0xff; 32]);
    up(&mut engine, 0, 1, peer(id, 5, true));
    engine.handle(at(1_000), Input::LinkDown { link: LinkId(1), reason: None });
    let mut actions = pass(&mut engine, 1_000, 2_000);
    actions.extend(up(&mut engine, 2_000, 2, peer(id, 5, true)));
    actions.extend(pass(&mut engine, 2_000, 4_500));
    assert_eq!(notices(&actions), []);
    engine.handle(at(4_500), Input::LinkDown { link: LinkId(2), reason: None });
    assert_eq!(notices(&pass(&mut engine, 4_500, 6_600)), [NoticeKind::Lost]);
}

#[test]
fn resumed_node_pings_before_it_drops_links() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(NodeId([0xff; 32]), 5, true));
    let woken = engine.handle(at(600_000), Input::Tick);
    assert!(woken.iter().any(|action| matches!(action, Action::Send { frame: Frame::Ping { .. }, .. })));
    assert_eq!((closed(&woken), states(&woken)), (vec![], vec![]));
    assert_eq!(states(&pass(&mut engine, 600_000, 601_900)), []);
    assert_eq!(states(&pass(&mut engine, 601_900, 602_100)).last(), Some(&Presence::Lost));
}

#[test]
fn the_same_ref_makes_one_message() {
    let mut engine = engine();
    let say = |asker: u64, content: u8| Input::Say {
        asker: AskId(asker),
        say: SayCommand {
            reference: Some(IdempotencyKey { name: "r".to_owned(), content: crate::proto::ids::Hash([content; 32]) }),
            ..hi()
        },
    };
    let writes = |actions: &[Action]| actions.iter().filter(|action| matches!(action, Action::Write(_))).count();
    assert_eq!(writes(&engine.handle(at(0), say(1, 0))), 1);
    assert_eq!(writes(&engine.handle(at(1), say(2, 0))), 0);
    let mistaken = engine.handle(at(2), say(3, 9));
    assert!(mistaken.contains(&Action::Answer { asker: AskId(3), answer: Reply::RefUsed }));
}

#[test]
fn strangers_from_one_address_become_members_slowly() {
    let mut engine = engine();
    let mut link = 0;
    let mut come = |engine: &mut Engine, mono_ms: u64, number: u64, last: u8| {
        link += 1;
        let mut id = [0xfe; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let address = std::net::IpAddr::from([192, 0, 2, last]);
        let peer = Peer { address, ..peer(NodeId(id), 1, false) };
        let actions = up(engine, mono_ms, link, peer);
        let refused = closed(&actions) == [(link, CloseReason::Busy)];
        engine.handle(at(mono_ms), Input::LinkDown { link: LinkId(link), reason: None });
        !refused
    };
    let let_in = (0..1_000).filter(|number| come(&mut engine, 0, *number, 1)).count() as u64;
    assert_eq!(let_in, NEWCOMERS_PER_ADDRESS);
    assert_eq!(engine.members().count() as u64, NEWCOMERS_PER_ADDRESS + 1, "and oneself");
    assert!(come(&mut engine, 1, 5, 1), "who was seen before may come again");
    assert!(come(&mut engine, 2, 2_000, 2), "another address has its own");
    assert!(!come(&mut engine, 3, 3_000, 1));
    assert!(come(&mut engine, NEWCOMERS_PER_ADDRESS_REFILL_MS, 3_000, 1), "one more after a while");
}

#[test]
fn refused_stranger_is_not_redialled_at_once() {
    let mut engine = engine();
    for number in 0..NEWCOMERS_PER_ADDRESS {
        let mut id = [0xee; 32];
        id[0] = number as u8;
        up(&mut engine, 0, number, peer(NodeId(id), 1, false));
    }
    let id = NodeId([0xff; 32]);
    let name = Name::from_lossy("Ana", "?");
    let beacon = Beacon { room: RoomTag::new("lobby"), id, instance: Instance(5), port: 7666, name };
    let source = SocketAddr::from(([192, 0, 2, 1], 7666));
    let mut dials = 0;
    for now_ms in (0..2_000).step_by(10) {
        // It does all to be dialled.
        for action in engine.handle(at(now_ms), Input::Beacon { source, beacon: beacon.clone() }) {
            let Action::Dial(dial) = action else { continue };
            dials += 1;
            let (link, dial) = (LinkId(1_000 + dials), Some(dial.dial));
            let actions = engine.handle(at(now_ms), Input::LinkUp { link, dial, peer: peer(id, 5, true) });
            assert_eq!(closed(&actions), [(link.0, CloseReason::Busy)]);
        }
    }
    assert!((1..=2).contains(&dials), "{dials} dials in two seconds");
}

#[test]
fn busy_or_faulty_peer_is_not_redialled_at_once() {
    for (reason, rest_ms) in [(CloseReason::Busy, BUSY_RETRY_MS), (CloseReason::Protocol, PROTOCOL_RETRY_MS)] {
        let mut engine = engine();
        let id = NodeId([0xff; 32]);
        up(&mut engine, 0, 1, peer(id, 5, true));
        let mut actions = engine.handle(at(10), Input::LinkDown { link: LinkId(1), reason: Some(reason) });
        actions.extend(pass(&mut engine, 10, 10 + rest_ms - 1));
        let dials = |actions: &[Action]| actions.iter().filter(|action| matches!(action, Action::Dial(_))).count();
        assert_eq!(dials(&actions), 0);
        assert_eq!(dials(&pass(&mut engine, 10 + rest_ms - 1, 10 + 2 * rest_ms + 200)), 1);
    }
}

#[test]
fn endless_comparison_takes_turns() {
    let mut engine = engine();
    let (endless, honest) = (NodeId([0xfe; 32]), NodeId([0xff; 32]));
    let mut actions = up(&mut engine, 0, 1, peer(endless, 5, true));
    actions.extend(up(&mut engine, 0, 2, peer(honest, 5, true)));
    let asked = |actions: &[Action], link: u64| {
        let is_asked = |action: &&Action| match action {
            Action::Send { links, frame: Frame::Compare { .. } | Frame::AskLogs { .. } } => links == &[LinkId(link)],
            _ => false,
        };
        actions.iter().filter(is_asked).count()
    };
    assert_eq!((asked(&actions, 1), asked(&actions, 2)), (1, 0), "one at a time");
    let page = |first: u8, many: u8| {
        let authors = (first..first + many).map(|n| (NodeId([n; 32]), Hash([n; 32]))).collect();
        Frame::Authors { same: false, authors, more: true, linked: Vec::new() }
    };
    let tell = |engine: &mut Engine, mono_ms: u64, frame: Frame| {
        engine.handle(at(mono_ms), Input::Frame { link: LinkId(1), frame })
    };
    // Not ascending, then as it should be, then one that was not asked for any more.
    assert_eq!(asked(&tell(&mut engine, 1, page(9, 1)), 1), 1);
    assert_eq!(asked(&tell(&mut engine, 2, page(1, 1)), 1), 0);
    let logs = |mono_ms: u64| {
        let ranges = Vec::new();
        let holding = LogHoldings { log: LogId(mono_ms), audience: None, ranges, fork: None };
        Frame::Logs { author: NodeId([9; 32]), logs: vec![holding], more: true }
    };
    let mut honest_asked_ms = None;
    for mono_ms in 3..2_000 {
        let actions = tell(&mut engine, mono_ms, logs(mono_ms));
        if asked(&actions, 2) == 1 {
            honest_asked_ms = Some(mono_ms);
            break;
        }
        assert_eq!(asked(&actions, 1), 1, "there is always more");
    }
    assert!(honest_asked_ms.is_some_and(|ms| ms <= COMPARE_TURN_MS), "{honest_asked_ms:?}");
    // It goes on from where it was, once the other is through.
    let same = Frame::Authors { same: true, authors: Vec::new(), more: false, linked: Vec::new() };
    let actions = engine.handle(at(2_000), Input::Frame { link: LinkId(2), frame: same });
    let went_on = |action: &Action| match action {
        Action::Send { links, frame: Frame::AskLogs { from, .. } } => links == &[LinkId(1)] && from.is_some(),
        _ => false,
    };
    assert!(actions.iter().any(went_on), "{actions:?}");
}

#[test]
fn vain_request_is_repeated_after_a_minute() {
    let mut engine = engine();
    let (id, key) = (NodeId([0xff; 32]), LogKey { author: NodeId([9; 32]), log: LogId(5) });
    up(&mut engine, 0, 1, peer(id, 5, true));
    let mut asked_ms = Vec::new();
    let mut answers: Vec<Frame> = vec![Frame::Pong { wall_ms: 0 }];
    for now_ms in (0..140_000).step_by(100) {
        let mut actions = engine.handle(at(now_ms), Input::Tick);
        while let Some(answer) = answers.pop() {
            actions.extend(tell(&mut engine, now_ms, 1, answer));
        }
        for action in actions {
            let Action::Send { frame, .. } = action else { continue };
            // It holds a log, and has nothing to send of it that could be read here.
            match frame {
                Frame::Ping { wall_ms } => answers.push(Frame::Pong { wall_ms }),
                Frame::Compare { .. } => {
                    let authors = vec![(key.author, Hash([9; 32]))];
                    answers.push(Frame::Authors { same: false, authors, more: false, linked: Vec::new() });
                }
                Frame::AskLogs { author, .. } => {
                    let ranges = vec![HeldRange { first: 1, last: 9, head: Hash([1; 32]) }];
                    let logs = vec![LogHoldings { log: key.log, audience: None, ranges, fork: None }];
                    answers.push(Frame::Logs { author, logs, more: false });
                }
                Frame::Fetch(fetch) => {
                    asked_ms.push(now_ms);
                    answers.push(Frame::Page { key: fetch.key, batches: Vec::new(), busy: false });
                }
                _ => {}
            }
        }
    }
    assert_eq!(asked_ms.len(), 3, "{asked_ms:?}");
    assert!(asked_ms.windows(2).all(|pair| pair[1] - pair[0] >= 60_000), "{asked_ms:?}");
}

#[test]
fn stale_beacon_causes_one_failed_dial() {
    let mut engine = engine();
    let id = NodeId([0xff; 32]);
    up(&mut engine, 0, 1, peer(id, 6, true));
    let name = Name::from_lossy("Somebody else by now", "?");
    let beacon = Beacon { room: RoomTag::new("lobby"), id, instance: Instance(5), port: 7666, name };
    // How many dials it leads to, which all end alike, if it comes from there so many times in a
    // row.
    let dials = |engine: &mut Engine, (from_ms, to_ms): (u64, u64), last: u8, many: usize, end: fn(DialId) -> Input| {
        let source = SocketAddr::from(([192, 0, 2, last], 7666));
        let mut dials = 0;
        for (number, now_ms) in (from_ms..to_ms).step_by(100).enumerate() {
            let replayed = Input::Beacon { source, beacon: beacon.clone() };
            for action in engine.handle(at(now_ms), if number < many { replayed } else { Input::Tick }) {
                match action {
                    Action::Dial(dial) => {
                        assert_eq!(dial.expected, Some(id));
                        // What came from elsewhere before may be worth one more.
                        dials += usize::from(dial.target == DialTarget::Address(source));
                        engine.handle(at(now_ms), end(dial.dial));
                    }
                    Action::Show(_) | Action::Close { .. } | Action::Warn(_) => panic!("{action:?}"),
                    _ => {}
                }
            }
            if engine.links.primary_id(id).is_some() {
                tell(engine, now_ms, 1, Frame::Pong { wall_ms: at(now_ms).wall_ms });
            }
        }
        dials
    };
    let dialled = dials(&mut engine, (100, 20_000), 77, usize::MAX, Input::DialFailed);
    assert_eq!(dialled, 0, "as long as the link is well there is nobody to look for");
    assert_eq!(engine.member(id).map(|member| member.state), Some(Presence::Online));
    engine.handle(at(20_000), Input::LinkDown { link: LinkId(1), reason: Some(CloseReason::Stopping) });
    let left = engine.member(id).cloned();
    assert_eq!(dials(&mut engine, (20_100, 600_000), 77, 1, Input::DialFailed), 1);
    // Again and again, it leads to as little as the beacons of a node behind a firewall, and to
    // less if another node answers.
    let failed = dials(&mut engine, (600_000, 720_000), 78, usize::MAX, Input::DialFailed);
    let refused = dials(&mut engine, (720_000, 840_000), 79, usize::MAX, Input::DialRefused);
    assert!((4..=8).contains(&failed) && refused == 2, "{failed} and {refused} dials in two minutes");
    assert_eq!(engine.member(id).cloned(), left, "who has left is not back by a word of theirs that somebody kept");
}
