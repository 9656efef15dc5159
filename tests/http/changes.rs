//! Messages that change over HTTP and WebSocket: routes, frames, refusals, and the forms of a
//! message.

use serde_json::{Value, json};

use crate::fake::{OTHER, OWN, Server};
use roomful::proto::commands::RequestedChange;
use roomful::proto::entries::mention::{Mention, Mentions};
use roomful::web::BroadcastEvent;
use roomful::web::requests::RequestError;

#[tokio::test]
async fn a_change_answers_the_message_as_it_is_now() {
    let server = Server::start().await;
    let id = server.hear("👍 @Zoë").id.to_string();
    let mentions = json!([{"id": OTHER.to_string(), "start": 3, "end": 7}]);
    let body = json!({"text": "👍 @Zoë!", "mentions": mentions, "ref": "r1"}).to_string();
    let answer = server.post(&format!("/api/v1/messages/{id}/edit"), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let message = answer.json();
    assert_eq!((&message["text"], &message["id"]), (&json!("👍 @Zoë!"), &json!(id)));
    assert_eq!(message["mentions"], json!([OTHER.to_string()]));
    assert_eq!(message["edited"], message["time"]);
    let span = json!({"type": "mention", "id": OTHER.to_string(), "text": "@Zoë"});
    assert_eq!(message["spans"], json!([{"type": "text", "text": "👍 "}, span, {"type": "text", "text": "!"}]));

    let reacted = server.post(&format!("/api/v1/messages/{id}/react"), r#"{"emoji":"👍"}"#).await;
    assert_eq!(reacted.json()["reactions"], json!([{"emoji": "👍", "by": [OWN.to_string()]}]));
    let deleted = server.post(&format!("/api/v1/messages/{id}/delete"), "{}").await.json();
    assert_eq!((&deleted["deleted"], &deleted["text"], &deleted["spans"]), (&json!(true), &json!(""), &json!([])));
    assert_eq!((&deleted["reactions"], &deleted["edited"]), (&json!([]), &Value::Null));
    let asked = &server.room().changes;
    let expected = Mentions(vec![Mention::new(OTHER, &(5..10))]);
    assert!(
        matches!(&asked[0].change, RequestedChange::Edit { mentions: Some(found), .. } if *found == expected),
        "{asked:?}"
    );
    assert_eq!((asked[0].reference.as_ref().map(|key| key.name.as_str()), asked.len()), (Some("r1"), 3));
}

#[tokio::test]
async fn refused_changes_say_why() {
    let server = Server::start().await;
    let id = server.hear("x").id.to_string();
    let edit = format!("/api/v1/messages/{id}/edit");
    let unknown = format!("/api/v1/messages/{}/edit", "0".repeat(64));
    for (path, body, status, code) in [
        (&edit, "{}", 400, "bad_request"),
        (&edit, r#"{"text":" "}"#, 422, "empty"),
        (&unknown, r#"{"text":"x"}"#, 404, "no_such_message"),
        (&"/api/v1/messages/x/edit".to_owned(), r#"{"text":"x"}"#, 404, "no_such_message"),
        (&format!("/api/v1/messages/{id}/react"), r#"{"emoji":"no"}"#, 422, "bad_emoji"),
        (&"/api/v1/topic".to_owned(), r#"{"text":"x"}"#, 400, "bad_request"),
        (&"/api/v1/status".to_owned(), r#"{"text":"a\nb"}"#, 422, "not_text"),
    ] {
        let answer = server.post(path, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {body}");
    }
    for (refused, status, code) in [
        (RequestError::NotYours, 403, "not_yours"),
        (RequestError::NoSuchMessage, 404, "no_such_message"),
        (RequestError::Deleted, 409, "deleted"),
        (RequestError::TooMany, 409, "too_many"),
        (RequestError::RefUsed, 409, "ref_used"),
    ] {
        server.room().refuses_next = Some(refused);
        let answer = server.post(&edit, r#"{"text":"x"}"#).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
}

#[tokio::test]
async fn status_topic_and_versions_have_routes() {
    let server = Server::start().await;
    let id = server.hear("x").id.to_string();
    assert_eq!(server.post("/api/v1/status", r#"{"text":"away"}"#).await.json(), json!({}));
    assert_eq!(server.room().status.as_deref(), Some("away"));
    assert_eq!(server.post("/api/v1/topic", r#"{"channel":"general","text":"Lunch"}"#).await.json(), json!({}));
    let newest = server.get(&format!("/api/v1/messages/{id}/versions")).await.json();
    let before = newest["before"].as_str().expect("a cursor").to_owned();
    let rest = server.get(&format!("/api/v1/messages/{id}/versions?before={before}")).await.json();
    assert_eq!((&rest["versions"][0]["text"], &rest["before"]), (&json!("first"), &Value::Null));
    let none = server.get(&format!("/api/v1/messages/{}/versions", "0".repeat(64))).await;
    assert_eq!((none.status, none.code().as_str()), (404, "no_such_message"));
}

#[tokio::test]
async fn a_socket_changes_messages_and_is_told() {
    let server = Server::start().await;
    let id = server.hear("x").id.to_string();
    let (mut socket, welcome) = server.enter(json!({"type": "hello", "token": server.token()})).await;
    let general = &welcome["conversations"][0];
    assert_eq!((&general["mentions"], &general["topic"]), (&json!(1), &json!("Lunch")));
    assert_eq!(welcome["conversations"][1]["topic"], Value::Null);
    for (frame, told) in [
        (json!({"type": "edit", "ref": "1", "id": id, "text": "y"}), "message"),
        (json!({"type": "react", "ref": "2", "id": id, "emoji": "🎉"}), "message"),
        (json!({"type": "delete", "ref": "3", "id": id}), "message"),
        (json!({"type": "status", "ref": "4", "text": "away"}), "done"),
        (json!({"type": "topic", "ref": "5", "channel": "general", "text": "Tea"}), "done"),
    ] {
        let reference = frame["ref"].clone();
        socket.say(frame).await;
        if told == "message" {
            assert_eq!(socket.next_of("message").await["message"]["id"], json!(id));
        }
        assert_eq!(socket.next_of("done").await, json!({"type": "done", "ref": reference}));
    }
    for frame in [json!({"type": "edit", "ref": "6", "text": "y"}), json!({"type": "react", "id": id, "emoji": "👍"})]
    {
        socket.say(frame).await;
        assert_eq!(socket.next_of("error").await["error"], "bad_request");
    }
    let channel = roomful::proto::names::name::Name::new("general").expect("a name");
    server.hub.publish(BroadcastEvent::Topic { channel, text: "Tea".to_owned() });
    let topic = json!({"type": "topic", "channel": "general", "text": "Tea"});
    assert_eq!(socket.next_of("topic").await, topic);
}

#[tokio::test]
async fn messages_are_found_by_a_part_of_their_id() {
    let server = Server::start().await;
    let ids = [server.hear("one"), server.hear("two")].map(|line| line.id.to_string());
    let find = async |id: &str| server.get(&format!("/api/v1/messages/find?id={id}")).await;
    assert_eq!(find("last").await.json(), json!({"ids": [ids[1]]}));
    assert_eq!(find("00000000").await.json(), json!({"ids": ids}));
    assert_eq!(find(&ids[0].to_uppercase()).await.json(), json!({"ids": [ids[0]]}));
    assert_eq!(find("ffffffff").await.json(), json!({"ids": []}));
    for wrong in ["0000000", "first", "0000000g", "", &"0".repeat(65)] {
        assert_eq!(find(wrong).await.status, 400, "{wrong}");
    }
}
