//! Rows, backoff and budgets, one rule at a time.

use super::*;
use crate::proto::limits::KEY_IN_USE_RETRY_MS;

const ANA: NodeId = NodeId([1; 32]);

fn at(last: u8) -> Target {
    Target::Address(SocketAddr::from(([192, 0, 2, last], 7666)))
}

fn nobody(_: NodeId) -> bool {
    false
}

#[test]
fn one_dial_for_an_id_with_two_addresses() {
    let mut book = Book::new();
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
    let mut book = Book::new();
    let hear = |book: &mut Book, instance, now| {
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
    let mut book = Book::new();
    let hear = |book: &mut Book, now| book.add(at(1), Some(ANA), Source::Beacon, Some(Instance(1)), now, 0);
    let mut now = 0;
    for _ in 0..5 {
        hear(&mut book, now);
        now = book.next_ms(nobody).expect("a row waits");
        let dials = book.due(now, nobody);
        book.failed(dials[0].dial, now, 0);
    }
    // It waits for 16 s by now. One that comes like those before changes nothing, one after a silence does.
    hear(&mut book, now + 1_000);
    assert_eq!(book.next_ms(nobody), Some(now + 16 * DIAL_BACKOFF_MS_MIN));
    hear(&mut book, now + 1_000 + BEACON_SILENT_MS);
    assert_eq!(book.due(now + 1_000 + BEACON_SILENT_MS, nobody).len(), 1);
}

#[test]
fn a_beacon_alone_is_worth_one_dial() {
    let mut book = Book::new();
    let hear = |book: &mut Book, now| book.add(at(1), Some(ANA), Source::Beacon, Some(Instance(1)), now, 0);
    hear(&mut book, 0);
    let dial = book.due(0, nobody)[0].dial;
    book.failed(dial, 0, 0);
    book.network_changed(5);
    assert_eq!((book.next_ms(nobody), book.due(99_999, nobody)), (None, Vec::new()));
    hear(&mut book, 99_999);
    assert_eq!(book.due(99_999, nobody).len(), 1, "the next one is worth another");

    // Where somebody was found, it is tried again without a word.
    let mut book = Book::new();
    hear(&mut book, 0);
    let dial = book.due(0, nobody)[0].dial;
    book.succeeded(dial, ANA);
    book.lost(ANA, IpAddr::from([192, 0, 2, 1]), 10, 0);
    for now in [10, 10 + DIAL_BACKOFF_MS_MIN, 10 + 3 * DIAL_BACKOFF_MS_MIN] {
        let dial = book.due(now, nobody)[0].dial;
        book.failed(dial, now, 0);
    }
}

#[test]
fn a_flood_of_beacons_fills_no_memory_and_has_nobody_forgotten_who_was_found() {
    let mut book = Book::new();
    let ben = NodeId([2; 32]);
    book.add(at(1), None, Source::Given, None, 0, 0);
    for (last, id) in [(2, ANA), (3, ben)] {
        book.add(at(last), Some(id), Source::Beacon, None, 0, 0);
    }
    // One was dialled, the other dialled us and said where it listens.
    let dials = book.due(0, nobody);
    let dial = dials.iter().find(|dial| dial.expected == Some(ANA)).expect("a dial").dial;
    book.succeeded(dial, ANA);
    book.found(ben, SocketAddr::from(([192, 0, 2, 3], 7666)));
    for (last, id) in [(2, ANA), (3, ben)] {
        book.lost(id, IpAddr::from([192, 0, 2, last]), 1, 0);
    }
    for number in 0..5_000_u32 {
        let [high, low] = [(number >> 16) as u8, (number >> 8) as u8];
        let target = Target::Address(SocketAddr::from(([10, high, low, number as u8], 7666)));
        let mut id = [9; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        book.add(target, Some(NodeId(id)), Source::Beacon, None, 2 + u64::from(number) / 5, 0);
        assert!(book.rows.len() <= ADDRESSES_MAX);
    }
    let kept = |target: Target, id| book.rows.contains_key(&(target, id));
    assert!(kept(at(1), None) && kept(at(2), Some(ANA)) && kept(at(3), Some(ben)));
}

#[test]
fn failures_cost_a_budget_per_address() {
    let mut book = Book::new();
    for port in 0..40 {
        let target = Target::Address(SocketAddr::from(([192, 0, 2, 1], 2_000 + port)));
        book.add(target, None, Source::Beacon, None, 0, 0);
    }
    let fail_all = |book: &mut Book, now_ms| {
        let dials = book.due(now_ms, nobody);
        dials.iter().for_each(|dial| _ = book.failed(dial.dial, now_ms, 0));
        dials.len() as u64
    };
    assert_eq!(fail_all(&mut book, 0), DIAL_FAILURES_PER_ADDRESS);
    assert_eq!(fail_all(&mut book, 1), 0);
    assert_eq!(fail_all(&mut book, DIAL_FAILURES_PER_ADDRESS_REFILL_MS + 1), 1);
}

#[test]
fn a_given_address_is_dialled_again_when_its_link_ends() {
    let mut book = Book::new();
    book.add(at(1), None, Source::Given, None, 0, 0);
    let dial = book.due(0, nobody)[0].dial;
    book.succeeded(dial, ANA);
    assert_eq!(book.due(5, |id| id == ANA), []);
    assert_eq!(book.due(6, nobody).len(), 1);
}

#[test]
fn a_given_address_whose_node_came_by_itself_is_not_dialled() {
    let mut book = Book::new();
    book.add(at(1), None, Source::Given, None, 0, 0);
    book.found(ANA, SocketAddr::from(([192, 0, 2, 1], 7666)));
    assert_eq!(book.due(5, |id| id == ANA), []);
    assert_eq!(book.due(6, nobody).len(), 1);
}

#[test]
fn another_address_comes_before_the_one_that_was_lost() {
    let mut book = Book::new();
    for (last, source) in [(1, Source::Beacon), (2, Source::Said)] {
        book.add(at(last), Some(ANA), source, None, u64::from(last), 0);
    }
    let dial = book.due(2, nobody)[0].dial;
    book.succeeded(dial, ANA);
    book.lost(ANA, IpAddr::from([192, 0, 2, 1]), 90, 0);
    let dial = book.due(90, nobody)[0].clone();
    assert_eq!(dial.target, at(2));
    book.failed(dial.dial, 91, 0);
    assert_eq!(book.due(91, nobody)[0].target, at(1));
}

#[test]
fn a_key_in_use_elsewhere_has_a_minute() {
    let mut book = Book::new();
    book.add(at(1), None, Source::Given, None, 0, 0);
    let dial = book.due(0, nobody)[0].dial;
    book.succeeded(dial, ANA);
    book.rest(ANA, KEY_IN_USE_RETRY_MS + 5);
    assert_eq!(book.next_ms(nobody), Some(KEY_IN_USE_RETRY_MS + 5));
}

#[test]
fn what_a_peer_said_of_itself_is_soon_forgotten() {
    let mut book = Book::new();
    book.add(at(1), Some(ANA), Source::Said, None, 0, 0);
    for now in [0, 10_000] {
        let dials = book.due(now, nobody);
        book.failed(dials[0].dial, now, 0);
    }
    assert_eq!(book.next_ms(nobody), None);
}

#[test]
fn who_left_is_not_dialled() {
    let mut book = Book::new();
    book.add(at(1), Some(ANA), Source::Beacon, None, 0, 0);
    book.left(ANA);
    assert_eq!(book.due(9, nobody), []);
    assert_eq!(book.next_ms(nobody), None);
}

#[test]
fn unknown_beacons_are_counted() {
    let mut book = Book::new();
    let source = IpAddr::from([192, 0, 2, 1]);
    let admitted = (0..1_000).filter(|_| book.admits_beacon(source, 0)).count();
    assert_eq!(admitted as u64, BEACONS_PER_ADDRESS);
    assert!(book.admits_beacon(IpAddr::from([192, 0, 2, 2]), 0));
}
