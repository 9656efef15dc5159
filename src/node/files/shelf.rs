//! What every task about files needs: the content store, the messages that name files, and the
//! statuses that pages see.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::events::FileEvent;
use super::reader_cache::ReaderCache;
use crate::content::{ContentStore, Hold};
use crate::node::clock::now;
use crate::proto::files::status::{FileState, FileStatus};
use crate::proto::ids::{Hash, NodeId, RoomId};
use crate::store::Store;
use crate::web::requests::RequestError;
use crate::web::{FileStatuses, Hub};

/// What every task about files needs. Clones share it.
#[derive(Clone)]
pub(in crate::node) struct Shelf {
    pub(super) content: ContentStore,
    pub(super) store: Store,
    pub(super) statuses: FileStatuses,
    pub(super) room: RoomId,
    pub(super) own: NodeId,
    pub(super) settings: FileSettings,
    events: UnboundedSender<FileEvent>,
    /// Locked while the space for one transfer is looked for and taken.
    pub(super) space: Arc<Mutex<()>>,
    /// Who may have which content.
    pub(super) readers: Arc<ReaderCache>,
    /// Content whose last fetch failed.
    failed: Arc<Mutex<BTreeSet<Hash>>>,
}

/// The user's limits for files.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) struct FileSettings {
    /// Files up to this size are fetched automatically.
    pub(in crate::node) auto_fetch_bytes: u64,
    /// The files of all other members together.
    pub(in crate::node) quota_bytes: u64,
}

/// Whose files a shelf has, and what its tasks report to.
pub(super) struct ShelfOwner<'a> {
    pub(super) room: RoomId,
    pub(super) own: NodeId,
    pub(super) hub: &'a Hub,
    pub(super) events: UnboundedSender<FileEvent>,
}

impl Shelf {
    pub(super) fn new(content: ContentStore, store: Store, owner: ShelfOwner<'_>, settings: FileSettings) -> Self {
        let ShelfOwner { room, own, hub, events } = owner;
        let (readers, failed, space) = (Arc::default(), Arc::default(), Arc::default());
        Self { content, store, statuses: hub.file_statuses(), room, own, settings, events, space, readers, failed }
    }

    /// Reports to the event loop.
    pub(super) fn report(&self, event: FileEvent) {
        // The event loop ends before the tasks.
        _ = self.events.send(event);
    }

    /// Notes whether the last fetch of some content failed.
    pub(super) fn set_failed(&self, content: Hash, failed: bool) {
        let mut all = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        _ = if failed { all.insert(content) } else { all.remove(&content) };
    }

    fn has_failed(&self, content: &Hash) -> bool {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).contains(content)
    }

    /// The hold of content for these readers in this room.
    pub(super) fn hold(&self, audience: Option<NodeId>) -> Hold {
        Hold { room: self.room, audience }
    }

    /// Puts the status of some content where messages are encoded. Returns true if it changed.
    pub(super) fn update_status(&self, content: &Hash) -> bool {
        let before = self.statuses.get(content).state;
        let status = match self.content.state(content) {
            Some(state) => FileStatus {
                state: match state.held.is_complete() {
                    true => FileState::Here,
                    false if self.has_failed(content) => FileState::Failed,
                    false if state.info.wanted && before == FileState::Fetching => FileState::Fetching,
                    false if state.info.wanted => FileState::Waiting,
                    false => FileState::Remote,
                },
                have: state.held.bytes_held(),
                holders: None,
                pinned: state.info.pinned,
            },
            None if self.has_failed(content) => FileStatus { state: FileState::Failed, ..FileStatus::default() },
            None => FileStatus::default(),
        };
        self.statuses.set(*content, status)
    }

    /// Sends the bytes of some content, piece by piece, until the reader goes away.
    pub(super) fn read(&self, content: &Hash, (from, to): (u64, u64), pieces: &mpsc::Sender<Bytes>) {
        let used_ms = now().wall_ms;
        if let Some(size) = self.content.complete_size(content) {
            self.log(self.content.update(content, size, |info| info.used_ms = used_ms));
        }
        let mut offset = from;
        while offset < to {
            let mut bytes = match self.content.read(content, offset) {
                Ok(Some(bytes)) => Bytes::from(bytes),
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!("a file can't be read: {error}");
                    break;
                }
            };
            bytes.truncate(usize::try_from(to - offset).unwrap_or(usize::MAX));
            offset += bytes.len() as u64;
            if pieces.blocking_send(bytes).is_err() {
                return;
            }
        }
        if offset < to {
            self.report(FileEvent::Changed(*content));
        }
    }

    pub(super) fn log<T>(&self, result: std::io::Result<T>) -> Option<T> {
        result.inspect_err(|error| tracing::warn!("the record of a file can't be written: {error}")).ok()
    }
}

/// The refusal for an error of the disk.
pub(super) fn disk_error(error: &std::io::Error) -> RequestError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => RequestError::DiskFull,
        std::io::ErrorKind::FileTooLarge => RequestError::TooLong,
        _ => {
            tracing::warn!("a file can't be written: {error}");
            RequestError::DiskFull
        }
    }
}
