//! Publishes what changed in the roster: to the pages, to the store, and as notices.

use super::{Action, Engine, Show, WriteAction};
use crate::proto::clock::Now;
use crate::proto::notices::NewNotice;
use crate::proto::record::Write;
use crate::proto::roster::Changes;

impl Engine {
    /// Publishes changes. The state of a member is told at once, a notice as its throttle allows.
    pub(super) fn changed(&mut self, now: Now, changes: Changes, out: &mut Vec<Action>) {
        out.extend(changes.members.into_iter().map(|member| Action::Show(Show::Member(member))));
        out.extend(changes.records.into_iter().map(|record| Action::Write(WriteAction(Write::Member(record)))));
        for (kind, member, name) in changes.notices {
            let notice = NewNotice { wall_ms: now.wall_ms, kind, member, name };
            // The local user's own changes are told as they happen.
            let admitted = if member == self.own { Some(notice) } else { self.notices.admit(now, notice) };
            out.extend(admitted.map(write));
        }
        self.wake_for_notices();
    }

    /// Tells the held notices whose time has come.
    pub(super) fn notices_turn(&mut self, mono_ms: u64, out: &mut Vec<Action>) {
        out.extend(self.notices.due(mono_ms).into_iter().map(write));
        self.wake_for_notices();
    }

    /// Tells all held notices: no later turn would.
    pub(super) fn tell_held_notices(&mut self, out: &mut Vec<Action>) {
        out.extend(self.notices.rest().into_iter().map(write));
    }

    fn wake_for_notices(&mut self) {
        if let Some(next_ms) = self.notices.next_ms() {
            self.wake_at(next_ms);
        }
    }
}

fn write(NewNotice { wall_ms, kind, member, name }: NewNotice) -> Action {
    Action::Write(WriteAction(Write::Notice { wall_ms, kind, member, name }))
}
