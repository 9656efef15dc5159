//! The CBOR forms of frames: field numbers, and lists with a limit.
//!
//! The forms are private to [`crate::wire`]; the values they become are in [`crate::proto`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use minicbor::bytes::{ByteArray, ByteSlice};
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::proto::ids::{Hash, Instance, LogId, NodeId, RoomTag, Seq};
use crate::proto::limits::{
    FRAME_AUTHORS_MAX, FRAME_BATCHES_MAX, FRAME_CLOSED_MAX, FRAME_LOGS_MAX, FRAME_RECEIPTS_MAX, LINKS_MAX, LISTENS_MAX,
    RANGES_PER_LOG_MAX,
};
use crate::proto::replication::fork::Fork;
use crate::proto::replication::frame;

/// A list of at most `MAX` elements. The count is checked before memory is allocated, so lists of
/// indefinite length are refused.
#[derive(Debug)]
pub(super) struct List<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// Creates a list to send. Own lists keep their limits; a longer one is a bug, and is truncated
    /// rather than sent.
    pub(super) fn new(items: impl IntoIterator<Item = T>) -> Self {
        let mut items: Vec<T> = items.into_iter().collect();
        debug_assert!(items.len() <= MAX, "{} elements, {MAX} are the limit", items.len());
        items.truncate(MAX);
        Self(items)
    }
}

impl<C, T: Encode<C>, const MAX: usize> Encode<C> for List<T, MAX> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C, T: Decode<'b, C>, const MAX: usize> Decode<'b, C> for List<T, MAX> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let count = d.array()?.and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count <= MAX).ok_or_else(|| decode::Error::message("a list is too long"))?;
        // Each element takes at least one byte, whatever the count claims.
        let room = d.input().len().saturating_sub(d.position());
        let mut items = Vec::with_capacity(count.min(room));
        for _ in 0..count {
            items.push(T::decode(d, ctx)?);
        }
        Ok(Self(items))
    }
}

/// An address and port: 4 or 16 bytes of address, 2 of port, big-endian. IPv6 zones are dropped,
/// since they are local to a machine.
#[derive(Debug)]
pub(super) struct Address(pub(super) SocketAddr);

impl<C> Encode<C> for Address {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        let port = self.0.port().to_be_bytes();
        match self.0.ip() {
            IpAddr::V4(ip) => e.bytes(&[&ip.octets()[..], &port].concat())?.ok(),
            IpAddr::V6(ip) => e.bytes(&[&ip.octets()[..], &port].concat())?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for Address {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let wrong = || decode::Error::message("an address has 6 or 18 bytes");
        let (ip, port) = d.bytes()?.split_last_chunk::<2>().ok_or_else(wrong)?;
        let ip = match ip.len() {
            4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(ip).map_err(|_| wrong())?)),
            _ => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(ip).map_err(|_| wrong())?)),
        };
        Ok(Self(SocketAddr::new(ip, u16::from_be_bytes(*port))))
    }
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct BeaconForm<'b> {
    #[n(0)]
    pub(super) room: RoomTag,
    #[n(1)]
    pub(super) id: NodeId,
    #[n(2)]
    pub(super) instance: Instance,
    #[n(3)]
    pub(super) port: u16,
    #[b(4)]
    pub(super) name: &'b str,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct HelloForm {
    #[n(0)]
    pub(super) lowest: u64,
    #[n(1)]
    pub(super) highest: u64,
    #[n(2)]
    pub(super) room: RoomTag,
    #[n(3)]
    pub(super) instance: Instance,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct ProofForm {
    #[n(0)]
    pub(super) proof: ByteArray<32>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct IntroForm<'b> {
    #[b(0)]
    pub(super) name: &'b str,
    #[n(1)]
    pub(super) uptime_ms: u64,
    #[n(2)]
    pub(super) wall_ms: u64,
    #[n(3)]
    pub(super) listens: List<Address, LISTENS_MAX>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct CloseForm {
    #[n(0)]
    pub(super) reason: u64,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct ClockForm {
    #[n(0)]
    pub(super) wall_ms: u64,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct PushForm<'b> {
    #[b(0)]
    pub(super) batches: List<&'b ByteSlice, FRAME_BATCHES_MAX>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct ReceiptForm {
    #[n(0)]
    pub(super) log: LogId,
    #[n(1)]
    pub(super) first: Seq,
    #[n(2)]
    pub(super) last: Seq,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct ReceiptsForm {
    #[n(0)]
    pub(super) receipts: List<ReceiptForm, FRAME_RECEIPTS_MAX>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct CompareForm {
    #[n(0)]
    pub(super) hash: Hash,
    #[n(1)]
    pub(super) from: Option<NodeId>,
    #[n(2)]
    pub(super) linked: List<NodeId, LINKS_MAX>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct AuthorsForm {
    #[n(0)]
    pub(super) same: bool,
    #[n(1)]
    pub(super) authors: List<(NodeId, Hash), FRAME_AUTHORS_MAX>,
    #[n(2)]
    pub(super) more: bool,
    #[n(3)]
    pub(super) linked: List<NodeId, LINKS_MAX>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct AskLogsForm {
    #[n(0)]
    pub(super) author: NodeId,
    #[n(1)]
    pub(super) from: Option<LogId>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct HeldRangeForm {
    #[n(0)]
    pub(super) first: Seq,
    #[n(1)]
    pub(super) last: Seq,
    #[n(2)]
    pub(super) head: Hash,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct LogHoldingsForm<'b> {
    #[n(0)]
    pub(super) log: LogId,
    #[n(1)]
    pub(super) audience: Option<NodeId>,
    #[n(2)]
    pub(super) ranges: List<HeldRangeForm, { RANGES_PER_LOG_MAX + 1 }>,
    #[b(3)]
    pub(super) fork: Option<List<&'b ByteSlice, 2>>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct LogsForm<'b> {
    #[n(0)]
    pub(super) author: NodeId,
    #[b(1)]
    pub(super) logs: List<LogHoldingsForm<'b>, FRAME_LOGS_MAX>,
    #[n(2)]
    pub(super) more: bool,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct FetchForm {
    #[n(0)]
    pub(super) author: NodeId,
    #[n(1)]
    pub(super) log: LogId,
    #[n(2)]
    pub(super) first: Seq,
    #[n(3)]
    pub(super) last: Seq,
    #[n(4)]
    pub(super) bytes: u64,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct PageForm<'b> {
    #[n(0)]
    pub(super) author: NodeId,
    #[n(1)]
    pub(super) log: LogId,
    #[b(2)]
    pub(super) batches: List<&'b ByteSlice, FRAME_BATCHES_MAX>,
    #[n(3)]
    pub(super) busy: bool,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct TypingForm<'b> {
    #[b(0)]
    pub(super) channel: Option<&'b str>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct RelayForm {
    #[n(0)]
    pub(super) member: NodeId,
    #[n(1)]
    pub(super) on: bool,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct ReachForm<'b> {
    #[n(0)]
    pub(super) member: NodeId,
    #[n(1)]
    pub(super) state: u64,
    #[b(2)]
    pub(super) name: &'b str,
    #[n(3)]
    pub(super) uptime_ms: u64,
    #[n(4)]
    pub(super) listens: List<Address, LISTENS_MAX>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct CarryForm {
    #[n(0)]
    pub(super) author: NodeId,
    #[n(1)]
    pub(super) from: NodeId,
    #[n(2)]
    pub(super) receipts: List<ReceiptForm, FRAME_RECEIPTS_MAX>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct LimitsForm {
    #[n(0)]
    pub(super) others: bool,
    #[n(1)]
    pub(super) authors: List<NodeId, FRAME_CLOSED_MAX>,
}

impl From<&frame::Receipt> for ReceiptForm {
    fn from(receipt: &frame::Receipt) -> Self {
        Self { log: receipt.log, first: receipt.first, last: receipt.last }
    }
}

impl From<ReceiptForm> for frame::Receipt {
    fn from(receipt: ReceiptForm) -> Self {
        Self { log: receipt.log, first: receipt.first, last: receipt.last }
    }
}

impl<'b> From<&'b frame::LogHoldings> for LogHoldingsForm<'b> {
    fn from(holding: &'b frame::LogHoldings) -> Self {
        let range_form =
            |range: &frame::HeldRange| HeldRangeForm { first: range.first, last: range.last, head: range.head };
        let proof =
            |fork: &'b Fork| List::new(fork.proof().iter().map(|signed| <&ByteSlice>::from(signed.bytes().as_ref())));
        Self {
            log: holding.log,
            audience: holding.audience,
            ranges: List::new(holding.ranges.iter().map(range_form)),
            fork: holding.fork.as_ref().map(proof),
        }
    }
}

impl From<HeldRangeForm> for frame::HeldRange {
    fn from(range: HeldRangeForm) -> Self {
        Self { first: range.first, last: range.last, head: range.head }
    }
}
