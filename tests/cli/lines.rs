//! `send --lines`, and output that is not read to its end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::{block_in_place, spawn_blocking};

use super::commands::{ask, failed, ok};
use super::fake::{Fake, member};
use super::{Ended, roomful, run};

fn start(node: &Fake, arguments: &[&str]) -> (Child, ChildStdin) {
    let mut command = roomful(arguments);
    command.arg("--data-dir").arg(node.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

async fn until_posts(node: &Fake, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let posts = node.state.lock().unwrap().posts.clone();
        if posts.len() >= count {
            return posts.iter().map(|post| post["text"].as_str().unwrap().to_owned()).collect();
        }
        assert!(Instant::now() < deadline, "only {posts:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn end(child: Child) -> Ended {
    spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_sent_as_they_come() {
    let node = Fake::start(None, 1).await;
    node.state.lock().unwrap().members = json!([member(&"ab".repeat(32), "vov2xk5l", "Ana")]);
    let (mut child, mut stdin) = start(&node, &["send", "--lines", "--json", "--to", "Ana"]);
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for (number, line) in ["/one", " two"].into_iter().enumerate() {
        stdin.write_all(format!("{line}\n\n").as_bytes()).unwrap();
        let answer = block_in_place(|| answers.next().unwrap().unwrap());
        assert!(answer.ends_with(&format!("\"arrival\":{}}}", number + 1)), "{answer}");
    }
    stdin.write_all("drei ß".as_bytes()).unwrap();
    drop(stdin);
    assert_eq!(until_posts(&node, 3).await, ["/one", " two", "drei ß"]);
    assert_eq!(end(child).await, ok(""));
    let state = node.state.lock().unwrap();
    assert!(state.posts.iter().all(|post| post["to"] == "ab".repeat(32)));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_lines_are_counted_at_the_end() {
    let node = Fake::start(None, 1).await;
    let input = [b"one\nbad\n\n\xff\n".as_slice(), &[b'x'; 200_000], b"\nlast\n"].concat();
    let ended = ask(&node.path(), &["send", "--lines"], &input).await;
    failed(&ended, "line 2 was not sent: Bad.\n3 lines in all were not sent");
    assert_eq!(until_posts(&node, 3).await, ["one", "bad", "last"]);
    for wrong in [&["send", "--lines", "text"][..], &["send", "--lines", "--wait"]] {
        assert_eq!(run(wrong).status, 2, "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_lines_are_sent_again_with_their_refs() {
    let node = Fake::start(None, 1).await;
    node.state.lock().unwrap().breaks = 1;
    let (child, mut stdin) = start(&node, &["send", "--lines"]);
    stdin.write_all(b"one\n").unwrap();
    until_posts(&node, 1).await;
    stdin.write_all(b"break\n").unwrap();
    assert_eq!(until_posts(&node, 3).await, ["one", "break", "break"]);
    stdin.write_all(b"after\n").unwrap();
    drop(stdin);
    assert_eq!(end(child).await, ok(""));
    assert_eq!(until_posts(&node, 4).await[3], "after");
    let posts = node.state.lock().unwrap().posts.clone();
    assert_eq!(posts[1], posts[2], "with the same ref");

    node.state.lock().unwrap().breaks = 9;
    failed(&ask(&node.path(), &["send", "--lines"], b"break\n").await, "was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_go_on_after_a_new_token() {
    let node = Fake::start(None, 1).await;
    node.state.lock().unwrap().breaks = 1;
    let ended = ask(&node.path(), &["send", "--lines"], b"one\nrotate\n").await;
    assert_eq!(ended, ok(""));
    assert_eq!(until_posts(&node, 3).await, ["one", "rotate", "rotate"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn following_ends_with_its_reader() {
    let node = Fake::start(None, 1).await;
    node.arrive("Ana", "one");
    let (mut child, _stdin) = start(&node, &["tail", "--follow"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(block_in_place(|| lines.next().unwrap().unwrap()).ends_with("Ana: one"));
    drop(lines);
    // No further message comes.
    assert_eq!(end(child).await, ok(""));
}
