//! Logs that are taken no further: told to the peers, who leave them out of what they compare with this node, and to the
//! user.

use super::{Action, Engine, Warning};
use crate::proto::clock::Now;
use crate::proto::closed::{Closed, Closings};
use crate::proto::frame::Frame;
use crate::proto::ids::{Hash, LinkId, NodeId};
use crate::proto::limits::FRAME_CLOSED_MAX;
use crate::proto::refusal::Cause;

impl Engine {
    /// The room on the disk is little, or enough again.
    pub(super) fn disk_is_little(&mut self, now: Now, is_little: bool, out: &mut Vec<Action>) {
        self.frontier.set_little_disk(is_little);
        self.tell_closings(out);
        let ids: Vec<NodeId> = self.roster.members().map(|member| member.id).collect();
        ids.into_iter().for_each(|id| self.show_taken(now, id, out));
    }

    /// Tells of those who closed or opened since the last turn, or take noticeably more.
    pub(super) fn closing_turn(&mut self, now: Now, out: &mut Vec<Action>) {
        let news = self.frontier.news();
        if news.is_empty() {
            return;
        }
        self.tell_closings(out);
        for id in news {
            let before = self.roster.member(id).and_then(|member| member.closed);
            let closed = self.frontier.closed(id);
            if before != closed && closed.is_some_and(Closed::is_their_doing) {
                out.push(Action::Warn(Warning::Full(id)));
            }
            self.show_taken(now, id, out);
        }
    }

    /// Tells all peers whose logs are taken no further, if that changed.
    fn tell_closings(&mut self, out: &mut Vec<Action>) {
        let closings = self.frontier.closings();
        self.links.ids().into_iter().for_each(|link| self.tell_closings_on(link, closings.clone(), out));
    }

    /// Tells one peer: beside those who are closed to everybody, of whom it alone is known to hold something.
    fn tell_closings_on(&mut self, link: LinkId, mut closings: Closings, out: &mut Vec<Action>) {
        let Some(entry) = self.links.get_mut(link) else { return };
        entry.passed_over.retain(|author| self.frontier.passes_over(*author));
        let room = FRAME_CLOSED_MAX.saturating_sub(closings.authors.len());
        closings.authors.extend(entry.passed_over.iter().take(room));
        if closings == entry.told {
            return;
        }
        let before = std::mem::replace(&mut entry.told, closings.clone());
        if closings.open_since(&before) {
            // What was not taken meanwhile is found by comparing.
            self.compare_soon(link);
        }
        out.push(Action::Send { links: vec![link], frame: Frame::Closed(closings) });
    }

    /// A peer holds something of these authors, and perhaps of `more`. Those whom this node never met, and of whom it takes
    /// nothing, are named to the peer, so that the two compare what both hold.
    pub(super) fn pass_over(&mut self, link: LinkId, authors: &[(NodeId, Hash)], more: bool, out: &mut Vec<Action>) {
        let Some(entry) = self.links.get_mut(link) else { return };
        for (author, _) in authors.iter().filter(|(author, _)| self.frontier.passes_over(*author)) {
            if entry.passed_over.len() < FRAME_CLOSED_MAX && entry.passed_over.insert(*author) {
                self.refused.count(Cause::Unmet);
            }
        }
        if !more {
            self.tell_closings_on(link, self.frontier.closings(), out);
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
        self.tell_closings_on(link, self.frontier.closings(), out);
    }

    /// Tells the pages how much of a member is kept, and whether more is taken.
    pub(super) fn show_taken(&mut self, now: Now, id: NodeId, out: &mut Vec<Action>) {
        let changes = self.roster.takes(id, self.frontier.bytes(id), self.frontier.closed(id));
        self.changed(now, changes, out);
    }
}
