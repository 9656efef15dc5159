//! The requests of the page's server that concern files.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::refusal::{RequestError, Responder};
use crate::api::FileJson;
use crate::proto::entries::timeline::Conversation;
use crate::proto::ids::Hash;

/// A piece of an upload.
#[derive(Debug)]
pub enum UploadPiece {
    /// The next bytes.
    Data(Bytes),
    /// The end of the request's body: all of it arrived.
    End,
}

/// A request to the node that concerns files.
#[derive(Debug)]
#[allow(missing_docs, reason = "the variants say what their fields are")]
pub enum FileRequest {
    /// Store the bytes of a file. A channel that closes without the end undoes it.
    Upload { name: String, pieces: mpsc::Receiver<UploadPiece>, answer: Responder<Result<FileJson, RequestError>> },
    /// Begin an upload in parts. The response is its number.
    BeginUpload { name: String, size: u64, answer: Responder<Result<u64, RequestError>> },
    /// Continue an upload at an offset. Bytes that arrived stay, also if the part is cut short.
    ContinueUpload {
        upload: u64,
        offset: u64,
        pieces: mpsc::Receiver<UploadPiece>,
        answer: Responder<Result<UploadProgress, RequestError>>,
    },
    /// List the files that messages name and that were uploaded, the newest first.
    List { conversation: Option<Conversation>, answer: Responder<Vec<FileJson>> },
    /// Read some content. The response is none if nothing is known of it.
    Find { content: Hash, answer: Responder<Option<FileJson>> },
    /// Read the bytes of some content from an offset to an end.
    Read { content: Hash, from: u64, to: u64, pieces: mpsc::Sender<Bytes> },
    /// Change how some content is kept here.
    Change { content: Hash, change: FileChange, answer: Responder<Result<FileJson, RequestError>> },
}

/// A change of how some content is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// Fetch it.
    Fetch,
    /// Stop fetching it. Verified parts stay.
    Cancel,
    /// Remove its bytes from this node.
    Remove,
    /// Keep it, or allow its eviction again.
    Pin(bool),
}

/// The state of an upload in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadProgress {
    /// The next part begins here.
    Offset(u64),
    /// The last part has arrived.
    Done(Box<FileJson>),
}
