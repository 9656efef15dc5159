//! Notices about one member: told as they happen, and few when they happen without end.

use super::*;
use crate::proto::clock::Stamp;
use crate::proto::limits::{NOTICES_AT_ONCE, NOTICES_REFILL_MS};

const MALLORY: NodeId = NodeId([0xff; 32]);

#[test]
fn presence_notices_are_limited_to_one_a_minute() {
    let mut engine = engine();
    let (mut told, mut shown) = (Vec::new(), 0);
    for number in 0..1_000_u64 {
        // 20 joins and 20 departures a minute.
        let now_ms = number * 3_000;
        let mut actions = up(&mut engine, now_ms, number, peer(MALLORY, number, false));
        let (link, reason) = (LinkId(number), Some(CloseReason::Stopping));
        actions.extend(engine.handle(at(now_ms + 1_500), Input::LinkDown { link, reason }));
        shown += states(&actions).len();
        actions.extend(pass(&mut engine, now_ms + 1_500, now_ms + 3_000));
        told.extend(notices(&actions));
    }
    let minutes = 1_000 * 3_000 / NOTICES_REFILL_MS;
    assert!(told.len() as u64 <= NOTICES_AT_ONCE + minutes, "{} in {minutes} minutes", told.len());
    assert_eq!(shown, 2_000, "the state is shown each time");
    // The last one tells what is so.
    let quiet_ms = 1_000 * 3_000 + 2 * NOTICES_REFILL_MS;
    told.extend(notices(&pass(&mut engine, 1_000 * 3_000, quiet_ms)));
    assert_eq!(told.last(), Some(&NoticeKind::Left));
    let joined = up(&mut engine, quiet_ms, 5_000, peer(MALLORY, 5_000, false));
    assert_eq!(notices(&joined), [NoticeKind::Joined], "at once again");
}

#[test]
fn rename_notices_are_limited_to_one_a_minute() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(MALLORY, 5, false));
    let mut told = Vec::new();
    for number in 0..1_000_u64 {
        let mut actions = Vec::new();
        // Each second name is the user's own.
        let name = if number % 2 == 0 { format!("name {number}") } else { "Kai".to_owned() };
        let stamp = Stamp::from_ms(START.wall_ms + number + 1);
        let now = at(number * 600);
        engine.ctx.begin(now);
        let name = Name::from_lossy(&name, "?");
        engine.members.change(&mut engine.ctx, |now, roster| roster.named(now, MALLORY, &name, stamp));
        actions.append(&mut engine.ctx.out);
        actions.extend(tell(&mut engine, number * 600, 1, Frame::Pong { wall_ms: START.wall_ms }));
        told.extend(notices(&actions));
    }
    for kind in [NoticeKind::Renamed, NoticeKind::Conflict] {
        let count = told.iter().filter(|other| **other == kind).count() as u64;
        assert!((NOTICES_AT_ONCE..=NOTICES_AT_ONCE + 10).contains(&count), "{count} of {kind:?}");
    }
}

#[test]
fn held_notice_is_published_at_the_stop() {
    let mut engine = engine();
    for number in 0..=NOTICES_AT_ONCE / 2 {
        up(&mut engine, 1 + number, number, peer(MALLORY, number, false));
        if number < NOTICES_AT_ONCE / 2 {
            let (link, reason) = (LinkId(number), Some(CloseReason::Stopping));
            engine.handle(at(1 + number), Input::LinkDown { link, reason });
        }
    }
    assert_eq!(notices(&engine.handle(at(10), Input::Stop)), [NoticeKind::Joined]);
}
