use super::*;
use crate::proto::log::tests::{branch, chain};

const US: NodeId = NodeId([1; 32]);
const PEER: NodeId = NodeId([2; 32]);

fn holding(batches: &[Verified]) -> Frontier {
    let mut frontier = Frontier::new(US, Vec::new());
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
    let mut frontier = Frontier::new(US, Vec::new());
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
    let frontier = Frontier::new(author, Vec::new());
    assert!(frontier.in_scope(PEER, author, Some(PEER)));
    assert!(!frontier.in_scope(US, author, Some(PEER)));
    assert!(!frontier.in_scope(PEER, US, Some(author)));
    assert!(!frontier.concerns_us(US, Some(PEER)));
}
