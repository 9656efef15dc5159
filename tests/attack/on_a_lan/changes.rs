//! A member that changes what is not its own: edits and deletions of messages of others, reactions
//! that are no emoji, mentions of nothing.

use roomful::proto::entries::batch::{Verified, verify};
use roomful::proto::entries::body::Body;
use roomful::proto::entries::body_range::BodyRange;
use roomful::proto::entries::mention::{Mention, Mentions};
use roomful::proto::ids::{EntryId, LogId, NodeId};
use support::wait::until_within;
use support::{Context, Result, Value, ensure};

use super::forgery::{breaks_the_link, history_of};
use crate::siege::{PATIENCE, Siege};
use crate::writer::{Writer, push};

const KEPT: &str = "Ana's own words";

/// The message with this text on each of the two nodes.
async fn both(siege: &Siege, text: &str) -> Result<[Value; 2]> {
    let mut found = Vec::new();
    for node in &siege.nodes {
        let shown = async || {
            let messages = node.api.messages().await?;
            messages.into_iter().find(|message| message["text"] == text).with_context(|| format!("no {text:?}"))
        };
        found.push(until_within(PATIENCE, &format!("{} shows {text:?}", node.name()), shown).await?);
    }
    found.try_into().map_err(|_| anyhow::anyhow!("there are two"))
}

fn react(entry: EntryId, emoji: &str) -> Body {
    Body::React { entry, emoji: emoji.to_owned(), off: false }
}

#[tokio::test]
async fn messages_of_others_change_only_by_reactions() -> Result<()> {
    let mut siege = Siege::new().await?;
    siege.nodes[0].api.say(KEPT).await?;
    let ana_id = NodeId::from_hex(siege.nodes[0].id()).context("an id")?;
    let (mallory, ana) = (siege.speaker(1), siege.ana());
    let recorded = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        history_of(&mut line, ana_id).await
    });
    let room = siege.speaker(1).room();
    let batches = recorded.await??;
    let batches = batches.iter().filter_map(|bytes| verify(bytes, &room).ok());
    let says = |batch: &roomful::proto::entries::batch::Verified, index| matches!(batch.body(index), Some(Body::Say { text, .. }) if text == KEPT);
    let entry = batches
        .filter_map(|batch| (0..batch.header().entries.len()).find(|n| says(&batch, *n)).map(|n| batch.entry_id(n)))
        .next()
        .context("Ana gives out what she said")?;

    let mut writer = Writer::new(&siege.speaker(2), 7);
    let edit = |entry, text: &str| Body::Edit { entry, text: text.to_owned(), mentions: Mentions::default() };
    let nowhere = EntryId { log: LogId(99), seq: 3, check: [5; 16] };
    let range = |first, bytes| Mention { id: ana_id, first, bytes };
    let ranges = Mentions(vec![range(0, 3), range(5, 200), range(u32::MAX, 2), range(1, 0)]);
    let false_ranges = Body::Say {
        text: "no @ana é".to_owned(),
        channel: None,
        reply_to: Some(nowhere),
        files: Default::default(),
        mentions: ranges,
    };
    let sent = [
        writer.writes(vec![edit(entry, "Mallory's words"), edit(nowhere, "of nothing"), Body::delete(nowhere)]),
        writer.writes(vec![Body::Delete { entry, channel: Some("general".to_owned()) }]),
        writer.writes(vec![
            react(entry, "\u{202e}x"),
            react(entry, "a b"),
            react(entry, &"x".repeat(33)),
            react(entry, ""),
        ]),
        writer.writes((0..11).map(|n| react(entry, &format!("r{n}"))).collect()),
        writer.writes(vec![false_ranges, Body::say("the last".to_owned(), None, None)]),
    ];
    let speaker = siege.speaker(2);
    let bytes: Vec<_> = sent.iter().map(|batch| batch.bytes().to_vec()).collect();
    let pushed = siege.attacker.does(move || async move {
        let mut line = speaker.join(ana).await?;
        line.send(&push(&bytes.iter().map(Vec::as_slice).collect::<Vec<_>>())).await?;
        line.until_closed().await;
        Ok::<_, anyhow::Error>(())
    });
    both(&siege, "the last").await?;
    for kept in both(&siege, KEPT).await? {
        ensure!(kept["deleted"] == false && kept["edited"].is_null(), "{kept}");
        let kinds: Vec<_> =
            kept["reactions"].as_array().into_iter().flatten().map(|kind| kind["emoji"].clone()).collect();
        // Any text without spaces and marks may be an emoji of a later table. Ten of a member
        // count.
        let first = (0..10).map(|n| Value::from(format!("r{n}"))).collect::<Vec<_>>();
        ensure!(kinds == first, "{kinds:?}");
    }
    for message in both(&siege, "no @ana é").await? {
        ensure!(message["mentions"].as_array().is_some_and(Vec::is_empty), "{message}");
        ensure!(message["reply"].is_null(), "what is answered is not here: {message}");
    }

    // A deletion by another member in place of a body does not verify.
    let said = Writer::new(&siege.speaker(3), 8).writes(vec![Body::say("mine".to_owned(), None, None)]);
    let mut other = Writer::new(&siege.speaker(4), 9);
    other.writes(Vec::new());
    let deletion = other.writes(vec![Body::delete(said.entry_id(1))]);
    let body = |batch: &Verified, index: usize| match &batch.body_ranges()[index] {
        BodyRange::Present(range) => batch.bytes()[range.clone()].to_vec(),
        BodyRange::Deleted(_) => Vec::new(),
    };
    let mut forged = minicbor::Encoder::new(Vec::new());
    let (mut ours, mut theirs) = (minicbor::Decoder::new(said.bytes()), minicbor::Decoder::new(deletion.bytes()));
    ours.array()?;
    theirs.array()?;
    forged.array(3)?.bytes(ours.bytes()?)?.bytes(ours.bytes()?)?.array(2)?.bytes(&body(&said, 0))?;
    forged.array(4)?.bytes(theirs.bytes()?)?.bytes(theirs.bytes()?)?.u64(0)?.bytes(&body(&deletion, 0))?;
    breaks_the_link(&siege, 3, "a forged deletion", vec![push(&[&forged.into_writer()])]).await?;
    drop(pushed);
    siege.they_stand("after changes by another member").await
}
