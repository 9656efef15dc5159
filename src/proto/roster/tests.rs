//! Who is here, step by step.

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
    let own = Member {
        id: OWN,
        name: name("Kai"),
        state: State::Online,
        own: true,
        addresses: Vec::new(),
        since_ms: 0,
        direct: true,
        via: None,
        clock_error_ms: None,
        marks: Marks::default(),
        forked: false,
        bytes: 0,
        closed: None,
    };
    Roster::new(at(0), own, Vec::new())
}

fn arrival(id: NodeId, called: &str, uptime_ms: u64) -> Arrival {
    Arrival {
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
fn a_newcomer_joins_and_those_before_us_were_simply_here() {
    let mut roster = roster();
    assert_eq!(kinds(&roster.came(at(100), arrival(ANA, "Ana", 50))), [NoticeKind::Joined]);
    assert_eq!(kinds(&roster.came(at(100), arrival(BEN, "Ben", 5_000))), []);
    assert_eq!(roster.here(), [ANA, BEN]);
}

#[test]
fn lost_comes_back_and_left_joins() {
    let mut roster = roster();
    roster.came(at(100), arrival(ANA, "Ana", 500));
    assert_eq!(kinds(&roster.went(at(200), ANA, false)), [NoticeKind::Lost]);
    assert_eq!(kinds(&roster.went(at(200), ANA, false)), []);
    assert_eq!(kinds(&roster.came(at(300), arrival(ANA, "Ana", 700))), [NoticeKind::Back]);
    assert_eq!(kinds(&roster.went(at(400), ANA, true)), [NoticeKind::Left]);
    assert_eq!(kinds(&roster.came(at(500), arrival(ANA, "Ana", 900))), [NoticeKind::Joined]);
}

#[test]
fn unsure_changes_the_member_alone() {
    let mut roster = roster();
    roster.came(at(100), arrival(ANA, "Ana", 0));
    let changes = roster.silent(at(9_000), ANA, true);
    assert_eq!((changes.members[0].state, changes.notices.len()), (State::Unsure, 0));
    assert_eq!(roster.silent(at(9_001), ANA, true), Changes::default());
    assert_eq!(roster.silent(at(9_002), ANA, false).members[0].since_ms, 1_009_002);
}

#[test]
fn a_taken_name_is_a_conflict() {
    let mut roster = roster();
    roster.came(at(100), arrival(ANA, "Ana", 500));
    assert_eq!(kinds(&roster.came(at(100), arrival(BEN, "ANA", 500))), [NoticeKind::Conflict]);
    roster.went(at(200), BEN, true);
    assert_eq!(kinds(&roster.came(at(300), arrival(BEN, "ANA", 0))), [NoticeKind::Joined]);
}

#[test]
fn a_name_that_looks_like_another_is_a_conflict_also_of_somebody_known_from_history() {
    let mut roster = roster();
    roster.came(at(100), arrival(ANA, "Ana", 500));
    // Cyrillic.
    let look_alike = name("\u{410}na");
    assert_eq!(kinds(&roster.named(at(200), BEN, &look_alike, Stamp::from_ms(100))), []);
    let came = roster.came(at(300), arrival(BEN, look_alike.as_str(), 5_000));
    assert_eq!(kinds(&came), [NoticeKind::Conflict], "met for the first time");
    roster.went(at(400), BEN, false);
    assert_eq!(kinds(&roster.came(at(500), arrival(BEN, look_alike.as_str(), 6_000))), [NoticeKind::Back]);
}

#[test]
fn names_follow_the_authors_own_time() {
    let mut roster = roster();
    roster.came(at(100), arrival(ANA, "Ana", 500));
    let later = Stamp::from_ms(1_000_500);
    assert_eq!(kinds(&roster.named(at(600), ANA, &name("Anna"), later)), [NoticeKind::Renamed]);
    roster.named(at(700), ANA, &name("Old"), Stamp::from_ms(500));
    assert_eq!(roster.member(ANA).map(|member| member.name.as_str()), Some("Anna"));
    roster.named(at(700), BEN, &name("Ben"), Stamp::from_ms(500));
    assert_eq!(roster.member(BEN).map(|member| (member.state, member.since_ms)), Some((State::Left, 500)));
}

#[test]
fn clocks_are_told_by_the_second() {
    let mut roster = roster();
    roster.came(at(0), arrival(ANA, "Ana", 500));
    assert_eq!(roster.clock(ANA, 999).members.len(), 0);
    assert_eq!(roster.clock(ANA, -1_000).members[0].clock_error_ms, Some(-1_000));
}

#[test]
fn clock_error_stays_below_what_json_carries() {
    const MOST: i64 = (1 << 53) - 1;
    assert_eq!(clock_error_ms(5_000, 3_000), 2_000);
    assert_eq!(clock_error_ms(u64::MAX, 0), MOST);
    assert_eq!(clock_error_ms(0, u64::MAX), -MOST);
    assert_eq!(clock_error_ms(u64::MAX, u64::MAX), 0);
}
