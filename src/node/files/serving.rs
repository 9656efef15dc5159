//! Serves content to peers: which parts are held, and the units that they ask for.
//!
//! Each link has a task that reads a few frames at a time and waits until the link has taken them,
//! and one that answers its questions in the same way. So a slow peer costs neither memory nor a
//! thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::events::FileEvent;
use super::questions::{Questions, WaitingQuestion};
use super::readers::may_have;
use super::shelf::Shelf;
use crate::net::Net;
use crate::proto::files::file_frame::FileFrame;
use crate::proto::files::status::FileState;
use crate::proto::ids::{Hash, LinkId, NodeId};
use crate::proto::limits::{FILE_FRAMES_AT_ONCE, FILE_REQUESTS_WAITING_MAX, FILE_WANTS_MAX, GROUPS_PER_FRAME};
use crate::proto::replication::frame::Frame;
use crate::wire;

/// Units that a peer asked for.
#[derive(Clone, Copy, Debug)]
struct ServeJob {
    content: Hash,
    first: u64,
    count: u64,
}

/// The links that are served.
pub(super) struct ContentServer {
    shelf: Shelf,
    net: Net,
    links: BTreeMap<LinkId, ServedLink>,
}

struct ServedLink {
    jobs: mpsc::Sender<ServeJob>,
    questions: Questions,
    /// Content that the peer wants to hear of, the oldest question first.
    wants: VecDeque<Hash>,
}

impl ContentServer {
    pub(super) fn new(shelf: Shelf, net: Net) -> Self {
        Self { shelf, net, links: BTreeMap::new() }
    }

    /// A peer has a link.
    pub(super) fn on_link_up(&mut self, link: LinkId, peer: NodeId) {
        let Some(bulk) = self.net.bulk(link) else { return };
        let (jobs, queue) = mpsc::channel(FILE_REQUESTS_WAITING_MAX);
        let (questions, asked) = Questions::new();
        tokio::spawn(answer(self.shelf.clone(), peer, bulk.clone(), asked));
        tokio::spawn(serve(self.shelf.clone(), self.net.clone(), (link, peer), bulk, queue));
        self.links.insert(link, ServedLink { jobs, questions, wants: VecDeque::new() });
    }

    /// A link has ended.
    pub(super) fn on_link_down(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    /// A peer asks which parts of some content are held, or asks no more.
    pub(super) fn on_want(&mut self, link: LinkId, content: Hash, on: bool) {
        let Some(served) = self.links.get_mut(&link) else { return };
        served.wants.retain(|wanted| *wanted != content);
        if !on {
            served.questions.forget(&content);
            return;
        }
        if served.wants.len() >= FILE_WANTS_MAX
            && let Some(oldest) = served.wants.pop_front()
        {
            served.questions.forget(&oldest);
        }
        served.wants.push_back(content);
        served.questions.ask(WaitingQuestion { content, is_asked: true });
    }

    /// More of some content is held, or for more readers: tells all peers that want it.
    pub(super) fn notify(&self, contents: &BTreeSet<Hash>) {
        for served in self.links.values() {
            for content in served.wants.iter().filter(|wanted| contents.contains(*wanted)).copied() {
                served.questions.ask(WaitingQuestion { content, is_asked: false });
            }
        }
    }

    /// A peer asks for units.
    pub(super) fn on_request(&mut self, link: LinkId, content: Hash, first: u64, count: u64) {
        let Some(served) = self.links.get(&link) else { return };
        if served.jobs.try_send(ServeJob { content, first, count }).is_err() {
            send(&self.net, link, FileFrame::Refuse { content, first, count, busy: true });
        }
    }
}

/// Serves one link until it ends.
async fn serve(
    shelf: Shelf,
    net: Net,
    (link, peer): (LinkId, NodeId),
    bulk: mpsc::Sender<Bytes>,
    mut jobs: mpsc::Receiver<ServeJob>,
) {
    while let Some(ServeJob { content, first, count }) = jobs.recv().await {
        let end = first + count;
        let mut next = first;
        while next < end {
            let frames = read(&shelf, peer, content, next..end).await;
            if frames.is_empty() {
                send(&net, link, FileFrame::Refuse { content, first: next, count: end - next, busy: false });
                break;
            }
            next += frames.len() as u64 * GROUPS_PER_FRAME;
            for frame in frames {
                if bulk.send(frame).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Answers the questions of one link until it ends.
async fn answer(shelf: Shelf, peer: NodeId, bulk: mpsc::Sender<Bytes>, mut questions: Questions) {
    while let Some(WaitingQuestion { content, is_asked }) = questions.next().await {
        let frame = have(&shelf, content, peer).await;
        // A peer that was told that nothing is held need not hear it again.
        let is_news = is_asked || matches!(frame, FileFrame::Have { size: Some(_), .. });
        if is_news && bulk.send(wire::frame::encode(&Frame::File(frame))).await.is_err() {
            return;
        }
    }
}

/// Reads some of the units that a peer asks for, in frames. Returns none if the peer may not have
/// them.
async fn read(shelf: &Shelf, peer: NodeId, content: Hash, units: Range<u64>) -> Vec<Bytes> {
    // First: reading may take the disk seconds, and verifies all it reads.
    if !may_have(shelf, content, peer).await {
        return Vec::new();
    }
    let (store, end) = (shelf.content.clone(), units.end);
    let read = tokio::task::spawn_blocking(move || {
        let frame = |first| {
            let count = GROUPS_PER_FRAME.min(end - first);
            let bytes = store.encode(&content, first, count).ok().flatten()?;
            let frame = FileFrame::Data { content, first, count, bytes: bytes.into() };
            Some(wire::frame::encode(&Frame::File(frame)))
        };
        let starts = units.step_by(usize::try_from(GROUPS_PER_FRAME).unwrap_or(1));
        starts.take(usize::try_from(FILE_FRAMES_AT_ONCE).unwrap_or(1)).map_while(frame).collect::<Vec<_>>()
    });
    let frames = read.await.unwrap_or_default();
    let was_here = shelf.statuses.get(&content).state == FileState::Here;
    if frames.is_empty() && was_here && shelf.content.complete_size(&content).is_none() {
        // The disk changed some of it.
        shelf.report(FileEvent::Changed(content));
    }
    frames
}

/// Which parts of some content a peer may have.
async fn have(shelf: &Shelf, content: Hash, peer: NodeId) -> FileFrame {
    let none = FileFrame::Have { content, size: None, parts: Vec::new() };
    if !may_have(shelf, content, peer).await {
        return none;
    }
    let store = shelf.content.clone();
    let state = tokio::task::spawn_blocking(move || store.state(&content)).await.ok().flatten();
    match state.filter(|state| state.held.bytes_held() > 0 || state.held.is_complete()) {
        Some(state) => FileFrame::Have { content, size: Some(state.info.size), parts: state.held.parts() },
        None => none,
    }
}

pub(super) fn send(net: &Net, link: LinkId, frame: FileFrame) {
    net.send(link, wire::frame::encode(&Frame::File(frame)));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::super::test_bed::{Bed, MALLORY, bed, upload};
    use super::*;

    #[tokio::test]
    async fn nothing_is_read_for_a_peer_that_is_no_reader() {
        let Bed { shelf, dir, .. } = bed();
        let content = upload(&shelf, &[1; 100]);
        // If this were read, it would be found to be damaged.
        let file = std::fs::File::options().write(true).open(dir.path().join("files").join(content.to_string()));
        file.expect("a file").write_all_at(&[2], 5).expect("write");
        assert!(read(&shelf, MALLORY, content, 0..1).await.is_empty());
        assert_eq!(shelf.content.complete_size(&content), Some(100));
        assert_eq!(shelf.content.encode(&content, 0, 1).expect("read"), None, "it is damaged");
    }
}
