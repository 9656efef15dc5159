//! Tells linked members that the user is typing, and shows which of them are. Nothing of it is
//! stored or relayed.

use std::collections::BTreeMap;

use super::ctx::Ctx;
use super::io::{Action, UiEvent};
use super::peers::link_table::LinkTable;
use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::{LinkId, NodeId};
use crate::proto::limits::{TYPING_ACCEPTED_EVERY_MS, TYPING_EVERY_MS};
use crate::proto::names::name::Name;
use crate::proto::replication::frame::Frame;

/// The throttles of both directions. Entries that throttle nothing any more are removed.
#[derive(Debug, Default)]
pub(super) struct Typing {
    /// When peers were told, by conversation.
    told: BTreeMap<Conversation, u64>,
    /// When a frame was accepted, by peer.
    accepted: BTreeMap<NodeId, u64>,
}

impl Typing {
    /// The user is typing.
    pub(super) fn on_user(&mut self, ctx: &mut Ctx, links: &LinkTable, conversation: Conversation) {
        if !admit(&mut self.told, conversation.clone(), ctx.now.mono_ms, TYPING_EVERY_MS) {
            return;
        }
        let (peers, channel): (Vec<NodeId>, _) = match conversation {
            Conversation::Channel(name) => (links.peers().collect(), Some(name)),
            Conversation::Direct(peer) => (vec![peer], None),
        };
        let links: Vec<LinkId> = peers.into_iter().filter_map(|peer| links.primary_id(peer)).collect();
        if !links.is_empty() {
            ctx.out.push(Action::Send { links, frame: Frame::Typing { channel } });
        }
    }

    /// A peer's user is typing.
    pub(super) fn on_peer(&mut self, ctx: &mut Ctx, peer: NodeId, channel: Option<Name>) {
        if admit(&mut self.accepted, peer, ctx.now.mono_ms, TYPING_ACCEPTED_EVERY_MS) {
            let conversation = channel.map_or(Conversation::Direct(peer), Conversation::Channel);
            ctx.show(UiEvent::Typing { member: peer, conversation });
        }
    }
}

/// Returns true if `key` was not admitted within the last `every_ms`.
fn admit<K: Ord>(admitted: &mut BTreeMap<K, u64>, key: K, mono_ms: u64, every_ms: u64) -> bool {
    admitted.retain(|_, at_ms| mono_ms.saturating_sub(*at_ms) < every_ms);
    if admitted.contains_key(&key) {
        return false;
    }
    admitted.insert(key, mono_ms);
    true
}
