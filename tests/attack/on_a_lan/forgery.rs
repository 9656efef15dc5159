//! A member that lies: forged, altered, replayed and misplaced history, goodbyes for others,
//! receipts for nothing, extreme times, and terminal escapes.

use bytes::Bytes;
use roomful::proto::clock::Stamp;
use roomful::proto::ids::{LogId, LogKey, NodeId, RoomId};
use roomful::proto::names::name::Name;
use roomful::proto::replication::frame::{CloseReason, Frame, ReachReport, ReachState, Receipt};
use rustix::process::Signal;

use crate::siege::{PATIENCE, Siege};
use crate::writer::{Writer, push};
use support::wait::until_within;
use support::{Context, Result, ensure, json};

fn text(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

/// That the link on which `frames` were sent is ended, because they break the protocol.
pub(super) async fn breaks_the_link(siege: &Siege, seed: u16, what: &str, frames: Vec<Bytes>) -> Result<()> {
    let (mallory, ana) = (siege.speaker(seed), siege.ana());
    let ended = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        for frame in frames {
            line.send(&frame).await?;
        }
        let reason = line.until_closed().await;
        // Bytes after the last frame must be ignored.
        line.garble().await?;
        Ok(reason)
    });
    let reason = ended.await??;
    ensure!(reason == Some(CloseReason::Protocol), "{what}: ended with {reason:?}");
    println!("{what}: the link was ended");
    Ok(())
}

#[tokio::test]
async fn forged_batch_ends_the_link_and_is_not_shown() -> Result<()> {
    let mut siege = Siege::new().await?;
    siege.nodes[1].api.say("Ben's own words").await?;
    // As a member, Mallory holds what Ben has signed, and can relay it.
    let (mallory, ben) = (siege.speaker(1), std::net::SocketAddr::from(([10, 77, 0, 2], crate::siege::PORT)));
    let ben_id = NodeId::from_hex(siege.nodes[1].id()).context("an id")?;
    let recorded = siege.attacker.does(move || async move {
        let mut line = mallory.join(ben).await?;
        history_of(&mut line, ben_id).await
    });
    let recorded = recorded.await??;
    ensure!(!recorded.is_empty(), "Ben gives out what he said");

    let altered = recorded.iter().map(|batch| {
        let mut bytes = batch.to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    });
    let altered: Vec<Vec<u8>> = altered.collect();
    breaks_the_link(&siege, 2, "altered", vec![push(&[&altered[0]])]).await?;
    let cut = &recorded[0][..recorded[0].len() - 1];
    breaks_the_link(&siege, 3, "cut short", vec![push(&[cut])]).await?;
    let elsewhere = Writer::new(&siege.speaker(4), 1).in_room(RoomId::new("another", b"")).says(&text("elsewhere"));
    breaks_the_link(&siege, 4, "of another room", vec![push(&[elsewhere.bytes()])]).await?;
    let garbage = [&[0, 0, 0, 3][..], &[0xff, 0xff, 0xff]].concat();
    breaks_the_link(&siege, 5, "garbage", vec![garbage.into()]).await?;
    let too_long = u32::try_from(roomful::proto::limits::FRAME_BYTES_MAX + 1)?.to_be_bytes().to_vec();
    breaks_the_link(&siege, 6, "too long", vec![too_long.into()]).await?;

    // What Ben really said may come as often as it likes, from whom it likes, in any order.
    let (mallory, ana) = (siege.speaker(7), siege.ana());
    let again = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        for _ in 0..50 {
            for batch in recorded.iter().rev() {
                line.send(&push(&[batch])).await?;
            }
        }
        answered(&mut line).await
    });
    again.await??;
    siege.they_talk("after forgeries and repetitions").await?;
    let said = siege.others_said().await?;
    ensure!(said == ["Ben's own words", "Ben's own words"], "once on each of the two: {said:?}");
    siege.they_stand("after forgeries and repetitions").await
}

/// Fetches everything that an author signed for the room from a member.
pub(super) async fn history_of(line: &mut crate::speaker::Line, author: NodeId) -> Result<Vec<Bytes>> {
    line.say(&Frame::AskLogs { author, from: None }).await?;
    let logs = loop {
        if let Frame::Logs { logs, .. } = line.hear().await? {
            break logs;
        }
    };
    let mut all = Vec::new();
    for holding in logs {
        let key = LogKey { author, log: holding.log };
        let last = holding.ranges.last().context("a range")?.last;
        line.say(&Frame::Fetch(roomful::proto::replication::frame::Fetch { key, first: 1, last, bytes: 100_000 }))
            .await?;
        loop {
            if let Frame::Page { batches, .. } = line.hear().await? {
                all.extend(batches.iter().map(|batch| batch.bytes().clone()));
                break;
            }
        }
    }
    Ok(all)
}

/// Waits until everything that was sent before has been heard: frames are answered in their order.
async fn answered(line: &mut crate::speaker::Line) -> Result<()> {
    line.say(&Frame::Ping { wall_ms: 1 }).await?;
    while !matches!(line.hear().await?, Frame::Pong { .. }) {}
    Ok(())
}

#[tokio::test]
async fn peer_reports_change_no_presence_or_receipt() -> Result<()> {
    let mut siege = Siege::new().await?;
    let ben = NodeId::from_hex(siege.nodes[1].id()).context("an id")?;
    let ana_id = NodeId::from_hex(siege.nodes[0].id()).context("an id")?;
    let (mut mallory, ana) = (siege.speaker(1), siege.ana());
    // Numbers at their ends.
    (mallory.intro.uptime_ms, mallory.intro.wall_ms) = (u64::MAX, u64::MAX);
    let second = siege.speaker(2);
    let mallory_id = mallory.id();
    let attack = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        let name = Name::from_lossy("Ben", "?");
        for state in [ReachState::Left, ReachState::Gone, ReachState::Here, ReachState::Left] {
            let reach =
                ReachReport { member: ben, state, name: name.clone(), uptime_ms: u64::MAX, listens: Vec::new() };
            line.say(&Frame::Reach(reach)).await?;
        }
        let ends = [(0, 0), (1, u64::MAX), (u64::MAX, u64::MAX), (u64::MAX, 1), (1, 1 << 63)];
        let receipts: Vec<_> = ends.map(|(first, last)| Receipt { log: LogId(u64::MAX), first, last }).to_vec();
        line.say(&Frame::Receipt(receipts.clone())).await?;
        line.say(&Frame::Carry { author: ana_id, from: ben, receipts: receipts.clone() }).await?;
        line.say(&Frame::Carry { author: ben, from: mallory_id, receipts }).await?;
        line.say(&Frame::Pong { wall_ms: u64::MAX }).await?;
        for (first, last) in ends {
            let key = LogKey { author: ana_id, log: LogId(0) };
            line.say(&Frame::Fetch(roomful::proto::replication::frame::Fetch { key, first, last, bytes: u64::MAX }))
                .await?;
        }
        // A node that asks about Mallory is told the uptime of its program.
        let mut other = second.join(ana).await?;
        other.say(&Frame::Relay { member: mallory_id, on: true }).await?;
        answered(&mut other).await?;
        answered(&mut line).await
    });
    attack.await??;
    siege.they_talk("after false words about others").await?;
    let notices = siege.nodes[0].api.notices().await?;
    let gone = notices.iter().find(|notice| notice["member"] == siege.nodes[1].id() && notice["kind"] != "joined");
    ensure!(gone.is_none(), "Ana was told {gone:?}");
    siege.they_stand("after false words about others").await
}

#[tokio::test]
async fn peer_reports_add_no_receipt() -> Result<()> {
    let mut siege = Siege::new().await?;
    let [ana_id, ben_id] = [0, 1].map(|node| NodeId::from_hex(siege.nodes[node].id()));
    let (ana_id, ben_id) = (ana_id.context("an id")?, ben_id.context("an id")?);
    // Ben is there, and so slow that his own word is not.
    siege.nodes[1].signal(Signal::STOP)?;
    let said = siege.nodes[0].api.say("who holds this?").await?;
    let (mallory, nobody, ana) = (siege.speaker(1), siege.speaker(2).id(), siege.ana());
    let attack = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        // Ana's own log, as it is.
        line.say(&Frame::AskLogs { author: ana_id, from: None }).await?;
        let logs = loop {
            if let Frame::Logs { logs, .. } = line.hear().await? {
                break logs;
            }
        };
        let spans = logs.iter().flat_map(|log| log.ranges.iter().map(|span| (log.log, span.first, span.last)));
        let receipts: Vec<Receipt> = spans.map(|(log, first, last)| Receipt { log, first, last }).collect();
        ensure!(!receipts.is_empty(), "Ana tells what she wrote");
        for from in [ben_id, nobody, ana_id] {
            line.say(&Frame::Carry { author: ana_id, from, receipts: receipts.clone() }).await?;
        }
        answered(&mut line).await
    });
    attack.await??;
    let path = format!("/api/v1/messages/{}/held", said["id"].as_str().context("an id")?);
    let held = async |siege: &Siege| siege.nodes[0].api.get(&path).await;
    let before = held(&siege).await?;
    ensure!(before["held"] == json!([]) && before["missing"] == json!([siege.nodes[1].id()]), "{before}");
    siege.nodes[1].signal(Signal::CONT)?;
    until_within(PATIENCE, "Ben says so himself", async || {
        let held = held(&siege).await?;
        ensure!(held["held"][0]["id"] == siege.nodes[1].id() && held["missing"] == json!([]), "{held}");
        Ok(())
    })
    .await?;
    siege.they_stand("after false words about who holds what").await
}

#[tokio::test]
async fn extreme_times_and_escapes_do_no_harm() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (mallory, ana) = (siege.speaker(1), siege.ana());
    let ben = NodeId::from_hex(siege.nodes[1].id()).context("an id")?;
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\u{9b}31m\u{202e}gnihton\u{2066}";
    let mut far = Writer::new(&mallory, 1).called(&format!("Mal\u{1b}[31m\u{202e}lory{evil}"));
    let batch = far.says_at(Stamp(Stamp::END - 10), &text(evil));
    let mut to_ben = Writer::new(&mallory, 2);
    to_ben.audience = Some(ben);
    let private = to_ben.says(&text("not for Ana"));
    let attack = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        line.send(&push(&[batch.bytes()])).await?;
        line.send(&push(&[private.bytes()])).await?;
        answered(&mut line).await
    });
    attack.await??;
    for node in 0..2 {
        until_within(PATIENCE, "the words from the end of time", async || {
            let texts = siege.nodes[node].api.texts().await?;
            ensure!(texts.iter().any(|text| text == evil), "not yet: {texts:?}");
            Ok(())
        })
        .await?;
    }
    siege.nodes[1].api.say("now").await?;
    until_within(PATIENCE, "what is said now stands behind what was said in the far future", async || {
        let newest = siege.nodes[0].api.texts().await?.pop();
        ensure!(newest.as_deref() == Some("now"), "{newest:?}");
        Ok(())
    })
    .await?;
    ensure!(!siege.others_said().await?.contains(&"not for Ana".to_owned()), "a direct message of others");
    let commands: [&[&str]; 5] =
        [&["tail", "-n", "50"], &["members"], &["search", "owned"], &["export"], &["export", "--format", "html"]];
    for command in commands {
        let printed = siege.nodes[0].run(command)?;
        ensure!(printed.status.success(), "{command:?}: {}", printed.stderr);
        // A page keeps the order of letters to each message by its styles; a terminal can't.
        let turns = |c: &char| matches!(c, '\u{202a}'..='\u{202e}') && !command.contains(&"html");
        let is_harmful = |c: &char| c.is_control() && !matches!(c, '\n' | '\t') || turns(c);
        let harmful: Vec<char> = printed.stdout.chars().filter(is_harmful).collect();
        ensure!(harmful.is_empty(), "{command:?} prints {harmful:?}");
    }
    siege.they_stand("after the end of time").await
}
