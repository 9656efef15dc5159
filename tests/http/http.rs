//! HTTP: authentication, the order of refusals, and the answers.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::json;

use crate::client::{Answer, exchange};
use crate::fake::{OTHER, OWN, Server};
use roomful::proto::history::PagePosition;
use roomful::proto::limits::{GUESS_MS, GUESSES_WAITING_MAX};
use roomful::web::requests::RequestError;

#[tokio::test]
async fn only_static_parts_need_no_token() {
    let server = Server::start().await;
    let host = [("Host", "localhost")];
    for path in ["/", "/healthz"] {
        assert_eq!(server.raw(&format!("GET {path}"), &host, "").await.status, 200, "{path}");
    }
    let paths = [
        "/static",
        "/ws",
        "/metrics",
        "/favicon.ico",
        "/api/v1/node",
        "/api/v1/members",
        "/api/v1/messages",
        "/api/v1/search?q=x",
        "/api/v1/export",
        "/api/v1/doctor",
        "/api/v1/stop",
        "/api/v1/token/rotate",
        "/metrics",
        "//evil",
        "/%2f..",
        "/nothing",
        "/api/v1/messages?limit=0",
    ];
    for path in paths {
        for method in ["GET", "POST", "DELETE", "HEAD"] {
            let answer = server.raw(&format!("{method} {path}"), &host, "").await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(method == "HEAD" || answer.code() == "unauthorized");
        }
    }
    assert!(!server.room().exited);
    for path in ["/favicon.ico", "/nothing", "/static"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn refusals_come_in_the_order_of_the_contract() {
    let server = Server::start().await;
    // Each step mends one thing; what is still wrong comes next.
    let mut headers = vec![("Host", "evil.example"), ("Origin", "http://evil.example"), ("Content-Type", "text/plain")];
    let big = format!("{{\"text\":\"{}\"", "x".repeat(33 * 1024));
    let post = async |headers: &[(&str, &str)], path: &str, body: &str| {
        let answer = server.raw(&format!("POST {path}"), headers, body).await;
        (answer.status, answer.code())
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(post(&headers, "/nothing", &big).await, is(403, "bad_host"));
    headers[0].1 = "localhost";
    assert_eq!(post(&headers, "/nothing", &big).await, is(403, "bad_origin"));
    headers[1].1 = "http://localhost";
    assert_eq!(post(&headers, "/nothing", &big).await, is(401, "unauthorized"));
    let bearer = server.bearer();
    headers.push(("Authorization", &bearer));
    assert_eq!(post(&headers, "/nothing", &big).await, is(404, "not_found"));
    assert_eq!(post(&headers, "/api/v1/node", &big).await, is(405, "bad_method"));
    let path = "/api/v1/messages";
    assert_eq!(post(&headers, path, &big).await, is(415, "bad_type"));
    headers[2].1 = "Application/JSON; charset=utf-8";
    assert_eq!(post(&headers, path, &(big.clone() + ",\"ref\":5}")).await, is(413, "too_long"));
    assert_eq!(post(&headers, path, &big).await, is(400, "bad_request"));
    assert_eq!(post(&headers, path, "[]").await, is(400, "bad_request"));
    assert_eq!(post(&headers, path, "{\"text\":\"\",\"ref\":\"\"}").await, is(400, "bad_request"));
    assert_eq!(server.post(path, "{\"text\":\"first\",\"ref\":\"r\"}").await.status, 201);
    assert_eq!(post(&headers, path, "{\"text\":\" \",\"ref\":\"r\"}").await, is(409, "ref_used"));
    assert_eq!(post(&headers, path, "{\"text\":\"other\",\"ref\":\"r\"}").await, is(409, "ref_used"));
    assert_eq!(post(&headers, path, "{\"text\":\" \"}").await, is(422, "empty"));
    assert_eq!(post(&headers, path, "{\"text\":\"a\\u0000\"}").await, is(422, "not_text"));
    let both = json!({"text": "x", "to": OTHER.to_string(), "channel": "a"}).to_string();
    assert_eq!(post(&headers, path, &both).await, is(422, "bad_target"));
    let oneself = json!({"text": "x", "to": OWN.to_string()}).to_string();
    assert_eq!(post(&headers, path, &oneself).await, is(422, "bad_target"));
    let nobody = json!({"text": "x", "to": "ff".repeat(32)}).to_string();
    assert_eq!(post(&headers, path, &nobody).await, is(404, "no_such_member"));
    for (error, expected) in
        [(RequestError::DiskFull, is(507, "disk_full")), (RequestError::Stopping, is(503, "stopping"))]
    {
        server.room().refuses_next = Some(error);
        assert_eq!(post(&headers, path, "{\"text\":\"x\"}").await, expected);
    }
    assert_eq!(server.room().messages.len(), 1, "nothing of it was said");
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let server = Server::start().await;
    for hosts in [&[][..], &[("Host", "localhost"), ("Host", "localhost")][..]] {
        let answer = server.raw("GET /", hosts, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
        check_headers("two hosts", &answer, None);
    }
    for request in [
        "GARBAGE\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000)),
        &format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "x: y\r\n".repeat(200)),
        &format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "y".repeat(1024 * 1024)),
    ] {
        let answer = Answer::read(&exchange(server.tcp().await, request.as_bytes()).await);
        assert!((400..500).contains(&answer.status), "{request:?}: {}", answer.status);
    }
}

#[tokio::test]
async fn no_path_escapes_the_assets() {
    let server = Server::start().await;
    let id = OTHER.to_string();
    for path in [
        "//evil.example",
        "/\\evil.example",
        "/%5c%5cevil.example",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../../etc/passwd",
        "/static/%00/x",
        "/static/x/%00",
        "/api/v1/members/%00/safety",
        &format!("/api/v1/members/{id}%2f..%2f/safety"),
        "/api/v1/../../",
        "/api/v1/node/",
        "/?next=//evil.example",
        "/api/v1/messages?channel=%00",
        "/api/v1/messages?before=%2f%2fevil.example",
    ] {
        let answer = server.get(path).await;
        let expected: &[u16] = if path.starts_with("/?") { &[200] } else { &[400, 404] };
        assert!(expected.contains(&answer.status), "{path}: {}", answer.status);
        assert_eq!(answer.header("location"), None, "{path}");
        assert!(answer.header("content-security-policy").is_some(), "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("root:"), "{path}");
    }
}

#[tokio::test]
async fn host_and_origin_are_checked_on_port_and_socket() {
    let server = Server::start().await;
    let port = server.port;
    let status = async |host: &str, origin: Option<&str>| {
        let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\n\r\n");
        let tcp = Answer::read(&exchange(server.tcp().await, request.as_bytes()).await).status;
        let unix = Answer::read(&exchange(server.unix().await, request.as_bytes()).await).status;
        assert_eq!(tcp, unix, "{host} {origin}");
        tcp
    };
    for host in [
        "localhost",
        "LocalHost:9000",
        "a.b.localhost:1",
        "127.0.0.1",
        "127.9.9.9:80",
        "[::1]",
        &format!("[::1]:{port}"),
    ] {
        assert_eq!(status(host, None).await, 200, "{host}");
        assert_eq!(status(host, Some(&format!("http://{host}"))).await, 200, "{host}");
        assert_eq!(status(host, Some(&format!("https://{host}"))).await, 403, "{host}");
        assert_eq!(status(host, Some("null")).await, 403, "{host}");
        assert_eq!(status(host, Some("http://localhost:1234")).await, 403, "{host}");
    }
    for host in
        ["", "example.org", "localhost.example.org", "127.0.0.1.nip.io", "10.0.0.1", "[::2]", "0.0.0.0", "localhost:x"]
    {
        assert_eq!(status(host, None).await, 403, "{host:?}");
    }
    let absolute = server.raw("GET http://evil.example/healthz", &[("Host", "localhost")], "").await;
    assert_eq!(absolute.status, 403);
}

/// What stands on every answer.
#[track_caller]
fn check_headers(what: &str, answer: &Answer, host: Option<&str>) {
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("no policy on {what}: {answer:?}"));
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "script-src 'self'",
        "style-src 'self'",
    ] {
        assert!(policy.split("; ").any(|directive| directive == part), "{part} on {what}: {policy}");
    }
    assert!(!policy.contains("unsafe"));
    let socket = host.map_or("connect-src 'self'".to_owned(), |host| format!("connect-src 'self' ws://{host}"));
    assert!(policy.split("; ").any(|directive| directive == socket), "{what}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}");
    }
    let cache = answer.header("cache-control");
    assert!(
        cache == Some("no-store")
            || what == "emoji" && cache == Some("private, max-age=86400")
            || what.starts_with("static") && cache.is_some_and(|cache| cache.contains("immutable")),
        "{what}"
    );
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("location"), None);
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let server = Server::start().await;
    let bearer = server.bearer();
    let (host, wrong) = (("Host", "localhost:7680"), ("Host", "evil.example"));
    let auth = ("Authorization", bearer.as_str());
    let upgrade = [
        host,
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Authorization", "Bearer wrong"),
    ];
    for (line, headers, status) in [
        ("GET /", &[host][..], 200),
        ("HEAD /", &[host], 200),
        ("GET /healthz", &[host], 200),
        ("POST /", &[host], 405),
        ("GET /static/0/x", &[host], 404),
        ("GET /api/v1/node", &[host], 401),
        ("GET /api/v1/node", &[host, auth], 200),
        ("GET /api/v1/members", &[host, auth], 200),
        ("GET /api/v1/messages", &[host, auth], 200),
        ("GET /x", &[host, auth], 404),
        ("DELETE /api/v1/node", &[host, auth], 405),
        ("OPTIONS /api/v1/messages", &[host, auth], 405),
        ("GET /ws", &upgrade, 401),
        ("GET /ws", &[host, auth], 400),
    ] {
        let answer = server.raw(line, headers, "").await;
        assert_eq!(answer.status, status, "{line}");
        check_headers(line, &answer, Some("localhost:7680"));
        assert!(!line.starts_with("HEAD") || answer.body.is_empty());
    }
    check_headers("a wrong host", &server.raw("GET /", &[wrong], "").await, None);
}

#[tokio::test]
async fn service_workers_get_a_script_that_removes_them() {
    let server = Server::start().await;
    let (host, worker) = (("Host", "localhost:7680"), ("Service-Worker", "script"));
    for path in ["/", "/worker.js", "/static/0/worker.js", "/api/v1/node"] {
        let answer = server.raw(&format!("GET {path}"), &[host, worker], "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/javascript")), "{path}");
        check_headers("a worker's script", &answer, Some("localhost:7680"));
        let script = String::from_utf8(answer.body).expect("text");
        for part in ["skipWaiting()", "registration.unregister()", ".navigate("] {
            assert!(script.contains(part), "{part}: {script}");
        }
    }
    let elsewhere = server.raw("GET /", &[("Host", "evil.example"), worker], "").await;
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (403, "bad_host"));
    assert_eq!(server.raw("GET /api/v1/node", &[host, ("Service-Worker", "x")], "").await.status, 401);
    assert_eq!(server.raw("POST /api/v1/stop", &[host, worker], "").await.status, 401);
}

#[tokio::test]
async fn json_forms_match_the_contract() {
    let server = Server::start().await;
    let node = String::from_utf8(server.get("/api/v1/node").await.body).expect("text");
    let fields = [
        "id",
        "name",
        "room",
        "version",
        "tcp",
        "udp",
        "started",
        "web",
        "socket",
        "data_dir",
        "shared",
        "history",
        "entries",
        "missing",
        "oldest",
        "lacking",
        "discovery",
        "addresses",
        "mended",
        "mended_at",
    ];
    check_fields(&node, &fields);
    assert!(
        node.contains(&format!(r#""missing":3,"oldest":null,"lacking":[{{"id":"{OTHER}","entries":3}}]}}"#)),
        "{node}"
    );
    let members = String::from_utf8(server.get("/api/v1/members").await.body).expect("text");
    let fields = [
        "members",
        "id",
        "short",
        "name",
        "state",
        "self",
        "addresses",
        "since",
        "direct",
        "via",
        "clock_error_ms",
        "verified",
        "muted",
        "blocked",
        "forked",
        "status",
        "bytes",
        "closed",
    ];
    check_fields(&members, &fields);
    assert!(members.contains(r#""via":null,"clock_error_ms":null,"verified":false"#), "{members}");
    assert!(members.contains(r#""short":"aeaqcaib","#), "{members}");
    let posted = server.post("/api/v1/messages", r#"{"text":"*hi*\n","ref":"a"}"#).await;
    assert_eq!(posted.status, 201);
    let message = String::from_utf8(posted.body.clone()).expect("text");
    let expected = format!(
        concat!(
            r#"{{"id":"0000000000000007000000000000000109090909090909090909090909090909","author":"{0}","name":"Ana","#,
            r#""time":"2026-11-22T14:05:00.001Z","kind":"say","channel":"general","to":null,"text":"*hi*\n","spans":"#,
            r#"[{{"type":"em","spans":[{{"type":"text","text":"hi"}}]}},{{"type":"text","text":"\n"}}],"reply_to":null,"held_by":0,"of":1,"#,
            r#""order":"{1:016x}{0}00000000000000070000000000000001","arrival":1,"#,
            r#""reply":null,"edited":null,"deleted":false,"mentions":[],"reactions":[],"files":[]}}"#
        ),
        OWN,
        1_795_356_300_001u64 << 16
    );
    assert_eq!(message, expected);
    let again = server.post("/api/v1/messages", r#"{"ref":"a","text":"*hi*\n"}"#).await;
    assert_eq!((again.status, again.body), (200, posted.body));
    let direct =
        server.post("/api/v1/messages", &json!({"text": "x", "to": OTHER.to_string()}).to_string()).await.json();
    assert_eq!((&direct["channel"], &direct["to"]), (&json!(null), &json!(OTHER.to_string())));
    server.commit("of another");
    let page = server.get("/api/v1/messages?limit=1").await;
    check_fields(
        std::str::from_utf8(&page.body).expect("text"),
        &["messages", "id", "held_by", "of", "arrival", "notices", "before", "after"],
    );
    assert!(std::str::from_utf8(&page.body).expect("text").contains(r#""held_by":null,"of":null,"#));
}

#[tokio::test]
async fn doctor_matches_the_contract() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/doctor").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let expected = format!(
        concat!(
            r#"{{"interfaces":[{{"name":"eth0","addresses":["192.0.2.7"],"sent":3,"heard":2,"refused":1,"#,
            r#""last_heard":"2026-11-22T14:05:00.000Z"}}],"ports":{{"udp":7666,"tcp":7667,"web":null}},"#,
            r#""dials":[{{"address":"192.0.2.9:7666","at":"2026-11-22T14:05:00.000Z","error":"no answer"}}],"#,
            r#""refused":{{"forged":4}},"heard_by":[{{"id":"{}","of_me":false}}],"clock_error_ms":-5,"likely":"Everything works.","#,
            r#""discovery":[],"firewall":null,"files":{{"open":9,"most":1024}},"#,
            r#""links":{{"open":1,"most":1024,"is_full":false,"from":[]}},"disk_free":1}}"#
        ),
        OTHER
    );
    assert_eq!(String::from_utf8_lossy(&answer.body), expected);
}

#[tokio::test]
async fn page_lists_holders_and_dials_a_peer() {
    let server = Server::start().await;
    let said = server.post("/api/v1/messages", r#"{"text":"hello"}"#).await;
    let id = said.json()["id"].as_str().expect("an id").to_owned();
    let held = server.get(&format!("/api/v1/messages/{id}/held")).await;
    assert_eq!(held.status, 200);
    assert_eq!(String::from_utf8_lossy(&held.body), format!(r#"{{"held":[],"missing":["{OTHER}"]}}"#));
    for id in ["0".repeat(64), "x".to_owned()] {
        let unknown = server.get(&format!("/api/v1/messages/{id}/held")).await;
        assert_eq!((unknown.status, unknown.code().as_str()), (404, "not_found"));
    }
    for (body, status) in [(r#"{"address":" 192.0.2.9 "}"#, 200), (r#"{"address":"a b"}"#, 400), ("{}", 400)] {
        let answer = server.post("/api/v1/peers", body).await;
        assert_eq!(answer.status, status, "{body}: {}", String::from_utf8_lossy(&answer.body));
    }
}

/// Fields in this order.
#[track_caller]
fn check_fields(json: &str, fields: &[&str]) {
    let mut at = 0;
    for field in fields {
        let found = json[at..].find(&format!("\"{field}\":"));
        at += found.unwrap_or_else(|| panic!("{field} is missing, or not in its order, in {json}"));
    }
}

#[tokio::test]
async fn a_query_is_understood_or_refused() {
    let server = Server::start().await;
    let line = server.commit("x");
    let cursor = line.order.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let id = line.id.to_string();
    for (query, at, limit) in [
        (String::new(), PagePosition::Newest, 100),
        ("?limit=7".into(), PagePosition::Newest, 7),
        ("?limit=501".into(), PagePosition::Newest, 500),
        ("?limit=99999999999999999999999".into(), PagePosition::Newest, 500),
        (format!("?before={cursor}&unknown=1"), PagePosition::Before(line.order), 100),
        (format!("?after={cursor}"), PagePosition::After(line.order), 100),
        ("?since=17".into(), PagePosition::Since(17), 100),
        (format!("?with={}", OTHER), PagePosition::Newest, 100),
        ("?channel=caf%C3%A9".into(), PagePosition::Newest, 100),
    ] {
        assert_eq!(server.get(&format!("/api/v1/messages{query}")).await.status, 200, "{query}");
        let asked = server.room().queries.pop().expect("the node was asked");
        assert_eq!((asked.at, asked.limit), (at, limit), "{query}");
        assert_eq!(asked.conversation.is_some(), query.contains("with") || query.contains("channel"));
    }
    for query in [
        "before=x".to_owned(),
        "after=".into(),
        "around=x".into(),
        "since=-1".into(),
        "since=x".into(),
        "limit=0".into(),
        "limit=".into(),
        "limit=-1".into(),
        "limit=1.5".into(),
        "limit=%2B5".into(),
        "since=%2B5".into(),
        "limit=1&limit=2".into(),
        format!("before={cursor}&after={cursor}"),
        format!("since=1&around={id}"),
        "with=x".into(),
        "channel=".into(),
        format!("channel=a&with={OTHER}"),
    ] {
        let answer = server.get(&format!("/api/v1/messages?{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{query}");
    }
    let unknown = "f".repeat(id.len());
    assert_eq!(server.get(&format!("/api/v1/messages?around={unknown}")).await.status, 404);
}

#[tokio::test]
async fn wrong_tokens_are_slowed_and_the_right_one_is_not() {
    let server = Server::start().await;
    let wrong = format!("Bearer {}", "0".repeat(64));
    let headers = [("Host", "localhost"), ("Authorization", &*wrong)];
    let guesses = async {
        let begun = Instant::now();
        let answers = futures::future::join_all((0..8).map(|_| server.raw("GET /api/v1/node", &headers, ""))).await;
        assert!(answers.iter().all(|answer| answer.status == 401));
        begun.elapsed()
    };
    let guesses = guesses.await;
    assert!(guesses >= Duration::from_millis(800), "{guesses:?}");

    // A request that had to wait behind failed attempts would finish after all earlier ones.
    let (answered, over) = (std::cell::Cell::new(0), std::cell::Cell::new(false));
    let guesser = async || {
        while !over.get() {
            assert_eq!(server.raw("GET /api/v1/node", &headers, "").await.status, 401);
            answered.set(answered.get() + 1);
        }
    };
    let right = async {
        for _ in 0..4 {
            let before = answered.get();
            assert_eq!(server.get("/api/v1/node").await.status, 200);
            assert!(answered.get() < before + GUESSES_WAITING_MAX, "it waited behind guessers");
        }
        over.set(true);
    };
    tokio::join!(futures::future::join_all((0..GUESSES_WAITING_MAX).map(|_| guesser())), right);

    // A thousand attempts, however many in parallel: each takes its time, and the right token is
    // answered meanwhile.
    let mut thousand = futures::stream::iter(0..1_000)
        .map(async |_| {
            let begun = Instant::now();
            assert_eq!(server.raw("GET /api/v1/node", &headers, "").await.status, 401);
            begun.elapsed()
        })
        .buffer_unordered(60);
    let mut tried = 0;
    while let Some(took) = thousand.next().await {
        tried += 1;
        assert!(took >= Duration::from_millis(GUESS_MS), "{took:?}");
        if tried % 100 == 0 {
            assert_eq!(server.get("/api/v1/node").await.status, 200);
        }
    }
    assert_eq!(tried, 1_000);
    for value in ["Basic Og==", "Bearer", "bearer ", "x", &server.token()] {
        let answer = server.raw("GET /api/v1/node", &[("Host", "localhost"), ("Authorization", value)], "").await;
        assert_eq!(answer.status, 401, "{value}");
    }
    let lower = server.bearer().replace("Bearer", "bearer");
    assert_eq!(
        server.raw("GET /api/v1/node", &[("Host", "localhost"), ("Authorization", &lower)], "").await.status,
        200
    );
}

#[tokio::test]
async fn stop_and_rotation_need_the_token_and_json() {
    let server = Server::start().await;
    let old = server.bearer();
    let rotated = server.post("/api/v1/token/rotate", "{}").await.json();
    assert_eq!(rotated["token"], server.token());
    assert_ne!(old, server.bearer());
    let headers = [("Host", "localhost"), ("Authorization", &*old), ("Content-Type", "application/json")];
    assert_eq!(server.raw("POST /api/v1/stop", &headers, "{}").await.status, 401);
    assert!(!server.room().exited);
    assert_eq!(server.post("/api/v1/stop", "").await.status, 200);
    assert!(server.room().exited);
}

#[tokio::test]
async fn emoji_are_named_cacheable_and_compressed() {
    let server = Server::start().await;
    assert_eq!(server.raw("GET /api/v1/emoji", &[("Host", "localhost")], "").await.status, 401);
    let answer = server.get("/api/v1/emoji").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private, max-age=86400")));
    check_headers("emoji", &answer, Some("localhost"));
    let rows = answer.json()["emoji"].as_array().expect("a list").clone();
    assert!(rows.len() > 1_500);
    assert!(rows.iter().any(|row| row[0] == "👍" && row[1] == "thumbsup"), "a sign, then its names");
    let headers = [("Host", "localhost"), ("Authorization", &*server.bearer()), ("Accept-Encoding", "gzip")];
    let packed = server.raw("GET /api/v1/emoji", &headers, "").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn parts_are_cacheable_compressed_and_typed() {
    let server = Server::start().await;
    let shell = server.raw("GET /", &[("Host", "localhost")], "").await;
    assert_eq!(shell.header("content-type"), Some("text/html; charset=utf-8"));
    let shell = String::from_utf8(shell.body).expect("text");
    let root = shell.split('"').find(|text| text.starts_with("/static/")).expect("a part in the shell");
    // The content before any script has run, or without scripts. The theme is chosen before
    // anything else runs.
    for words in ["<nav ", "<main ", "<aside ", "<noscript>", "roomful tail --follow"] {
        assert!(shell.contains(words), "no {words} in the shell");
    }
    let place = |words: &str| shell.find(words).expect(words);
    assert!(
        place("/js/theme_boot.js\"></script>") < place("</head>") && place("/js/theme_boot.js") < place("/js/main.js")
    );
    let hash = root.split('/').nth(2).expect("a hash").to_owned();
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    for part in shell.split('"').filter(|text| text.starts_with("/static/")) {
        let answer = server.raw(&format!("GET {part}"), &[("Host", "localhost")], "").await;
        assert_eq!(answer.status, 200, "{part}");
        check_headers(&format!("static {part}"), &answer, Some("localhost"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        let expected = match part.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("webmanifest") => "application/manifest+json",
            _ => "another type",
        };
        assert_eq!(answer.header("content-type"), Some(expected), "{part}");
        if part.ends_with(".css") {
            let gzip =
                server.raw(&format!("GET {part}"), &[("Host", "localhost"), ("Accept-Encoding", "br, gzip")], "").await;
            assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{part}");
            assert!(gzip.body.len() < answer.body.len());
            check_headers(&format!("static {part}"), &gzip, Some("localhost"));
            for refusal in ["br", "gzip;q=0, br", "deflate"] {
                let headers = [("Host", "localhost"), ("Accept-Encoding", refusal)];
                let plain = server.raw(&format!("GET {part}"), &headers, "").await;
                assert_eq!((plain.header("content-encoding"), &plain.body), (None, &answer.body), "{refusal}");
            }
        }
        let stale =
            server.raw(&format!("GET {}", part.replace(&hash, "0123456789abcdef")), &[("Host", "localhost")], "").await;
        assert_eq!(stale.status, 404);
        check_headers("another hash", &stale, Some("localhost"));
    }
    for path in ["", "/", "../../Cargo.toml", "..%2f..%2fCargo.toml", "css", "%00", "/etc/passwd"] {
        assert_eq!(
            server.raw(&format!("GET /static/{hash}/{path}"), &[("Host", "localhost")], "").await.status,
            404,
            "{path}"
        );
    }
    let headers = [("Host", "localhost"), ("Authorization", &*server.bearer()), ("Accept-Encoding", "gzip")];
    assert_eq!(
        server.raw("GET /api/v1/members", &headers, "").await.header("content-encoding"),
        None,
        "data is not compressed"
    );
}

#[tokio::test]
async fn export_contains_no_local_data() {
    let server = Server::start().await;
    server.hear("hello");
    for query in ["?limit=0", "?after=x", "?direct=yes", "?direct=1&direct=1"] {
        let answer = server.get(&format!("/api/v1/export{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{query}");
    }
    let answer = server.get("/api/v1/export?direct=1&limit=9").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let entry = format!(
        r#"{{"id":"{}","author":"{OTHER}","name":"Ben","time":"2026-11-22T14:05:00.001Z","kind":"say","channel":"general","to":null,"text":"hello","reply_to":null,"edited":null,"deleted":false,"reactions":[],"files":[]}}"#,
        server.room().messages[0].id
    );
    assert_eq!(String::from_utf8_lossy(&answer.body), format!(r#"{{"entries":[{entry}],"after":null}}"#));
}

#[tokio::test]
async fn search_offsets_are_in_utf16_units() {
    let server = Server::start().await;
    server.hear("nothing");
    server.hear("👍 Zoë says é, zoe\u{301}");
    let id = OWN.to_string();
    for query in [
        String::new(),
        format!("?q={}", "x".repeat(1025)),
        "?q=x&limit=0".to_owned(),
        "?q=x&from=ana".to_owned(),
        "?q=x&before=1".to_owned(),
        format!("?q=x&channel=a&with={id}"),
    ] {
        let answer = server.get(&format!("/api/v1/search{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{query}");
    }
    let found = server.get("/api/v1/search?q=ZO%C3%8B&channel=general&limit=5000").await.json();
    assert_eq!(found["hits"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["hits"][0]["ranges"], json!([[3, 6], [15, 19]]));
    assert_eq!(found["hits"][0]["message"]["arrival"], 2);
    for query in ["?q=", "?q=%20*%22", "?q=missing"] {
        assert_eq!(server.get(&format!("/api/v1/search{query}")).await.json(), json!({"hits": []}), "{query}");
    }
}

#[tokio::test]
async fn marks_are_set_by_name() {
    let server = Server::start().await;
    let mark = async |id: &str, body: &str| {
        let answer = server.post(&format!("/api/v1/members/{id}/mark"), body).await;
        (answer.status, if answer.status == 200 { String::new() } else { answer.code() })
    };
    let (own, other) = (OWN.to_string(), OTHER.to_string());
    for body in ["", "{}", r#"{"blocked":"yes"}"#, r#"{"blocked":null}"#, "[]"] {
        assert_eq!(mark(&other, body).await, (400, "bad_request".to_owned()), "{body}");
    }
    assert_eq!(mark(&own, r#"{"muted":true}"#).await, (422, "bad_target".to_owned()));
    for id in ["ff".repeat(32).as_str(), "ana"] {
        assert_eq!(mark(id, r#"{"muted":true}"#).await, (404, "no_such_member".to_owned()), "{id}");
    }
    let answer = server.post(&format!("/api/v1/members/{other}/mark"), r#"{"verified":true,"muted":true}"#).await;
    let member = answer.json();
    assert_eq!((answer.status, &member["id"]), (200, &json!(other)));
    assert_eq!([&member["verified"], &member["muted"], &member["blocked"]], [true, true, false].map(|is| is));
}
