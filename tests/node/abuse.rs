//! A page that abuses its WebSocket: the node's memory stays bounded, and other pages are served as
//! usual.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use support::lab::Lab;
use support::node::Node;
use support::wait::PATIENCE;
use support::{Context, Result, ensure};

/// What abuse may cost, in KiB.
const GROWTH_KIB_MAX: u64 = 16 * 1024;

/// Sockets that misbehave at the same time.
const AT_ONCE: usize = 4;

/// The most memory that the node ever had, in KiB.
fn high_water_kib(node: &Node) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("a high-water mark")?;
    line.split_whitespace().nth(1).context("a number")?.parse().context("KiB")
}

/// A WebSocket past its hello, as bare bytes.
async fn socket(node: &Node) -> Result<UnixStream> {
    let mut stream = UnixStream::connect(node.api.socket()).await?;
    let upgrade = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await?;
    let hello = format!(r#"{{"type":"hello","token":"{}"}}"#, node.api.token());
    stream.write_all(&frame(0x81, hello.as_bytes())).await?;
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&heard).contains("\"welcome\"") {
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.context("no welcome")??;
        ensure!(count > 0, "closed before a welcome: {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&buffer[..count]);
    }
    Ok(stream)
}

/// A masked frame, whose mask is nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    frame.extend_from_slice(payload);
    frame
}

fn header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first, 0x80 | 127];
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    header
}

/// Sends `head`, then `piece` repeatedly, up to `bytes` or until the node closes the connection.
async fn pour(node: &Node, head: Vec<u8>, piece: Vec<u8>, bytes: usize) -> Result<()> {
    let (mut reader, mut writer) = socket(node).await?.into_split();
    let heard = tokio::spawn(async move {
        // Its answers are read, so that it is never the one who waits.
        let mut sink = vec![0; 64 * 1024];
        while reader.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    });
    let pouring = async {
        writer.write_all(&head).await?;
        for _ in 0..bytes / piece.len() {
            writer.write_all(&piece).await?;
        }
        std::io::Result::Ok(())
    };
    // The rest of a frame may be read away behind the close, so that the close arrives.
    let _ = tokio::time::timeout(PATIENCE * 2, pouring).await.context("it neither takes nor closes")?;
    tokio::time::timeout(PATIENCE, heard).await.context("it was not closed")??;
    Ok(())
}

#[tokio::test]
async fn abuse_costs_no_memory_and_delays_no_other() -> Result<()> {
    let lab = Lab::new()?;
    let node = lab.node("anna").host("127.0.0.1").start()?;
    // What serving costs at all is no abuse.
    for _ in 0..AT_ONCE {
        node.api.say("a message as long as others").await?;
        drop(socket(&node).await?);
    }
    let before_kib = high_water_kib(&node)?;
    const MIB: usize = 1024 * 1024;
    let half = 128 * 1024;
    let abuses = [
        // One frame of 65 MiB; one that is said to have as many bytes as there are.
        (header(0x81, 65 * MIB as u64), vec![b'x'; 64 * 1024]),
        (header(0x81, i64::MAX as u64), vec![b'x'; 64 * 1024]),
        // Fragments without end: of one byte, of none, and long ones.
        (frame(0x01, b"x"), frame(0x00, b"x").repeat(1_000)),
        (frame(0x01, b""), frame(0x00, b"").repeat(1_000)),
        (frame(0x01, b"x"), frame(0x00, &vec![b'x'; half])),
        // More frames than a user types, and more pings than a page needs.
        (Vec::new(), frame(0x81, br#"{"type":"x"}"#).repeat(1_000)),
        (Vec::new(), frame(0x89, &[b'x'; 125]).repeat(1_000)),
    ];
    let begun = std::time::Instant::now();
    for (head, piece) in abuses {
        println!("{:x?}…: {:?}", &piece[..piece.len().min(8)], begun.elapsed());
        let all = (0..AT_ONCE).map(|_| pour(&node, head.clone(), piece.clone(), 66 * MIB));
        let others = async {
            let asked = std::time::Instant::now();
            node.api.say("in between").await?;
            ensure!(asked.elapsed() < PATIENCE, "others wait for {:?}", asked.elapsed());
            anyhow::Ok(())
        };
        let (poured, served) = tokio::join!(futures::future::join_all(all), others);
        served?;
        poured
            .into_iter()
            .collect::<Result<Vec<()>>>()
            .with_context(|| format!("{:x?}", &piece[..piece.len().min(16)]))?;
    }
    let grown_kib = high_water_kib(&node)?.saturating_sub(before_kib);
    println!("{grown_kib} KiB more, {:?}", begun.elapsed());
    ensure!(grown_kib <= GROWTH_KIB_MAX, "{grown_kib} KiB more than before");
    let settled = tokio::time::timeout(Duration::from_secs(30), node.api.texts()).await??;
    ensure!(settled.iter().filter(|text| *text == "in between").count() == 7, "{settled:?}");
    Ok(())
}
