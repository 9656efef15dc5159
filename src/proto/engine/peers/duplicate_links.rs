//! The rule for two links between the same two instances: which survives.
//!
//! Both sides apply it and have to pick the same one.

use super::link_table::Link;
use crate::proto::clock::Now;
use crate::proto::ids::NodeId;
use crate::proto::limits::{ALIVE_MS, HANDSHAKE_MS_MAX};

/// The link that survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Old,
    New,
}

/// Returns which of two links of the same two instances survives:
///
/// - Simultaneous dial (dialled by different sides, the old link no older than a handshake takes,
///   and not silent): the link dialled by the smaller id.
/// - Otherwise the peer has lost the old link: the newer one.
pub(crate) fn survivor(old: &Link, new: &Link, own: NodeId, now: Now) -> Keep {
    let is_young = now.mono_ms <= old.up_ms + HANDSHAKE_MS_MAX;
    let is_alive = now.mono_ms <= old.heard_ms + ALIVE_MS;
    let is_simultaneous = old.peer.dialled != new.peer.dialled && is_young && is_alive;
    let own_dials_survive = own < old.peer.id;
    if is_simultaneous && old.peer.dialled == own_dials_survive { Keep::Old } else { Keep::New }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::Instance;
    use crate::proto::names::name::Name;
    use crate::proto::replication::frame::{Intro, Peer};

    const PEER: u8 = 5;

    fn link(dialled: bool, up_ms: u64, heard_ms: u64) -> Link {
        let intro = Intro { name: Name::from_lossy("Ana", "?"), uptime_ms: 0, wall_ms: 0, listens: Vec::new() };
        let (id, instance, address) = (NodeId([PEER; 32]), Instance(1), [192, 0, 2, 1].into());
        Link { heard_ms, ..Link::new(Peer { id, instance, version: 2, intro, address, dialled }, up_ms) }
    }

    #[test]
    fn survivor_follows_the_table() {
        const NOW_MS: u64 = 100_000;
        const OLD_MS: u64 = HANDSHAKE_MS_MAX + 1;
        const SILENT_MS: u64 = ALIVE_MS + 1;
        // Own id, the old and the new link dialled by this side, age and silence of the old link in
        // milliseconds.
        let table = [
            // A simultaneous dial: the smaller id's link.
            (1, true, false, 1, 0, Keep::Old),
            (1, false, true, 1, 0, Keep::New),
            (9, true, false, 1, 0, Keep::New),
            (9, false, true, 1, 0, Keep::Old),
            // Dialled twice by one side: the newer link.
            (1, true, true, 1, 0, Keep::New),
            (9, false, false, 1, 0, Keep::New),
            // The old link is older than a handshake takes, or silent: the newer link.
            (1, true, false, OLD_MS, 0, Keep::New),
            (1, true, false, SILENT_MS, SILENT_MS, Keep::New),
        ];
        let now = Now { mono_ms: NOW_MS, wall_ms: 0 };
        for (own, old_dialled, new_dialled, age_ms, silent_ms, expected) in table {
            let old = link(old_dialled, NOW_MS - age_ms, NOW_MS - silent_ms);
            let keep = survivor(&old, &link(new_dialled, NOW_MS, NOW_MS), NodeId([own; 32]), now);
            let case = (own, old_dialled, new_dialled, age_ms, silent_ms);
            assert_eq!(keep, expected, "{case:?}");
        }
    }
}
