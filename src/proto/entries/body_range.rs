//! What the bytes of a batch hold of each entry: its body, or the deletion in place of it.

use std::ops::Range;

use minicbor::Decoder;

use super::body::Body;

/// What a batch holds of each entry.
pub type BodyRanges = Vec<BodyRange>;

/// What a batch holds of an entry, by the byte range there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyRange {
    /// The body.
    Present(Range<usize>),
    /// The deletion that stands in place of the body.
    Deleted(Range<usize>),
}

impl BodyRange {
    /// Decodes the body. Returns `None` if it was deleted or cannot be shown.
    pub fn body(&self, batch: &[u8]) -> Option<Body> {
        match self {
            Self::Present(range) => Body::decode(batch.get(range.clone())?),
            Self::Deleted(_) => None,
        }
    }

    /// Decodes the deletion in place of the body, if the body was deleted.
    pub fn deletion(&self, batch: &[u8]) -> Option<Body> {
        match self {
            Self::Present(_) => None,
            Self::Deleted(range) => {
                let mut decoder = Decoder::new(batch.get(range.clone())?);
                decoder.array().ok()?;
                decoder.bytes().ok()?;
                decoder.bytes().ok()?;
                decoder.u64().ok()?;
                Body::decode(decoder.bytes().ok()?)
            }
        }
    }

    /// Returns true if the body was deleted.
    pub fn is_deleted(&self) -> bool {
        matches!(self, Self::Deleted(_))
    }

    /// The bytes of the deletion. Zero for a body.
    pub fn deletion_bytes(&self) -> usize {
        match self {
            Self::Present(_) => 0,
            Self::Deleted(range) => range.len(),
        }
    }
}
