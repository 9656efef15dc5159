//! The commands that change messages, and how a following `tail` prints changes.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::commands::{ask, failed, ok};
use super::fake::{Fake, Frame, member};
use super::{roomful, run};

#[tokio::test(flavor = "multi_thread")]
async fn changes_name_their_message_by_part_or_last() {
    let node = Fake::start(None, 1).await;
    (1..=2).for_each(|number| node.arrive("Ana", &format!("{number}")));
    let id = |number: usize| format!("{number:064x}");
    assert_eq!(ask(&node.path(), &["edit", "last", "/new"], b"").await, ok(""));
    assert_eq!(ask(&node.path(), &["edit", "LAST", "x"], b"").await.status, 2);
    assert_eq!(ask(&node.path(), &["edit", "00000001", "-"], b"from\nhere\n").await, ok(""));
    let deleted = ask(&node.path(), &["delete", &id(2), "--json"], b"").await;
    assert_eq!(serde_json::from_str::<Value>(&deleted.out).unwrap()["id"], id(2));
    assert_eq!(ask(&node.path(), &["react", "last", ":tada:"], b"").await, ok(""));
    assert_eq!(ask(&node.path(), &["react", "last", "🎉", "--off"], b"").await, ok(""));
    assert_eq!(ask(&node.path(), &["send", "--reply", "00000001", "yes"], b"").await, ok(""));

    let mut changes = node.state.lock().unwrap().changes.clone();
    let mut refs: Vec<String> = changes.iter_mut().map(|(_, body)| body["ref"].take().to_string()).collect();
    let expected = [
        (format!("{}/edit", id(2)), json!({"text": "/new", "ref": null})),
        (format!("{}/edit", id(1)), json!({"text": "from\nhere", "ref": null})),
        (format!("{}/delete", id(2)), json!({"ref": null})),
        (format!("{}/react", id(2)), json!({"emoji": "🎉", "off": false, "ref": null})),
        (format!("{}/react", id(2)), json!({"emoji": "🎉", "off": true, "ref": null})),
    ];
    assert_eq!(changes, expected);
    refs.sort_unstable();
    refs.dedup();
    assert_eq!(refs.len(), 5);
    assert_eq!(node.state.lock().unwrap().posts[0]["reply_to"], id(1));

    failed(&ask(&node.path(), &["delete", "ffffffff"], b"").await, "no message has an ID with ffffffff");
    failed(&ask(&node.path(), &["delete", &"f".repeat(64)], b"").await, "This message isn’t here.");
    node.arrive("Ana", "3");
    node.state.lock().unwrap().messages[2]["id"] = format!("ff{:062x}", 1).into();
    let ambiguous = ask(&node.path(), &["delete", "00000001"], b"").await;
    failed(&ambiguous, &format!("00000001 matches several messages: {}", id(1)));
    for wrong in
        [&["edit", "last"][..], &["delete", "1234567"], &["react", "abcdefgh", "👍"], &["send", "--reply", "x", "x"]]
    {
        assert_eq!(run(wrong).status, 2, "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_set_shown_and_taken_back() {
    let node = Fake::start(None, 1).await;
    let mut own = member(&"ab".repeat(32), "vov2xk5l", "Me");
    own["self"] = true.into();
    own["status"] = "at \u{1b}lunch".into();
    node.state.lock().unwrap().members = json!([own]);
    assert_eq!(ask(&node.path(), &["status", "at lunch"], b"").await, ok(""));
    assert_eq!(ask(&node.path(), &["status", ""], b"").await, ok(""));
    let texts: Vec<Value> = node.state.lock().unwrap().changes.iter().map(|(_, body)| body["text"].clone()).collect();
    assert_eq!(texts, ["at lunch", ""]);
    assert_eq!(ask(&node.path(), &["status"], b"").await, ok("at ␛lunch\n"));
    assert_eq!(ask(&node.path(), &["status", "--json"], b"").await, ok("{\"status\":\"at \\u001blunch\"}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn following_prints_changes_as_lines() {
    let node = Fake::start(None, 1).await;
    let (ana, bo) = ("ab".repeat(32), "cd".repeat(32));
    node.state.lock().unwrap().members = json!([member(&ana, "vov2xk5l", "Ana"), member(&bo, "zxg43ton", "Bo")]);
    (1..=3).for_each(|number| node.arrive_from(&ana, "Ana", &format!("text {number}")));
    let mut command = roomful(&["tail", "-n", "1", "--follow", "--ids", "--data-dir"]);
    let mut child = command.arg(node.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut read = || block_in_place(|| lines.next().unwrap().unwrap());
    assert_eq!(read(), format!("{:064x} 2026-11-22 14:05:00 Ana: text 3", 3));

    // As a node does: a message comes again with the arrival number that it had.
    let change = |number: usize, fields: Value| {
        let mut state = node.state.lock().unwrap();
        let message = &mut state.messages[number - 1];
        fields.as_object().unwrap().iter().for_each(|(key, value)| message[key] = value.clone());
        let changed = json!({"type": "message", "message": message});
        node.frames.send(Frame::Text(changed)).unwrap();
    };
    change(2, json!({"text": "text two", "edited": "2026-11-22T14:06:00.000Z"}));
    let edited = "2026-11-22 14:06:00 Ana edited the message of 2026-11-22 14:05:00: text two";
    assert_eq!(read(), format!("{:064x} {edited}", 2));
    change(3, json!({"reactions": [{"emoji": "👍", "by": [bo]}]}));
    assert!(read().ends_with(" Bo reacted 👍 to Ana of 2026-11-22 14:05:00: text 3"));
    change(3, json!({"reactions": []}));
    assert!(read().ends_with(" Bo took back 👍 to Ana of 2026-11-22 14:05:00: text 3"));
    // Nothing changed that is printed.
    change(3, json!({"held_by": 2, "of": 2}));
    change(3, json!({"text": "", "deleted": true}));
    assert!(read().ends_with(" Ana deleted the message of 2026-11-22 14:05:00"));
    node.arrive_from(&ana, "Ana", "text 4");
    assert_eq!(read(), format!("{:064x} 2026-11-22 14:05:00 Ana: text 4", 4));

    // A change while the connection was closed.
    node.until_listeners(1).await;
    node.frames.send(Frame::Close).unwrap();
    node.until_listeners(0).await;
    node.state.lock().unwrap().messages[0]["text"] = "text one".into();
    node.state.lock().unwrap().messages[0]["edited"] = "2026-11-22T14:07:00.000Z".into();
    node.arrive_from(&ana, "Ana", "text 5");
    assert!(read().ends_with("14:07:00 Ana edited the message of 2026-11-22 14:05:00: text one"));
    assert!(read().ends_with("Ana: text 5"));
    child.kill().unwrap();
    child.wait().unwrap();
}
