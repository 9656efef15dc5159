//! One link after its handshake: a task that reads frames and a task that writes them.
//!
//! Only the form of frames is checked here. The engine decides what a frame means.
//!
//! Reading never waits for writing, and a sender never waits for a slow peer: a link whose queue
//! overflows is closed.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;
use tokio_util::codec::{Decoder as _, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::slots::{ConnectionSlot, LinkSlots};
use super::tls::drain;
use super::{DropCounts, NetEvent};
use crate::proto::entries::batch::BatchError;
use crate::proto::ids::{LinkId, RoomId};
use crate::proto::limits::{
    DECODE_INLINE_BYTES_MAX, FAREWELL_MS, FRAME_BYTES_MAX, FRAMES_WAITING_BYTES_MAX, HEARD_EVERY_MS,
    LINK_BULK_FRAMES_MAX, LINK_QUEUE_BYTES_MAX, LINK_QUEUE_FRAMES_MAX, LINK_WRITE_BYTES_MAX,
};
use crate::proto::replication::drop_reason::DropReason;
use crate::proto::replication::frame::{CloseReason, Frame};
use crate::wire::WireError;
use crate::wire::frame::{LENGTH_BYTES, decode, encode_close, is_file_data};

/// Read buffer size: one TLS record.
const READ_BYTES: usize = 16 * 1024;

/// All open links, by number.
#[derive(Clone)]
pub(super) struct LinkRegistry(Arc<LinkState>);

struct LinkState {
    slots: LinkSlots,
    next: AtomicU64,
    open: Mutex<BTreeMap<LinkId, Handle>>,
    /// One permit per byte of the frames that wait for the engine. Links get permits in the order
    /// in which they asked.
    waiting_bytes: Arc<Semaphore>,
}

/// A received frame's share of the memory for frames that wait for the engine. Released with the
/// last clone.
#[derive(Clone, Debug)]
pub struct FramePermit {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// The registry's handle on a link.
struct Handle {
    frames: mpsc::Sender<Bytes>,
    bulk: mpsc::Sender<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    /// The local address of the connection, if known.
    local: Option<IpAddr>,
    end: End,
}

/// The link's own ends of what its [`Handle`] holds.
pub(super) struct LinkTask {
    /// The link's number.
    pub(super) link: LinkId,
    frames: mpsc::Receiver<Bytes>,
    /// Frames that wait while there are others.
    bulk: mpsc::Receiver<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    end: End,
    slot: ConnectionSlot,
}

/// Ends a link, with the reason that the peer is told. Only the first reason counts.
///
/// If the parent token is cancelled, the node is stopping and no reason is set.
#[derive(Clone)]
struct End {
    token: CancellationToken,
    reason: Arc<OnceLock<CloseReason>>,
}

impl End {
    fn with(&self, reason: CloseReason) {
        // A second reason is ignored.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    fn reason(&self) -> CloseReason {
        self.reason.get().copied().unwrap_or(CloseReason::Stopping)
    }
}

impl LinkRegistry {
    /// Allows `most` sockets of links, including links that are saying goodbye.
    pub(super) fn new(most: usize) -> Self {
        let waiting_bytes = Arc::new(Semaphore::new(FRAMES_WAITING_BYTES_MAX));
        Self(Arc::new(LinkState {
            slots: LinkSlots::new(most),
            next: AtomicU64::default(),
            open: Mutex::default(),
            waiting_bytes,
        }))
    }

    /// Takes a slot for the socket of a new link, waiting until one is free.
    pub(super) async fn slot(&self) -> Option<ConnectionSlot> {
        self.0.slots.take().await
    }

    /// Registers a new link with the local address `local`. Cancelling `stop` ends it with a
    /// goodbye.
    pub(super) fn open(&self, slot: ConnectionSlot, local: Option<IpAddr>, stop: &CancellationToken) -> LinkTask {
        let link = LinkId(self.0.next.fetch_add(1, Ordering::Relaxed));
        let (sender, frames) = mpsc::channel(LINK_QUEUE_FRAMES_MAX);
        let (bulk_sender, bulk) = mpsc::channel(LINK_BULK_FRAMES_MAX);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let end = End { token: stop.child_token(), reason: Arc::default() };
        let queued = queued_bytes.clone();
        let handle = Handle { frames: sender, bulk: bulk_sender, queued_bytes: queued, local, end: end.clone() };
        self.lock().insert(link, handle);
        LinkTask { link, frames, bulk, queued_bytes, end, slot }
    }

    /// Queues an encoded frame. A full queue ends the link. Frames for an unknown link are dropped.
    pub(super) fn send(&self, link: LinkId, bytes: Bytes) {
        let links = self.lock();
        let Some(handle) = links.get(&link) else { return };
        let length = bytes.len();
        let queued = handle.queued_bytes.fetch_add(length, Ordering::Relaxed) + length;
        if queued > LINK_QUEUE_BYTES_MAX || handle.frames.try_send(bytes).is_err() {
            handle.end.with(CloseReason::Busy);
        }
    }

    /// Returns the way for frames of a link that wait while there are others. A sender waits for
    /// room.
    pub(super) fn bulk(&self, link: LinkId) -> Option<mpsc::Sender<Bytes>> {
        self.lock().get(&link).map(|handle| handle.bulk.clone())
    }

    /// Ends a link after sending its queued frames and `reason`.
    pub(super) fn close(&self, link: LinkId, reason: CloseReason) {
        if let Some(handle) = self.lock().get(&link) {
            handle.end.with(reason);
        }
    }

    /// Closes the links whose local address is not among `addresses`, the machine's current ones.
    ///
    /// If only loopback is left, they stay open: the cable may be plugged in again within seconds.
    pub(super) fn close_others(&self, addresses: &[IpAddr]) {
        if addresses.iter().all(IpAddr::is_loopback) {
            return;
        }
        let is_gone = |local: &IpAddr| !local.is_loopback() && !addresses.contains(local);
        for handle in self.lock().values().filter(|handle| handle.local.as_ref().is_some_and(is_gone)) {
            handle.end.with(CloseReason::Silent);
        }
    }

    fn remove(&self, link: LinkId) {
        self.lock().remove(&link);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinkId, Handle>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why reading ended.
enum ReadOutcome {
    /// The peer sent a Close.
    Closed(CloseReason),
    /// The connection was lost.
    Gone(Option<io::Error>),
    /// The peer broke the protocol.
    Malformed(WireError),
    /// This side ends the link.
    Ours,
}

/// What a link needs from its surroundings.
pub(super) struct LinkContext<'a> {
    pub(super) links: &'a LinkRegistry,
    pub(super) room: &'a RoomId,
    pub(super) events: &'a mpsc::Sender<NetEvent>,
    pub(super) tracker: &'a TaskTracker,
    pub(super) drop_counts: &'a DropCounts,
}

/// Runs a link until it ends. Reports `up` first and exactly one [`NetEvent::LinkDown`] last.
pub(super) async fn run(stream: TlsStream<TcpStream>, mut task: LinkTask, up: NetEvent, context: LinkContext<'_>) {
    let LinkContext { links, room, events, tracker, drop_counts } = context;
    let link = task.link;
    let (end, slot) = (task.end.clone(), task.slot.clone());
    emit(events, &end, up).await;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = tracker.spawn(async move {
        write(&mut writer, &mut task).await;
        writer
    });

    let outcome = read(&mut reader, link, room, (events, &links.0.waiting_bytes), &end).await;
    links.remove(link);
    let (reason, goodbye) = match outcome {
        ReadOutcome::Closed(reason) => (Some(reason), false),
        ReadOutcome::Gone(error) => {
            tracing::debug!(link = link.0, ?error, "the connection is gone");
            (None, false)
        }
        ReadOutcome::Malformed(error) => {
            drop_counts.count(cause(&error));
            tracing::info!(link = link.0, %error, "the other side broke the protocol");
            end.with(CloseReason::Protocol);
            (Some(CloseReason::Protocol), true)
        }
        ReadOutcome::Ours => (None, true),
    };
    emit(events, &end, NetEvent::LinkDown { link, reason }).await;
    if !goodbye {
        writing.abort();
        return;
    }
    end.token.cancel();
    let goodbye = slot.closing();
    let abort = writing.abort_handle();
    let say_goodbye = async {
        // The writer ends within its time limits; it cannot panic.
        let Ok(writer) = writing.await else { return };
        let mut stream = reader.unsplit(writer);
        let _ = timeout(Duration::from_millis(FAREWELL_MS), drain(&mut stream)).await;
    };
    if goodbye.run_until_preempted(say_goodbye).await.is_none() {
        abort.abort();
    }
}

/// The counter for a frame that breaks the protocol.
fn cause(error: &WireError) -> DropReason {
    match error {
        WireError::Batch(BatchError::Signature) => DropReason::Forged,
        WireError::Batch(BatchError::Body) => DropReason::Altered,
        WireError::Batch(BatchError::OtherRoom) => DropReason::Strayed,
        WireError::Batch(BatchError::Version(_) | BatchError::Malformed(_)) => DropReason::Malformed,
        WireError::TooLong | WireError::Version | WireError::Malformed(_) => DropReason::Malformed,
    }
}

/// Reports an event to the node. A stopping node no longer reads: then the event is dropped after
/// [`FAREWELL_MS`].
async fn emit(events: &mpsc::Sender<NetEvent>, end: &End, event: NetEvent) {
    let waited = tokio::select! {
        biased;
        permit = events.reserve() => permit.ok(),
        () = async { end.token.cancelled().await; sleep(Duration::from_millis(FAREWELL_MS)).await } => None,
    };
    if let Some(permit) = waited {
        permit.send(event);
    }
}

/// Reads, checks and reports frames until the link ends.
async fn read<R: AsyncRead + Unpin>(
    reader: &mut R,
    link: LinkId,
    room: &RoomId,
    (events, waiting_bytes): (&mpsc::Sender<NetEvent>, &Arc<Semaphore>),
    end: &End,
) -> ReadOutcome {
    let mut codec = LengthDelimitedCodec::builder().max_frame_length(FRAME_BYTES_MAX).new_codec();
    let mut buffer = BytesMut::new();
    let mut reported = Instant::now();
    let mut more = false;
    loop {
        let bytes = match codec.decode(&mut buffer) {
            Ok(Some(bytes)) => bytes.freeze(),
            Ok(None) => {
                // A long frame takes time on a slow network. Each part of it is a sign of life.
                if more && reported.elapsed() >= Duration::from_millis(HEARD_EVERY_MS) {
                    reported = Instant::now();
                    let _ = events.try_send(NetEvent::Heard { link });
                }
                buffer.reserve(READ_BYTES);
                let count = tokio::select! {
                    biased;
                    () = end.token.cancelled() => return ReadOutcome::Ours,
                    count = reader.read_buf(&mut buffer) => count,
                };
                match count {
                    Ok(0) => return ReadOutcome::Gone(None),
                    Ok(_) => more = true,
                    Err(error) => return ReadOutcome::Gone(Some(error)),
                }
                continue;
            }
            Err(_) => return ReadOutcome::Malformed(WireError::TooLong),
        };
        more = false;
        let length = LENGTH_BYTES + bytes.len();
        let frame_permit = tokio::select! {
            biased;
            () = end.token.cancelled() => return ReadOutcome::Ours,
            frame_permit = waiting_bytes.clone().acquire_many_owned(u32::try_from(length).unwrap_or(u32::MAX)) => frame_permit,
        };
        // The semaphore is never closed.
        let Ok(frame_permit) = frame_permit.map(|permit| FramePermit { _permit: Arc::new(permit) }) else {
            return ReadOutcome::Ours;
        };
        let frame = match check(bytes, room).await {
            Ok(Some(Frame::Close(reason))) => return ReadOutcome::Closed(reason),
            Ok(Some(frame)) => frame,
            Ok(None) => {
                // An unknown frame of a later version is a sign of life as well.
                more = true;
                continue;
            }
            Err(error) => return ReadOutcome::Malformed(error),
        };
        let permit = tokio::select! {
            biased;
            () = end.token.cancelled() => return ReadOutcome::Ours,
            permit = events.reserve() => permit,
        };
        match permit {
            Ok(permit) => permit.send(NetEvent::Frame { link, frame, bytes: length, permit: frame_permit }),
            Err(_) => return ReadOutcome::Ours,
        }
        reported = Instant::now();
    }
}

/// Decodes and verifies a frame. Long frames go to the blocking pool: their signatures would hold
/// up other tasks.
async fn check(bytes: Bytes, room: &RoomId) -> Result<Option<Frame>, WireError> {
    if bytes.len() <= DECODE_INLINE_BYTES_MAX || is_file_data(&bytes) {
        return decode(&bytes, room);
    }
    let room = *room;
    match tokio::task::spawn_blocking(move || decode(&bytes, &room)).await {
        Ok(decoded) => decoded,
        // The runtime is shutting down; the frame has no reader any more.
        Err(_) => Ok(None),
    }
}

/// Writes queued frames, several at a time; at the end the reason.
async fn write<W: AsyncWrite + Unpin>(writer: &mut W, task: &mut LinkTask) {
    let end = task.end.clone();
    let mut buffer = BytesMut::with_capacity(LINK_WRITE_BYTES_MAX);
    loop {
        tokio::select! {
            biased;
            () = end.token.cancelled() => break,
            first = task.frames.recv() => match first {
                Some(first) => task.gather(first, &mut buffer),
                None => break,
            },
            // One at a time: a frame that comes meanwhile waits behind no more than that.
            Some(bulk) = task.bulk.recv() => buffer.extend_from_slice(&bulk),
        }
        // A half-written frame must be completed before anything else is sent, but only within
        // [`FAREWELL_MS`].
        let sent = tokio::select! {
            sent = send(writer, &mut buffer) => sent.is_ok(),
            () = async { end.token.cancelled().await; sleep(Duration::from_millis(FAREWELL_MS)).await } => false,
        };
        // Returns without closing: the reader may still receive the peer's last frames, and then
        // sees the error itself.
        if !sent {
            return;
        }
    }
    let farewell = async {
        while let Ok(frame) = task.frames.try_recv() {
            task.gather(frame, &mut buffer);
            send(writer, &mut buffer).await?;
        }
        buffer.extend_from_slice(&encode_close(end.reason()));
        send(writer, &mut buffer).await?;
        writer.shutdown().await
    };
    // If this fails, the connection is dropped and the peer sees it as lost.
    let _ = timeout(Duration::from_millis(FAREWELL_MS), farewell).await;
}

impl LinkTask {
    /// Moves `first` and the frames queued behind it into `buffer`, up to [`LINK_WRITE_BYTES_MAX`].
    fn gather(&mut self, first: Bytes, buffer: &mut BytesMut) {
        buffer.extend_from_slice(&first);
        while buffer.len() < LINK_WRITE_BYTES_MAX {
            let Ok(next) = self.frames.try_recv() else { break };
            buffer.extend_from_slice(&next);
        }
        self.queued_bytes.fetch_sub(buffer.len(), Ordering::Relaxed);
    }
}

async fn send<W: AsyncWrite + Unpin>(writer: &mut W, buffer: &mut BytesMut) -> io::Result<()> {
    writer.write_all_buf(buffer).await?;
    writer.flush().await
}
