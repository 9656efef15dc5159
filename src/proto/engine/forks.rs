//! What becomes of the logs when the store finds that two things were signed for one place: the member is marked, what
//! was shown and is gone is taken off the pages, and what this node's own user lost with it is said again.

use super::talk::Draft;
use super::tops::Tops;
use super::{Action, Engine, Show, Warning};
use crate::proto::body::Body;
use crate::proto::clock::Now;
use crate::proto::ids::{LogId, NodeId};
use crate::proto::limits::SAYS_WAITING_MAX;
use crate::proto::record::Changed;
use crate::proto::refusal::Cause;
use crate::proto::timeline::Conversation;

impl Engine {
    /// The store holds something else of some logs than was to be expected.
    pub(super) fn logs_changed(&mut self, now: Now, changed: Changed, out: &mut Vec<Action>) {
        for record in changed.logs {
            let (key, is_forked) = (record.key, record.fork.is_some());
            self.frontier.replace(record, self.taking.flying(key));
            if is_forked {
                if key.author == self.own {
                    self.talk.leave(key.log);
                }
                self.marks_forked(now, key.author, out);
            }
        }
        self.talk.fallen.extend(changed.fallen);
        if let Some(run) = changed.run {
            self.tops = Tops::new(changed.tops);
            out.push(Action::Show(Show::Afresh(run)));
        }
        self.say_again(now, out);
    }

    fn marks_forked(&mut self, now: Now, author: NodeId, out: &mut Vec<Action>) {
        let changes = self.roster.forked(now, author);
        if !changes.notices.is_empty() {
            self.refused.count(Cause::Forked);
            out.push(Action::Warn(Warning::Fork(author)));
            self.spread_fork(now);
        }
        self.changed(now, changes, out);
    }

    /// Somebody else wrote to an own log: this machine was put back to an earlier state, or its memory runs twice. What comes
    /// next goes into a new log, so that this one need not fork.
    pub(super) fn is_written_elsewhere(&mut self, log: LogId) {
        self.talk.leave(log);
    }

    /// Says again what this node's user said in a log that ended before it, each thing once.
    pub(super) fn say_again(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.stopping || self.talk.is_full(SAYS_WAITING_MAX) {
            return;
        }
        for fallen in std::mem::take(&mut self.talk.fallen) {
            let (body, audience) = (fallen.body.clone(), fallen.audience);
            let channel = match &body {
                Body::Say { channel, .. } | Body::Hooray { channel, .. } | Body::File { channel, .. } => {
                    channel.as_deref()
                }
                Body::Edit { .. } | Body::Delete { .. } | Body::React { .. } | Body::Profile { .. } => None,
            };
            let conversation = Conversation::of(self.own, self.own, audience, channel).filter(|_| body.is_message());
            let reference = fallen.reference.clone();
            let draft = Draft { asker: None, body, conversation, reference, again: Some(fallen) };
            self.draft(now, audience, draft, out);
        }
    }
}
