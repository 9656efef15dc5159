//! Entries, backoff and budgets of the address book.

use super::*;
use crate::proto::limits::KEY_IN_USE_RETRY_MS;

const ANA: NodeId = NodeId([1; 32]);

fn at(last: u8) -> DialTarget {
    DialTarget::Address(SocketAddr::from(([192, 0, 2, last], 7666)))
}

fn nobody(_: NodeId) -> bool {
    false
}

#[test]
fn one_dial_for_an_id_with_two_addresses() {
    let mut book = AddressBook::new();
    book.add(at(1), Some(ANA), Source::Beacon, None, 0, 0);
    book.add(at(2), Some(ANA), Source::Beacon, None, 0, 0);
    let first = book.due(0, nobody);
    assert_eq!(first.len(), 1);
    assert_eq!(book.due(0, nobody), []);
    assert_eq!(book.failed(first[0].dial, 10, 0), Some(ANA));
    let second = book.due(10, nobody);
    assert_ne!(second[0].target, first[0].target);
    book.succeeded(second[0].dial, ANA);
    assert_eq!(book.due(99_999, |id| id == ANA), []);
}

#[test]
fn backoff_doubles_and_ends_with_a_new_instance() {
    let mut book = AddressBook::new();
    let hear = |book: &mut AddressBook, instance, now| {
        book.add(at(1), Some(ANA), Source::Beacon, Some(Instance(instance)), now, 0);
    };
    hear(&mut book, 1, 0);
    let mut now = 0;
    for wait in [1_000, 2_000, 4_000] {
        let dials = book.due(now, nobody);
        book.failed(dials[0].dial, now, 0);
        hear(&mut book, 1, now + 1);
        assert_eq!(book.due(now + wait - 1, nobody), []);
        now += wait;
    }
    let dials = book.due(now, nobody);
    book.failed(dials[0].dial, now, 0);
    hear(&mut book, 2, now + 5);
    assert_eq!(book.due(now + 5, nobody).len(), 1);
}

#[test]
fn a_beacon_after_a_long_silence_ends_the_backoff() {
    let mut book = AddressBook::new();
    let hear = |book: &mut AddressBook, now| book.add(at(1), Some(ANA), Source::Beacon, Some(Instance(1)), now, 0);
    let mut now = 0;
    for _ in 0..5 {
        hear(&mut book, now);
        now = book.next_ms(nobody).expect("a row waits");
        let dials = book.due(now, nobody);
        book.failed(dials[0].dial, now, 0);
    }
    // The backoff is 16 s by now. A beacon that follows the others changes nothing, one after a
    // silence does.
    hear(&mut book, now + 1_000);
    assert_eq!(book.next_ms(nobody), Some(now + 16 * DIAL_BACKOFF_MS_MIN));
    hear(&mut book, now + 1_000 + BEACON_SILENT_MS);
    assert_eq!(book.due(now + 1_000 + BEACON_SILENT_MS, nobody).len(), 1);
}

#[test]
fn a_beacon_alone_is_worth_one_dial() {
    let mut book = AddressBook::new();
    let hear = |book: &mut AddressBook, now| book.add(at(1), Some(ANA), Source::Beacon, Some(Instance(1)), now, 0);
    hear(&mut book, 0);
    let dial = book.due(0, nobody)[0].dial;
    book.failed(dial, 0, 0);
    book.network_changed(5);
    assert_eq!((book.next_ms(nobody), book.due(99_999, nobody)), (None, Vec::new()));
    hear(&mut book, 99_999);
    assert_eq!(book.due(99_999, nobody).len(), 1, "the next one is worth another");

    // An address that was verified is tried again without a beacon.
    let mut book = AddressBook::new();
    hear(&mut book, 0);
    let dial = book.due(0, nobody)[0].dial;
    book.succeeded(dial, ANA);
    book.on_link_lost(ANA, IpAddr::from([192, 0, 2, 1]), 10, 0);
    for now in [10, 10 + DIAL_BACKOFF_MS_MIN, 10 + 3 * DIAL_BACKOFF_MS_MIN] {
        let dial = book.due(now, nobody)[0].dial;
        book.failed(dial, now, 0);
    }
}

#[test]
fn flood_of_beacons_evicts_no_verified_address() {
    let mut book = AddressBook::new();
    let ben = NodeId([2; 32]);
    book.add(at(1), None, Source::Configured, None, 0, 0);
    for (last, id) in [(2, ANA), (3, ben)] {
        book.add(at(last), Some(id), Source::Beacon, None, 0, 0);
    }
    // One was dialled. The other dialled this node and reported where it listens.
    let dials = book.due(0, nobody);
    let dial = dials.iter().find(|dial| dial.expected == Some(ANA)).expect("a dial").dial;
    book.succeeded(dial, ANA);
    book.on_verified(ben, SocketAddr::from(([192, 0, 2, 3], 7666)));
    for (last, id) in [(2, ANA), (3, ben)] {
        book.on_link_lost(id, IpAddr::from([192, 0, 2, last]), 1, 0);
    }
    for number in 0..5_000_u32 {
        let [high, low] = [(number >> 16) as u8, (number >> 8) as u8];
        let target = DialTarget::Address(SocketAddr::from(([10, high, low, number as u8], 7666)));
        let mut id = [9; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        book.add(target, Some(NodeId(id)), Source::Beacon, None, 2 + u64::from(number) / 5, 0);
        assert!(book.rows.len() <= ADDRESSES_MAX);
    }
    let kept = |target: DialTarget, id| book.rows.contains_key(&(target, id));
    assert!(kept(at(1), None) && kept(at(2), Some(ANA)) && kept(at(3), Some(ben)));
}

#[test]
fn failures_cost_a_budget_per_address() {
    let mut book = AddressBook::new();
    for port in 0..40 {
        let target = DialTarget::Address(SocketAddr::from(([192, 0, 2, 1], 2_000 + port)));
        book.add(target, None, Source::Beacon, None, 0, 0);
    }
    let fail_all = |book: &mut AddressBook, now_ms| {
        let dials = book.due(now_ms, nobody);
        dials.iter().for_each(|dial| _ = book.failed(dial.dial, now_ms, 0));
        dials.len() as u64
    };
    assert_eq!(fail_all(&mut book, 0), DIAL_FAILURES_PER_ADDRESS);
    assert_eq!(fail_all(&mut book, 1), 0);
    assert_eq!(fail_all(&mut book, DIAL_FAILURES_PER_ADDRESS_REFILL_MS + 1), 1);
}

#[test]
fn given_address_is_redialled_after_its_link() {
    let mut book = AddressBook::new();
    book.add(at(1), None, Source::Configured, None, 0, 0);
    let dial = book.due(0, nobody)[0].dial;
    book.succeeded(dial, ANA);
    assert_eq!(book.due(5, |id| id == ANA), []);
    assert_eq!(book.due(6, nobody).len(), 1);
}

#[test]
fn given_address_of_a_linked_node_is_not_dialled() {
    let mut book = AddressBook::new();
    book.add(at(1), None, Source::Configured, None, 0, 0);
    book.on_verified(ANA, SocketAddr::from(([192, 0, 2, 1], 7666)));
    assert_eq!(book.due(5, |id| id == ANA), []);
    assert_eq!(book.due(6, nobody).len(), 1);
}

#[test]
fn other_address_is_tried_before_the_lost_one() {
    let mut book = AddressBook::new();
    for (last, source) in [(1, Source::Beacon), (2, Source::SelfReported)] {
        book.add(at(last), Some(ANA), source, None, u64::from(last), 0);
    }
    let dial = book.due(2, nobody)[0].dial;
    book.succeeded(dial, ANA);
    book.on_link_lost(ANA, IpAddr::from([192, 0, 2, 1]), 90, 0);
    let dial = book.due(90, nobody)[0].clone();
    assert_eq!(dial.target, at(2));
    book.failed(dial.dial, 91, 0);
    assert_eq!(book.due(91, nobody)[0].target, at(1));
}

#[test]
fn key_in_use_elsewhere_is_suspended_for_a_minute() {
    let mut book = AddressBook::new();
    book.add(at(1), None, Source::Configured, None, 0, 0);
    let dial = book.due(0, nobody)[0].dial;
    book.succeeded(dial, ANA);
    book.suspend_until(ANA, KEY_IN_USE_RETRY_MS + 5);
    assert_eq!(book.next_ms(nobody), Some(KEY_IN_USE_RETRY_MS + 5));
}

#[test]
fn self_reported_address_is_removed_soon() {
    let mut book = AddressBook::new();
    book.add(at(1), Some(ANA), Source::SelfReported, None, 0, 0);
    for now in [0, 10_000] {
        let dials = book.due(now, nobody);
        book.failed(dials[0].dial, now, 0);
    }
    assert_eq!(book.next_ms(nobody), None);
}

#[test]
fn member_that_left_is_not_dialled() {
    let mut book = AddressBook::new();
    book.add(at(1), Some(ANA), Source::Beacon, None, 0, 0);
    book.on_goodbye(ANA);
    assert_eq!(book.due(9, nobody), []);
    assert_eq!(book.next_ms(nobody), None);
}

#[test]
fn unknown_beacons_are_rate_limited() {
    let mut book = AddressBook::new();
    let source = IpAddr::from([192, 0, 2, 1]);
    let admitted = (0..1_000).filter(|_| book.admits_beacon(source, 0)).count();
    assert_eq!(admitted as u64, BEACONS_PER_ADDRESS);
    assert!(book.admits_beacon(IpAddr::from([192, 0, 2, 2]), 0));
}
