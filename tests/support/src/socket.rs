//! A node's WebSocket as a script uses it: every frame in order.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::api::Api;
use super::wait::PATIENCE;
use super::{Context, Result, Value, bail, ensure, json};

/// One open WebSocket.
pub struct Tab {
    stream: WebSocketStream<UnixStream>,
    seen: VecDeque<Value>,
    /// What the node said to the hello.
    pub welcome: Value,
}

impl Tab {
    /// Opens one without a past.
    pub async fn open(api: &Api) -> Result<Self> {
        Self::with_hello(api, json!({ "type": "hello", "token": api.token() })).await
    }

    /// Opens one that has seen everything up to `arrival` in the run it was given.
    pub async fn resume(api: &Api, run: &str, arrival: i64) -> Result<Self> {
        let hello = json!({ "type": "hello", "token": api.token(), "run": run, "after": arrival });
        Self::with_hello(api, hello).await
    }

    async fn with_hello(api: &Api, hello: Value) -> Result<Self> {
        let stream = UnixStream::connect(api.socket()).await?;
        let upgrade = tokio::time::timeout(PATIENCE, client_async("ws://localhost/ws", stream));
        let (stream, _) = upgrade.await.context("no upgrade in time")?.context("the upgrade")?;
        let mut tab = Self { stream, seen: VecDeque::new(), welcome: Value::Null };
        tab.send(&hello).await?;
        tab.welcome = tab.next().await?;
        ensure!(tab.welcome["type"] == "welcome", "no welcome: {}", tab.welcome);
        Ok(tab)
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) -> Result<()> {
        Ok(self.stream.send(Message::text(frame.to_string())).await?)
    }

    /// The next frame.
    pub async fn next(&mut self) -> Result<Value> {
        self.next_within(PATIENCE).await
    }

    /// The next frame, which may take this long.
    pub async fn next_within(&mut self, patience: Duration) -> Result<Value> {
        loop {
            let frame = tokio::time::timeout(patience, self.stream.next()).await.context("no frame in time")?;
            match frame.context("the socket ended")?? {
                Message::Text(text) => return serde_json::from_str(&text).with_context(|| text.to_string()),
                Message::Close(reason) => bail!("closed by the node: {reason:?}"),
                Message::Binary(_) => bail!("a binary frame"),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The next frame that `wanted` accepts; the others before it are kept for [`Tab::skipped`].
    pub async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            let frame = self.next().await.with_context(|| format!("waiting for {what}; before it: {:?}", self.seen))?;
            if wanted(&frame) {
                return Ok(frame);
            }
            self.seen.push_back(frame);
        }
    }

    /// The frames that were passed over, oldest first.
    pub fn skipped(&mut self) -> Vec<Value> {
        self.seen.drain(..).collect()
    }

    /// The next message of any author.
    pub async fn message(&mut self) -> Result<Value> {
        let is_message = |frame: &Value| frame["type"] == "message" || frame["type"] == "said";
        Ok(self.find("a message", is_message).await?["message"].clone())
    }

    /// The run that the welcome named, and the highest arrival number it covered.
    pub fn place(&self) -> Result<(String, i64)> {
        let run = self.welcome["run"].as_str().context("run")?;
        Ok((run.to_owned(), self.welcome["arrival"].as_i64().context("arrival")?))
    }
}
