//! Fuzzes comparisons: a frontier that holds a part of the room, and a page of a peer's claimed
//! holdings.

use bytes::Bytes;
use roomful::proto::ids::{LogKey, NodeId};
use roomful::proto::limits::{AUTHOR_BYTES_MAX, FRAME_AUTHORS_MAX, FRAME_LOGS_MAX, RANGES_PER_LOG_MAX};
use roomful::proto::replication::frame::{Frame, HeldRange, LogHoldings};
use roomful::proto::replication::frontier::{Frontier, Gap};
use roomful::proto::replication::log::Fit;
use roomful::wire;

use super::room::{self, Reader};

/// The first bytes say what is held; then come pages, as frames or made up.
pub fn frontier(bytes: &[u8]) {
    let mut reader = Reader(bytes);
    let (own, peer) = (room::id(0), room::id(1));
    let mut frontier = Frontier::new(own, Vec::new(), AUTHOR_BYTES_MAX);
    for batch in reader.batches() {
        match frontier.classify(&batch) {
            Fit::Fits => frontier.commit(&batch),
            Fit::Held | Fit::Overlaps | Fit::Conflicts | Fit::Refused | Fit::TooManyGaps | Fit::Closed(_) => {}
        }
    }
    while !reader.is_empty() {
        match reader.byte() % 4 {
            0 => page(&mut frontier, peer, reader.piece()),
            1 => {
                let (author, holding) = (reader.id(), made_up(&mut reader));
                check_lacking(&mut frontier, peer, author, &holding);
            }
            2 => {
                let (authors, _) = frontier.authors_page(peer, reader.maybe_id());
                assert!(authors.len() <= FRAME_AUTHORS_MAX && authors.is_sorted_by(|one, two| one.0 < two.0));
                assert_eq!(frontier.differing_authors(peer, &authors), [], "nobody differs from themselves");
            }
            _ => {
                let (author, from) = (reader.id(), (reader.byte() % 2 == 1).then(|| reader.log()));
                let (logs, _) = frontier.logs_page(peer, author, from);
                assert!(logs.len() <= FRAME_LOGS_MAX);
                for holding in &logs {
                    assert_eq!(frontier.missing_ranges(peer, author, holding), [], "nobody lacks what they hold");
                }
            }
        }
    }
}

fn page(frontier: &mut Frontier, peer: NodeId, bytes: &[u8]) {
    match wire::frame::decode(&Bytes::copy_from_slice(bytes), &room::id_of_room()) {
        Ok(Some(Frame::Logs { author, logs, .. })) => {
            for holding in &logs {
                check_lacking(frontier, peer, author, holding);
            }
        }
        Ok(Some(Frame::Authors { authors, .. })) => {
            assert!(frontier.differing_authors(peer, &authors).len() <= authors.len());
        }
        _ => {}
    }
}

fn made_up(reader: &mut Reader<'_>) -> LogHoldings {
    let (log, audience) = (reader.log(), reader.maybe_id());
    let many = usize::from(reader.byte()) % (RANGES_PER_LOG_MAX + 2);
    let span = |_| HeldRange { first: reader.number(), last: reader.number(), head: reader.hash() };
    LogHoldings { log, audience, ranges: (0..many).map(span).collect(), fork: None }
}

/// What a node would ask for is named in the page, lies the right way round, and is not held.
fn check_lacking(frontier: &mut Frontier, peer: NodeId, author: NodeId, holding: &LogHoldings) {
    let lacking = frontier.missing_ranges(peer, author, holding);
    assert!(lacking.len() <= holding.ranges.len() * (RANGES_PER_LOG_MAX + 3), "{lacking:?}");
    let key = LogKey { author, log: holding.log };
    // What is in doubt is asked for from the last entry back, whatever is held there.
    for Gap { first, last, .. } in lacking.into_iter().filter(|lack| !lack.is_fork_suspect) {
        assert!(first <= last, "{first} to {last}");
        assert!(!frontier.contains(key, first) && !frontier.contains(key, last));
        assert!(holding.ranges.iter().any(|span| span.first <= first && last <= span.last));
    }
}
