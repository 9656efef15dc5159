//! What is compared, what is found lacking, and whose logs are taken no further.

use super::*;
use crate::proto::closed::Closed;
use crate::proto::limits::{BATCH_BYTES_MAX, LOGS_PER_AUTHOR_MAX};
use crate::proto::log::tests::{branch, chain};

const US: NodeId = NodeId([1; 32]);
const PEER: NodeId = NodeId([2; 32]);
const QUOTA: u64 = 1024 * 1024;

fn holding(batches: &[Verified]) -> Frontier {
    let mut frontier = Frontier::new(US, Vec::new(), QUOTA);
    for batch in batches {
        assert_eq!(frontier.fit(batch), Fit::Fits);
        frontier.hold(batch);
    }
    frontier
}

#[test]
fn equal_sets_have_equal_hashes_in_any_order() {
    let c = chain(3);
    let mut reversed = c.clone();
    reversed.reverse();
    assert_eq!(holding(&c).hash(PEER), holding(&reversed).hash(PEER));
    assert_ne!(holding(&c).hash(PEER), holding(&c[..2]).hash(PEER));
}

#[test]
fn a_fork_at_equal_height_differs() {
    let c = chain(2);
    let mut forked = c[..1].to_vec();
    forked.extend(branch(&c[..1], 1, "y"));
    let (mut ours, theirs) = (holding(&c), holding(&forked));
    assert_ne!(ours.hash(PEER), holding(&forked).hash(PEER));
    let author = c[0].header().author;
    let (logs, _) = theirs.logs_page(US, author, None);
    assert_eq!(ours.lacking(PEER, author, &logs[0]), [Lack { first: 1, last: 2, doubt: true }]);
}

#[test]
fn what_is_only_on_its_way_to_the_disk_is_not_told() {
    let c = chain(1);
    let mut frontier = Frontier::new(US, Vec::new(), QUOTA);
    let empty = frontier.hash(PEER);
    frontier.take(&c[0]);
    assert_eq!(frontier.fit(&c[0]), Fit::Held);
    assert_eq!(frontier.hash(PEER), empty);
    assert_eq!(frontier.logs_page(PEER, c[0].header().author, None), (Vec::new(), false));
    frontier.give_up(&c[0]);
    assert_eq!(frontier.fit(&c[0]), Fit::Fits);
}

#[test]
fn a_difference_is_found_and_named() {
    let c = chain(5);
    let mut theirs = holding(&c);
    let mut ours = holding(&[c[0].clone(), c[3].clone()]);
    let (page, more) = theirs.authors_page(US, None);
    assert!(!more);
    let author = c[0].header().author;
    assert_eq!(ours.differing(PEER, &page), [author]);
    let (logs, _) = theirs.logs_page(US, author, None);
    let lack = |first, last| Lack { first, last, doubt: false };
    assert_eq!(ours.lacking(PEER, author, &logs[0]), [lack(2, 3), lack(5, 5)]);
    assert_eq!(theirs.lacking(US, author, &ours.logs_page(PEER, author, None).0[0]), []);
}

#[test]
fn a_span_the_wrong_way_round_is_nothing_to_ask_for() {
    let head = chain(1)[0].hash();
    let spans = [(9, 1), (u64::MAX, 0)].map(|(first, last)| crate::proto::frame::Span { first, last, head });
    let told = Holding { log: LogId(7), audience: None, ranges: spans.to_vec(), fork: None };
    assert_eq!(holding(&[]).lacking(PEER, PEER, &told), []);
}

#[test]
fn direct_logs_are_told_to_nobody_else() {
    let author = chain(1)[0].header().author;
    let frontier = Frontier::new(author, Vec::new(), QUOTA);
    assert!(frontier.in_scope(PEER, author, Some(PEER)));
    assert!(!frontier.in_scope(US, author, Some(PEER)));
    assert!(!frontier.in_scope(PEER, US, Some(author)));
    assert!(!frontier.concerns_us(US, Some(PEER)));
}

/// One of many logs of one author, each with one batch of so many bytes of text.
fn one_of_many(log: u64, text_bytes: usize) -> Verified {
    use crate::proto::batch::{HEADER_VERSION, Header, sign, slot};
    use crate::proto::body::{Body, SALT_BYTES};
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let say = Body::Say { text: "x".repeat(text_bytes), channel: None, reply_to: None };
    let bodies = [say.encode([0; SALT_BYTES])];
    let header = Header {
        version: HEADER_VERSION,
        room: crate::proto::ids::RoomId::new("lobby", b""),
        author: NodeId(key.verifying_key().to_bytes()),
        audience: None,
        log: LogId(log),
        first_seq: 1,
        prev: None,
        after: None,
        entries: vec![slot(crate::proto::clock::Stamp(1), &bodies[0])],
    };
    sign(&key, header, &bodies)
}

#[test]
fn an_author_takes_no_more_than_the_quota_in_however_many_logs() {
    let mut frontier = Frontier::new(US, Vec::new(), QUOTA);
    let author = one_of_many(1, 1).header().author;
    let mut taken = 0;
    for log in 1..100 {
        let batch = one_of_many(log, 30_000);
        match frontier.fit(&batch) {
            Fit::Fits => frontier.take(&batch),
            fit => {
                assert_eq!(fit, Fit::Closed(Closed::Quota));
                break;
            }
        }
        taken += batch.bytes().len() as u64;
        assert_eq!(
            (frontier.bytes(author), frontier.news().contains(&author)),
            (taken, frontier.closed(author).is_some())
        );
    }
    assert!((QUOTA - BATCH_BYTES_MAX as u64..=QUOTA).contains(&taken), "{taken}");
    assert_eq!(frontier.closings().authors, [author].into());
    // What was only on its way and could not be stored counts no more.
    frontier.give_up(&one_of_many(1, 30_000));
    frontier.give_up(&one_of_many(2, 30_000));
    assert_eq!(frontier.closed(author), None);
    assert_eq!(frontier.news(), [author]);
    // An author's own node takes everything.
    let mut own = Frontier::new(author, Vec::new(), QUOTA);
    (1..100).for_each(|log| own.take(&one_of_many(log, 30_000)));
    assert_eq!((own.closed(author), own.fit(&one_of_many(100, 1))), (None, Fit::Fits));
}

#[test]
fn a_log_too_many_closes_them_all() {
    let mut frontier = Frontier::new(US, Vec::new(), QUOTA);
    let author = one_of_many(1, 1).header().author;
    for log in 1..=LOGS_PER_AUTHOR_MAX as u64 {
        let batch = one_of_many(log, 1);
        assert_eq!(frontier.fit(&batch), Fit::Fits, "{log}");
        frontier.hold(&batch);
    }
    assert_eq!(frontier.closed(author), None);
    let before = frontier.hash(PEER);
    let many = LOGS_PER_AUTHOR_MAX as u64 + 1;
    assert_eq!(frontier.fit(&one_of_many(many, 1)), Fit::Closed(Closed::Logs));
    // That there is one more may be heard as well.
    let ranges = holding(&[one_of_many(many, 1)]).logs_page(PEER, author, None).0;
    assert_eq!(frontier.lacking(PEER, author, &ranges[0]), []);
    assert_eq!(frontier.closed(author), Some(Closed::Logs));
    assert_ne!(frontier.hash(PEER), before, "it is compared no more");
    assert_eq!(frontier.hash(PEER), holding(&[]).hash(PEER));
}

#[test]
fn what_either_side_has_closed_is_compared_by_neither() {
    let c = chain(3);
    let author = c[0].header().author;
    let (mut full, mut open) = (Frontier::new(US, Vec::new(), 1), holding(&c));
    full.hold(&c[0]);
    assert_eq!(full.closed(author), Some(Closed::Quota));
    assert_ne!(full.hash(PEER), open.hash(US));
    open.closings_told(US, full.closings());
    assert_eq!(full.hash(PEER), open.hash(US));
    let (page, _) = holding(&c).authors_page(US, None);
    assert_eq!((full.differing(PEER, &page), open.differing(US, &page)), (vec![], vec![]));
    assert_eq!(open.logs_page(US, author, None), (vec![], false));
    assert_ne!(open.hash(PEER), open.hash(US), "others are told as before");
    open.closings_told(US, Closings::default());
    assert_eq!(open.differing(US, &page), []);
    assert_eq!(open.logs_page(US, author, None).0.len(), 1);
}

#[test]
fn with_little_room_on_the_disk_only_the_own_logs_are_compared() {
    let c = chain(2);
    let author = c[0].header().author;
    let (mut little, mut theirs) = (holding(&c), holding(&c));
    little.set_little_disk(true);
    assert_eq!(little.closed(author), Some(Closed::Disk));
    assert_eq!(little.closed(US), None);
    assert_eq!(little.fit(&branch(&c, 1, "more")[0]), Fit::Closed(Closed::Disk));
    assert_eq!(little.fit(&c[1]), Fit::Held);
    theirs.closings_told(US, little.closings());
    assert_eq!(theirs.hash(US), little.hash(PEER));
    little.set_little_disk(false);
    assert_eq!(little.closed(author), None);
    assert_eq!(little.news(), [author]);
}
