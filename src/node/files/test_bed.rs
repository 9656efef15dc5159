//! Files without a network, for unit tests.

use bao_tree::blake3;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::events::FileEvent;
use super::shelf::{FileSettings, Shelf, ShelfOwner};
use crate::content::{ContentStore, Upload};
use crate::proto::ids::{Hash, NodeId, RoomId};
use crate::store::{Location, Store};
use crate::web::Hub;

pub(super) const OWN: NodeId = NodeId([1; 32]);
pub(super) const BEN: NodeId = NodeId([2; 32]);
pub(super) const MALLORY: NodeId = NodeId([3; 32]);
pub(super) const CONTENT: Hash = Hash([7; 32]);

/// A shelf of an empty node, and what its tasks report.
pub(super) struct Bed {
    pub(super) shelf: Shelf,
    pub(super) events: UnboundedReceiver<FileEvent>,
    pub(super) dir: tempfile::TempDir,
}

pub(super) fn bed() -> Bed {
    let dir = tempfile::tempdir().expect("a directory");
    let room = RoomId::new("lobby", b"");
    let (store, _) = Store::open(Location::Memory, room, OWN, 0).expect("a store");
    let (events, received) = unbounded_channel();
    let hub = Hub::new();
    let owner = ShelfOwner { room, own: OWN, hub: &hub, events };
    let settings = FileSettings { auto_fetch_bytes: 100, quota_bytes: 1000 };
    let content = ContentStore::open(&dir.path().join("files")).expect("content");
    Bed { shelf: Shelf::new(content, store, owner, settings), events: received, dir }
}

pub(super) fn upload(shelf: &Shelf, bytes: &[u8]) -> Hash {
    let mut upload = Upload::begin(&shelf.content, rand::random()).expect("begin");
    upload.write(bytes).expect("write");
    upload.finish().expect("finish").0
}

pub(super) fn hash(bytes: &[u8]) -> Hash {
    Hash(*blake3::hash(bytes).as_bytes())
}
