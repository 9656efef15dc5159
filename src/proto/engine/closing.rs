//! Logs that are taken no further: told to the peers, who leave them out of what they compare with this node, and to the
//! user.

use super::{Action, Engine, Warning};
use crate::proto::clock::Now;
use crate::proto::closed::{Closed, Closings};
use crate::proto::frame::Frame;
use crate::proto::ids::{LinkId, NodeId};

impl Engine {
    /// The room on the disk is little, or enough again.
    pub(super) fn disk_is_little(&mut self, now: Now, is_little: bool, out: &mut Vec<Action>) {
        self.frontier.set_little_disk(is_little);
        self.tell_closings(now, out);
        let ids: Vec<NodeId> = self.roster.members().map(|member| member.id).collect();
        ids.into_iter().for_each(|id| self.show_taken(now, id, out));
    }

    /// Tells of those who closed or opened since the last turn, or take noticeably more.
    pub(super) fn closing_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        let news = self.frontier.news();
        if news.is_empty() {
            return;
        }
        self.tell_closings(now, out);
        for id in news {
            let before = self.roster.member(id).and_then(|member| member.closed);
            let closed = self.frontier.closed(id).filter(|closed| *closed != Closed::Disk);
            if before != closed && closed.is_some() {
                out.push(Action::Warn(Warning::Full(id)));
            }
            self.show_taken(now, id, out);
        }
    }

    /// Tells all peers whose logs are taken no further, if that changed.
    fn tell_closings(&mut self, now: Now, out: &mut Vec<Action>) {
        let closings = self.frontier.closings();
        let before = self.closings.clone().unwrap_or_default();
        if closings == before {
            return;
        }
        let opened = closings.open_since(&before);
        self.closings = Some(closings.clone());
        let links = self.links.ids();
        if !links.is_empty() {
            out.push(Action::Send { links: links.clone(), frame: Frame::Closed(closings) });
        }
        if opened {
            // What was not taken meanwhile is found by comparing.
            links.into_iter().for_each(|link| self.compare_soon(link));
            self.wake_at(now.mono_ms);
        }
    }

    /// A peer says whose logs it takes no further.
    pub(super) fn closings_told(&mut self, link: LinkId, peer: NodeId, closings: Closings) {
        let Some(entry) = self.links.get_mut(link) else { return };
        entry.closings = closings.clone();
        if self.links.primary_id(peer) == Some(link) {
            self.frontier.closings_told(peer, closings);
        }
    }

    /// A link is the one in use with its peer from now on: what was said on it counts, and the peer is told on it.
    pub(super) fn closings_on(&mut self, link: LinkId, out: &mut Vec<Action>) {
        if let Some(entry) = self.links.get(link) {
            self.frontier.closings_told(entry.peer.id, entry.closings.clone());
        }
        if let Some(closings) = self.closings.clone() {
            out.push(Action::Send { links: vec![link], frame: Frame::Closed(closings) });
        }
    }

    /// Tells the pages how much of a member is kept, and whether more is taken.
    pub(super) fn show_taken(&mut self, now: Now, id: NodeId, out: &mut Vec<Action>) {
        let changes = self.roster.takes(id, self.frontier.bytes(id), self.frontier.closed(id));
        self.changed(now, changes, out);
    }
}
