//! Who may have some content: the readers of a message, not deleted, that names it, and for whom
//! this node holds it.
//!
//! Both conditions count. A member that names the hash of a direct file in the room would otherwise
//! get it, or learn that it exists.

use std::collections::BTreeSet;

use super::shelf::Shelf;
use crate::node::info::report;
use crate::proto::files::naming::audiences_of;
use crate::proto::ids::{Hash, NodeId};

/// Returns true if a peer may have some content.
pub(super) async fn may_have(shelf: &Shelf, content: Hash, peer: NodeId) -> bool {
    let readers = match shelf.readers.get(&content) {
        Ok(readers) => readers,
        Err(began) => {
            let Some(readers) = read(shelf, content).await else { return false };
            shelf.readers.put(began, content, readers.clone());
            readers
        }
    };
    readers.contains(&None) || readers.contains(&Some(peer))
}

async fn read(shelf: &Shelf, content: Hash) -> Option<BTreeSet<Option<NodeId>>> {
    let named = audiences_of(&report(shelf.store.namings_of(content).await)?);
    if named.is_empty() {
        return Some(named);
    }
    let (room, store) = (shelf.room, shelf.content.clone());
    let info = tokio::task::spawn_blocking(move || store.info(&content)).await.ok()?;
    let holds = info.map(|info| info.holds).unwrap_or_default();
    let held: BTreeSet<_> = holds.iter().filter(|hold| hold.room == room).map(|hold| hold.audience).collect();
    Some(named.intersection(&held).copied().collect())
}
