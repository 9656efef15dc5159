//! Clients without a token on a real node: they learn nothing. However many and slow they are, they
//! use few descriptors and delay no other client.

use std::process::Command;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use support::api::text_of;
use support::lab::Lab;
use support::node::Node;
use support::socket::Tab;
use support::wait::{PATIENCE, until};
use support::{Context, Result, ensure};

/// Every address of the page, and of its data; an ID stands for one that is there.
const PATHS: [&str; 16] = [
    "/",
    "/healthz",
    "/ws",
    "/api/v1/node",
    "/api/v1/members",
    "/api/v1/members/ID/safety",
    "/api/v1/members/ID/mark",
    "/api/v1/messages",
    "/api/v1/messages/ID/held",
    "/api/v1/peers",
    "/api/v1/search?q=among",
    "/api/v1/export?direct=1",
    "/api/v1/doctor",
    "/api/v1/stop",
    "/api/v1/token/rotate",
    "/no/such/path",
];

/// Slow connections.
const SLOW: usize = 500;

/// Additional descriptors: the page's connections that a node allows (`src/proto/limits`), those
/// just being closed, and other files on a busy machine. Still fewer than the slow connections.
const FILES_MORE_MAX: usize = 128 + 72;

/// The port of a node's page.
fn port(node: &Node) -> Result<u16> {
    Ok(node.web()?.split(['/', ':']).nth(4).context("a port")?.parse()?)
}

/// Sends a request as it is, and gives the whole answer, its head included.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<String> {
    // It may be refused before all was sent.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.context("no answer in time")??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn without_token_nothing_is_revealed() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("xanthippe").host("127.0.0.1").start()?;
    let ben = lab.node("euphrosyne").host("127.0.0.2").start()?;
    until("the two have met", async || super::all_met(&[&anna, &ben]).await).await?;
    let said = anna.api.say("a word among us").await?;
    let node = anna.api.get("/api/v1/node").await?;
    let mut secrets = vec![anna.api.token().to_owned(), lab.room().to_owned(), "among us".to_owned()];
    secrets.extend([text_of(&node, "version"), text_of(&node, "data_dir"), text_of(&said, "id")]);
    for node in [&anna, &ben] {
        let short = text_of(&anna.api.member(node.id()).await?, "short");
        secrets.extend([node.name().to_owned(), node.id().to_owned(), short]);
    }
    let shell = ask(TcpStream::connect(("127.0.0.1", port(&anna)?)).await?, &request("GET", "/", "")).await?;
    let mut paths: Vec<String> = PATHS.iter().map(|path| path.replace("ID", ben.id())).collect();
    paths.extend(shell.split('"').filter(|text| text.starts_with("/static/")).map(str::to_owned));
    ensure!(paths.len() > PATHS.len() + 2, "no parts in {shell}");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (most, last) = anna.api.token().split_at(63);
    let near = format!("Authorization: Bearer {most}{}\r\n", if last == "0" { "1" } else { "0" });
    let ways = ["", "Authorization: Basic x\r\n", &near, "Origin: http://evil.example\r\n", "Host: evil.example\r\n"];
    for path in &paths {
        for method in ["GET", "POST", "OPTIONS"] {
            // A wrong token takes its time, whatever is asked.
            let many = if method == "GET" { ways.len() } else { 1 };
            for (number, more) in ways.into_iter().enumerate().take(many) {
                let request = request(method, path, more);
                let answer = match number % 2 {
                    0 => ask(TcpStream::connect(("127.0.0.1", port(&anna)?)).await?, &request).await?,
                    _ => ask(UnixStream::connect(anna.api.socket()).await?, &request).await?,
                };
                tells_none(&secrets, &answer).with_context(|| format!("{method} {path} {more}"))?;
                let is_open = path == "/" || path == "/healthz" || path.starts_with("/static/");
                let expected: &[&str] = match (number, is_open, method) {
                    (3, ..) => &["403"],
                    (4, ..) => &["400"],
                    (_, true, "GET") => &["200"],
                    (_, true, _) => &["405"],
                    _ => &["401"],
                };
                let status = answer.split(' ').nth(1).unwrap_or_default();
                ensure!(expected.contains(&status), "{method} {path} {more}: {status}");
                let is_asked_for = answer.to_lowercase().contains("www-authenticate: bearer\r\n");
                ensure!(is_asked_for == (status == "401"), "{method} {path}: {answer}");
            }
        }
    }
    // A WebSocket is opened for any client, and closed again without a token.
    let request = request("GET", "/ws", upgrade).replace("Connection: close\r\n", "");
    let answer = ask(TcpStream::connect(("127.0.0.1", port(&anna)?)).await?, &request).await?;
    ensure!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    tells_none(&secrets, &answer)
}

fn request(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
}

fn tells_none(secrets: &[String], answer: &str) -> Result<()> {
    ensure!(!answer.is_empty() && secrets.iter().all(|secret| secret.len() > 4), "nothing to look at");
    let told = secrets.iter().find(|secret| answer.to_lowercase().contains(&secret.to_lowercase()));
    ensure!(told.is_none(), "{told:?} is told: {}", &answer[..answer.len().min(2_000)]);
    Ok(())
}

/// How many files a node has open.
fn files(node: &Node) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", node.pid()))?.count())
}

#[tokio::test]
async fn slow_connections_make_room_and_cost_few_files() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let port = port(&anna)?;
    anna.api.say("before").await?;
    let before = files(&anna)?;
    let head = "POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n";
    let wrong = format!("{head}Authorization: Bearer {}\r\n\r\n{{", "0".repeat(64));
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        // Endless headers; a body that never arrives, without a token and with a wrong one; answers
        // that are never read.
        let begun = match number % 4 {
            0 => "GET / HTTP/1.1\r\nHost: local",
            1 => &format!("{head}\r\n{{"),
            2 => &wrong,
            _ => &"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500),
        };
        // It may have been displaced already.
        let _ = stream.write_all(begun.as_bytes()).await;
        slow.push(stream);
        if slow.len().is_multiple_of(50) {
            let answer = ask(TcpStream::connect(("127.0.0.1", port)).await?, &request("GET", "/healthz", "")).await?;
            ensure!(answer.ends_with("\r\n\r\nok"), "{answer:?} behind {} slow ones", slow.len());
            anna.api.get("/api/v1/node").await?;
            let more = files(&anna)?.saturating_sub(before);
            ensure!(more <= FILES_MORE_MAX, "{more} files more than before, behind {} slow ones", slow.len());
        }
    }
    for mut stream in slow {
        // Closed or reset, both are an end.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.context("still open")?;
    }
    until("its files are as few as before", async || {
        let now = files(&anna)?;
        ensure!(now <= before + 2, "{now} files, {before} before");
        Ok(())
    })
    .await
}

/// Lets a node have so many files at once, from now on.
fn limit_files(node: &Node, most: usize) -> Result<()> {
    let limit = format!("--nofile={most}:");
    let done = Command::new("prlimit").args(["--pid", &node.pid().to_string(), &limit]).output()?;
    ensure!(done.status.success(), "{done:?}");
    Ok(())
}

#[tokio::test]
async fn node_out_of_descriptors_recovers() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("the two have met", async || super::all_met(&[&anna, &ben]).await).await?;
    let mut tab = Tab::open(&anna.api).await?;
    let mesh = anna.ready["tcp"][0].as_str().context("an address")?;

    limit_files(&anna, files(&anna)?)?;
    // What is still free, connections take.
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(TcpStream::connect(mesh).await?);
        waiting.push(TcpStream::connect(("127.0.0.1", port(&anna)?)).await?);
    }
    let told = ["a connection could not be accepted", "a connection to the page could not be accepted"];
    until("it says that it can't accept", async || {
        let said = anna.said();
        ensure!(told.iter().all(|words| said.contains(words)), "{said}");
        Ok(())
    })
    .await?;
    ben.api.say("over the link that is there").await?;
    let heard = tab.find("ben's message", |frame| frame["message"]["text"] == "over the link that is there").await?;
    ensure!(heard["type"] == "message", "{heard}");

    limit_files(&anna, 1_024)?;
    // They are kept until they time out, and a new client is served meanwhile.
    let cleo = lab.node("cleo").host("127.0.0.3").start()?;
    until("a newcomer is in", async || super::all_met(&[&anna, &ben, &cleo]).await).await?;
    anna.api.say("all is well").await?;
    drop(waiting);
    let said = anna.said();
    for words in told {
        ensure!(said.matches(words).count() == 1, "{said}");
    }
    ensure!(!said.contains("os error"), "a number tells nobody anything: {said}");
    Ok(())
}
