//! Warnings in the user's log, limited in rate: a peer can repeat what causes them.

use crate::config::MIB;
use crate::logging::throttle::WarnThrottle;
use crate::proto::entries::timeline::{Notice, NoticeKind};
use crate::proto::ids::NodeId;
use crate::proto::members::member::Member;
use crate::proto::names::confusables::skeleton;
use crate::proto::replication::author_limits::LimitReason;

/// The throttles of warnings that peers can cause.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    key_in_use: WarnThrottle<NodeId>,
    limit_reached: WarnThrottle,
}

impl Warnings {
    /// Warns that a key is in use twice, at most once a minute for each key.
    pub(super) fn key_in_use(&mut self, id: NodeId) {
        if !self.key_in_use.permits(id) {
            return;
        }
        tracing::warn!(
            "the identity {} is in use on two computers: give one of them its own data directory with --data-dir",
            id.short()
        );
    }

    /// Warns that a member has reached a limit, at most once a minute for all members.
    pub(super) fn limit_reached(&mut self, member: &Member) {
        if !self.limit_reached.permits(()) {
            return;
        }
        let (short, name) = (member.id.short(), &member.name);
        if member.closed == Some(LimitReason::Logs) {
            tracing::warn!("{short} ({name}) has restarted too many times: new messages from them aren't saved");
        } else {
            let mib = member.bytes.div_ceil(MIB);
            tracing::warn!(
                "{short} ({name}) has reached the storage limit of {mib} MiB: new messages from them aren't saved; \
                 --quota changes the limit"
            );
        }
    }
}

/// Warns that a member's log is forked.
pub(super) fn forked(id: NodeId) {
    tracing::warn!("the history of {} split in two: messages after the split were removed", id.short());
}

/// Warns of a member that takes the name of a verified one, for users who have no page open.
pub(super) fn name_conflict<'a>(notice: &Notice, mut members: impl Iterator<Item = &'a Member>) {
    let looks_like = skeleton(notice.name.as_str());
    let is_taken = |member: &&Member| {
        member.marks.verified && member.id != notice.member && skeleton(member.name.as_str()) == looks_like
    };
    if notice.kind == NoticeKind::Conflict
        && let Some(verified) = members.find(is_taken)
    {
        let (other, known) = (notice.member.short(), verified.id.short());
        tracing::warn!(
            "{other} calls itself {}, but is not the {known} you verified; it may be impersonating \
             them",
            notice.name
        );
    }
}
