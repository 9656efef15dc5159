//! Files: the content store, and the requests of pages that concern it.
//!
//! No function here waits for the disk: what reads or writes content runs on threads that may
//! block.

mod changes;
mod events;
mod fetching;
mod listing;
mod questions;
mod reader_cache;
mod readers;
mod records;
mod serving;
mod shelf;
#[cfg(test)]
mod test_bed;
mod transfers;
mod uploads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(in crate::node) use events::FileEvent;
pub(super) use records::attach;
pub(in crate::node) use shelf::{FileSettings, Shelf};

use crate::content::ContentStore;
use crate::identity::DataDir;
use crate::net::Net;
use crate::proto::entries::timeline::Message;
use crate::proto::files::file_frame::FileFrame;
use crate::proto::ids::{Hash, LinkId, NodeId, RoomId};
use crate::store::Store;
use crate::web::Hub;
use crate::web::file_requests::FileRequest;
use shelf::ShelfOwner;
use transfers::TransferDriver;
use uploads::Uploads;

/// The files of a node.
pub(super) struct FileService {
    pub(super) shelf: Shelf,
    transfers: TransferDriver,
    uploads: Uploads,
    /// The directory, if it ends with the node.
    ephemeral: Option<PathBuf>,
}

/// The parts of the node that files need.
pub(super) struct FileParts<'a> {
    pub(super) directory: &'a DataDir,
    pub(super) store: &'a Store,
    pub(super) hub: &'a Hub,
    pub(super) net: &'a Net,
    pub(super) room: RoomId,
    pub(super) own: NodeId,
}

/// The directory of content in a data directory. With `--ephemeral` it is one of its own, which
/// ends with the node.
fn directory(data_dir: &Path, is_ephemeral: bool) -> std::io::Result<PathBuf> {
    if !is_ephemeral {
        return Ok(data_dir.join("files"));
    }
    let dir = data_dir.join("ephemeral-files");
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(dir),
    }
}

impl FileService {
    /// Opens the content of a data directory. Returns the service, and what its tasks report.
    pub(super) fn open(
        parts: FileParts<'_>,
        settings: FileSettings,
    ) -> std::io::Result<(Self, UnboundedReceiver<FileEvent>)> {
        let FileParts { directory: data, store, hub, net, room, own } = parts;
        let dir = directory(data.path(), data.is_ephemeral())?;
        let (events, received) = unbounded_channel();
        let owner = ShelfOwner { room, own, hub, events: events.clone() };
        let shelf = Shelf::new(ContentStore::open(&dir)?, store.clone(), owner, settings);
        for content in shelf.content.contents() {
            shelf.update_status(&content);
        }
        tokio::spawn(records::sweep_uploads(shelf.clone()));
        let transfers = TransferDriver::new(shelf.clone(), net.clone(), hub.clone(), events)?;
        let ephemeral = data.is_ephemeral().then_some(dir);
        Ok((Self { shelf, transfers, uploads: Uploads::default(), ephemeral }, received))
    }

    /// A new message is on the disk. `fetches`: small files of it are fetched.
    pub(super) fn on_line(&mut self, line: &Message, fetches: bool) {
        // A message that names the same content twice claims two sizes of it.
        let files: BTreeMap<Hash, u64> = line.changes.files.iter().map(|file| (file.content, file.size)).collect();
        for (content, size) in files {
            self.shelf.readers.forget(&content);
            let shelf = self.shelf.clone();
            tokio::task::spawn_blocking(move || {
                records::on_named(&shelf, &content);
                // Peers that asked before may have it from now on.
                shelf.report(FileEvent::Named(content));
            });
            self.transfers.on_named(line.order.author, content, size, fetches);
        }
    }

    /// Messages that named this content were deleted.
    pub(super) fn on_released(&mut self, contents: Vec<Hash>) {
        for content in contents {
            tokio::spawn(records::on_released(self.shelf.clone(), content));
        }
    }

    /// Other messages are held than before: which content they name is read anew.
    pub(super) fn on_afresh(&mut self) {
        self.on_released(self.shelf.content.contents());
    }

    /// A peer has a link.
    pub(super) fn on_link_up(&mut self, link: LinkId, peer: NodeId) {
        self.transfers.on_link_up(link, peer);
    }

    /// A link has ended.
    pub(super) fn on_link_down(&mut self, link: LinkId) {
        self.transfers.on_link_down(link);
    }

    /// A peer sent a frame about content.
    pub(super) fn on_frame(&mut self, link: LinkId, frame: FileFrame) {
        self.transfers.on_frame(link, frame);
    }

    /// A task has something to report.
    pub(super) fn on_event(&mut self, event: FileEvent) {
        self.transfers.on_event(event);
    }

    /// Does what is due.
    pub(super) fn on_turn(&mut self) {
        self.transfers.on_turn();
    }

    /// Waits until the next turn; for ever while nothing is under way.
    pub(super) fn next_turn(&self) -> impl Future<Output = ()> + use<> {
        self.transfers.next_turn()
    }

    /// Answers a request, on a task of its own.
    pub(super) fn on_request(&mut self, request: FileRequest) {
        let shelf = self.shelf.clone();
        match request {
            FileRequest::Upload { name, pieces, answer } => uploads::receive_whole(shelf, name, pieces, answer),
            FileRequest::BeginUpload { name, size, answer } => _ = answer.send(Ok(self.uploads.begin(name, size))),
            FileRequest::ContinueUpload { upload, offset, pieces, answer } => {
                self.uploads.resume(shelf, upload, offset, pieces, answer);
            }
            FileRequest::List { conversation, answer } => {
                tokio::spawn(async move {
                    if let Some(files) = listing::list(&shelf, conversation).await {
                        _ = answer.send(files);
                    }
                });
            }
            FileRequest::Find { content, answer } => {
                tokio::spawn(async move {
                    if let Some(found) = listing::find(&shelf, content).await {
                        _ = answer.send(found);
                    }
                });
            }
            FileRequest::Read { content, from, to, pieces } => {
                tokio::task::spawn_blocking(move || shelf.read(&content, (from, to), &pieces));
            }
            FileRequest::Change { content, change, answer } => {
                tokio::spawn(async move {
                    let changed = changes::change(shelf, content, change).await;
                    _ = answer.send(changed);
                });
            }
        }
    }
}

impl Drop for FileService {
    fn drop(&mut self) {
        if let Some(dir) = &self.ephemeral {
            // What can't be removed lies in a directory that only this user reads.
            _ = std::fs::remove_dir_all(dir);
        }
    }
}
