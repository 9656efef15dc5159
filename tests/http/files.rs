//! Uploads, downloads and the routes around them, to the letter of the contract.

use std::time::{Duration, Instant};

use roomful::proto::limits::UPLOAD_PART_BYTES_MAX;
use roomful::web::file_requests::FileChange;

use crate::client::Answer;
use crate::fake::Server;

const BYTES: &str = "<script>document.title = 'run'</script> and more bytes";

impl Server {
    async fn octets(&self, path: &str, body: &str) -> Answer {
        let bearer = self.bearer();
        let headers =
            [("Host", "localhost"), ("Authorization", &*bearer), ("Content-Type", "application/octet-stream")];
        self.raw(&format!("POST {path}"), &headers, body).await
    }

    async fn with(&self, line: &str, header: (&str, &str)) -> Answer {
        let bearer = self.bearer();
        self.raw(line, &[("Host", "localhost"), ("Authorization", &*bearer), header], "").await
    }
}

/// Uploads the bytes, and returns the path of their content.
async fn uploaded(server: &Server) -> String {
    let answer = server.octets("/api/v1/files?name=a%20page.html", BYTES).await;
    assert_eq!(answer.status, 201);
    format!("/api/v1/files/{}", answer.json()["content"].as_str().expect("a hash"))
}

#[tokio::test]
async fn upload_answers_the_file() {
    let server = Server::start().await;
    let answer = server.octets("/api/v1/files?name=..%2F..%2Fp%C3%A4ge.html", BYTES).await;
    assert_eq!(answer.status, 201);
    let file = answer.json();
    assert_eq!(file["content"], blake3::hash(BYTES.as_bytes()).to_string());
    assert_eq!((&file["name"], &file["size"]), (&"päge.html".into(), &BYTES.len().into()));
    assert_eq!((&file["media_type"], &file["state"]), (&"text/html".into(), &"here".into()));
    assert_eq!(server.get("/api/v1/files").await.json()["files"][0], file);
}

#[tokio::test]
async fn wrong_uploads_are_refused() {
    let server = Server::start().await;
    let json = server.post("/api/v1/files?name=a", BYTES).await;
    assert_eq!((json.status, json.code().as_str()), (415, "bad_type"));
    let nameless = server.octets("/api/v1/files", BYTES).await;
    assert_eq!((nameless.status, nameless.code().as_str()), (400, "bad_request"));
    let bearer = server.bearer();
    let huge = [
        ("Host", "localhost"),
        ("Authorization", &*bearer),
        ("Content-Type", "application/octet-stream"),
        ("Content-Length", "17179869185"),
    ];
    let huge = server.raw("POST /api/v1/files?name=a", &huge, "").await;
    assert_eq!((huge.status, huge.code().as_str()), (413, "too_long"));
    let huge = server.post("/api/v1/uploads", r#"{"name": "a", "size": 9223372036854775808}"#).await;
    assert_eq!((huge.status, huge.code().as_str()), (413, "too_long"));
    let anonymous = server.raw("POST /api/v1/files?name=a", &[("Host", "localhost")], BYTES).await;
    assert_eq!((anonymous.status, anonymous.code().as_str()), (401, "unauthorized"));
}

#[tokio::test]
async fn upload_longer_than_a_request_is_taken() {
    let server = Server::start().await;
    let body = "x".repeat(3 * 1024 * 1024);
    let answer = server.octets("/api/v1/files?name=a", &body).await;
    assert_eq!((answer.status, &answer.json()["size"]), (201, &body.len().into()));
}

#[tokio::test]
async fn upload_in_parts_is_resumed() {
    let server = Server::start().await;
    let begun = server.post("/api/v1/uploads", r#"{"name": "a.txt", "size": 10}"#).await;
    assert_eq!(begun.json()["offset"], 0);
    let path = format!("/api/v1/uploads/{}", begun.json()["upload"].as_str().expect("an id"));
    assert_eq!(server.octets(&format!("{path}?offset=0"), "01234").await.json()["offset"], 5);
    let wrong = server.octets(&format!("{path}?offset=3"), "34567").await;
    assert_eq!((wrong.status, wrong.code().as_str(), &wrong.json()["offset"]), (409, "bad_offset", &5.into()));
    let file = server.octets(&format!("{path}?offset=5"), "56789").await.json();
    assert_eq!((&file["name"], &file["size"]), (&"a.txt".into(), &10.into()));

    let long = "x".repeat(UPLOAD_PART_BYTES_MAX + 1);
    let long = server.octets(&format!("{path}?offset=10"), &long).await;
    assert_eq!((long.status, long.code().as_str()), (413, "too_long"));
    let unknown = server.octets("/api/v1/uploads/00000000000000ff?offset=0", "x").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "not_found"));
}

/// The headers that keep a browser from showing or running the bytes.
#[track_caller]
fn only_saves(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert!(answer.header("content-disposition").is_some_and(|value| value.starts_with("attachment; ")));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.ends_with("; sandbox"), "{policy}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn download_has_every_safe_header() {
    let server = Server::start().await;
    let path = uploaded(&server).await;
    let whole = server.get(&path).await;
    assert_eq!((whole.status, &*whole.body), (200, BYTES.as_bytes()));
    only_saves(&whole);
    assert_eq!(
        whole.header("content-disposition"),
        Some("attachment; filename=\"a page.html\"; filename*=UTF-8''a%20page.html")
    );
    let tag = whole.header("etag").expect("a tag").to_owned();
    let head = server.with(&format!("HEAD {path}"), ("X", "y")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*BYTES.len().to_string()));
    let known = server.with(&format!("GET {path}"), ("If-None-Match", &tag)).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[tokio::test]
async fn download_of_a_range_is_partial() {
    let server = Server::start().await;
    let path = uploaded(&server).await;
    let part = server.with(&format!("GET {path}"), ("Range", "bytes=1-6")).await;
    assert_eq!((part.status, &*part.body), (206, &b"script"[..]));
    assert_eq!(part.header("content-range"), Some(&*format!("bytes 1-6/{}", BYTES.len())));
    only_saves(&part);
    let beyond = server.with(&format!("GET {path}"), ("Range", "bytes=9999-")).await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some(&*format!("bytes */{}", BYTES.len())));
}

#[tokio::test]
async fn file_that_is_not_here_is_refused() {
    let server = Server::start().await;
    let file = server.octets("/api/v1/files?name=remote", "x").await.json();
    let path = format!("/api/v1/files/{}", file["content"].as_str().expect("a hash"));
    for answer in [server.get(&path).await, server.post(&format!("{path}/link"), "{}").await] {
        assert_eq!((answer.status, answer.code().as_str()), (409, "not_here"));
    }
    for path in ["/api/v1/files/short".to_owned(), format!("/api/v1/files/{}", "0".repeat(64))] {
        let answer = server.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn changes_of_a_file_reach_the_node() {
    let server = Server::start().await;
    let path = uploaded(&server).await;
    for (action, body) in [("fetch", "{}"), ("cancel", "{}"), ("remove", "{}"), ("pin", r#"{"pinned": true}"#)] {
        let answer = server.post(&format!("{path}/{action}"), body).await;
        assert_eq!((answer.status, &answer.json()["name"]), (200, &"a page.html".into()), "{action}");
    }
    let expected = [FileChange::Fetch, FileChange::Cancel, FileChange::Remove, FileChange::Pin(true)];
    assert_eq!(server.room().files.changes(), expected);
    assert_eq!(server.post(&format!("{path}/pin"), "{}").await.code(), "bad_request");
}

#[tokio::test]
async fn download_link_works_once_without_a_token() {
    let server = Server::start().await;
    let path = uploaded(&server).await;
    let link = server.post(&format!("{path}/link"), "{}").await.json();
    let url = link["url"].as_str().expect("an address").to_owned();
    assert!(url.starts_with("/f/") && url.ends_with("/a%20page.html"), "{url}");
    let host = [("Host", "localhost")];

    let head = server.raw(&format!("HEAD {url}"), &host, "").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some(&*BYTES.len().to_string())));
    let first = server.raw(&format!("GET {url}"), &[host[0], ("Range", "bytes=0-0")], "").await;
    assert_eq!((first.status, &*first.body), (200, BYTES.as_bytes()), "there is no Range");
    only_saves(&first);

    for (line, why) in [
        (format!("GET {url}"), "used"),
        (format!("HEAD {url}"), "used"),
        (format!("GET /f/{}/x", "0".repeat(64)), "wrong"),
    ] {
        let begun = Instant::now();
        let answer = server.raw(&line, &host, "").await;
        assert_eq!(answer.status, 404, "{why}");
        assert!(begun.elapsed() >= Duration::from_millis(roomful::proto::limits::GUESS_MS), "it is slowed down");
    }
}

#[tokio::test]
async fn foreign_host_gets_no_download() {
    let server = Server::start().await;
    let path = uploaded(&server).await;
    let link = server.post(&format!("{path}/link"), "{}").await.json();
    let url = link["url"].as_str().expect("an address").to_owned();
    let answer = server.raw(&format!("GET {url}"), &[("Host", "evil.example")], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "bad_host"));
    assert_eq!(server.raw(&format!("GET {url}"), &[("Host", "localhost")], "").await.status, 200, "it is unused");
}
