//! A client of the running node: finds it, authenticates, and sends one request at a time.

use std::convert::Infallible;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::Error;
use crate::config::{CONFIG_BYTES_MAX, Setting};

/// Timeout of an answer, in seconds: a busy disk needs seconds, a healthy node milliseconds.
const ANSWER_SECONDS_MAX: u64 = 10;

/// Longest answer, in bytes: the list of more than 30,000 members.
///
/// A member takes less than 1 KiB. Pages of history, hits and exports end at 1 MiB.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest file of a node, in bytes: `run.json` with settings as long as a configuration file,
/// whose texts are escaped.
const FILE_BYTES_MAX: u64 = 4 * CONFIG_BYTES_MAX;

/// A running node.
#[derive(Debug)]
pub struct NodeClient {
    pub(super) dir: PathBuf,
    pub(super) run: RunInfo,
    pub(super) token: Zeroizing<String>,
}

/// The fields of `run.json` that commands need.
#[derive(Debug, Deserialize)]
pub(super) struct RunInfo {
    pub(super) pid: u32,
    pub(super) socket: PathBuf,
    pub(super) web: Option<String>,
    /// The host of every link. None for a node that is older than this program.
    pub(super) host: Option<String>,
    /// The settings in force. Empty for a node that is older than this program.
    #[serde(default)]
    pub(super) settings: Vec<Setting>,
}

impl NodeClient {
    /// Finds the node that runs on `dir`. It may have ended since it wrote its files.
    pub fn find(dir: Option<&Path>) -> Result<Self, Error> {
        let dir = dir.ok_or(Error::NoPlace)?.to_owned();
        let run = read(&dir, "run.json")?;
        let run = serde_json::from_slice(&run).map_err(|_| Error::Damaged(dir.join("run.json")))?;
        let token = read(&dir, "token")?;
        let token = std::str::from_utf8(&token).ok().map(str::trim).filter(|text| is_token(text));
        let token = Zeroizing::new(token.ok_or_else(|| Error::Damaged(dir.join("token")))?.to_owned());
        Ok(Self { dir, run, token })
    }

    /// Connects to the node's socket.
    pub(super) async fn connect(&self) -> Result<UnixStream, Error> {
        let path = &self.run.socket;
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NotRunning(self.dir.clone()),
            _ => Error::Unreadable { path: path.clone(), source },
        };
        let stream = UnixStream::connect(path).await.map_err(unreadable)?;
        // Another user's program on the socket must not get the token.
        if stream.peer_cred().map_err(unreadable)?.uid() != geteuid().as_raw() {
            return Err(Error::Untrusted(path.clone()));
        }
        Ok(stream)
    }

    /// Gets `path`, which may have a query.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let answer = self.request(Method::GET, path, Bytes::new()).await?;
        serde_json::from_slice(&answer).map_err(|error| Error::Foreign(error.to_string()))
    }

    /// Posts `json` and returns the answer's bytes.
    pub(super) async fn post(&self, path: &str, json: &serde_json::Value) -> Result<Bytes, Error> {
        self.request(Method::POST, path, json.to_string().into()).await
    }

    async fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, Error> {
        let answer = tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), self.exchange(method, path, body));
        let (status, answer) = answer.await.map_err(|_| Error::Silent)??;
        if status.is_success() {
            return Ok(answer);
        }
        Err(refused(status, &answer))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Error> {
        let broken = |error: hyper::Error| Error::Broken(error.to_string());
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(broken)?;
        let request = self.build(method, path, "application/json", Full::new(body))?;

        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| Error::Broken(error.to_string()))?;
            Ok((head.status, body.to_bytes()))
        };
        // This task moves the bytes; its errors also reach the exchange.
        tokio::pin!(exchange);
        tokio::select! {
            done = &mut exchange => done,
            _ = connection => exchange.await,
        }
    }

    /// Posts a body that is sent while the answer is read. Returns the answer's body once it
    /// begins, however long that takes.
    pub(super) async fn post_stream<B>(&self, path: &str, media_type: &str, body: B) -> Result<Incoming, Error>
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        let request = self.build(Method::POST, path, media_type, body)?;
        self.stream(request).await
    }

    /// Gets `path`. Returns the answer's body once it begins.
    pub(super) async fn get_stream(&self, path: &str) -> Result<Incoming, Error> {
        let request = self.build(Method::GET, path, "application/json", Full::new(Bytes::new()))?;
        self.stream(request).await
    }

    async fn stream<B>(&self, request: Request<B>) -> Result<Incoming, Error>
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        let broken = |error: hyper::Error| Error::Broken(error.to_string());
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(broken)?;
        // Its errors also reach the answer.
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Error::Broken(error.to_string()))?;
        Err(refused(head.status, &body.to_bytes()))
    }

    fn build<B>(&self, method: Method, path: &str, media_type: &str, body: B) -> Result<Request<B>, Error> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, self.authorization())
            .header(header::CONTENT_TYPE, media_type)
            .body(body)
            .map_err(|error| Error::Foreign(error.to_string()))
    }

    /// Returns the value of the Authorization header, marked as sensitive.
    pub(super) fn authorization(&self) -> header::HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", *self.token));
        let mut value = header::HeaderValue::from_str(&text).expect("a token is hex digits");
        value.set_sensitive(true);
        value
    }
}

fn refused(status: StatusCode, answer: &[u8]) -> Error {
    let told: Option<Told> = serde_json::from_slice(answer).ok();
    let message = told.map_or_else(|| format!("the node answers with status {status}"), |told| told.message);
    Error::Refused { status: status.as_u16(), message }
}

/// The used field of a refusal. Its code may be newer than this program.
#[derive(Deserialize)]
struct Told {
    message: String,
}

pub(super) fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads a file of the node. It must belong to the user, since it names the socket to which the
/// token is sent.
fn read(dir: &Path, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let path = dir.join(name);
    // The node makes neither links nor pipes, so links are not followed and pipes are not waited
    // for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::NotRunning(dir.to_owned()),
        _ => Error::Unreadable { path: path.clone(), source },
    };
    let metadata = match &opened {
        Ok(file) => file.metadata(),
        Err(_) => fs::symlink_metadata(&path),
    };
    let metadata = metadata.map_err(unreadable)?;
    if !metadata.is_file() || metadata.mode() & 0o022 != 0 || metadata.uid() != geteuid().as_raw() {
        return Err(Error::Untrusted(path));
    }
    // Allocated once: a vector that grows would leave copies of a token behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize + 1));
    opened.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::Damaged(path));
    }
    Ok(bytes)
}
