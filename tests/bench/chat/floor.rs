//! The speed of this machine's loopback with the same bytes, without signing, encryption and
//! storage. Each message is one write.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use support::{Result, ensure};

/// Measures how long it takes to send `count` pieces over each of `listeners` connections, until
/// the last byte is read.
pub(crate) fn fan_out(listeners: usize, count: usize, bytes: usize) -> Result<Duration> {
    let mut pairs = (0..listeners).map(|_| connected()).collect::<Result<Vec<_>>>()?;
    let begun = Instant::now();
    let readers: Vec<_> = pairs
        .iter()
        .map(|(_, far)| {
            let far = far.try_clone()?;
            Ok(std::thread::spawn(move || read_exactly(far, count * bytes)))
        })
        .collect::<Result<_>>()?;
    let piece = vec![b'x'; bytes];
    for _ in 0..count {
        for (near, _) in &mut pairs {
            near.write_all(&piece)?;
        }
    }
    for reader in readers {
        let read = reader.join().map_err(|_| anyhow::anyhow!("a reader panicked"))?;
        ensure!(read? == count * bytes, "everything arrives");
    }
    Ok(begun.elapsed())
}

/// How long each of `count` small pieces takes to the other side and back.
pub(crate) fn ping_pong(count: usize, bytes: usize) -> Result<Vec<Duration>> {
    let (mut near, mut far) = connected()?;
    let echo = std::thread::spawn(move || -> Result<()> {
        let mut piece = vec![0; bytes];
        for _ in 0..count {
            far.read_exact(&mut piece)?;
            far.write_all(&piece)?;
        }
        Ok(())
    });
    let mut piece = vec![b'x'; bytes];
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        near.write_all(&piece)?;
        near.read_exact(&mut piece)?;
        took.push(begun.elapsed());
    }
    echo.join().map_err(|_| anyhow::anyhow!("the echo panicked"))??;
    Ok(took)
}

fn connected() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

fn read_exactly(mut stream: TcpStream, bytes: usize) -> Result<usize> {
    let mut buffer = vec![0; 64 * 1024];
    let mut read = 0;
    while read < bytes {
        match stream.read(&mut buffer)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}
