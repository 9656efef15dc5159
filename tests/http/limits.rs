//! Limits that end a socket or a connection: eviction, floods, slowness, stop.

use std::time::{Duration, Instant};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Answer, PATIENCE, Socket, exchange};
use crate::fake::Server;
use roomful::web::BroadcastEvent;

#[tokio::test]
async fn silent_socket_33_evicts_the_oldest() {
    let server = Server::start().await;
    let mut oldest = server.upgrade(None).await.expect("an upgrade");
    // It is in the lobby once it was answered.
    oldest.say(json!({"type": "hello", "nonce": "11".repeat(32)})).await;
    assert_eq!(oldest.next().await.expect("a challenge")["type"], "challenge");
    let mut others = Vec::new();
    for _ in 0..32 {
        let mut other = server.upgrade(None).await.expect("an upgrade");
        other.say(json!({"type": "hello", "nonce": "11".repeat(32)})).await;
        assert_eq!(other.next().await.expect("a challenge")["type"], "challenge");
        others.push(other);
    }
    assert_eq!(oldest.closed().await, 4401);
    let mut guest = server.upgrade(None).await.expect("an upgrade");
    guest.say(json!({"type": "hello", "token": server.token()})).await;
    assert_eq!(guest.next().await.expect("a welcome")["type"], "welcome");
}

#[tokio::test]
async fn a_late_hello_is_4401() {
    let server = Server::start().await;
    let begun = Instant::now();
    let mut silent = server.upgrade(Some(&server.bearer())).await.expect("an upgrade");
    assert_eq!(silent.closed().await, 4401);
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn violations_close_the_socket_with_their_code() {
    let server = Server::start().await;
    let mut socket = server.enter_fresh().await;
    socket.say(json!({"type": "x", "padding": "x".repeat(256 * 1024 - 100)})).await;
    assert_eq!(socket.next().await.expect("an error")["error"], "unknown_type", "a frame of 256 KiB is fine");

    for (message, code) in [
        (Message::text("x".repeat(256 * 1024 + 1)), 1009),
        (Message::text("x".repeat(65 * 1024 * 1024)), 1009),
        (Message::binary(vec![1, 2, 3]), 1003),
    ] {
        let socket = server.enter_fresh().await;
        let size = message.len();
        let (mut sink, mut stream) = socket.0.split();
        let (_, got) = tokio::join!(sink.send(message), closed(&mut stream));
        assert_eq!(got, code, "{size}");
    }
    // A masked text frame whose one byte is not UTF-8; an unmasked one; one with a reserved bit.
    for (bytes, code) in [
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff][..], 1007),
        (&[0x81, 0x01, b'x'], 1002),
        (&[0xf1, 0x81, 0, 0, 0, 0, b'x'], 1002),
    ] {
        let mut socket = server.enter_fresh().await;
        socket.0.get_mut().write_all(bytes).await.expect("written");
        assert_eq!(socket.closed().await, code, "{bytes:x?}");
    }
}

async fn closed<S>(stream: &mut S) -> u16
where
    S: futures::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        match tokio::time::timeout(PATIENCE, stream.next()).await.expect("in time") {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("a close code was due, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_flood_is_1008() {
    let server = Server::start().await;
    let socket = server.enter_fresh().await;
    let (mut sink, mut stream) = socket.0.split();
    let flood = async {
        for _ in 0..5_000 {
            if sink.feed(Message::text("{}")).await.is_err() {
                break;
            }
        }
        // It may be closed already.
        let _ = sink.flush().await;
    };
    let (_, code) = tokio::join!(flood, closed(&mut stream));
    assert_eq!(code, 1008);

    // Fragments that make no frame, without end.
    let mut socket = server.enter_fresh().await;
    let pieces = [0x00, 0x80, 0, 0, 0, 0].repeat(10_000);
    let (mut read, mut write) = socket.0.get_mut().split();
    write.write_all(&[0x01, 0x80, 0, 0, 0, 0]).await.expect("a first fragment");
    let sending = async { while write.write_all(&pieces).await.is_ok() {} };
    let mut close = [0; 4];
    let reading = async { read.read_exact(&mut close).await.expect("a close frame") };
    tokio::select! {
        () = sending => panic!("the other side went without a word"),
        read = tokio::time::timeout(PATIENCE, reading) => drop(read.expect("in time")),
    }
    assert_eq!(close[0], 0x88);
    assert_eq!(u16::from_be_bytes([close[2], close[3]]), 1008);
}

#[tokio::test]
async fn stalled_page_is_closed_and_others_continue() {
    let server = Server::start().await;
    let mut stalled = server.enter_fresh().await;
    let mut awake = server.enter_fresh().await;
    let text = "z".repeat(1000);
    let mut slowest = Duration::ZERO;
    for _ in 0..5_000 {
        let line = server.hear(&text);
        let begun = Instant::now();
        assert_eq!(awake.next_of("message").await["message"]["arrival"], line.arrival);
        slowest = slowest.max(begun.elapsed());
    }
    // At most half a second is expected. Waiting for the stalled page would take its 10 s.
    println!("the slowest took {slowest:?}");
    assert!(slowest < Duration::from_secs(8), "{slowest:?}");
    let mut resync = false;
    let code = loop {
        match stalled.next().await {
            Ok(frame) => {
                assert!(!resync, "nothing comes after a resync");
                resync = frame["type"] == "resync";
            }
            Err(code) => break code,
        }
    };
    assert_eq!((resync, code), (true, 4409));
}

#[tokio::test]
async fn stalled_page_still_receives_its_close_reason() {
    let server = Server::start().await;
    let mut stalled = server.enter_fresh().await;
    // Less than 1 MiB, more than the system's buffers take.
    let text = "z".repeat(30 * 1024);
    let mut sent = 0;
    while sent < 14 {
        server.hear(&text);
        sent += 1;
    }
    tokio::time::sleep(Duration::from_secs(13)).await;
    let mut messages = 0;
    let mut resync = false;
    let code = loop {
        match stalled.next().await {
            Ok(frame) if frame["type"] == "resync" => resync = true,
            Ok(_) => messages += 1,
            Err(code) => break code,
        }
    };
    assert_eq!((resync, code), (true, 4409), "after {messages} messages");
}

#[tokio::test]
async fn rotation_signs_every_page_out() {
    let server = Server::start().await;
    let mut sockets: Vec<Socket> = Vec::new();
    for _ in 0..3 {
        sockets.push(server.enter_fresh().await);
    }
    assert_eq!(server.post("/api/v1/token/rotate", "{}").await.status, 200);
    for socket in &mut sockets {
        assert_eq!(socket.next().await, Err(4401));
    }
    assert_eq!(server.enter(json!({"type": "hello"})).await.1["type"], "welcome");
}

#[tokio::test]
async fn stop_is_announced_and_ends_within_3_s() {
    let server = Server::start().await;
    let mut told = server.enter_fresh().await;
    let mut lobby = server.upgrade(None).await.expect("an upgrade");
    let _idle = server.tcp().await;
    let mut deaf = server.enter_fresh().await;
    let begun = Instant::now();
    server.hear("before the stop");
    server.hub.publish(BroadcastEvent::Stopping);
    assert_eq!(told.next().await.expect("the last message")["type"], "message");
    assert_eq!(told.next().await.expect("stopping")["type"], "stopping");
    assert_eq!(told.next().await, Err(1001));
    server.stop.cancel();
    assert_eq!(lobby.closed().await, 1001);
    server.stopped().await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(deaf.closed().await, 1001);
}

#[tokio::test]
async fn large_body_is_refused_before_it_is_read() {
    let server = Server::start().await;
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(3 * 1024 * 1024));
    let answer = server.post("/api/v1/messages", &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_long"));
    let head = format!(
        "POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Type: application/json\r\n",
        server.bearer()
    );
    let mut chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
    for _ in 0..40 {
        chunked += &format!("8000\r\n{}\r\n", "y".repeat(0x8000));
    }
    chunked += "0\r\n\r\n";
    let answer = Answer::read(&exchange(server.tcp().await, chunked.as_bytes()).await);
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_long"));
}

#[tokio::test]
async fn missing_body_times_out() {
    let server = Server::start().await;
    let head = format!(
        "POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\
         Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{\"text\":",
        server.bearer()
    );
    let answer = Answer::read(&exchange(server.tcp().await, head.as_bytes()).await);
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
}

#[tokio::test]
async fn stalled_reader_is_closed_and_others_continue() {
    let server = Server::start().await;
    let text = "z".repeat(30 * 1024);
    (0..500).for_each(|_| drop(server.commit(&text)));
    let request = format!(
        "GET /api/v1/messages?limit=500 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n",
        server.bearer()
    );
    let mut slow = Vec::new();
    for _ in 0..3 {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4 * 1024).expect("a small buffer");
        let mut stream = socket.connect(([127, 0, 0, 1], server.port).into()).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("asked");
        slow.push(stream);
    }
    // Closed by the node while this side reads nothing: then writing fails, which never happens on
    // an open connection.
    let begun = Instant::now();
    for mut stream in slow {
        while stream.write_all(b"GET /").await.is_ok() {
            assert!(begun.elapsed() < PATIENCE * 2, "it is still open");
            assert_eq!(server.get("/healthz").await.status, 200);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
    assert!(begun.elapsed() >= Duration::from_secs(5), "that was too early to be for slowness");
}

#[tokio::test]
async fn page_without_pong_is_closed() {
    let server = Server::start().await;
    let mut socket = server.enter_fresh().await;
    // Read past the WebSocket's own machinery, which would answer.
    let stream = socket.0.get_mut();
    let begun = Instant::now();
    let mut rest = Vec::new();
    tokio::time::timeout(3 * PATIENCE + PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("in time")
        .expect("an end");
    assert!(begun.elapsed() >= Duration::from_secs(40), "{:?}", begun.elapsed());
    assert!(rest.windows(2).any(|frame| frame == [0x89, 0]), "it was pinged");
}

#[tokio::test]
async fn quiet_page_receives_heartbeat_and_ping() {
    let server = Server::start().await;
    let mut socket = server.enter_fresh().await;
    let line = server.hear("x");
    assert_eq!(socket.next().await.expect("a message")["type"], "message");
    let begun = Instant::now();
    let beat = socket.next().await.expect("a beat");
    assert_eq!(beat, json!({"type": "beat", "arrival": line.arrival}));
    assert!(begun.elapsed() >= Duration::from_secs(12), "{:?}", begun.elapsed());
    let ping = tokio::time::timeout(PATIENCE, socket.0.next()).await.expect("in time");
    assert!(matches!(ping, Some(Ok(Message::Ping(_)))), "{ping:?}");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_stalled_page() {
    let server = Server::start().await;
    let _stalled = server.enter_fresh().await;
    let text = "z".repeat(30 * 1024);
    (0..14).for_each(|_| drop(server.hear(&text)));
    // Once another page has received everything, this one is blocked by what the system's buffers
    // do not take.
    let mut awake = server.enter_fresh().await;
    server.hear("last");
    while awake.next_of("message").await["message"]["text"] != "last" {}
    let begun = Instant::now();
    server.stop.cancel();
    server.stopped().await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
