//! The error of bytes that are not a valid frame or beacon.

use crate::proto::entries::batch::BatchError;

/// Why bytes are not a valid frame or beacon. Such a frame ends its link with the reason
/// *protocol*; such a beacon is counted and dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than the limit.
    #[error("longer than it may be")]
    TooLong,
    /// A beacon of another version, whose form is unknown.
    #[error("of another version")]
    Version,
    /// Not in the form that the protocol requires.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A batch in it does not verify.
    #[error("a batch that does not verify: {0}")]
    Batch(#[from] BatchError),
}

impl From<minicbor::decode::Error> for WireError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed("not the CBOR of the fields")
    }
}
