//! Pings on silent links.

use super::*;
use crate::proto::limits::{PING_AFTER_MS, PING_EARLY_MS, UNSURE_AFTER_MS};

#[test]
fn silent_link_is_pinged_then_unsure_then_lost() {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(NodeId([0xff; 32]), 5, true));
    let is_ping = |action: &Action| matches!(action, Action::Send { frame: Frame::Ping { .. }, .. });
    assert!(!pass(&mut engine, 0, PING_AFTER_MS - 1).iter().any(is_ping));
    assert!(pass(&mut engine, PING_AFTER_MS - 1, PING_AFTER_MS + 1).iter().any(is_ping));
    assert_eq!(states(&pass(&mut engine, PING_AFTER_MS + 1, UNSURE_AFTER_MS - 1)), []);
    assert_eq!(states(&pass(&mut engine, UNSURE_AFTER_MS - 1, UNSURE_AFTER_MS + 1)), [Presence::Unsure]);
    let lost = pass(&mut engine, UNSURE_AFTER_MS + 1, 15_001);
    assert_eq!((states(&lost), notices(&lost)), (vec![Presence::Lost], vec![NoticeKind::Lost]));
}

#[test]
fn links_silent_for_about_as_long_share_a_ping() {
    let mut engine = engine();
    for (link, up_ms) in [(1, 0), (2, PING_EARLY_MS), (3, PING_EARLY_MS + 1)] {
        up(&mut engine, up_ms, link, peer(NodeId([0xf0 | link as u8; 32]), 5, true));
    }
    let pings = |action: Action| match action {
        Action::Send { links, frame: Frame::Ping { .. } } => Some(links),
        _ => None,
    };
    let until_first = pass(&mut engine, PING_EARLY_MS + 1, PING_AFTER_MS);
    assert_eq!(until_first.into_iter().filter_map(pings).collect::<Vec<_>>(), [[LinkId(1), LinkId(2)]]);
    let until_next = pass(&mut engine, PING_AFTER_MS, PING_AFTER_MS + PING_EARLY_MS + 1);
    assert_eq!(until_next.into_iter().filter_map(pings).collect::<Vec<_>>(), [[LinkId(3)]]);
}
