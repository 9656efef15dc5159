//! Encodes and decodes the frames by which content is fetched.

use bytes::Bytes;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Decoder, Encode};

use super::WireError;
use super::envelope::{frame, kind};
use crate::proto::files::file_frame::FileFrame;
use crate::proto::ids::Hash;
use crate::proto::limits::{FILE_DATA_BYTES_MAX, GROUPS_PER_FRAME, GROUPS_PER_PART, PARTS_BYTES_MAX};

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct WantForm {
    #[n(0)]
    content: Hash,
    #[n(1)]
    on: bool,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct HaveForm<'b> {
    #[n(0)]
    content: Hash,
    #[n(1)]
    size: Option<u64>,
    #[b(2)]
    parts: &'b ByteSlice,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct RequestForm {
    #[n(0)]
    content: Hash,
    #[n(1)]
    first: u64,
    #[n(2)]
    count: u64,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct DataForm<'b> {
    #[n(0)]
    content: Hash,
    #[n(1)]
    first: u64,
    #[n(2)]
    count: u64,
    #[b(3)]
    bytes: &'b ByteSlice,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct RefuseForm {
    #[n(0)]
    content: Hash,
    #[n(1)]
    first: u64,
    #[n(2)]
    count: u64,
    #[n(3)]
    busy: bool,
}

/// Encodes a frame about some content.
pub(super) fn encode(value: &FileFrame) -> Bytes {
    match value {
        FileFrame::Want { content, on } => frame(kind::FILE_WANT, WantForm { content: *content, on: *on }),
        FileFrame::Have { content, size, parts } => {
            frame(kind::FILE_HAVE, HaveForm { content: *content, size: *size, parts: parts.as_slice().into() })
        }
        FileFrame::Request { content, first, count } => {
            frame(kind::FILE_REQUEST, RequestForm { content: *content, first: *first, count: *count })
        }
        FileFrame::Data { content, first, count, bytes } => {
            let form = DataForm { content: *content, first: *first, count: *count, bytes: bytes.as_ref().into() };
            frame(kind::FILE_DATA, form)
        }
        FileFrame::Refuse { content, first, count, busy } => {
            frame(kind::FILE_REFUSE, RefuseForm { content: *content, first: *first, count: *count, busy: *busy })
        }
    }
}

/// Decodes the fields of a frame about some content. The bytes of data share the memory of `bytes`.
pub(super) fn decode(number: u64, d: &mut Decoder<'_>, bytes: &Bytes) -> Result<FileFrame, WireError> {
    Ok(match number {
        kind::FILE_WANT => {
            let form: WantForm = d.decode()?;
            FileFrame::Want { content: form.content, on: form.on }
        }
        kind::FILE_HAVE => {
            let form: HaveForm<'_> = d.decode()?;
            if form.parts.len() > PARTS_BYTES_MAX {
                return Err(WireError::Malformed("more parts than a file has"));
            }
            FileFrame::Have { content: form.content, size: form.size, parts: form.parts.to_vec() }
        }
        kind::FILE_REQUEST => {
            let form: RequestForm = d.decode()?;
            check(form.first, form.count, GROUPS_PER_PART)?;
            FileFrame::Request { content: form.content, first: form.first, count: form.count }
        }
        kind::FILE_DATA => {
            let form: DataForm<'_> = d.decode()?;
            check(form.first, form.count, GROUPS_PER_FRAME)?;
            if form.bytes.len() > FILE_DATA_BYTES_MAX {
                return Err(WireError::Malformed("more data than its units take"));
            }
            let bytes = bytes.slice_ref(form.bytes);
            FileFrame::Data { content: form.content, first: form.first, count: form.count, bytes }
        }
        _ => {
            let form: RefuseForm = d.decode()?;
            check(form.first, form.count, GROUPS_PER_PART)?;
            FileFrame::Refuse { content: form.content, first: form.first, count: form.count, busy: form.busy }
        }
    })
}

/// Checks a range of units: not empty, not too long, and without overflow.
fn check(first: u64, count: u64, count_max: u64) -> Result<(), WireError> {
    if count == 0 || count > count_max || first.checked_add(count).is_none() {
        return Err(WireError::Malformed("a range of units is empty or too long"));
    }
    Ok(())
}
