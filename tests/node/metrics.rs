//! The metrics of real nodes: their numbers, and what their labels never contain.

use hyper::Method;
use support::lab::Lab;
use support::wait::until;
use support::{Result, ensure};

#[tokio::test]
async fn metrics_count_and_name_nobody() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("both have met", async || super::all_met(&[&anna, &ben]).await).await?;
    anna.api.say("a secret text").await?;
    let scrape = async || {
        let answer = anna.api.send(anna.api.request(Method::GET, "/metrics", None)?).await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(String::from_utf8(answer.body.to_vec())?)
    };
    let peer = support::api::text_of(&anna.api.member(ben.id()).await?, "short");
    until("ben has confirmed the message", async || {
        let text = scrape().await?;
        let expected = [
            "roomful_members{state=\"online\"} 2".to_owned(),
            "roomful_members{state=\"lost\"} 0".to_owned(),
            "roomful_links 1".to_owned(),
            format!("roomful_peer_unconfirmed_bytes{{peer=\"{peer}\"}} 0"),
        ];
        for line in expected {
            ensure!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
        Ok(())
    })
    .await?;
    let text = scrape().await?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.and_then(|number| number.parse::<f64>().ok()).unwrap_or(-1.0)
    };
    ensure!(value("roomful_entries") >= 1.0 && value("roomful_commit_duration_seconds_count") >= 1.0, "{text}");
    ensure!(value("roomful_disk_free_bytes") > 0.0 && value("roomful_start_time_seconds") > 1e9, "{text}");
    for secret in ["anna", "ben", "secret", anna.id(), ben.id(), anna.api.token(), lab.room()] {
        ensure!(!text.contains(secret), "{secret} in:\n{text}");
    }
    Ok(())
}
