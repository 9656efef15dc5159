//! The answers of the node to requests: the way back, and the reasons of refusals.

use tokio::sync::oneshot;

/// The way back for a response. A stopping node drops it without a response.
pub type Responder<T> = oneshot::Sender<T>;

/// The reason for which the node refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences say it")]
pub enum RequestError {
    /// The same `ref` was used for another message.
    #[error("this ref was used for another message already")]
    RefUsed,
    /// The recipient is this node itself, or the message replies to an unknown one.
    #[error("it cannot be said there")]
    BadTarget,
    /// The message is another member's.
    #[error("the message is another member's")]
    NotYours,
    #[error("no message with this id is here")]
    NoSuchMessage,
    #[error("the message was deleted")]
    Deleted,
    #[error("as many reactions as count are given")]
    TooMany,
    #[error("text and mentions together do not fit")]
    TooLong,
    /// The member was never seen.
    #[error("nobody with this id is known here")]
    NoSuchMember,
    #[error("not all of a file is here")]
    NotHere,
    /// What others may take of this disk is used, and nothing may be evicted.
    #[error("the files of others have reached their limit")]
    FilesFull,
    #[error("no message here names this file")]
    NoSuchFile,
    /// A part of an upload begins elsewhere than at this offset.
    #[error("the upload continues at {0}")]
    BadOffset(u64),
    #[error("the disk is full")]
    DiskFull,
    #[error("the storage of the pages is full")]
    StorageFull,
    #[error("the node is stopping")]
    Stopping,
}
