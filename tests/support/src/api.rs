//! A node's HTTP API over its Unix socket, which is reachable from every network namespace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{Context, Result, Value, ensure, json};

/// How long one answer may take: a frozen node must not freeze the test.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Where a node answers, and the token that opens it.
#[derive(Clone)]
pub struct Api {
    socket: PathBuf,
    token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {:?}", self.body))
    }

    /// The body as JSON, if the status is the expected one.
    pub fn with(&self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "{} instead of {status}: {:?}", self.status, self.body);
        self.json()
    }
}

impl Api {
    pub fn new(socket: PathBuf, token: String) -> Self {
        Self { socket, token }
    }

    /// The Unix socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// GET with the token; anything but 200 is an error.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(self.request(Method::GET, path, None)?).await?.with(200)
    }

    /// POST of JSON with the token.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(self.request(Method::POST, path, Some(body))?).await
    }

    /// A request with the token, to be changed or sent.
    pub fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        Ok(request.body(Full::new(body.map(ToString::to_string).unwrap_or_default().into()))?)
    }

    /// Sends one request over a connection of its own.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer> {
        self.connect().await?.send(request).await
    }

    /// A connection that stays, for many requests one after another.
    pub async fn connect(&self) -> Result<Connection> {
        let stream = UnixStream::connect(&self.socket).await.with_context(|| self.socket.display().to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection { sender })
    }

    /// Says `text` to the room and returns the message, once the node has stored it.
    pub async fn say(&self, text: &str) -> Result<Value> {
        self.post("/api/v1/messages", &json!({ "text": text })).await?.with(201)
    }

    /// The newest messages (at most 500), oldest first.
    pub async fn messages(&self) -> Result<Vec<Value>> {
        list(&self.get("/api/v1/messages?limit=500").await?, "messages")
    }

    /// What the newest messages say, oldest first.
    pub async fn texts(&self) -> Result<Vec<String>> {
        Ok(self.messages().await?.iter().map(|message| text_of(message, "text")).collect())
    }

    /// The notices among the newest of the timeline.
    pub async fn notices(&self) -> Result<Vec<Value>> {
        list(&self.get("/api/v1/messages?limit=500").await?, "notices")
    }

    /// All known members, the own one included.
    pub async fn members(&self) -> Result<Vec<Value>> {
        list(&self.get("/api/v1/members").await?, "members")
    }

    /// One member.
    pub async fn member(&self, id: &str) -> Result<Value> {
        let members = self.members().await?;
        members.into_iter().find(|member| member["id"] == id).with_context(|| format!("no member {id}"))
    }

    /// That exactly these others are online with a link of their own.
    pub async fn sees_exactly(&self, others: &[&str]) -> Result<()> {
        let members = self.members().await?;
        let there =
            |member: &&Value| member["self"] == false && member["state"] == "online" && member["direct"] == true;
        let mut online: Vec<String> = members.iter().filter(there).map(|member| text_of(member, "id")).collect();
        let mut expected: Vec<&str> = others.to_vec();
        online.sort_unstable();
        expected.sort_unstable();
        ensure!(online == expected, "online are {online:?} instead of {expected:?}; members: {members:?}");
        Ok(())
    }

    /// That this member is in this state.
    pub async fn sees_state(&self, id: &str, state: &str) -> Result<()> {
        let member = self.member(id).await?;
        ensure!(member["state"] == state, "{} is {} instead of {state}", member["name"], member["state"]);
        Ok(())
    }

    /// How many notices of this kind there are about this member.
    pub async fn notice_count(&self, kind: &str, member: &str) -> Result<usize> {
        let notices = self.notices().await?;
        Ok(notices.iter().filter(|notice| notice["kind"] == kind && notice["member"] == member).count())
    }
}

/// A connection over which requests go one after another.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Sends one request and reads the whole answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, async {
            self.sender.ready().await?;
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        });
        answer.await.context("no answer in time")?
    }
}

/// The string in a field, or nothing.
pub fn text_of(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn list(answer: &Value, field: &str) -> Result<Vec<Value>> {
    Ok(answer[field].as_array().with_context(|| format!("no {field} in {answer}"))?.clone())
}
