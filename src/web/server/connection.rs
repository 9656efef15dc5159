//! The byte stream of one connection, over TCP or a Unix socket.
//!
//! It counts bytes, times out stalled writes, keeps the system's send buffer small so that a
//! stalled page is noticed early, and lingers at the end so that the last bytes arrive.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::proto::limits::{LAST_WORDS_BYTES, WEB_LINGER_MS, WEB_SEND_BUFFER_BYTES, WEB_WRITE_STALL_MS};
use crate::web::conn_stats::ConnStats;
use crate::web::connection_slots::SlotGuard;

pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn set_send_buffer(&self, bytes: usize) {
        let set = match self {
            Self::Tcp(stream) => SockRef::from(stream).set_send_buffer_size(bytes),
            Self::Unix(stream) => SockRef::from(stream).set_send_buffer_size(bytes),
        };
        // A larger buffer only delays the notice of a stalled page.
        let _ = set;
    }

    fn get_mut(&mut self) -> Pin<&mut (dyn AsyncStream + Unpin)> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Unix(stream) => Pin::new(stream),
        }
    }
}

trait AsyncStream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> AsyncStream for T {}

pub(crate) struct Conn {
    /// None only while it is dropped.
    stream: Option<Stream>,
    meter: ConnStats,
    slot: SlotGuard,
    tasks: TaskTracker,
    /// True once the client has closed its sending side.
    ended: bool,
    /// The write timeout. It runs while the client reads nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Conn {
    pub(crate) fn new(stream: Stream, meter: ConnStats, slot: SlotGuard, tasks: TaskTracker) -> Self {
        stream.set_send_buffer(WEB_SEND_BUFFER_BYTES);
        if let Stream::Tcp(stream) = &stream {
            // Frames are small and latency counts.
            let _ = stream.set_nodelay(true);
        }
        Self { stream: Some(stream), meter, slot, tasks, ended: false, stalled: None }
    }

    fn stream(&mut self) -> io::Result<&mut Stream> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Returns the result of a write, or an error if writes have been stalled for too long.
    fn enforce_write_timeout<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
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
        conn.meter.add_read(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Conn {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let conn = self.get_mut();
        if conn.meter.take_enlarge() {
            conn.stream()?.set_send_buffer(LAST_WORDS_BYTES);
        }
        let written = conn.stream()?.get_mut().poll_write(cx, bytes);
        conn.enforce_write_timeout(written, cx)
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
        if !self.ended && !self.slot.is_evicted() {
            self.slot.set_idle();
            self.tasks.spawn_on(linger(stream, self.slot.clone()), &runtime);
        }
    }
}

/// Closes a connection whose client may still be sending.
///
/// The system resets a connection that is closed with unread bytes, and the last answer could be
/// lost with it.
async fn linger(mut stream: Stream, slot: SlotGuard) {
    let rest = async {
        stream.get_mut().shutdown().await?;
        let mut buffer = [0; 8192];
        while stream.get_mut().read(&mut buffer).await? > 0 {}
        io::Result::Ok(())
    };
    let limited = timeout(Duration::from_millis(WEB_LINGER_MS), rest);
    // The connection is over in any case.
    let _ = slot.run_until_evicted(limited).await;
}
