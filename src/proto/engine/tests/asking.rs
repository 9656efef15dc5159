//! Peers that ask for more than any needs: each gets one answer at a time, of a bounded length, and
//! others have their turn.

use super::*;
use crate::proto::clock::Stamp;
use crate::proto::limits::{COMPARE_PAGE_BYTES_MAX, FETCHES_SERVED_MAX, PAGE_BYTES_MAX, UNMET_AUTHORS_MAX};
use crate::proto::replication::frame::Fetch;
use crate::proto::replication::store_api::{HistoryPage, LogRecord, Run};

/// The number of requests of a peer before it has an answer.
const OFTEN: usize = 1_000;

/// The holdings of a store in one log of a stranger.
fn log(author: u64, log: u64) -> LogRecord {
    let mut id = [0xee; 32];
    id[..8].copy_from_slice(&author.to_be_bytes());
    let (time, head) = (Stamp(1), Hash([7; 32]));
    let run = Run { first: 1, prev: None, last: 9, head, first_time: time, last_time: time };
    LogRecord {
        key: LogKey { author: NodeId(id), log: LogId(log) },
        audience: None,
        ranges: vec![run],
        bytes: 300,
        fork: None,
    }
}

#[test]
fn repeated_fetches_have_one_page_in_flight() {
    let key = log(0, 1).key;
    let mut engine = started(Snapshot { logs: vec![log(0, 1)], ..Snapshot::default() });
    let links = 1..=FETCHES_SERVED_MAX as u64 + 1;
    for link in links.clone() {
        up(&mut engine, 0, link, peer(NodeId([0xf0 + link as u8; 32]), 5, true));
    }
    let fetch = Fetch { key, first: 1, last: u64::MAX, bytes: u64::MAX };
    let ask = |engine: &mut Engine, link: u64| tell(engine, 1, link, Frame::Fetch(fetch));
    let reads = |actions: &[Action]| -> Vec<Fetch> {
        let read = |action: &Action| match action {
            Action::ReadHistory { fetch, .. } => Some(*fetch),
            _ => None,
        };
        actions.iter().filter_map(read).collect()
    };
    let busy = |actions: &[Action]| {
        let is_busy = |action: &&Action| match action {
            Action::Send { frame: Frame::Page { batches, busy: true, .. }, .. } => batches.is_empty(),
            _ => false,
        };
        actions.iter().filter(is_busy).count()
    };
    let asked: Vec<Action> = (0..OFTEN).flat_map(|_| ask(&mut engine, 1)).collect();
    let read = reads(&asked);
    assert_eq!((read.len(), busy(&asked)), (1, OFTEN - 1));
    assert!(read[0].bytes <= PAGE_BYTES_MAX as u64, "{:?}", read[0]);
    // Others are served beside it, but not more than there are readers: the last one waits for its
    // turn.
    let others: Vec<Action> = links.skip(1).flat_map(|link| ask(&mut engine, link)).collect();
    assert_eq!((reads(&others).len(), busy(&others)), (FETCHES_SERVED_MAX - 1, 0));
    let page = HistoryPage { fetch: read[0], batches: Vec::new() };
    let next = engine.handle(at(2), Input::History { link: LinkId(1), page: page.clone() });
    assert_eq!(reads(&next).len(), 1);
    let again = ask(&mut engine, 1);
    assert_eq!((reads(&again).len(), busy(&again)), (0, 0), "it waits in its turn");
    assert_eq!(reads(&engine.handle(at(3), Input::History { link: LinkId(2), page })).len(), 1);
}

#[test]
fn large_comparison_is_split_into_pages() {
    let authors = (0..UNMET_AUTHORS_MAX as u64 - 1).map(|author| log(author, 1));
    let logs = authors.chain((2..2_000).map(|number| log(0, number))).collect();
    let mut engine = started(Snapshot { logs, ..Snapshot::default() });
    up(&mut engine, 0, 1, peer(NodeId([0xff; 32]), 5, true));
    let asked = tell(&mut engine, 1, 1, Frame::Compare { hash: Hash([1; 32]), from: None, linked: Vec::new() });
    let [Action::Send { frame: Frame::Authors { authors, more, .. }, .. }] = &asked[..] else { panic!("{asked:?}") };
    // Two hashes each.
    assert!(*more && authors.len() * 64 <= COMPARE_PAGE_BYTES_MAX, "{} authors", authors.len());
    let author = log(0, 1).key.author;
    let asked = tell(&mut engine, 2, 1, Frame::AskLogs { author, from: None });
    let [Action::Send { frame: Frame::Logs { logs, more, .. }, .. }] = &asked[..] else { panic!("{asked:?}") };
    assert!(*more && logs.len() * 48 <= COMPARE_PAGE_BYTES_MAX, "{} logs", logs.len());
}
