//! A scripted API of a node on a real Unix socket.

use std::collections::HashMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::ws::{Message as WsMessage, WebSocketUpgrade};
use axum::extract::{FromRequest as _, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::broadcast;

pub(crate) const TOKEN: &str = "abababababababababababababababababababababababababababababababab";

/// Written after the welcome, or told to close.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Text(Value),
    Close,
}

#[derive(Clone)]
pub(crate) struct Fake {
    dir: Arc<TempDir>,
    pub(crate) state: Arc<Mutex<Answers>>,
    pub(crate) frames: broadcast::Sender<Frame>,
}

/// What it answers, and what it was asked.
pub(crate) struct Answers {
    pub(crate) members: Value,
    /// In timeline and arrival order alike; the arrival is the position plus 1.
    pub(crate) messages: Vec<Value>,
    pub(crate) posts: Vec<Value>,
    /// What was asked to be changed: the path and the body.
    pub(crate) changes: Vec<(String, Value)>,
    /// So many answers to a POST break off.
    pub(crate) breaks: usize,
    /// Run at a stop.
    pub(crate) on_stop: Option<Box<dyn FnOnce() + Send>>,
}

impl Fake {
    /// Serves in a data directory of its own, as process `pid`.
    pub(crate) async fn start(web: Option<&str>, pid: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("page.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let run = json!({"pid": pid, "socket": socket, "web": web, "started": "2026-11-22T14:05:00.123Z"});
        for (name, text) in [("run.json", run.to_string()), ("token", format!("{TOKEN}\n"))] {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        }
        let answers = Answers {
            members: json!([]),
            messages: Vec::new(),
            posts: Vec::new(),
            changes: Vec::new(),
            breaks: 0,
            on_stop: None,
        };
        let fake =
            Self { dir: Arc::new(dir), state: Arc::new(Mutex::new(answers)), frames: broadcast::channel(4096).0 };
        let router = Router::new()
            .route("/api/v1/members", get(members))
            .route("/api/v1/messages", get(messages).post(say))
            .route("/api/v1/messages/find", get(find))
            .route("/api/v1/messages/{id}/{verb}", post(change))
            .route("/api/v1/status", post(status))
            .route("/api/v1/search", get(search))
            .route("/api/v1/token/rotate", post(|| async { Json(json!({"token": "cd".repeat(32)})) }))
            .route("/api/v1/stop", post(stop))
            .route("/ws", any(socket_of))
            .layer(axum::middleware::from_fn(check))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Returns when so many sockets are open.
    pub(crate) async fn until_listeners(&self, count: usize) {
        while self.frames.receiver_count() != count {
            tokio::task::yield_now().await;
        }
    }

    /// Adds a message of `name` and tells those who listen.
    pub(crate) fn arrive(&self, name: &str, text: &str) {
        self.arrive_from(&"0".repeat(64), name, text);
    }

    /// The same, with the full id of its author.
    pub(crate) fn arrive_from(&self, author: &str, name: &str, text: &str) {
        let mut state = self.state.lock().unwrap();
        let arrival = state.messages.len() + 1;
        let mut message = message(arrival, name, text);
        message["author"] = author.into();
        state.messages.push(message.clone());
        _ = self.frames.send(Frame::Text(json!({"type": "message", "message": message})));
    }
}

/// A Message with every field of the contract.
pub(crate) fn message(arrival: usize, name: &str, text: &str) -> Value {
    json!({
        "id": format!("{arrival:064x}"), "author": "0".repeat(64), "name": name, "time": "2026-11-22T14:05:00.123Z", "kind": "say",
        "channel": "general", "to": null, "text": text, "spans": [{"type": "text", "text": text}], "reply_to": null,
        "held_by": null, "of": null, "order": format!("{arrival:0112x}"), "arrival": arrival,
        "reply": null, "edited": null, "deleted": false, "mentions": [], "reactions": [], "files": [],
    })
}

/// A Member with every field of the contract.
pub(crate) fn member(id: &str, short: &str, name: &str) -> Value {
    json!({
        "id": id, "short": short, "name": name, "state": "online", "self": false, "addresses": ["192.0.2.7"],
        "since": "2026-11-22T14:05:00.123Z", "direct": true, "via": null, "clock_error_ms": null, "verified": false,
        "muted": false, "blocked": false, "forked": false, "status": null,
        "bytes": 0, "closed": null,
    })
}

async fn check(headers: HeaderMap, request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let authorized = headers.get("authorization").is_some_and(|value| value == &format!("Bearer {TOKEN}"));
    let host = headers.get("host").is_some_and(|value| value == "localhost");
    if authorized && host {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, Json(json!({"error": "unauthorized", "message": "Wrong token."}))).into_response()
}

async fn members(State(fake): State<Fake>) -> Json<Value> {
    Json(json!({"members": fake.state.lock().unwrap().members}))
}

async fn messages(State(fake): State<Fake>, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let number = |key: &str| {
        query.get(key).and_then(|text| usize::from_str_radix(text, if key == "before" { 16 } else { 10 }).ok())
    };
    let state = fake.state.lock().unwrap();
    let all = &state.messages;
    let limit = number("limit").unwrap_or(100);
    assert!((1..=500).contains(&limit), "limit {limit}");
    // As a node does where the messages are long.
    let limit = limit.min(200);
    let (start, end) = match (number("since"), number("before")) {
        (Some(since), None) => (since, all.len().min(since + limit)),
        (None, before) => {
            let end = before.map_or(all.len(), |before| before - 1);
            (end.saturating_sub(limit), end)
        }
        (Some(_), Some(_)) => panic!("both"),
    };
    let before = if start > 0 { all.get(start).map(|message| message["order"].clone()) } else { None };
    let mut messages = all[start.min(end)..end].to_vec();
    let arrival = query.contains_key("since").then_some(end);
    if arrival.is_some() && start > 0 {
        // As a node does for a message that changed since.
        messages.insert(0, all[0].clone());
    }
    Json(json!({"messages": messages, "notices": [], "before": before, "after": "0", "arrival": arrival}))
}

/// Finds every message.
async fn search(State(fake): State<Fake>) -> Json<Value> {
    let state = fake.state.lock().unwrap();
    let hits = state.messages.iter().rev().map(|message| json!({"message": message, "ranges": []}));
    Json(json!({"hits": hits.collect::<Vec<_>>()}))
}

/// One message, or one on each line.
async fn say(State(fake): State<Fake>, request: axum::extract::Request) -> Response {
    if request.headers()["content-type"] == "application/x-ndjson" {
        return say_lines(fake, request.into_body());
    }
    match Json::<Value>::from_request(request, &()).await {
        Ok(Json(body)) => say_one(&fake, body),
        Err(error) => error.into_response(),
    }
}

/// Answers each line as it comes, but for the one at which the answer breaks off.
fn say_lines(fake: Fake, body: Body) -> Response {
    let answers = futures::stream::unfold((body.into_data_stream(), Vec::new()), move |(mut body, mut begun)| {
        let fake = fake.clone();
        async move {
            let end = loop {
                if let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                    break end;
                }
                begun.extend_from_slice(&body.next().await?.ok()?);
            };
            let line: Vec<u8> = begun.drain(..=end).collect();
            let line: Value = serde_json::from_slice(&line).unwrap();
            let mut state = fake.state.lock().unwrap();
            state.posts.push(line.clone());
            let is_cut = ["break", "rotate"].iter().any(|word| line["text"] == *word) && state.breaks > 0;
            state.breaks -= usize::from(is_cut);
            let answer = if is_cut && line["text"] == "break" {
                Err(std::io::Error::other("cut"))
            } else if is_cut {
                Ok("{\"error\":\"unauthorized\",\"message\":\"The token changed.\"}\n".to_owned())
            } else if line["text"] == "bad" {
                Ok("{\"error\":\"not_text\",\"message\":\"Bad.\"}\n".to_owned())
            } else {
                Ok(format!("{{\"id\":\"{:064x}\",\"arrival\":{}}}\n", state.posts.len(), state.posts.len()))
            };
            drop(state);
            Some((answer, (body, begun)))
        }
    });
    Body::from_stream(answers).into_response()
}

fn say_one(fake: &Fake, body: Value) -> Response {
    let mut state = fake.state.lock().unwrap();
    let text = body["text"].as_str().unwrap().to_owned();
    let known = state.posts.iter().position(|post| post["ref"] == body["ref"]);
    state.posts.push(body);
    if state.breaks > 0 {
        state.breaks -= 1;
        let broken = futures::stream::once(async { Err::<&str, _>(std::io::Error::other("cut")) });
        return (StatusCode::CREATED, Body::from_stream(broken)).into_response();
    }
    if text.trim().is_empty() {
        let refusal = json!({"error": "empty", "message": "There is nothing to say in it."});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(refusal)).into_response();
    }
    let status = if known.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let mut said = message(1, "Me", &text);
    said["held_by"] = 0.into();
    said["of"] = 2.into();
    (status, Json(said)).into_response()
}

/// Finds by the end of an id; the last message is the newest.
async fn find(State(fake): State<Fake>, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let ids = fake.state.lock().unwrap().messages.iter().map(|message| message["id"].clone()).collect::<Vec<_>>();
    let found: Vec<_> = match query["id"].as_str() {
        "last" => ids.last().cloned().into_iter().collect(),
        part => ids.into_iter().filter(|id| id.as_str().unwrap().ends_with(part)).collect(),
    };
    Json(json!({"ids": found}))
}

async fn change(
    State(fake): State<Fake>,
    Path((id, verb)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Response {
    let mut state = fake.state.lock().unwrap();
    state.changes.push((format!("{id}/{verb}"), body));
    match state.messages.iter().find(|message| message["id"] == *id) {
        Some(message) => Json(message.clone()).into_response(),
        None => {
            let refusal = json!({"error": "no_such_message", "message": "This message isn’t here."});
            (StatusCode::NOT_FOUND, Json(refusal)).into_response()
        }
    }
}

async fn status(State(fake): State<Fake>, Json(body): Json<Value>) -> Json<Value> {
    fake.state.lock().unwrap().changes.push(("status".to_owned(), body));
    Json(json!({}))
}

async fn stop(State(fake): State<Fake>) -> StatusCode {
    let on_stop = fake.state.lock().unwrap().on_stop.take();
    on_stop.into_iter().for_each(|act| act());
    StatusCode::ACCEPTED
}

async fn socket_of(State(fake): State<Fake>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        let hello = socket.recv().await.unwrap().unwrap();
        assert_eq!(hello.to_text().unwrap(), r#"{"type":"hello"}"#);
        let mut frames = fake.frames.subscribe();
        let (arrival, members) = {
            let state = fake.state.lock().unwrap();
            (state.messages.len(), state.members.clone())
        };
        let welcome = json!({"type": "welcome", "arrival": arrival, "members": members, "later": "unknown"});
        socket.send(WsMessage::text(welcome.to_string())).await.unwrap();
        while let Ok(Frame::Text(frame)) = frames.recv().await {
            if socket.send(WsMessage::text(frame.to_string())).await.is_err() {
                return;
            }
        }
    })
}
