//! Presence: a goodbye, a crash, a freeze and a return, each shown as such.

use rustix::process::Signal;

use super::{all_met, three_met};
use support::api::{Api, text_of};
use support::lab::Lab;
use support::wait::{LONG_PATIENCE, until, until_within};
use support::{Result, ensure};

#[tokio::test]
async fn stopping_node_says_goodbye() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let (id, since) = (cleo.id().to_owned(), anna.api.member(cleo.id()).await?["since"].clone());
    let cleo = cleo.stop()?;
    for node in [&anna, &ben] {
        until("cleo left", async || node.api.sees_state(&id, "left").await).await?;
        told_once(&node.api, "left", &id).await?;
        ensure!(node.api.notice_count("lost", &id).await? == 0, "a goodbye is no loss");
    }
    let member = anna.api.member(&id).await?;
    ensure!(member["addresses"][0] == "127.0.0.3" && member["since"] != since, "{member}");

    let cleo = cleo.start()?;
    until("cleo is here again", async || all_met(&[&anna, &ben, &cleo]).await).await?;
    ensure!(cleo.id() == id, "the same member as before");
    let announced = async || {
        let notices = anna.api.notices().await?;
        let kinds: Vec<String> =
            notices.iter().filter(|notice| notice["member"] == *id).map(|notice| text_of(notice, "kind")).collect();
        // Of nodes that start together, some are told that others joined.
        let from_then = kinds.iter().skip_while(|kind| *kind != "left").map(String::as_str).collect::<Vec<_>>();
        ensure!(from_then == ["left", "joined"], "told {kinds:?}");
        Ok(())
    };
    until("told that cleo joined", announced).await
}

#[tokio::test]
async fn killed_node_is_lost_and_comes_back() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let id = cleo.id().to_owned();
    let cleo = cleo.kill()?;
    for node in [&anna, &ben] {
        until("cleo is lost", async || node.api.sees_state(&id, "lost").await).await?;
        told_once(&node.api, "lost", &id).await?;
        ensure!(node.api.notice_count("left", &id).await? == 0, "she said no goodbye");
    }
    let cleo = cleo.start()?;
    until("cleo is here again", async || all_met(&[&anna, &ben, &cleo]).await).await?;
    let announced = async || {
        let back = anna.api.notice_count("back", &id).await?;
        ensure!(back == 1, "told {back} times");
        Ok(())
    };
    until("told that cleo is back", announced).await
}

#[tokio::test]
async fn frozen_node_is_unsure_then_lost_then_back() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    cleo.signal(Signal::STOP)?;
    for node in [&anna, &ben] {
        until_within(LONG_PATIENCE, "unsure", async || node.api.sees_state(cleo.id(), "unsure").await).await?;
    }
    ensure!(anna.api.notice_count("lost", cleo.id()).await? == 0, "unsure is not lost");
    for node in [&anna, &ben] {
        until_within(LONG_PATIENCE, "lost", async || node.api.sees_state(cleo.id(), "lost").await).await?;
        told_once(&node.api, "lost", cleo.id()).await?;
    }
    anna.api.say("said while cleo was frozen").await?;
    all_met(&[&anna, &ben]).await?;

    cleo.signal(Signal::CONT)?;
    until_within(LONG_PATIENCE, "back", async || all_met(&[&anna, &ben, &cleo]).await).await?;
    for node in [&anna, &ben] {
        told_once(&node.api, "back", cleo.id()).await?;
    }
    until("cleo has caught up", async || super::all_hold(&[&anna, &ben, &cleo], 1).await).await
}

#[tokio::test]
async fn member_known_from_history_is_shown_as_left() -> Result<()> {
    let lab = Lab::new()?;
    let [anna, ben, cleo] = three_met(&lab).await?;
    let id = cleo.id().to_owned();
    cleo.api.say("goodbye").await?;
    until("all hold it", async || super::all_hold(&[&anna, &ben, &cleo], 1).await).await?;
    cleo.stop()?;
    let dora = lab.node("dora").host("127.0.0.4").start()?;
    let known = async || {
        let member = dora.api.member(&id).await?;
        ensure!(member["state"] == "left" && member["name"] == "cleo" && member["direct"] == false, "{member}");
        Ok(())
    };
    until("dora knows who said it", known).await
}

/// Waits for the one notice of this kind about this member.
async fn told_once(api: &Api, kind: &str, member: &str) -> Result<()> {
    let told = async || {
        let count = api.notice_count(kind, member).await?;
        ensure!(count == 1, "told {count} times: {:?}", api.notices().await?);
        Ok(())
    };
    until(&format!("told once: {kind}"), told).await
}
