//! The metrics over HTTP.

use crate::fake::Server;

#[tokio::test]
async fn metrics_are_openmetrics_and_count_requests() {
    let server = Server::start().await;
    let count = async || {
        let answer = server.get("/metrics").await;
        assert_eq!(answer.status, 200);
        let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(media_type));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let text = String::from_utf8(answer.body).expect("text");
        assert!(text.ends_with("# EOF\n"), "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix("roomful_request_duration_seconds_count "));
        line.expect("the count of requests").parse::<u64>().expect("a number")
    };
    let before = count().await;
    server.get("/api/v1/members").await;
    assert_eq!(count().await, before + 2);
}
