//! What is known of one link while it is up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::proto::closed::Closings;
use crate::proto::frame::{Peer, Receipt};
use crate::proto::ids::{Instance, LogId, NodeId, Seq};

/// What a link has to do with members that one of its ends can't reach.
#[derive(Debug, Default)]
pub(super) struct Relaying {
    /// Whom the peer is linked with, as it said last.
    pub(super) linked: BTreeSet<NodeId>,
    /// Whose batches the peer asked to be passed on.
    pub(super) passes: BTreeSet<NodeId>,
    /// Receipts to send to these authors through the peer.
    pub(super) receipts: BTreeMap<NodeId, Vec<Receipt>>,
}

/// A link that is through its handshake.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: Peer,
    pub(super) instance: Instance,
    pub(super) heard_ms: u64,
    pub(super) pinged_ms: u64,
    pub(super) unsure: bool,
    /// Own batches on this link without a receipt: log, last entry, bytes.
    pub(super) unreceipted: VecDeque<(LogId, Seq, usize)>,
    pub(super) unreceipted_bytes: usize,
    /// Whether this peer has to fetch what it lacks, since too much waits for its receipts.
    pub(super) behind: bool,
    /// Receipts to send.
    pub(super) receipts: Vec<Receipt>,
    pub(super) relay: Relaying,
    /// Whose logs the peer takes no further, as it said last.
    pub(super) closings: Closings,
    /// Whose logs this node takes no further, as the peer was told last.
    pub(super) told: Closings,
    /// Authors of whom the peer holds something and this node takes nothing, having never met them.
    pub(super) passed_over: BTreeSet<NodeId>,
    pub(super) up_ms: u64,
}

impl Link {
    pub(super) fn new(peer: Peer, mono_ms: u64) -> Self {
        Self {
            instance: peer.instance,
            peer,
            heard_ms: mono_ms,
            pinged_ms: mono_ms,
            unsure: false,
            unreceipted: VecDeque::new(),
            unreceipted_bytes: 0,
            behind: false,
            receipts: Vec::new(),
            relay: Relaying::default(),
            closings: Closings::default(),
            told: Closings::default(),
            passed_over: BTreeSet::new(),
            up_ms: mono_ms,
        }
    }
}
