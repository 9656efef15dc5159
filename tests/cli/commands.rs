//! The client commands: their requests to a node, and their output for its answers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::{block_in_place, spawn_blocking};

use super::fake::{Fake, Frame, TOKEN, member, message};
use super::{Ended, roomful};

/// Runs a command on the data directory `dir`, with `input` to read.
pub(crate) async fn ask(dir: &Path, arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = roomful(arguments);
    command.arg("--data-dir").arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_vec();
    let wait = move || {
        let mut child = command.spawn().unwrap();
        // It may have ended without reading.
        _ = child.stdin.take().unwrap().write_all(&input);
        Ended::from(child.wait_with_output().unwrap())
    };
    spawn_blocking(wait).await.unwrap()
}

pub(crate) fn ok(out: &str) -> Ended {
    Ended { status: 0, out: out.to_owned(), err: String::new() }
}

#[track_caller]
pub(crate) fn failed(ended: &Ended, part: &str) {
    assert_eq!((ended.status, ended.err.lines().count() <= 2), (1, true), "{ended:?}");
    assert!(ended.err.contains(part), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn link_is_local_or_forwarded() {
    let node = Fake::start(Some("http://127.0.0.1:7680/"), 1).await;
    assert_eq!(ask(&node.path(), &["url"], b"").await, ok(&format!("http://127.0.0.1:7680/#token={TOKEN}\n")));
    let forwarded = ask(&node.path(), &["url", "--port", "9000"], b"").await;
    assert_eq!(forwarded, ok(&format!("http://127.0.0.1:9000/#token={TOKEN}\n")));
    let rotated = ask(&node.path(), &["url", "--rotate"], b"").await;
    assert_eq!(rotated, ok(&format!("http://127.0.0.1:7680/#token={}\n", "cd".repeat(32))));

    let node = Fake::start(None, 1).await;
    let socket = node.path().join("page.sock");
    failed(&ask(&node.path(), &["url"], b"").await, &format!("ssh -L 9000:{}", socket.display()));
    let forwarded = ask(&node.path(), &["url", "--port", "9000"], b"").await;
    assert_eq!(forwarded, ok(&format!("http://127.0.0.1:9000/#token={TOKEN}\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_text_is_as_typed() {
    let node = Fake::start(None, 1).await;
    assert_eq!(ask(&node.path(), &["send", "/exit"], b"not read").await, ok(""));
    assert_eq!(ask(&node.path(), &["send", "--channel", " dev "], "Zoë\n\n".as_bytes()).await, ok(""));
    let printed = ask(&node.path(), &["send", "--json", "-"], b"x").await;
    let mut expected = message(1, "Me", "x");
    expected["held_by"] = 0.into();
    expected["of"] = 2.into();
    assert_eq!(serde_json::from_str::<Value>(&printed.out).unwrap(), expected);
    assert!(printed.out.starts_with(r#"{"id":""#) && printed.out.ends_with("\"files\":[]}\n"), "{}", printed.out);

    let posts = node.state.lock().unwrap().posts.clone();
    let said: Vec<_> = posts.iter().map(|post| (post["text"].as_str().unwrap(), post["channel"].as_str())).collect();
    assert_eq!(said, [("/exit", None), ("Zoë\n", Some("dev")), ("x", None)]);
    assert_ne!(posts[0]["ref"], posts[1]["ref"]);

    failed(&ask(&node.path(), &["send"], b"\n").await, "There is nothing to say in it.");
    failed(&ask(&node.path(), &["send"], b"\xff").await, "not UTF-8");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answer_causes_no_second_message() {
    let node = Fake::start(None, 1).await;
    node.state.lock().unwrap().breaks = 1;
    assert_eq!(ask(&node.path(), &["send", "x"], b"").await, ok(""));
    let posts = node.state.lock().unwrap().posts.clone();
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0], posts[1], "with the same ref");
    node.state.lock().unwrap().breaks = 2;
    failed(&ask(&node.path(), &["send", "x"], b"").await, "was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed_and_resolved() {
    let node = Fake::start(None, 1).await;
    let id = |part: &str| part.repeat(8);
    let mut all = [member(&id("01234567"), "aaaaaaaa", "Me"), member(&id("89abcdef"), "bbbbbbbb", "A\u{1b}[2J")];
    all[0]["self"] = true.into();
    node.state.lock().unwrap().members = json!(all);
    let table = ask(&node.path(), &["members"], b"").await;
    let expected = "\
NAME      ID        ADDRESSES  STATE   SINCE
Me (you)  aaaaaaaa  192.0.2.7  online  2026-11-22 14:05:00
A␛[2J     bbbbbbbb  192.0.2.7  online  2026-11-22 14:05:00
";
    assert_eq!(table, ok(expected));
    let lines = ask(&node.path(), &["members", "--json"], b"").await.out;
    let parsed: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parsed, all);

    assert_eq!(ask(&node.path(), &["send", "--to", "89AB", "x"], b"").await, ok(""));
    assert_eq!(node.state.lock().unwrap().posts[0]["to"], "89abcdef".repeat(8));
    failed(&ask(&node.path(), &["send", "--to", "Bo", "x"], b"").await, "no member is called Bo");
    assert_eq!(node.state.lock().unwrap().posts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_the_first_receipt() {
    let node = Fake::start(None, 1).await;
    let frames = node.frames.clone();
    let waiting = tokio::spawn({
        let dir = node.path();
        async move { ask(&dir, &["send", "--wait", "--json", "x"], b"").await }
    });
    while node.state.lock().unwrap().posts.is_empty() {
        tokio::task::yield_now().await;
    }
    let held =
        |id: usize, by: u64| Frame::Text(json!({"type": "held", "id": format!("{id:064x}"), "held_by": by, "of": 2}));
    frames.send(held(2, 1)).unwrap();
    frames.send(Frame::Text(json!({"type": "beat", "arrival": 7}))).unwrap();
    frames.send(held(1, 1)).unwrap();
    let ended = waiting.await.unwrap();
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    assert_eq!(serde_json::from_str::<Value>(&ended.out).unwrap()["held_by"], 1);

    let late = ask(&node.path(), &["send", "--wait", "--timeout", "1", "x"], b"").await;
    failed(&late, "no other member received the message within 1 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_messages_come_oldest_first() {
    let node = Fake::start(None, 1).await;
    (1..=1203).for_each(|number| node.arrive("Ana", &format!("{number}")));
    let line = |number: usize| format!("2026-11-22 14:05:00 Ana: {number}\n");
    let ten: String = (1194..=1203).map(line).collect();
    assert_eq!(ask(&node.path(), &["tail"], b"").await, ok(&ten));
    for (asked, begin) in [("1101", 103), ("1203", 1), ("9999", 1), ("500", 704)] {
        let all: String = (begin..=1203).map(line).collect();
        assert_eq!(ask(&node.path(), &["tail", "-n", asked], b"").await, ok(&all), "{asked}");
    }
    assert_eq!(ask(&node.path(), &["tail", "-n", "0"], b"").await, ok(""));
    let printed = ask(&node.path(), &["tail", "-n1", "--json"], b"").await.out;
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), message(1203, "Ana", "1203"));
}

fn follow(dir: &Path) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = roomful(&["tail", "-n", "2", "--follow", "--data-dir"]);
    let mut child = command.arg(dir).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map(|line| line.unwrap().rsplit(' ').next().unwrap().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn following_misses_nothing_and_doubles_nothing() {
    let node = Fake::start(None, 1).await;
    (1..=3).for_each(|number| node.arrive("Ana", &format!("{number}")));
    let (child, mut lines) = follow(&node.path());
    let mut read = |count: usize| block_in_place(|| lines.by_ref().take(count).collect::<Vec<String>>());
    assert_eq!(read(2), ["2", "3"]);
    (4..=1100).for_each(|number| node.arrive("Ana", &format!("{number}")));
    let expected: Vec<String> = (4..=1100).map(|number| number.to_string()).collect();
    assert_eq!(read(1097), expected);

    // The node closes the connection, as it does for a slow client; the command resumes.
    node.frames.send(Frame::Close).unwrap();
    node.until_listeners(0).await;
    node.arrive("Ana", "1101");
    assert_eq!(read(1), ["1101"]);

    node.until_listeners(1).await;
    node.frames.send(Frame::Text(json!({"type": "stopping"}))).unwrap();
    assert_eq!(read(1), [] as [&str; 0]);
    let ended = spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "roomful: the node has stopped\n");
}

/// Full ids, and what is shown of them.
const ANA: (&str, &str) = ("abababababababababababababababababababababababababababababababab", "vov2xk5l");
const OTHER: (&str, &str) = ("cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd", "zxg43ton");
const BO: (&str, &str) = ("efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "57x6737p");

#[tokio::test(flavor = "multi_thread")]
async fn authors_with_similar_names_show_their_ids() {
    let node = Fake::start(None, 1).await;
    let members = [(ANA, "Ana"), (OTHER, "\u{410}na"), (BO, "Bo")];
    let members = members.map(|((id, short), name)| member(id, short, name));
    node.state.lock().unwrap().members = json!(members);
    node.arrive_from(ANA.0, "Ana", "one");
    node.arrive_from(OTHER.0, "\u{410}na", "two");
    node.arrive_from(BO.0, "Bo", "three");
    let lines = ["Ana (vov2xk5l): one", "\u{410}na (zxg43ton): two", "Bo: three"];
    let lines = lines.map(|line| format!("2026-11-22 14:05:00 {line}\n"));
    assert_eq!(ask(&node.path(), &["tail"], b"").await, ok(&lines.concat()));
    let newest_first: String = lines.iter().rev().map(String::as_str).collect();
    assert_eq!(ask(&node.path(), &["search", "x"], b"").await, ok(&newest_first));
    assert!(!ask(&node.path(), &["tail", "--json"], b"").await.out.contains("vov2xk5l"));

    // The author's name then, which another member has now.
    node.arrive_from(BO.0, "Cleo", "four");
    node.state.lock().unwrap().members = json!([member(BO.0, BO.1, "Bo"), member(ANA.0, ANA.1, "Cleo")]);
    for command in [&["tail", "-n", "1"][..], &["search", "x"]] {
        let printed = ask(&node.path(), command, b"").await.out;
        assert!(printed.starts_with("2026-11-22 14:05:00 Cleo (57x6737p): four\n"), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn following_shows_ids_once_a_namesake_appears() {
    let node = Fake::start(None, 1).await;
    node.state.lock().unwrap().members = json!([member(ANA.0, ANA.1, "Ana")]);
    node.arrive_from(ANA.0, "Ana", "alone");
    let mut command = roomful(&["tail", "--follow", "--data-dir"]);
    let mut child = command.arg(node.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut read = || block_in_place(|| lines.next().unwrap().unwrap().split_off("2026-11-22 14:05:00 ".len()));
    assert_eq!(read(), "Ana: alone");
    node.frames.send(Frame::Text(json!({"type": "member", "member": member(OTHER.0, OTHER.1, "ANA")}))).unwrap();
    node.arrive_from(ANA.0, "Ana", "before the other spoke");
    assert_eq!(read(), "Ana (vov2xk5l): before the other spoke");

    // A member may speak under a name before the node tells of it.
    node.arrive_from(BO.0, "Bo", "first");
    assert_eq!(read(), "Bo: first");
    node.arrive_from(OTHER.0, "Bo", "second");
    assert_eq!(read(), "Bo (zxg43ton): second");

    // While the connection was closed, a namesake appeared.
    node.frames.send(Frame::Close).unwrap();
    node.until_listeners(0).await;
    node.arrive_from(BO.0, "Cleo", "third");
    node.state.lock().unwrap().members = json!([member(ANA.0, ANA.1, "Cleo")]);
    assert_eq!(read(), "Cleo (57x6737p): third");
    node.until_listeners(1).await;
    node.frames.send(Frame::Text(json!({"type": "stopping"}))).unwrap();
    assert_eq!(spawn_blocking(move || child.wait().unwrap()).await.unwrap().code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_reader_is_no_error() {
    let node = Fake::start(None, 1).await;
    (1..=3).for_each(|number| node.arrive("Ana", &format!("{number}")));
    let (mut child, mut lines) = follow(&node.path());
    assert_eq!(lines.next().as_deref(), Some("2"));
    drop(lines);
    // Until the command notices: a program started by another test at this moment may briefly hold
    // the pipe open.
    while child.try_wait().unwrap().is_none() {
        node.arrive("Ana", "more");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap().as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_returns_after_the_process_ended() {
    let mut process = std::process::Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let node = Fake::start(None, process.id()).await;
    let (agreed, agreement) = std::sync::mpsc::channel();
    node.state.lock().unwrap().on_stop = Some(Box::new(move || agreed.send(()).unwrap()));
    let stopping = tokio::spawn({
        let dir = node.path();
        async move { ask(&dir, &["stop"], b"").await }
    });
    spawn_blocking(move || agreement.recv().unwrap()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!stopping.is_finished(), "its process still runs");
    drop(process.stdin.take());
    assert_eq!(stopping.await.unwrap(), ok(""));
    process.wait().unwrap();
}
