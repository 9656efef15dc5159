//! What every component works with: the time of the input, the way for actions to go out, and the
//! queue of events.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _};

use super::io::{Action, AskId, Reply, UiEvent, Warning, WriteAction};
use crate::proto::clock::Now;
use crate::proto::entries::batch::Verified;
use crate::proto::ids::{DialId, EntryId, LinkId, LogId, NodeId};
use crate::proto::replication::frame::{CloseReason, Frame, ReachState, Receipt};
use crate::proto::replication::store_api::Write;

/// An event in one component for the others. [`super::Engine`] hands it to those it concerns.
#[derive(Debug)]
pub(super) enum Event {
    /// Something that concerns dials.
    Dial(DialEvent),
    /// A peer has a link, after it had none.
    LinkRegistered(LinkId),
    /// Another link of the same peer is in use.
    PrimaryChanged(LinkId),
    /// The link in use stays, and another one of the same peer goes: what was sent on that may be
    /// lost.
    PrimaryKept(LinkId),
    /// A link is gone. `is_last`: its peer has no other one.
    LinkLost { link: LinkId, peer: NodeId, is_last: bool },
    /// The reach of a linked member changed, for the peers that asked this node about it.
    ReachChanged { member: NodeId, state: ReachState },
    /// A link is silent: members have to be reached through others.
    LinkSilent(LinkId),
    /// A silent link is heard again.
    LinkHeard,
    /// A member is not reached any more; it counts as lost at `at_ms` unless it is reached before.
    LossSuspected { member: NodeId, at_ms: u64 },
    /// A member is reached through a peer.
    Reached(NodeId),
    /// A comparison on this link is due.
    CompareDue(LinkId),
    /// A peer has stored these own entries, as it says.
    OwnEntriesHeld { member: NodeId, receipts: Vec<Receipt> },
    /// Batches are to be sent to all those they are for.
    OwnBatches { audience: Option<NodeId>, batches: Vec<Verified> },
    /// An own message is on the disk. `of`: the members that are to store it.
    MessageCommitted { id: EntryId, of: Arc<[NodeId]> },
    /// Batches of others were stored, and may be passed on.
    BatchesStored(Vec<Verified>),
    /// The author of a stored batch has to get a receipt. `only_on`: if this link leads to it.
    ReceiptDue { author: NodeId, receipt: Receipt, only_on: Option<LinkId> },
    /// A fetched page was stored; `is_whole`: all of it.
    PageStored { link: LinkId, is_whole: bool },
    /// A fetched page could not be stored.
    PageFailed(LinkId),
    /// Another program wrote to an own log.
    OwnLogShared(LogId),
    /// A peer has stored what was pushed to it on a link, as it says.
    PushReceipted { link: LinkId, receipts: Vec<Receipt> },
}

/// An event that decides which address is dialled, and when.
#[derive(Debug)]
pub(super) enum DialEvent {
    /// A dial ended with a link to `id`.
    Succeeded { dial: DialId, id: NodeId },
    /// A dial ended with a link that this node refused.
    Wasted(DialId),
    /// The last link of a peer was lost. It is not dialled for `wait_ms`.
    LinkLost { id: NodeId, address: IpAddr, wait_ms: u64 },
    /// A peer is not dialled until then.
    Suspended { id: NodeId, until_ms: u64 },
    /// A member said goodbye, or was evicted: it is not dialled until it is heard of again.
    Ended(NodeId),
    /// A peer told where a member listens.
    Reported { member: NodeId, addresses: Vec<SocketAddr> },
}

/// The context of one input. Components add actions and events to it.
#[derive(Debug)]
pub(super) struct Ctx {
    pub(super) now: Now,
    pub(super) own: NodeId,
    /// True once the program was asked to stop.
    pub(super) is_stopping: bool,
    /// The actions so far, in the order in which they are to be done.
    pub(super) out: Vec<Action>,
    events: VecDeque<Event>,
    wake_ms: u64,
    rng: StdRng,
    last_token: u64,
}

impl Ctx {
    pub(super) fn new(now: Now, own: NodeId, rng: StdRng) -> Self {
        let (out, events) = (Vec::new(), VecDeque::new());
        Self { now, own, is_stopping: false, out, events, wake_ms: now.mono_ms, rng, last_token: 0 }
    }

    /// Begins with another input. Returns how long the last one is ago, in milliseconds.
    pub(super) fn begin(&mut self, now: Now) -> u64 {
        now.mono_ms.saturating_sub(std::mem::replace(&mut self.now, now).mono_ms)
    }

    pub(super) fn mono_ms(&self) -> u64 {
        self.now.mono_ms
    }

    /// Queues an event for the other components.
    pub(super) fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn send(&mut self, link: LinkId, frame: Frame) {
        self.out.push(Action::Send { links: vec![link], frame });
    }

    /// Sends a frame on each of these links.
    pub(super) fn send_all(&mut self, links: Vec<LinkId>, frame: Frame) {
        self.out.push(Action::Send { links, frame });
    }

    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason) {
        self.out.push(Action::Close { link, reason });
    }

    pub(super) fn write(&mut self, write: Write) {
        self.out.push(Action::Write(WriteAction(write)));
    }

    /// Shows stored messages, own ones with the request that they answer.
    pub(super) fn show_messages(
        &mut self,
        messages: Vec<EntryId>,
        moved: Vec<EntryId>,
        askers: &mut BTreeMap<EntryId, AskId>,
    ) {
        // First what moved: a tab that goes away between the two comes back for the new messages.
        moved.into_iter().for_each(|id| self.show(UiEvent::ChangedMessage(id)));
        messages.into_iter().for_each(|id| self.show(UiEvent::NewMessage { id, asker: askers.remove(&id) }));
    }

    pub(super) fn show(&mut self, event: UiEvent) {
        self.out.push(Action::Show(event));
    }

    pub(super) fn warn(&mut self, warning: Warning) {
        self.out.push(Action::Warn(warning));
    }

    pub(super) fn answer(&mut self, asker: AskId, answer: Reply) {
        self.out.push(Action::Answer { asker, answer });
    }

    /// When the engine is to be called again, on the monotonic clock.
    pub(super) fn wake_ms(&self) -> u64 {
        self.wake_ms
    }

    pub(super) fn set_wake_ms(&mut self, wake_ms: u64) {
        self.wake_ms = wake_ms;
    }

    /// Asks to be called at `at_ms` at the latest.
    pub(super) fn wake_at(&mut self, at_ms: u64) {
        self.wake_ms = self.wake_ms.min(at_ms);
    }

    /// Asks for a turn right after this input.
    pub(super) fn wake_now(&mut self) {
        self.wake_at(self.now.mono_ms);
    }

    /// Returns a number for the next write of batches.
    pub(super) fn token(&mut self) -> u64 {
        self.last_token += 1;
        self.last_token
    }

    pub(super) fn random(&mut self) -> u64 {
        self.rng.random()
    }

    pub(super) fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}
