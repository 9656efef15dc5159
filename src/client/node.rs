//! The running node as a command sees it: where it is, what opens it, one request at a time.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::Error;

/// How long a node may take to answer: a disk that is busy needs seconds, a healthy node milliseconds.
const ANSWER_SECONDS_MAX: u64 = 10;

/// Longest answer that is taken, in bytes: the list of more than 30,000 members.
///
/// A member takes less than 1 KiB. Everything else ends earlier: pages of history, hits and exports
/// end at 1 MiB.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest file of a node that is read: `run.json` with the longest path of a socket is far below.
const FILE_BYTES_MAX: u64 = 4096;

/// A running node.
#[derive(Debug)]
pub struct Node {
    pub(super) dir: PathBuf,
    pub(super) run: Run,
    pub(super) token: Zeroizing<String>,
}

/// What `run.json` says, as far as commands need it.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub(super) pid: u32,
    pub(super) socket: PathBuf,
    pub(super) web: Option<String>,
    /// The host of every link; none of a node that is older than this program.
    pub(super) host: Option<String>,
}

impl Node {
    /// Finds the node that runs on `dir`. That it said so does not mean that it still answers.
    pub fn find(dir: Option<&Path>) -> Result<Self, Error> {
        let dir = dir.ok_or(Error::NoPlace)?.to_owned();
        let run = read(&dir, "run.json")?;
        let run = serde_json::from_slice(&run).map_err(|_| Error::Damaged(dir.join("run.json")))?;
        let token = read(&dir, "token")?;
        let token = std::str::from_utf8(&token).ok().map(str::trim).filter(|text| is_token(text));
        let token = Zeroizing::new(token.ok_or_else(|| Error::Damaged(dir.join("token")))?.to_owned());
        Ok(Self { dir, run, token })
    }

    /// A connection to its socket.
    pub(super) async fn connect(&self) -> Result<UnixStream, Error> {
        let path = &self.run.socket;
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NotRunning(self.dir.clone()),
            _ => Error::Unreadable { path: path.clone(), source },
        };
        let stream = UnixStream::connect(path).await.map_err(unreadable)?;
        // The token is for the user's own node, whatever else answers there.
        if stream.peer_cred().map_err(unreadable)?.uid() != geteuid().as_raw() {
            return Err(Error::Untrusted(path.clone()));
        }
        Ok(stream)
    }

    /// Asks for `path`, which may hold a query.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let answer = self.request(Method::GET, path, Bytes::new()).await?;
        serde_json::from_slice(&answer).map_err(|error| Error::Foreign(error.to_string()))
    }

    /// Posts `json` and gives the answer's bytes.
    pub(super) async fn post(&self, path: &str, json: &serde_json::Value) -> Result<Bytes, Error> {
        self.request(Method::POST, path, json.to_string().into()).await
    }

    async fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, Error> {
        let answer = tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), self.exchange(method, path, body));
        let (status, answer) = answer.await.map_err(|_| Error::Silent)??;
        if status.is_success() {
            return Ok(answer);
        }
        let told: Option<Told> = serde_json::from_slice(&answer).ok();
        let message = told.map_or_else(|| format!("the node answers with status {status}"), |told| told.message);
        Err(Error::Refused { status: status.as_u16(), message })
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Error> {
        let broken = |error: hyper::Error| Error::Broken(error.to_string());
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(broken)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, self.authorization())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Error::Foreign(error.to_string()))?;

        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| Error::Broken(error.to_string()))?;
            Ok((head.status, body.to_bytes()))
        };
        // The connection moves the bytes; its own errors reach the exchange too.
        tokio::pin!(exchange);
        tokio::select! {
            done = &mut exchange => done,
            _ = connection => exchange.await,
        }
    }

    /// The value of the header that opens the node, kept out of every log.
    pub(super) fn authorization(&self) -> header::HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", *self.token));
        let mut value = header::HeaderValue::from_str(&text).expect("a token is hex digits");
        value.set_sensitive(true);
        value
    }
}

/// What is of interest in a refusal; its code may be newer than this program.
#[derive(Deserialize)]
struct Told {
    message: String,
}

pub(super) fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads a file that the node wrote. Only the user's own is believed: it names the socket to which the token is sent.
fn read(dir: &Path, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let path = dir.join(name);
    // Without following a link, and without waiting for a pipe: the node makes neither.
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
    // Taken at once: a vector that grows leaves copies of a token behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize + 1));
    opened.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::Damaged(path));
    }
    Ok(bytes)
}
