//! Clients of the page's server: raw HTTP requests and WebSockets.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::fake::Server;

/// Long enough for a busy machine; nothing here is expected to take it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("headers");
        let head = std::str::from_utf8(&bytes[..end]).expect("headers are text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Self {
            status: status.expect("a status"),
            headers: lines.filter_map(header).collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of a refusal, and that it has a sentence.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        assert!(json["message"].as_str().is_some_and(|message| message.ends_with('.')), "{json}");
        json["error"].as_str().expect("a code").to_owned()
    }
}

/// Sends bytes, and reads to the end of the connection.
pub(crate) async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Vec<u8> {
    // A refusal may come before all was sent.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time").expect("an answer, not a reset");
    answer
}

impl Server {
    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("the port is open")
    }

    /// A request with exactly these headers and this body.
    pub(crate) async fn raw(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        request += body;
        Answer::read(&exchange(self.tcp().await, request.as_bytes()).await)
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token())
    }

    /// A request with the right Host and token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw(&format!("GET {path}"), &[("Host", "localhost"), ("Authorization", &self.bearer())], "").await
    }

    /// A POST with everything right but perhaps the body.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let headers = [
            ("Host", "localhost"),
            ("Authorization", &*self.bearer()),
            ("Content-Type", "application/json; charset=utf-8"),
        ];
        self.raw(&format!("POST {path}"), &headers, body).await
    }

    pub(crate) async fn unix(&self) -> UnixStream {
        UnixStream::connect(&self.path).await.expect("the socket is open")
    }

    /// A socket, with the token on the upgrade or without.
    pub(crate) async fn upgrade(&self, authorization: Option<&str>) -> Result<Socket, Error> {
        let mut request = format!("ws://localhost:{}/ws", self.port).into_client_request()?;
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().expect("a header"));
        }
        let (socket, _) = tokio_tungstenite::client_async(request, self.tcp().await).await?;
        Ok(Socket(socket))
    }

    /// A socket that has said `hello`, with its welcome.
    pub(crate) async fn enter(&self, hello: Value) -> (Socket, Value) {
        let mut socket = self.upgrade(Some(&self.bearer())).await.expect("an upgrade");
        socket.say(hello).await;
        let welcome = socket.next().await.expect("a welcome");
        assert_eq!(welcome["type"], "welcome");
        (socket, welcome)
    }

    pub(crate) async fn enter_fresh(&self) -> Socket {
        self.enter(json!({"type": "hello"})).await.0
    }
}

pub(crate) struct Socket(pub(crate) WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn say(&mut self, frame: Value) {
        self.send(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        // The other side may have closed; what it says then is looked at by who reads.
        let _ = self.0.send(message).await;
    }

    /// The next frame, or the close code.
    pub(crate) async fn next(&mut self) -> Result<Value, u16> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("a close code was due, not {error}"),
                None => return Err(1006),
            }
        }
    }

    /// The next frame of a type; others are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.expect("the socket stays open");
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The close code; frames before it are passed over.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    /// Whether nothing but what is expected comes: says something, and expects its answer next.
    pub(crate) async fn is_quiet(&mut self) {
        self.say(json!({"type": "no such type"})).await;
        assert_eq!(self.next().await.expect("an error")["error"], "unknown_type");
    }
}
