//! One connection to the page, as bytes: TCP or Unix, with what neither hyper nor axum does for it.
//!
//! It counts what is read, gives up on whoever takes nothing of what was sent, keeps little in the system's buffers
//! (so that a stalled page is noticed early), and closes so that the last words arrive.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::task::TaskTracker;

use super::malformed;
use super::seat::Seat;
use crate::proto::limits::{LAST_WORDS_BYTES, WEB_LINGER_MS, WEB_SEND_BUFFER_BYTES, WEB_WRITE_STALL_MS};

/// Both kinds of stream.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn set_send_buffer(&self, bytes: usize) {
        let set = match self {
            Self::Tcp(stream) => SockRef::from(stream).set_send_buffer_size(bytes),
            Self::Unix(stream) => SockRef::from(stream).set_send_buffer_size(bytes),
        };
        // Only a matter of how early a stalled page is noticed.
        let _ = set;
    }

    fn get_mut(&mut self) -> Pin<&mut (dyn Both + Unpin)> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Unix(stream) => Pin::new(stream),
        }
    }
}

trait Both: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Both for T {}

/// What others may know of a connection, and ask of it. Shared by all clones.
#[derive(Clone, Default)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Default)]
struct Counts {
    read: AtomicU64,
    last_words: AtomicBool,
}

impl Meter {
    /// Bytes read so far.
    pub(super) fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    /// Makes room in the system's buffer, so that what is written next can be left behind for a page that is stalled.
    pub(super) fn make_room(&self) {
        self.0.last_words.store(true, Ordering::Relaxed);
    }
}

/// A connection.
pub(super) struct Conn {
    /// None only once it is dropped.
    stream: Option<Stream>,
    meter: Meter,
    seat: Seat,
    tasks: TaskTracker,
    /// The other side said that it sends no more.
    ended: bool,
    /// What is written instead of what hyper wrote, and how much of it was.
    instead: Option<(Vec<u8>, usize)>,
    /// Runs while the other side takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Conn {
    pub(super) fn new(stream: Stream, meter: Meter, seat: Seat, tasks: TaskTracker) -> Self {
        stream.set_send_buffer(WEB_SEND_BUFFER_BYTES);
        if let Stream::Tcp(stream) = &stream {
            // Frames are small, and each is waited for.
            let _ = stream.set_nodelay(true);
        }
        Self { stream: Some(stream), meter, seat, tasks, ended: false, instead: None, stalled: None }
    }

    fn stream(&mut self) -> io::Result<&mut Stream> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Writes what is left of it, and keeps it where that is not all.
    fn write_instead(&mut self, instead: Vec<u8>, mut done: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while done < instead.len() {
            match self.stream()?.get_mut().poll_write(cx, &instead[done..]) {
                Poll::Ready(count) => done += count?,
                Poll::Pending => {
                    self.instead = Some((instead, done));
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Passes a write's outcome on, unless the other side has taken nothing for too long.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = || Box::pin(sleep(Duration::from_millis(WEB_WRITE_STALL_MS)));
        ready!(self.stalled.get_or_insert_with(limit).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Conn {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let conn = self.get_mut();
        let before = buf.filled().len();
        ready!(conn.stream()?.get_mut().poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        conn.ended |= count == 0 && buf.remaining() > 0;
        conn.meter.0.read.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Conn {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let conn = self.get_mut();
        if conn.meter.0.last_words.swap(false, Ordering::Relaxed) {
            conn.stream()?.set_send_buffer(LAST_WORDS_BYTES);
        }
        if conn.instead.is_none() {
            conn.instead = malformed::dress(bytes).map(|instead| (instead, 0));
        }
        let written = match conn.instead.take() {
            None => conn.stream()?.get_mut().poll_write(cx, bytes),
            Some((instead, done)) => conn.write_instead(instead, done, cx).map_ok(|()| bytes.len()),
        };
        conn.watch(written, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.get_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.get_mut().poll_shutdown(cx)
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        let (Some(stream), Ok(runtime)) = (self.stream.take(), tokio::runtime::Handle::try_current()) else { return };
        if !self.ended && !self.seat.is_displaced() {
            self.seat.waits();
            self.tasks.spawn_on(linger(stream, self.seat.clone()), &runtime);
        }
    }
}

/// Closes a connection whose other side may still be sending: were it closed with bytes unread, the system would reset
/// it, and the answer that is on its way might be lost.
async fn linger(mut stream: Stream, seat: Seat) {
    let rest = async {
        stream.get_mut().shutdown().await?;
        let mut buffer = [0; 8192];
        while stream.get_mut().read(&mut buffer).await? > 0 {}
        io::Result::Ok(())
    };
    let limited = timeout(Duration::from_millis(WEB_LINGER_MS), rest);
    // Whatever becomes of it, the connection is over.
    let _ = seat.unless_displaced(limited).await;
}
