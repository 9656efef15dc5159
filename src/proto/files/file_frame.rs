//! The frames by which content is fetched.

use bytes::Bytes;

use crate::proto::ids::Hash;

/// A frame about some content. Units are those of 16 KiB in which content is verified, counted from
/// its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFrame {
    /// Asks which parts of some content the receiver holds, now and whenever it holds more; or ends
    /// that.
    Want {
        /// The content.
        content: Hash,
        /// True to begin, false to end.
        on: bool,
    },
    /// Answers [`FileFrame::Want`]. A receiver that may not have the content gets the same answer
    /// as for content that is not held.
    Have {
        /// The content.
        content: Hash,
        /// Its size in bytes. None: nothing is held.
        size: Option<u64>,
        /// The parts of 1 MiB that are held, one bit each, the lowest of each byte first.
        parts: Vec<u8>,
    },
    /// Asks for units of one part.
    Request {
        /// The content.
        content: Hash,
        /// The first unit.
        first: u64,
        /// The number of units.
        count: u64,
    },
    /// Some of the requested units.
    Data {
        /// The content.
        content: Hash,
        /// The first unit.
        first: u64,
        /// The number of units.
        count: u64,
        /// The units and the hashes that prove them, in the encoding of BLAKE3's verified
        /// streaming.
        bytes: Bytes,
    },
    /// Units that are not sent.
    Refuse {
        /// The content.
        content: Hash,
        /// The first unit.
        first: u64,
        /// The number of units.
        count: u64,
        /// True if the sender has too much to send now. False if it does not hold the units.
        busy: bool,
    },
}
