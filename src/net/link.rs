//! One link after its handshake: a task that reads and a task that writes, each as fast as the network lets it.
//!
//! Nothing is decided here but the protocol's form: what a frame means is the engine's business. Reading never waits
//! for writing, and nobody who sends waits for a slow peer: what does not fit into its queue ends the link.

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

use super::slots::{Slot, Slots};
use super::tls::read_away;
use super::{Event, Refusals};
use crate::proto::batch::BatchError;
use crate::proto::frame::{CloseReason, Frame};
use crate::proto::ids::{LinkId, RoomId};
use crate::proto::limits::{
    DECODE_INLINE_BYTES_MAX, FAREWELL_MS, FRAME_BYTES_MAX, FRAMES_WAITING_BYTES_MAX, HEARD_EVERY_MS,
    LINK_QUEUE_BYTES_MAX, LINK_QUEUE_FRAMES_MAX, LINK_WRITE_BYTES_MAX,
};
use crate::proto::refusal::Cause;
use crate::wire::WireError;
use crate::wire::frame::{LENGTH_BYTES, decode, encode_close};

/// Room for what one read brings: as much as one TLS record holds.
const READ_BYTES: usize = 16 * 1024;

/// All links, by the numbers that this node gave them.
#[derive(Clone)]
pub(super) struct Links(Arc<Inner>);

struct Inner {
    slots: Slots,
    next: AtomicU64,
    open: Mutex<BTreeMap<LinkId, Handle>>,
    /// A permit for each byte of frames that may wait for the engine; whoever asked first gets it first.
    room_to_wait: Arc<Semaphore>,
}

/// What a frame that waits takes of the memory for all of them; it is given back with the last clone.
#[derive(Clone, Debug)]
pub struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// What the rest of the program holds of a link.
struct Handle {
    frames: mpsc::Sender<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    /// The own address of the connection, if the system could say it.
    local: Option<IpAddr>,
    end: End,
}

/// The link's own ends of what a [`Handle`] holds.
pub(super) struct Seat {
    /// The link's number.
    pub(super) link: LinkId,
    frames: mpsc::Receiver<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    end: End,
    slot: Slot,
}

/// That a link shall end, and what the other side is told. The first reason counts; without one it is that this
/// node stops, because then the token above was cancelled.
#[derive(Clone)]
struct End {
    token: CancellationToken,
    reason: Arc<OnceLock<CloseReason>>,
}

impl End {
    fn with(&self, reason: CloseReason) {
        // A second reason comes too late to be told.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    fn reason(&self) -> CloseReason {
        self.reason.get().copied().unwrap_or(CloseReason::Stopping)
    }
}

impl Links {
    /// Room for so many sockets of links, those that say goodbye included.
    pub(super) fn new(most: usize) -> Self {
        let room_to_wait = Arc::new(Semaphore::new(FRAMES_WAITING_BYTES_MAX));
        Self(Arc::new(Inner {
            slots: Slots::new(most),
            next: AtomicU64::default(),
            open: Mutex::default(),
            room_to_wait,
        }))
    }

    /// A slot for the socket of a new link, as soon as one is free. `None`: the node stops.
    pub(super) async fn slot(&self) -> Option<Slot> {
        self.0.slots.take().await
    }

    /// A number and a queue for a new link from the own address `local`, which ends with a goodbye when `stop` is cancelled.
    pub(super) fn open(&self, slot: Slot, local: Option<IpAddr>, stop: &CancellationToken) -> Seat {
        let link = LinkId(self.0.next.fetch_add(1, Ordering::Relaxed));
        let (sender, frames) = mpsc::channel(LINK_QUEUE_FRAMES_MAX);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let end = End { token: stop.child_token(), reason: Arc::default() };
        let handle = Handle { frames: sender, queued_bytes: queued_bytes.clone(), local, end: end.clone() };
        self.lock().insert(link, handle);
        Seat { link, frames, queued_bytes, end, slot }
    }

    /// Puts an encoded frame into a link's queue. A queue that is full ends its link; a link that is gone takes nothing.
    pub(super) fn send(&self, link: LinkId, bytes: Bytes) {
        let links = self.lock();
        let Some(handle) = links.get(&link) else { return };
        let length = bytes.len();
        let queued = handle.queued_bytes.fetch_add(length, Ordering::Relaxed) + length;
        if queued > LINK_QUEUE_BYTES_MAX || handle.frames.try_send(bytes).is_err() {
            handle.end.with(CloseReason::Busy);
        }
    }

    /// Ends a link: what is queued goes out, then the reason.
    pub(super) fn close(&self, link: LinkId, reason: CloseReason) {
        if let Some(handle) = self.lock().get(&link) {
            handle.end.with(reason);
        }
    }

    /// The own addresses are `addresses` now: links from one that is gone end, if another is left to come back over. If
    /// none is, they may outlive a cable that is out for a moment.
    pub(super) fn keep_to(&self, addresses: &[IpAddr]) {
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

/// How reading came to its end.
enum Ending {
    /// The other side said why.
    Closed(CloseReason),
    /// The connection is gone.
    Gone(Option<io::Error>),
    /// The other side broke the protocol.
    Malformed(WireError),
    /// This side ends the link.
    Ours,
}

/// What a link stands in.
pub(super) struct Surroundings<'a> {
    pub(super) links: &'a Links,
    pub(super) room: &'a RoomId,
    pub(super) events: &'a mpsc::Sender<Event>,
    pub(super) tracker: &'a TaskTracker,
    pub(super) refusals: &'a Refusals,
}

/// Reports a link as `up`, runs it until it ends, and reports its end: exactly one [`Event::LinkDown`], after which no
/// frame of it follows.
pub(super) async fn run(stream: TlsStream<TcpStream>, mut seat: Seat, up: Event, around: Surroundings<'_>) {
    let Surroundings { links, room, events, tracker, refusals } = around;
    let link = seat.link;
    let (end, slot) = (seat.end.clone(), seat.slot.clone());
    tell(events, &end, up).await;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = tracker.spawn(async move {
        write(&mut writer, &mut seat).await;
        writer
    });

    let ending = read(&mut reader, link, room, (events, &links.0.room_to_wait), &end).await;
    links.remove(link);
    let (reason, goodbye) = match ending {
        Ending::Closed(reason) => (Some(reason), false),
        Ending::Gone(error) => {
            tracing::debug!(link = link.0, ?error, "the connection is gone");
            (None, false)
        }
        Ending::Malformed(error) => {
            refusals.count(cause(&error));
            tracing::info!(link = link.0, %error, "the other side broke the protocol");
            end.with(CloseReason::Protocol);
            (Some(CloseReason::Protocol), true)
        }
        Ending::Ours => (None, true),
    };
    tell(events, &end, Event::LinkDown { link, reason }).await;
    if !goodbye {
        writing.abort();
        return;
    }
    end.token.cancel();
    let goodbye = slot.closing();
    let abort = writing.abort_handle();
    let say_goodbye = async {
        // The writer ends in time; it can't panic.
        let Ok(writer) = writing.await else { return };
        let mut stream = reader.unsplit(writer);
        let _ = timeout(Duration::from_millis(FAREWELL_MS), read_away(&mut stream)).await;
    };
    if goodbye.unless_cut_short(say_goodbye).await.is_none() {
        abort.abort();
    }
}

/// Under which cause a frame that breaks the protocol is counted.
fn cause(error: &WireError) -> Cause {
    match error {
        WireError::Batch(BatchError::Signature) => Cause::Forged,
        WireError::Batch(BatchError::Body) => Cause::Altered,
        WireError::Batch(BatchError::OtherRoom) => Cause::Strayed,
        WireError::Batch(BatchError::Version(_) | BatchError::Malformed(_)) => Cause::Malformed,
        WireError::TooLong | WireError::Version | WireError::Malformed(_) => Cause::Malformed,
    }
}

/// Reports something to the node. A node that stops reads no more: then what finds no place is dropped.
async fn tell(events: &mpsc::Sender<Event>, end: &End, event: Event) {
    let waited = tokio::select! {
        biased;
        permit = events.reserve() => permit.ok(),
        () = async { end.token.cancelled().await; sleep(Duration::from_millis(FAREWELL_MS)).await } => None,
    };
    if let Some(permit) = waited {
        permit.send(event);
    }
}

/// Reads frames, checks them and hands them on, until there is a reason not to.
async fn read<R: AsyncRead + Unpin>(
    reader: &mut R,
    link: LinkId,
    room: &RoomId,
    (events, room_to_wait): (&mpsc::Sender<Event>, &Arc<Semaphore>),
    end: &End,
) -> Ending {
    let mut codec = LengthDelimitedCodec::builder().max_frame_length(FRAME_BYTES_MAX).new_codec();
    let mut buffer = BytesMut::new();
    let mut reported = Instant::now();
    let mut more = false;
    loop {
        let bytes = match codec.decode(&mut buffer) {
            Ok(Some(bytes)) => bytes.freeze(),
            Ok(None) => {
                // A long frame on a slow network takes its time: each part of it is a sign of life.
                if more && reported.elapsed() >= Duration::from_millis(HEARD_EVERY_MS) {
                    reported = Instant::now();
                    let _ = events.try_send(Event::Heard { link });
                }
                buffer.reserve(READ_BYTES);
                let count = tokio::select! {
                    biased;
                    () = end.token.cancelled() => return Ending::Ours,
                    count = reader.read_buf(&mut buffer) => count,
                };
                match count {
                    Ok(0) => return Ending::Gone(None),
                    Ok(_) => more = true,
                    Err(error) => return Ending::Gone(Some(error)),
                }
                continue;
            }
            Err(_) => return Ending::Malformed(WireError::TooLong),
        };
        more = false;
        let length = LENGTH_BYTES + bytes.len();
        let place = tokio::select! {
            biased;
            () = end.token.cancelled() => return Ending::Ours,
            place = room_to_wait.clone().acquire_many_owned(u32::try_from(length).unwrap_or(u32::MAX)) => place,
        };
        // Nobody closes it.
        let Ok(place) = place.map(|permit| Place { _permit: Arc::new(permit) }) else { return Ending::Ours };
        let frame = match check(bytes, room).await {
            Ok(Some(Frame::Close(reason))) => return Ending::Closed(reason),
            Ok(Some(frame)) => frame,
            Ok(None) => {
                // A frame from the future: a sign of life all the same.
                more = true;
                continue;
            }
            Err(error) => return Ending::Malformed(error),
        };
        let permit = tokio::select! {
            biased;
            () = end.token.cancelled() => return Ending::Ours,
            permit = events.reserve() => permit,
        };
        match permit {
            Ok(permit) => permit.send(Event::Frame { link, frame, bytes: length, place }),
            Err(_) => return Ending::Ours,
        }
        reported = Instant::now();
    }
}

/// Decodes and verifies a frame, a long one beside the tasks that move bytes.
async fn check(bytes: Bytes, room: &RoomId) -> Result<Option<Frame>, WireError> {
    if bytes.len() <= DECODE_INLINE_BYTES_MAX {
        return decode(&bytes, room);
    }
    let room = *room;
    match tokio::task::spawn_blocking(move || decode(&bytes, &room)).await {
        Ok(decoded) => decoded,
        // The runtime is shutting down: nobody will see the frame.
        Err(_) => Ok(None),
    }
}

/// Writes what is queued, all that waits in one go; at the end the reason.
async fn write<W: AsyncWrite + Unpin>(writer: &mut W, seat: &mut Seat) {
    let end = seat.end.clone();
    let mut buffer = BytesMut::with_capacity(LINK_WRITE_BYTES_MAX);
    loop {
        let first = tokio::select! {
            biased;
            () = end.token.cancelled() => break,
            first = seat.frames.recv() => first,
        };
        let Some(first) = first else { break };
        seat.gather(first, &mut buffer);
        // A frame that is half written is finished before anything else is said, but not waited for too long.
        let sent = tokio::select! {
            sent = send(writer, &mut buffer) => sent.is_ok(),
            () = async { end.token.cancelled().await; sleep(Duration::from_millis(FAREWELL_MS)).await } => false,
        };
        // What broke writing shows in reading too, behind what the other side said last: that shall still be heard.
        if !sent {
            return;
        }
    }
    let farewell = async {
        while let Ok(frame) = seat.frames.try_recv() {
            seat.gather(frame, &mut buffer);
            send(writer, &mut buffer).await?;
        }
        buffer.extend_from_slice(&encode_close(end.reason()));
        send(writer, &mut buffer).await?;
        writer.shutdown().await
    };
    // If it does not get through, the connection is dropped, and the other side sees it lost.
    let _ = timeout(Duration::from_millis(FAREWELL_MS), farewell).await;
}

impl Seat {
    /// Puts `first` and what waits behind it into `buffer`, up to a measure.
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
