//! Deletions in a batch: a signed `Delete` takes the place of the body that it deletes, so the
//! batch still verifies without the text.
//!
//! The deletion is `[header, signature, index, body]`: the whole batch of the `Delete`, which its
//! author signs alone. So no other entry of that batch is needed to check it.

use bytes::Bytes;
use minicbor::{Decoder, Encoder};

use super::batch::{Verified, verify};
use super::body::Body;
use super::body_range::BodyRange;
use super::timeline::Conversation;
use crate::proto::limits::{DELETION_BODY_BYTES_MAX, DELETION_HEADER_BYTES_MAX};
use crate::proto::names::name::Name;

/// Returns a batch with a deletion in place of the body at `index`. Returns `None` if that body is
/// gone already, or if the deletion counts for nothing there.
///
/// Without the body, the deletion alone tells where the message stood. So one that names no channel
/// or another one strips nothing, and all nodes show the message at the same place.
pub fn strip(batch: &Verified, index: usize, deletion: &Verified) -> Option<Verified> {
    let audience = batch.header().audience;
    let Body::Delete { channel, .. } = deletion.body(0)? else { return None };
    let is_told = match (batch.body(index)?, channel) {
        (Body::Edit { .. }, channel) => channel.is_none(),
        (body @ (Body::Say { .. } | Body::Hooray { .. }), Some(told)) => {
            let said_in = body.channel().unwrap_or(Conversation::GENERAL);
            audience.is_some() || Name::new(said_in).ok() == Name::new(&told).ok()
        }
        _ => return None,
    };
    let bytes = encode_stripped(batch, index, &slot_of(deletion)?).filter(|_| is_told)?;
    // The same checks as of a batch from a peer: author, audience and the entry that is named.
    verify(&Bytes::from(bytes), &batch.header().room).ok()
}

/// Returns the bytes that take the place of a deleted body. Returns `None` if the deletion is not
/// alone in its batch, or is too long.
fn slot_of(deletion: &Verified) -> Option<Vec<u8>> {
    let [BodyRange::Present(range)] = &deletion.body_ranges()[..] else { return None };
    let body = deletion.bytes().get(range.clone())?;
    let mut decoder = Decoder::new(deletion.bytes());
    decoder.array().ok()?;
    let (signed, signature) = (decoder.bytes().ok()?, decoder.bytes().ok()?);
    if signed.len() > DELETION_HEADER_BYTES_MAX || body.len() > DELETION_BODY_BYTES_MAX {
        return None;
    }
    let mut encoder = Encoder::new(Vec::new());
    let slot = encoder.array(4).and_then(|e| e.bytes(signed)).and_then(|e| e.bytes(signature));
    slot.and_then(|e| e.u64(0)).and_then(|e| e.bytes(body)).ok()?;
    Some(encoder.into_writer())
}

fn encode_stripped(batch: &Verified, index: usize, slot: &[u8]) -> Option<Vec<u8>> {
    batch.body_ranges().get(index)?;
    let mut decoder = Decoder::new(batch.bytes());
    decoder.array().ok()?;
    let (signed, signature) = (decoder.bytes().ok()?, decoder.bytes().ok()?);
    let mut encoder = Encoder::new(Vec::with_capacity(batch.bytes().len() + slot.len()));
    let begun = encoder.array(3).and_then(|e| e.bytes(signed)).and_then(|e| e.bytes(signature));
    begun.and_then(|e| e.array(batch.body_ranges().len() as u64)).ok()?;
    for (at, body) in batch.body_ranges().iter().enumerate() {
        match body {
            _ if at == index => encoder.writer_mut().extend_from_slice(slot),
            BodyRange::Present(range) => {
                encoder.bytes(batch.bytes().get(range.clone())?).ok()?;
            }
            BodyRange::Deleted(range) => {
                encoder.writer_mut().extend_from_slice(batch.bytes().get(range.clone())?);
            }
        }
    }
    Some(encoder.into_writer())
}
