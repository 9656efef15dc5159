//! The envelope of a frame: four bytes of length, the type and the fields.

use bytes::Bytes;
use minicbor::{Decoder, Encode, Encoder};

use super::WireError;
use crate::proto::limits::FRAME_BYTES_MAX;

/// The frame type numbers, as in the table in [`super`].
pub(super) mod kind {
    pub const HELLO: u64 = 0;
    pub const PROOF: u64 = 1;
    pub const INTRO: u64 = 2;
    pub const CLOSE: u64 = 3;
    pub const PING: u64 = 4;
    pub const PONG: u64 = 5;
    pub const PUSH: u64 = 6;
    pub const RECEIPT: u64 = 7;
    pub const COMPARE: u64 = 8;
    pub const AUTHORS: u64 = 9;
    pub const ASK_LOGS: u64 = 10;
    pub const LOGS: u64 = 11;
    pub const FETCH: u64 = 12;
    pub const PAGE: u64 = 13;
    pub const RELAY: u64 = 14;
    pub const REACH: u64 = 15;
    pub const CARRY: u64 = 16;
    pub const CLOSED: u64 = 17;
    pub const TYPING: u64 = 18;
    pub const FILE_WANT: u64 = 19;
    pub const FILE_HAVE: u64 = 20;
    pub const FILE_REQUEST: u64 = 21;
    pub const FILE_DATA: u64 = 22;
    pub const FILE_REFUSE: u64 = 23;
}

/// Size of the length prefix. The length is big-endian and does not include itself.
pub const LENGTH_BYTES: usize = 4;

/// Encodes a frame: the length, and an array of type and fields.
pub(super) fn frame(number: u64, fields: impl Encode<()>) -> Bytes {
    let mut e = Encoder::new(vec![0; LENGTH_BYTES]);
    let written = e.array(2).and_then(|e| e.u64(number)).and_then(|e| e.encode(fields));
    written.expect("a Vec takes everything");
    let mut bytes = e.into_writer();
    let length = bytes.len() - LENGTH_BYTES;
    assert!(length <= FRAME_BYTES_MAX, "our own frames keep the limit");
    bytes[..LENGTH_BYTES].copy_from_slice(&u32::try_from(length).expect("below the limit").to_be_bytes());
    Bytes::from(bytes)
}

/// Returns the type of a frame, and a decoder positioned at its fields.
pub(super) fn open(bytes: &[u8]) -> Result<(u64, Decoder<'_>), WireError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(WireError::TooLong);
    }
    let mut d = Decoder::new(bytes);
    if d.array()? != Some(2) {
        return Err(WireError::Malformed("a frame has a type and fields"));
    }
    let number = d.u64()?;
    Ok((number, d))
}

/// Checks that nothing follows the fields.
pub(super) fn end(d: &Decoder<'_>) -> Result<(), WireError> {
    if d.position() == d.input().len() { Ok(()) } else { Err(WireError::Malformed("something follows the frame")) }
}
