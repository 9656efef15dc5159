//! Presence, step by step.

use super::*;

const OWN: NodeId = NodeId([9; 32]);
const ANA: NodeId = NodeId([1; 32]);
const BEN: NodeId = NodeId([2; 32]);

fn name(text: &str) -> Name {
    Name::new(text).expect("a clean name")
}

fn at(mono_ms: u64) -> Now {
    Now { mono_ms, wall_ms: 1_000_000 + mono_ms }
}

fn roster() -> Roster {
    let own = Member::own(OWN, name("Kai"), Vec::new(), 0);
    Roster::new(at(0), own, Vec::new())
}

fn arrival(id: NodeId, called: &str, uptime_ms: u64) -> MemberOnline {
    MemberOnline {
        id,
        name: name(called),
        addresses: Vec::new(),
        port: 7666,
        uptime_ms,
        wall_ms: Some(1_000_000),
        via: None,
    }
}

fn kinds(changes: &Changes) -> Vec<NoticeKind> {
    changes.notices.iter().map(|(kind, _, _)| *kind).collect()
}

#[test]
fn only_later_starts_are_shown_as_joined() {
    let mut roster = roster();
    assert_eq!(kinds(&roster.on_online(at(100), arrival(ANA, "Ana", 50))), [NoticeKind::Joined]);
    assert_eq!(kinds(&roster.on_online(at(100), arrival(BEN, "Ben", 5_000))), []);
    assert_eq!(roster.reachable(), [ANA, BEN]);
}

#[test]
fn lost_member_is_back_and_left_member_joins() {
    let mut roster = roster();
    roster.on_online(at(100), arrival(ANA, "Ana", 500));
    assert_eq!(kinds(&roster.on_offline(at(200), ANA, false)), [NoticeKind::Lost]);
    assert_eq!(kinds(&roster.on_offline(at(200), ANA, false)), []);
    assert_eq!(kinds(&roster.on_online(at(300), arrival(ANA, "Ana", 700))), [NoticeKind::Back]);
    assert_eq!(kinds(&roster.on_offline(at(400), ANA, true)), [NoticeKind::Left]);
    assert_eq!(kinds(&roster.on_online(at(500), arrival(ANA, "Ana", 900))), [NoticeKind::Joined]);
}

#[test]
fn unsure_member_causes_no_notice() {
    let mut roster = roster();
    roster.on_online(at(100), arrival(ANA, "Ana", 0));
    let changes = roster.set_unresponsive(at(9_000), ANA, true);
    assert_eq!((changes.members[0].state, changes.notices.len()), (Presence::Unsure, 0));
    assert_eq!(roster.set_unresponsive(at(9_001), ANA, true), Changes::default());
    assert_eq!(roster.set_unresponsive(at(9_002), ANA, false).members[0].since_ms, 1_009_002);
}

#[test]
fn a_taken_name_is_a_conflict() {
    let mut roster = roster();
    roster.on_online(at(100), arrival(ANA, "Ana", 500));
    assert_eq!(kinds(&roster.on_online(at(100), arrival(BEN, "ANA", 500))), [NoticeKind::Conflict]);
    roster.on_offline(at(200), BEN, true);
    assert_eq!(kinds(&roster.on_online(at(300), arrival(BEN, "ANA", 0))), [NoticeKind::Joined]);
}

#[test]
fn confusable_name_of_a_past_member_is_a_conflict() {
    let mut roster = roster();
    roster.on_online(at(100), arrival(ANA, "Ana", 500));
    // Cyrillic.
    let look_alike = name("\u{410}na");
    assert_eq!(kinds(&roster.named(at(200), BEN, &look_alike, Stamp::from_ms(100))), []);
    let came = roster.on_online(at(300), arrival(BEN, look_alike.as_str(), 5_000));
    assert_eq!(kinds(&came), [NoticeKind::Conflict], "met for the first time");
    roster.on_offline(at(400), BEN, false);
    assert_eq!(kinds(&roster.on_online(at(500), arrival(BEN, look_alike.as_str(), 6_000))), [NoticeKind::Back]);
}

#[test]
fn names_follow_the_authors_own_time() {
    let mut roster = roster();
    roster.on_online(at(100), arrival(ANA, "Ana", 500));
    let later = Stamp::from_ms(1_000_500);
    assert_eq!(kinds(&roster.named(at(600), ANA, &name("Anna"), later)), [NoticeKind::Renamed]);
    roster.named(at(700), ANA, &name("Old"), Stamp::from_ms(500));
    assert_eq!(roster.member(ANA).map(|member| member.name.as_str()), Some("Anna"));
    roster.named(at(700), BEN, &name("Ben"), Stamp::from_ms(500));
    assert_eq!(roster.member(BEN).map(|member| (member.state, member.since_ms)), Some((Presence::Left, 500)));
}

#[test]
fn clock_error_is_reported_by_the_second() {
    let mut roster = roster();
    roster.on_online(at(0), arrival(ANA, "Ana", 500));
    assert_eq!(roster.on_clock_error(ANA, 999).members.len(), 0);
    assert_eq!(roster.on_clock_error(ANA, -1_000).members[0].clock_error_ms, Some(-1_000));
}

#[test]
fn clock_error_stays_below_what_json_carries() {
    const MOST: i64 = (1 << 53) - 1;
    assert_eq!(clock_error_ms(5_000, 3_000), 2_000);
    assert_eq!(clock_error_ms(u64::MAX, 0), MOST);
    assert_eq!(clock_error_ms(0, u64::MAX), -MOST);
    assert_eq!(clock_error_ms(u64::MAX, u64::MAX), 0);
}
