//! What is compared, what is found lacking, and whose logs are taken no further.

use super::super::author_limits::LimitReason;
use super::super::log::tests::{branch, chain};
use super::*;
use crate::proto::limits::{BATCH_BYTES_MAX, LOGS_PER_AUTHOR_MAX, UNMET_AUTHORS_MAX, UNMET_LOGS_MAX};

const US: NodeId = NodeId([1; 32]);
const PEER: NodeId = NodeId([2; 32]);
const QUOTA: u64 = 1024 * 1024;

fn holding(batches: &[Verified]) -> Frontier {
    let mut frontier = Frontier::new(US, Vec::new(), QUOTA);
    for batch in batches {
        assert_eq!(frontier.classify(batch), Fit::Fits);
        frontier.commit(batch);
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
    assert_eq!(ours.missing_ranges(PEER, author, &logs[0]), [Gap { first: 1, last: 2, is_fork_suspect: true }]);
}

#[test]
fn uncommitted_entries_are_not_compared() {
    let c = chain(1);
    let mut frontier = Frontier::new(US, Vec::new(), QUOTA);
    let empty = frontier.hash(PEER);
    frontier.reserve(&c[0]);
    assert_eq!(frontier.classify(&c[0]), Fit::Held);
    assert_eq!(frontier.hash(PEER), empty);
    assert_eq!(frontier.logs_page(PEER, c[0].header().author, None), (Vec::new(), false));
    frontier.release(&c[0]);
    assert_eq!(frontier.classify(&c[0]), Fit::Fits);
}

#[test]
fn a_difference_is_found_and_named() {
    let c = chain(5);
    let mut theirs = holding(&c);
    let mut ours = holding(&[c[0].clone(), c[3].clone()]);
    let (page, more) = theirs.authors_page(US, None);
    assert!(!more);
    let author = c[0].header().author;
    assert_eq!(ours.differing_authors(PEER, &page), [author]);
    let (logs, _) = theirs.logs_page(US, author, None);
    let lack = |first, last| Gap { first, last, is_fork_suspect: false };
    assert_eq!(ours.missing_ranges(PEER, author, &logs[0]), [lack(2, 3), lack(5, 5)]);
    assert_eq!(theirs.missing_ranges(US, author, &ours.logs_page(PEER, author, None).0[0]), []);
}

#[test]
fn reversed_range_is_not_requested() {
    let head = chain(1)[0].hash();
    let spans = [(9, 1), (u64::MAX, 0)].map(|(first, last)| super::super::frame::HeldRange { first, last, head });
    let told = LogHoldings { log: LogId(7), audience: None, ranges: spans.to_vec(), fork: None };
    assert_eq!(holding(&[]).missing_ranges(PEER, PEER, &told), []);
}

#[test]
fn direct_logs_are_compared_with_their_reader_only() {
    let author = chain(1)[0].header().author;
    let frontier = Frontier::new(author, Vec::new(), QUOTA);
    assert!(frontier.is_visible_to(PEER, author, Some(PEER)));
    assert!(!frontier.is_visible_to(US, author, Some(PEER)));
    assert!(!frontier.is_visible_to(PEER, US, Some(author)));
    assert!(!frontier.may_hold(US, Some(PEER)));
}

/// One of many logs of one author, each with one batch of so many bytes of text.
fn one_of_many(log: u64, text_bytes: usize) -> Verified {
    use crate::proto::entries::batch::{HEADER_VERSION, Header, sign, slot};
    use crate::proto::entries::body::{Body, SALT_BYTES};
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let say = Body::say("x".repeat(text_bytes), None, None);
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
fn quota_covers_all_logs_of_an_author() {
    let mut frontier = Frontier::new(US, Vec::new(), QUOTA);
    let author = one_of_many(1, 1).header().author;
    let mut taken = 0;
    for log in 1..100 {
        let batch = one_of_many(log, 30_000);
        match frontier.classify(&batch) {
            Fit::Fits => frontier.reserve(&batch),
            fit => {
                assert_eq!(fit, Fit::Closed(LimitReason::Quota));
                break;
            }
        }
        taken += batch.bytes().len() as u64;
        assert_eq!(
            (frontier.bytes(author), frontier.drain_changes().contains(&author)),
            (taken, frontier.closed(author).is_some())
        );
    }
    assert!((QUOTA - BATCH_BYTES_MAX as u64..=QUOTA).contains(&taken), "{taken}");
    assert_eq!(frontier.limits().authors, [author].into());
    // What was only on its way and could not be stored counts no more.
    frontier.release(&one_of_many(1, 30_000));
    frontier.release(&one_of_many(2, 30_000));
    assert_eq!(frontier.closed(author), None);
    assert_eq!(frontier.drain_changes(), [author]);
    // An author's own node takes everything.
    let mut own = Frontier::new(author, Vec::new(), QUOTA);
    (1..100).for_each(|log| own.reserve(&one_of_many(log, 30_000)));
    assert_eq!((own.closed(author), own.classify(&one_of_many(100, 1))), (None, Fit::Fits));
}

#[test]
fn surplus_log_closes_all_logs_of_its_author() {
    let mut frontier = Frontier::new(US, Vec::new(), QUOTA);
    let author = one_of_many(1, 1).header().author;
    for log in 1..=LOGS_PER_AUTHOR_MAX as u64 {
        let batch = one_of_many(log, 1);
        assert_eq!(frontier.classify(&batch), Fit::Fits, "{log}");
        frontier.commit(&batch);
    }
    assert_eq!(frontier.closed(author), None);
    let before = frontier.hash(PEER);
    let many = LOGS_PER_AUTHOR_MAX as u64 + 1;
    assert_eq!(frontier.classify(&one_of_many(many, 1)), Fit::Closed(LimitReason::Logs));
    // That there is one more may be heard as well.
    let ranges = holding(&[one_of_many(many, 1)]).logs_page(PEER, author, None).0;
    assert_eq!(frontier.missing_ranges(PEER, author, &ranges[0]), []);
    assert_eq!(frontier.closed(author), Some(LimitReason::Logs));
    assert_ne!(frontier.hash(PEER), before, "it is compared no more");
    assert_eq!(frontier.hash(PEER), holding(&[]).hash(PEER));
}

#[test]
fn closed_logs_are_compared_by_neither_side() {
    let c = chain(3);
    let author = c[0].header().author;
    let (mut full, mut open) = (Frontier::new(US, Vec::new(), 1), holding(&c));
    full.commit(&c[0]);
    assert_eq!(full.closed(author), Some(LimitReason::Quota));
    assert_ne!(full.hash(PEER), open.hash(US));
    open.on_limits(US, full.limits());
    assert_eq!(full.hash(PEER), open.hash(US));
    let (page, _) = holding(&c).authors_page(US, None);
    assert_eq!((full.differing_authors(PEER, &page), open.differing_authors(US, &page)), (vec![], vec![]));
    assert_eq!(open.logs_page(US, author, None), (vec![], false));
    assert_ne!(open.hash(PEER), open.hash(US), "others are told as before");
    open.on_limits(US, LimitedAuthors::default());
    assert_eq!(open.differing_authors(US, &page), []);
    assert_eq!(open.logs_page(US, author, None).0.len(), 1);
}

#[test]
fn low_disk_compares_own_logs_only() {
    let c = chain(2);
    let author = c[0].header().author;
    let (mut little, mut theirs) = (holding(&c), holding(&c));
    little.set_disk_low(true);
    assert_eq!(little.closed(author), Some(LimitReason::Disk));
    assert_eq!(little.closed(US), None);
    assert_eq!(little.classify(&branch(&c, 1, "more")[0]), Fit::Closed(LimitReason::Disk));
    assert_eq!(little.classify(&c[1]), Fit::Held);
    theirs.on_limits(US, little.limits());
    assert_eq!(theirs.hash(US), little.hash(PEER));
    little.set_disk_low(false);
    assert_eq!(little.closed(author), None);
    assert_eq!(little.drain_changes(), [author]);
}

/// The holdings of a store in so many logs of made-up authors, from this number on, one each.
fn made_up(numbers: std::ops::Range<u32>) -> Vec<LogRecord> {
    let record = |number: u32| {
        let mut id = [0xee; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let key = LogKey { author: NodeId(id), log: LogId(u64::from(number)) };
        let time = crate::proto::clock::Stamp(1);
        let head = Hash([7; 32]);
        let run = crate::proto::replication::store_api::Run {
            first: 1,
            prev: None,
            last: 1,
            head,
            first_time: time,
            last_time: time,
        };
        LogRecord { key, audience: None, ranges: vec![run], bytes: 300, fork: None }
    };
    numbers.map(record).collect()
}

const UNMET: u32 = UNMET_AUTHORS_MAX as u32;

#[test]
fn unmet_authors_are_bounded() {
    let batch = one_of_many(1, 1);
    let author = batch.header().author;
    let mut frontier = Frontier::new(US, made_up(0..UNMET - 1), QUOTA);
    assert_eq!((frontier.classify(&batch), frontier.ignores(author)), (Fit::Fits, false), "there is one place");

    let mut full = Frontier::new(US, made_up(0..UNMET), QUOTA);
    assert_eq!(full.classify(&batch), Fit::Closed(LimitReason::Unmet));
    assert!(full.ignores(author) && full.closed(US).is_none());
    let known = made_up(0..1)[0].key.author;
    assert_eq!((full.ignores(known), full.closed(known)), (false, None), "whoever is kept is kept on");
    // Nothing of theirs is asked for.
    let holding = holding(std::slice::from_ref(&batch)).logs_page(US, author, None).0;
    assert_eq!(full.missing_ranges(PEER, author, &holding[0]), []);

    // An author that was met is never one too many, whatever is kept of others.
    full.mark_verified(author);
    assert_eq!((full.classify(&batch), full.closed(author)), (Fit::Fits, None));
    full.commit(&batch);
    assert!(full.ignores(PEER), "the met one takes nobody's place");
    // Nor does an author that was met count any more.
    full.mark_verified(known);
    full.mark_verified(known);
    assert!(!full.ignores(PEER));
    frontier.commit(&batch);
    assert!(frontier.ignores(PEER));
}

#[test]
fn logs_of_unmet_authors_are_bounded() {
    let batch = one_of_many(1, 1);
    let author = batch.header().author;
    let mut full = holding(std::slice::from_ref(&batch));
    // Others, in as many logs each as one author may have.
    for number in 1..UNMET_LOGS_MAX {
        let mut record = made_up(0..1).remove(0);
        record.key.author.0[0] = (number / LOGS_PER_AUTHOR_MAX) as u8;
        (record.key.log, record.bytes) = (LogId(number as u64), 1);
        full.reload_log(record, std::iter::empty());
    }
    let more = one_of_many(2, 1);
    assert_eq!(full.classify(&more), Fit::Closed(LimitReason::Unmet));
    assert_eq!(full.closed(author), None, "as long as nobody has seen the one too many");
    full.on_log_announced(more.header().key());
    assert_eq!(full.closed(author), Some(LimitReason::Unmet), "or two nodes would compare for ever");
    assert_eq!(full.limits().authors, [author].into());
    assert!(full.ignores(PEER));

    // With room again, the author goes on, and so do others.
    let other = made_up(0..1)[0].key.author;
    full.mark_verified(other);
    assert_eq!((full.classify(&more), full.closed(author), full.ignores(PEER)), (Fit::Fits, None, false));
    full.on_log_announced(more.header().key());
    assert_eq!(full.closed(author), None);
}

#[test]
fn nodes_full_of_different_authors_agree() {
    let mut ours = Frontier::new(US, made_up(0..UNMET), QUOTA);
    let mut theirs = Frontier::new(PEER, made_up(500..500 + UNMET), QUOTA);
    let whole = |frontier: &mut Frontier, peer| {
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let (page, more) = frontier.authors_page(peer, from);
            from = page.last().map(|(author, _)| *author);
            all.extend(page);
            if !more {
                return all;
            }
        }
    };
    assert_ne!(ours.hash(PEER), theirs.hash(US));
    let passed_over = |frontier: &Frontier, page: &[(NodeId, Hash)]| {
        let authors = page.iter().map(|(author, _)| *author).filter(|author| frontier.ignores(*author));
        LimitedAuthors { others: false, authors: authors.collect() }
    };
    let (of_us, of_them) = (whole(&mut ours, PEER), whole(&mut theirs, US));
    let (we_say, they_say) = (passed_over(&ours, &of_them), passed_over(&theirs, &of_us));
    assert_eq!((we_say.authors.len(), they_say.authors.len()), (500, 500));
    ours.on_limits(PEER, they_say);
    theirs.on_limits(US, we_say);
    assert_eq!(ours.hash(PEER), theirs.hash(US));
    assert_eq!(ours.differing_authors(PEER, &of_them), []);
}
