//! `roomful send --lines`: each line of standard input is a message, sent as it comes.
//!
//! One request carries all messages. So many are in flight that they share commits, and no more is
//! read from standard input: a program that writes faster waits. If the connection breaks, the
//! messages without an answer are sent again; their `ref`s make that safe.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::input::{InputLine, next_line};
use super::once::new_ref;
use crate::client::members::resolve;
use crate::client::selection::find_message;
use crate::client::{Error, NodeClient, print};

/// Messages in flight: the node takes as many of one stream.
const IN_FLIGHT_MAX: usize = 128;

/// Delay before a reconnect, in milliseconds.
const COME_BACK_MS: u64 = 250;

/// Connections in a row that may break before any message was answered.
const VAIN_MAX: u32 = 2;

/// Longest answer to a line, in bytes: an id, or a sentence.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The options of `send --lines`, which hold for every message.
#[derive(Clone, Debug)]
pub struct SendLines {
    /// The recipient of direct messages.
    pub to: Option<String>,
    /// The channel; none is the default one.
    pub channel: Option<String>,
    /// The message that all of them reply to.
    pub reply: Option<String>,
    /// Print the node's answers.
    pub json: bool,
}

/// The used fields of an answer.
#[derive(Deserialize)]
struct LineAnswer {
    error: Option<String>,
    message: Option<String>,
}

/// A message without an answer.
struct UnansweredLine {
    number: u64,
    json: Bytes,
}

/// Sends all lines. Refused ones are counted, and are an error at the end.
pub async fn send_lines(mut node: NodeClient, options: SendLines) -> Result<(), Error> {
    node.connect().await?;
    let mut common = json!({});
    if let Some(member) = &options.to {
        common["to"] = resolve(&node, member).await?.into();
    }
    if let Some(channel) = &options.channel {
        common["channel"] = channel.as_str().into();
    }
    if let Some(message) = &options.reply {
        common["reply_to"] = find_message(&node, message).await?.into();
    }
    let mut stream = LineStream {
        common,
        lines: read_lines(),
        is_complete: false,
        number: 0,
        answered: 0,
        unanswered: VecDeque::new(),
        first_refusal: None,
        refused: 0,
        json: options.json,
    };
    let (mut answered, mut vain) = (0, 0);
    loop {
        match stream.run(&node).await {
            Ok(()) => break,
            Err(Error::Broken(_)) if vain < VAIN_MAX => {
                let is_vain = stream.answered == answered && !stream.unanswered.is_empty();
                vain = if is_vain { vain + 1 } else { 0 };
                answered = stream.answered;
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(COME_BACK_MS)).await;
        let dir = node.dir.clone();
        node = NodeClient::find(Some(&dir)).map_err(stopped)?;
        node.connect().await.map_err(stopped)?;
    }
    stream
        .first_refusal
        .map_or(Ok(()), |(line, message)| Err(Error::LinesRefused { line, message, refused: stream.refused }))
}

/// A node that cannot be found any more has stopped.
fn stopped(error: Error) -> Error {
    if matches!(error, Error::NotRunning(_)) { Error::Stopped } else { error }
}

/// Reads standard input on a thread of its own, which waits while the messages do.
fn read_lines() -> Receiver<Result<InputLine, Error>> {
    let (sender, receiver) = channel(1);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        while let Some(line) = next_line(&mut stdin).transpose() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The lines and their answers, over one connection after the other.
struct LineStream {
    common: serde_json::Value,
    lines: Receiver<Result<InputLine, Error>>,
    /// True once standard input has ended.
    is_complete: bool,
    /// The number of the last line that was read.
    number: u64,
    answered: u64,
    unanswered: VecDeque<UnansweredLine>,
    first_refusal: Option<(u64, String)>,
    refused: u64,
    json: bool,
}

impl LineStream {
    /// Sends what is unanswered and all further lines over one connection, until every line is
    /// answered.
    async fn run(&mut self, node: &NodeClient) -> Result<(), Error> {
        let (body_tx, body) = channel::<Bytes>(IN_FLIGHT_MAX);
        let body = futures::stream::unfold(body, async |mut body| {
            let piece = body.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(piece)), body))
        });
        let body = StreamBody::new(Box::pin(body).boxed());
        let mut answer = node.post_stream("/api/v1/messages", "application/x-ndjson", body).await?;
        for line in &self.unanswered {
            send_piece(&body_tx, line.json.clone()).await?;
        }
        let mut body_tx = Some(body_tx);
        let mut begun = Vec::new();
        loop {
            if self.is_complete {
                body_tx = None;
                if self.unanswered.is_empty() {
                    return Ok(());
                }
            }
            tokio::select! {
                answers = next_answers(&mut answer, &mut begun) => {
                    for answer in answers? {
                        self.on_answer(&answer)?;
                    }
                }
                line = self.lines.recv(), if !self.is_complete && self.unanswered.len() < IN_FLIGHT_MAX => match line {
                    Some(line) => {
                        if let (Some(piece), Some(body_tx)) = (self.on_line(line?), &body_tx) {
                            send_piece(body_tx, piece).await?;
                        }
                    }
                    None => self.is_complete = true,
                },
            }
        }
    }

    /// Returns what is to be sent of a line.
    fn on_line(&mut self, line: InputLine) -> Option<Bytes> {
        self.number += 1;
        let text = match line {
            InputLine::Text(text) if text.trim().is_empty() => return None,
            InputLine::Text(text) => text,
            InputLine::TooLong => {
                self.on_refusal(self.number, Error::TooLong.to_string());
                return None;
            }
            InputLine::NotText => {
                self.on_refusal(self.number, "it is not UTF-8 text".to_owned());
                return None;
            }
        };
        let mut object = self.common.clone();
        object["text"] = text.into();
        object["ref"] = new_ref().into();
        let json = Bytes::from(object.to_string() + "\n");
        self.unanswered.push_back(UnansweredLine { number: self.number, json: json.clone() });
        Some(json)
    }

    /// Takes the answer to the oldest line that has none.
    fn on_answer(&mut self, answer: &[u8]) -> Result<(), Error> {
        let invalid = |error: serde_json::Error| Error::Foreign(error.to_string());
        let read: LineAnswer = serde_json::from_slice(answer).map_err(invalid)?;
        // The line is sent again over a new connection: to the next node, or with the new token.
        if matches!(read.error.as_deref(), Some("stopping" | "unauthorized")) {
            return Err(Error::Broken("the node takes no more over this connection".to_owned()));
        }
        let line = self.unanswered.pop_front().ok_or_else(|| Error::Foreign("an answer too many".to_owned()))?;
        self.answered += 1;
        if read.error.is_some() {
            self.on_refusal(line.number, read.message.unwrap_or_default());
        }
        if self.json { print::line(&String::from_utf8_lossy(answer)) } else { Ok(()) }
    }

    fn on_refusal(&mut self, number: u64, message: String) {
        self.refused += 1;
        // Answers come later than what this command refuses itself.
        if self.first_refusal.as_ref().is_none_or(|(first, _)| number < *first) {
            self.first_refusal = Some((number, message));
        }
    }
}

async fn send_piece(body: &Sender<Bytes>, piece: Bytes) -> Result<(), Error> {
    let closed = |_| Error::Broken("the node took no more of it".to_owned());
    body.send(piece).await.map_err(closed)
}

/// Waits for the next piece of the answer, and returns the lines that it completes. `begun` holds
/// the beginning of a line; cancelling this loses nothing.
async fn next_answers(answer: &mut Incoming, begun: &mut Vec<u8>) -> Result<Vec<Vec<u8>>, Error> {
    let broken = |text: &str| Error::Broken(text.to_owned());
    let frame = answer.frame().await.ok_or_else(|| broken("the answer ended early"))?;
    let frame = frame.map_err(|error| broken(&error.to_string()))?;
    begun.extend_from_slice(&frame.into_data().unwrap_or_default());
    let mut lines: Vec<Vec<u8>> = begun.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    *begun = lines.pop().unwrap_or_default();
    if begun.len() > ANSWER_BYTES_MAX {
        return Err(Error::Foreign("a line of the answer is too long".to_owned()));
    }
    Ok(lines)
}
