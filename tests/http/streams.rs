//! Many messages over one request: answers in order and in time, bad lines, and slow sides.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::Request;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;

use crate::client::PATIENCE;
use crate::fake::{OTHER, Server};
use roomful::web::PageToken;

/// A stream of messages, of which a test sends and reads single lines.
struct MessageStream {
    lines: Sender<String>,
    answer: Incoming,
    begun: String,
}

async fn post<B>(server: &Server, body: B) -> hyper::Response<Incoming>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(server.unix().await)).await.expect("a connection");
    tokio::spawn(connection);
    let request = Request::post("/api/v1/messages")
        .header("host", "localhost")
        .header("authorization", server.bearer())
        .header("content-type", "application/x-ndjson")
        .body(body)
        .expect("a request");
    timeout(PATIENCE, sender.send_request(request)).await.expect("in time").expect("an answer")
}

impl MessageStream {
    async fn open(server: &Server) -> Self {
        let (lines, body) = channel::<String>(1);
        let body = futures::stream::unfold(body, async |mut body| {
            let line = body.recv().await?;
            Some((Ok(Frame::data(Bytes::from(line))), body))
        });
        let answer = post(server, StreamBody::new(body.boxed())).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
        Self { lines, answer: answer.into_body(), begun: String::new() }
    }

    async fn send(&self, text: &str) {
        self.lines.send(text.to_owned()).await.expect("the body is open");
    }

    /// The next line of the answer; none at its end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.begun.split_once('\n') {
                let value = serde_json::from_str(line).expect("JSON");
                self.begun = rest.to_owned();
                return Some(value);
            }
            let frame = timeout(PATIENCE, self.answer.frame()).await.expect("in time")?.expect("no reset");
            self.begun += std::str::from_utf8(&frame.into_data().expect("data")).expect("text");
        }
    }

    async fn next_code(&mut self) -> String {
        self.next().await.expect("an answer")["error"].as_str().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn each_line_is_answered_before_the_next_is_sent() {
    let server = Server::start().await;
    let mut stream = MessageStream::open(&server).await;
    for number in 1..=3 {
        stream.send(&format!("{{\"text\":\"{number}\"}}\r\n")).await;
        let answer = stream.next().await.expect("an answer");
        let id = server.room().messages[number - 1].id.to_string();
        assert_eq!(answer, json!({"id": id, "arrival": number}));
    }
    // A line may come in parts, and the last one needs no end.
    stream.send("{\"text\":").await;
    stream.send("\"4\"}\n{\"te").await;
    assert_eq!(stream.next().await.expect("an answer")["arrival"], 4);
    stream.send("xt\":\"5\"}").await;
    let MessageStream { lines, answer, begun } = stream;
    drop(lines);
    let mut rest = MessageStream { lines: channel(1).0, answer, begun };
    assert_eq!(rest.next().await.expect("an answer")["arrival"], 5);
    assert_eq!(rest.next().await, None);
    assert_eq!(server.room().messages[4].text, "5");
}

#[tokio::test]
async fn bad_lines_are_answered_in_their_place() {
    let server = Server::start().await;
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(256 * 1024));
    let text = format!("{{\"text\":\"{}\"}}", "x".repeat(32 * 1024 + 1));
    let lines = [
        ("{\"text\":\"one\",\"ref\":\"r\"}", ""),
        ("{nope", "bad_request"),
        ("", "bad_request"),
        (&long, "too_long"),
        (&text, "too_long"),
        ("{\"text\":\" \"}", "empty"),
        ("{\"text\":\"two\",\"ref\":\"r\"}", "ref_used"),
        (
            "{\"text\":\"x\",\"to\":\"abababababababababababababababababababababababababababababababab\"}",
            "no_such_member",
        ),
        ("{\"text\":\"one\",\"ref\":\"r\"}", ""),
        (&format!("{{\"text\":\"last\",\"to\":\"{OTHER}\"}}"), ""),
    ];
    let body: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
    let answer = post(&server, Full::new(Bytes::from(body))).await;
    let mut answers = MessageStream { lines: channel(1).0, answer: answer.into_body(), begun: String::new() };
    for (line, code) in lines {
        assert_eq!(answers.next_code().await, code, "{}", &line[..line.len().min(60)]);
    }
    assert_eq!(answers.next().await, None);
    let texts: Vec<String> = server.room().messages.iter().map(|line| line.text.clone()).collect();
    assert_eq!(texts, ["one", "last"]);
}

#[tokio::test]
async fn rotated_token_ends_no_line_but_refuses_it() {
    let server = Server::start().await;
    let mut stream = MessageStream::open(&server).await;
    stream.send("{\"text\":\"before\"}\n").await;
    assert_eq!(stream.next().await.expect("an answer")["arrival"], 1);
    server.keys.rotate(PageToken::random());
    stream.send("{\"text\":\"after\"}\n").await;
    assert_eq!(stream.next_code().await, "unauthorized");
    assert_eq!(server.room().messages.len(), 1);
}

#[tokio::test]
async fn unread_answers_stop_the_stream() {
    let server = Server::start().await;
    let mut stream = server.unix().await;
    let head = format!(
        "POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: 40000000\r\n\r\n",
        server.bearer()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let lines = "{\"text\":\"x\"}\n".repeat(3_000_000);
    let is_stalled = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = server.room().messages.len();
            if now == before && now > 0 {
                return now;
            }
            before = now;
        }
    };
    tokio::select! {
        _ = stream.write_all(lines.as_bytes()) => panic!("everything was taken, and no answer read"),
        taken = is_stalled => assert!(taken < 100_000, "{taken}"),
    }
}
