//! The WebSocket: three ways to authenticate, entries exactly once and in order, requests and
//! events.

use serde_json::{Value, json};

use crate::client::Socket;
use crate::fake::{OTHER, OWN, Server, member, read_marker};
use roomful::proto::entries::timeline::{Conversation, Delivery, Notice, NoticeKind};
use roomful::web::BroadcastEvent;
use roomful::web::requests::RequestError;

fn hmac(token: &str, side: &str, a: &[u8], b: &[u8]) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let key = data_encoding::HEXLOWER.decode(token.as_bytes()).expect("hex");
    let mut hmac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("a key");
    [side.as_bytes(), a, b].iter().for_each(|part| hmac.update(part));
    data_encoding::HEXLOWER.encode(&hmac.finalize().into_bytes())
}

async fn challenge(server: &Server) -> (Socket, [u8; 32], Vec<u8>) {
    let mut socket = server.upgrade(None).await.expect("an upgrade");
    let a = [7; 32];
    socket.say(json!({"type": "hello", "nonce": data_encoding::HEXLOWER.encode(&a)})).await;
    let challenge = socket.next().await.expect("a challenge");
    let b = data_encoding::HEXLOWER.decode(challenge["nonce"].as_str().expect("a nonce").as_bytes()).expect("hex");
    assert_eq!((challenge["type"].as_str(), b.len()), (Some("challenge"), 32));
    assert_eq!(challenge["proof"], hmac(&server.token(), "node", &a, &b));
    (socket, a, b)
}

#[tokio::test]
async fn there_are_three_ways_in() {
    let server = Server::start().await;
    server.hear("before");
    let (_, welcome) = server.enter(json!({"type": "hello"})).await;
    assert_eq!(welcome["messages"][0]["text"], "before");

    let mut script = server.upgrade(None).await.expect("an upgrade");
    script.say(json!({"type": "hello", "token": server.token()})).await;
    let welcome = script.next().await.expect("a welcome");
    let text = welcome.to_string();
    assert!(!text.contains(&server.token()), "the token is never sent");
    // The bearer opens HTTP, but is no token for a hello.
    let bearer = format!("Bearer {}", welcome["bearer"].as_str().expect("a bearer"));
    assert_eq!(
        server.raw("GET /api/v1/node", &[("Host", "localhost"), ("Authorization", &bearer)], "").await.status,
        200
    );
    let mut wrong = server.upgrade(None).await.expect("an upgrade");
    wrong.say(json!({"type": "hello", "token": welcome["bearer"]})).await;
    assert_eq!(wrong.next().await, Err(4401));

    let (mut page, a, b) = challenge(&server).await;
    page.say(json!({"type": "proof", "proof": hmac(&server.token(), "page", &a, &b)})).await;
    assert_eq!(page.next().await.expect("a welcome")["type"], "welcome");
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let server = Server::start().await;
    for authorization in ["Bearer wrong", &format!("Bearer {}", "0".repeat(64)), "Basic x"] {
        let Err(tokio_tungstenite::tungstenite::Error::Http(answer)) = server.upgrade(Some(authorization)).await else {
            panic!("{authorization} got in")
        };
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("content-security-policy"));
    }
    let zeros = "0".repeat(64);
    for hello in [
        json!({"type": "hello"}),
        json!({"type": "hello", "token": zeros}),
        json!({"type": "hello", "token": server.token() + "00"}),
        json!({"type": "say", "token": server.token()}),
        json!([]),
        json!({}),
        json!({"type": "hello", "nonce": "00"}),
        json!({"type": "hello", "token": server.token(), "after": "x"}),
        json!({"type": "proof", "proof": zeros}),
    ] {
        let mut socket = server.upgrade(None).await.expect("an upgrade");
        socket.say(hello.clone()).await;
        assert_eq!(socket.next().await, Err(4401), "{hello}");
    }
    for proof in [
        |token: &str, a: &[u8], b: &[u8]| hmac(token, "node", a, b),
        |token: &str, a: &[u8], b: &[u8]| hmac(token, "page", b, a),
    ] {
        let (mut page, a, b) = challenge(&server).await;
        page.say(json!({"type": "proof", "proof": proof(&server.token(), &a, &b)})).await;
        assert_eq!(page.next().await, Err(4401));
    }
}

#[tokio::test]
async fn welcome_matches_the_contract() {
    let server = Server::start().await;
    server.hear("one");
    let mut socket = server.upgrade(Some(&server.bearer())).await.expect("an upgrade");
    socket.say(json!({"type": "hello", "more": 1})).await;
    let welcome = socket.next().await.expect("a welcome");
    let mut keys: Vec<_> = welcome.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut expected = [
        "type",
        "run",
        "bearer",
        "node",
        "members",
        "conversations",
        "messages",
        "notices",
        "before",
        "arrival",
        "reset",
        "limits",
        "defaults",
    ];
    keys.sort_unstable();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let limits = json!({"text_bytes": 32_768, "name_graphemes": 32, "name_bytes": 64, "files": 10,
        "text_with_files_bytes": 16_384, "file_bytes": 17_179_869_184_u64, "upload_part_bytes": 8_388_608,
        "preview_bytes": 1_024});
    assert_eq!(welcome["limits"], limits);
    assert_eq!(welcome["defaults"], json!({"channel": "general", "room": "lobby", "port": 7666}));
    let conversations = json!([{"channel": "general", "unread": 1, "read": 3, "mentions": 1, "topic": "Lunch"},
            {"with": OTHER.to_string(), "unread": 0, "read": 0, "mentions": 0, "topic": null}]);
    assert_eq!(welcome["conversations"], conversations);
    assert_eq!((&welcome["arrival"], &welcome["reset"], &welcome["before"]), (&json!(1), &json!(false), &json!(null)));
}

#[tokio::test]
async fn fresh_welcome_is_small_and_has_cursors() {
    let server = Server::start().await;
    let text = "x".repeat(20 * 1024);
    let lines: Vec<_> = (0..5).map(|_| server.hear(&text)).collect();
    let (_, welcome) = server.enter(json!({"type": "hello"})).await;
    let messages = welcome["messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 1, "text and spans of a second one would go beyond 64 KiB");
    assert_eq!(messages[0]["id"], lines[4].id.to_string());
    assert_eq!(welcome["before"], messages[0]["order"]);
}

#[tokio::test]
async fn resuming_page_gets_what_it_missed() {
    let server = Server::start().await;
    let (_, welcome) = server.enter(json!({"type": "hello"})).await;
    let run = welcome["run"].clone();
    server.hear("missed 1");
    let line = server.hear("missed 2");
    server.room().deliveries = vec![(line.id, Delivery { held_by: 1, of: 2 })];
    let (mut socket, welcome) = server.enter(json!({"type": "hello", "after": 0, "run": run})).await;
    let texts: Vec<_> =
        welcome["messages"].as_array().expect("messages").iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, ["missed 1", "missed 2"]);
    assert_eq!((&welcome["reset"], &welcome["arrival"]), (&json!(false), &json!(2)));
    assert_eq!(socket.next().await, Ok(json!({"type": "held", "id": line.id.to_string(), "held_by": 1, "of": 2})));
    for hello in [
        json!({"type": "hello", "after": 0, "run": "another"}),
        json!({"type": "hello", "after": 0}),
        json!({"type": "hello", "after": 99, "run": run}),
    ] {
        assert_eq!(server.enter(hello).await.1["reset"], true);
    }
    // More than 1 MiB: afresh.
    (0..40).for_each(|_| drop(server.hear(&"y".repeat(32 * 1024))));
    let (_, welcome) = server.enter(json!({"type": "hello", "after": 2, "run": run})).await;
    assert_eq!((&welcome["reset"], welcome["messages"].as_array().map(Vec::len)), (&json!(true), Some(1)));
}

#[tokio::test]
async fn entry_arrives_once_despite_a_welcome_race() {
    let server = Server::start().await;
    for round in 0..50_u64 {
        // Some are published before the hello, some between snapshot and welcome, some behind it.
        server.room().commits_during_welcome = (round % 4) as usize;
        let mut socket = server.upgrade(Some(&server.bearer())).await.expect("an upgrade");
        let committed = server.commit("committed, not published yet");
        socket.say(json!({"type": "hello"})).await;
        tokio::task::yield_now().await;
        server.hub.publish(BroadcastEvent::NewMessage { message: committed, sender: None });
        let welcome = socket.next().await.expect("a welcome");
        let last = server.hear("last");
        let mut seen: Vec<u64> = arrivals(&welcome);
        while seen.last() != Some(&last.arrival) {
            let frame = socket.next().await.expect("a message");
            assert_eq!(frame["type"], "message");
            seen.push(frame["message"]["arrival"].as_u64().expect("a number"));
        }
        let first = seen[0];
        let expected: Vec<_> = (first..=last.arrival).collect();
        assert_eq!(seen, expected, "round {round}");
        socket.is_quiet().await;
    }
}

fn arrivals(welcome: &Value) -> Vec<u64> {
    let messages = welcome["messages"].as_array().expect("messages");
    messages.iter().filter_map(|message| message["arrival"].as_u64()).collect()
}

#[tokio::test]
async fn sender_gets_said_and_other_pages_a_message() {
    let server = Server::start().await;
    let (mut one, mut two) = (server.enter_fresh().await, server.enter_fresh().await);
    one.say(json!({"type": "say", "ref": "r1", "text": "/not a command"})).await;
    let said = one.next().await.expect("said");
    assert_eq!(
        (&said["type"], &said["ref"], &said["message"]["text"]),
        (&json!("said"), &json!("r1"), &json!("/not a command"))
    );
    let message = two.next().await.expect("a message");
    assert_eq!((&message["type"], &message["message"]), (&json!("message"), &said["message"]));
    assert_eq!(message.get("ref"), None);
    // The same again, from either: to the one who says it alone.
    two.say(json!({"type": "say", "ref": "r1", "text": "/not a command"})).await;
    assert_eq!(two.next().await, Ok(said.clone()));
    one.say(json!({"type": "say", "ref": "r1", "text": "other"})).await;
    let error = one.next().await.expect("an error");
    assert_eq!((&error["type"], &error["ref"], &error["error"]), (&json!("error"), &json!("r1"), &json!("ref_used")));
    server.post("/api/v1/messages", r#"{"text":"over HTTP","ref":"r2"}"#).await;
    for socket in [&mut one, &mut two] {
        assert_eq!(socket.next_of("message").await["message"]["text"], "over HTTP");
        socket.is_quiet().await;
    }
    assert_eq!(server.room().messages.len(), 2);
}

#[tokio::test]
async fn commands_are_done() {
    let server = Server::start().await;
    let mut socket = server.enter_fresh().await;
    socket.say(json!({"type": "command", "ref": "a", "name": "name", "text": " Ben\u{200b} "})).await;
    assert_eq!(socket.next().await, Ok(json!({"type": "done", "ref": "a"})));
    assert_eq!(server.room().renamed.as_ref().map(ToString::to_string).as_deref(), Some("Ben"));
    socket.say(json!({"type": "command", "ref": "b", "name": "hooray", "text": null})).await;
    let said = socket.next().await.expect("said");
    assert_eq!(
        (&said["type"], &said["ref"], &said["message"]["kind"]),
        (&json!("said"), &json!("b"), &json!("hooray"))
    );
    for (frame, code) in [
        (json!({"type": "command", "ref": "c", "name": "name", "text": " "}), "empty"),
        (json!({"type": "command", "ref": "c", "name": "name", "text": "x".repeat(33)}), "too_long"),
        (json!({"type": "command", "ref": "c", "name": "frobnicate"}), "bad_request"),
    ] {
        socket.say(frame).await;
        let error = socket.next().await.expect("an error");
        assert_eq!((error["error"].as_str(), error["ref"].as_str()), (Some(code), Some("c")));
    }
    socket.say(json!({"type": "command", "ref": "d", "name": "exit"})).await;
    for last in [json!({"type": "done", "ref": "d"}), json!({"type": "stopping"})] {
        assert_eq!(socket.next().await, Ok(last));
    }
    assert_eq!(socket.next().await, Err(1001));
    assert!(server.room().exited);
}

#[tokio::test]
async fn a_page_stores_items_in_its_node() {
    let server = Server::start().await;
    let mut socket = server.enter_fresh().await;
    let value = "\"".repeat(96 * 1024);
    for (reference, value) in [("a", Some(value.as_str())), ("b", Some("x")), ("c", None), ("d", Some("y"))] {
        socket.say(json!({"type": "storage", "ref": reference, "key": "draft", "value": value})).await;
        assert_eq!(socket.next().await, Ok(json!({"type": "done", "ref": reference})));
    }
    let (_, welcome) = server.enter(json!({"type": "hello"})).await;
    assert_eq!(welcome["storage"], json!({"draft": "y"}));
    server.room().refuses_next = Some(RequestError::StorageFull);
    socket.say(json!({"type": "storage", "ref": "e", "key": "draft", "value": "z"})).await;
    let error = socket.next().await.expect("an error");
    assert_eq!((&error["error"], &error["ref"]), (&json!("too_long"), &json!("e")));
}

#[tokio::test]
async fn unknown_frame_leaves_the_socket_open() {
    let server = Server::start().await;
    let mut socket = server.enter_fresh().await;
    for (frame, code, reference) in [
        (json!([]), "bad_request", None),
        (json!({"text": "x"}), "bad_request", None),
        (json!({"type": "typing"}), "bad_request", None),
        (json!({"type": "frob", "ref": "r"}), "unknown_type", Some("r")),
        (json!({"type": "hello"}), "bad_request", None),
        (json!({"type": "say", "text": "x"}), "bad_request", None),
        (json!({"type": "say", "ref": "", "text": "x"}), "bad_request", None),
        (json!({"type": "say", "ref": "r", "text": " "}), "empty", Some("r")),
        (json!({"type": "say", "ref": "r", "text": "x".repeat(32 * 1024 + 1)}), "too_long", Some("r")),
        (json!({"type": "say", "ref": "r", "text": "x", "to": "ff".repeat(32)}), "no_such_member", Some("r")),
        (json!({"type": "read", "channel": "general"}), "bad_request", None),
        (json!({"type": "read", "arrival": 1}), "bad_request", None),
        (json!({"type": "storage", "key": "a", "value": "x"}), "bad_request", None),
        (json!({"type": "storage", "ref": "r", "value": "x"}), "bad_request", Some("r")),
        (json!({"type": "storage", "ref": "r", "key": "", "value": "x"}), "bad_request", Some("r")),
        (json!({"type": "storage", "ref": "r", "key": "a".repeat(161), "value": "x"}), "bad_request", Some("r")),
        (json!({"type": "storage", "ref": "r", "key": "a", "value": 1}), "bad_request", Some("r")),
        (json!({"type": "storage", "ref": "r", "key": "a", "value": "x".repeat(96 * 1024 + 1)}), "too_long", Some("r")),
    ] {
        socket.say(frame.clone()).await;
        let error = socket.next().await.expect("an error");
        assert_eq!(error["type"], "error");
        assert_eq!(
            (error["error"].as_str(), error.get("ref").and_then(Value::as_str)),
            (Some(code), reference),
            "{frame}"
        );
        assert!(error["message"].is_string());
    }
    socket.send("no JSON".into()).await;
    assert_eq!(socket.next().await.expect("an error")["error"], "bad_request");
}

#[tokio::test]
async fn page_receives_node_events() {
    let server = Server::start().await;
    let mut socket = server.enter_fresh().await;
    let line = server.hear("x");
    socket.next_of("message").await;
    let name = roomful::proto::names::name::Name::from_lossy("Ben", "?");
    server.hub.publish(BroadcastEvent::Notice(Notice {
        arrival: 2,
        wall_ms: 0,
        kind: NoticeKind::Joined,
        member: OTHER,
        name,
    }));
    let notice = json!({"arrival": 2, "time": "1970-01-01T00:00:00.000Z", "kind": "joined", "member": OTHER.to_string(), "name": "Ben"});
    assert_eq!(socket.next().await, Ok(json!({"type": "notice", "notice": notice})));
    server.hub.publish(BroadcastEvent::Member(member(OWN, "Ana")));
    let frame = socket.next().await.expect("a member");
    assert_eq!(
        (&frame["type"], &frame["member"]["self"], &frame["member"]["state"]),
        (&json!("member"), &json!(true), &json!("online"))
    );
    // An earlier message with a new place comes again, although its number is covered.
    server.hub.publish(BroadcastEvent::ChangedMessage(line.clone()));
    assert_eq!(socket.next().await.expect("the message")["message"]["id"], line.id.to_string());
    socket.say(json!({"type": "read", "with": OTHER.to_string(), "arrival": 5})).await;
    assert_eq!(
        socket.next().await,
        Ok(json!({"type": "read", "with": OTHER.to_string(), "read": 5, "unread": 0, "mentions": 0}))
    );
    // Typing is told to the node, and of others to the pages.
    socket.say(json!({"type": "typing", "channel": "lunch"})).await;
    socket.say(json!({"type": "typing", "with": OTHER.to_string()})).await;
    socket.say(json!({"type": "typing"})).await;
    assert_eq!(socket.next().await.expect("a refusal")["error"], "bad_request");
    let typed = server.room().typed.clone();
    assert_eq!(
        typed,
        [
            Conversation::Channel(roomful::proto::names::name::Name::from_lossy("lunch", "?")),
            Conversation::Direct(OTHER)
        ]
    );
    server.hub.publish(BroadcastEvent::Typing { member: OTHER, conversation: Conversation::general() });
    let typing = json!({"type": "typing", "id": OTHER.to_string(), "channel": "general"});
    assert_eq!(socket.next().await, Ok(typing));
    server.hub.publish(BroadcastEvent::Read(read_marker(Conversation::general(), 6)));
    assert_eq!(
        socket.next().await,
        Ok(json!({"type": "read", "channel": "general", "read": 6, "unread": 0, "mentions": 0}))
    );
}

#[tokio::test]
async fn held_is_debounced_and_ends_with_the_last() {
    let server = Server::start().await;
    let mut socket = server.enter_fresh().await;
    let id = server.hear("x").id;
    socket.next_of("message").await;
    let begun = std::time::Instant::now();
    for held_by in 1..=200 {
        server.hub.publish(BroadcastEvent::Held { id, held: Delivery { held_by, of: 200 } });
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let mut told = Vec::new();
    while told.last() != Some(&200) {
        told.push(socket.next_of("held").await["held_by"].as_u64().expect("a number"));
    }
    let allowed = begun.elapsed().as_millis() / 100 + 2;
    assert!(told.len() as u128 <= allowed, "{told:?} in {:?}", begun.elapsed());
    assert!(told.first() == Some(&1) && told.is_sorted());
}
