//! A node of the previous version, played by its frames: it gets no batch that it would refuse.

use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::ids::{LogId, LogKey};
use roomful::proto::limits::BATCH_BYTES_MAX;
use roomful::proto::links::version_range::{PROTOCOL_VERSIONS, VersionRange};
use roomful::proto::replication::frame::{Fetch, Frame};

use crate::siege::{PATIENCE, Siege};
use crate::speaker::Line;
use crate::writer::{Writer, push};
use support::wait::until_within;
use support::{Result, ensure};

/// Fetches the entries of a log from a node.
async fn fetched(line: &mut Line, key: LogKey, first: u64, last: u64) -> Result<Vec<Verified>> {
    line.say(&Frame::Fetch(Fetch { key, first, last, bytes: 196_608 })).await?;
    loop {
        if let Frame::Page { batches, .. } = line.hear().await? {
            return Ok(batches);
        }
    }
}

#[tokio::test]
async fn version_1_gets_no_batch_over_128_kib() -> Result<()> {
    let mut siege = Siege::new().await?;
    let mut writer = Writer::new(&siege.speaker(1), 7);
    // The first entry is the name. 4 long texts nearly fill the batch, 59 short ones are deleted.
    let texts = (0..4).map(|_| "x".repeat(31_000)).chain((4..63).map(|n| format!("short {n}")));
    let said = writer.says(&texts.collect::<Vec<_>>());
    let key = LogKey { author: siege.speaker(1).id(), log: LogId(7) };
    let channel = Some("general".to_owned());
    let delete = |index| Body::Delete { entry: said.entry_id(index), channel: channel.clone() };
    let deletions: Vec<_> = (5..64).map(|index| writer.writes(vec![delete(index)])).collect();
    let last = deletions[58].header().last_seq();
    let frames = [
        push(&[said.bytes().as_ref()]),
        push(&deletions.iter().map(|batch| batch.bytes().as_ref()).collect::<Vec<_>>()),
    ];
    let (mallory, ana) = (siege.speaker(1), siege.ana());
    let mut today = siege.speaker(2);
    today.versions = PROTOCOL_VERSIONS;
    let stripped = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        for frame in frames {
            line.send(&frame).await?;
        }
        let mut line = today.join(ana).await?;
        until_within(PATIENCE, "the texts are gone", async || {
            let page = fetched(&mut line, key, 1, 64).await?;
            ensure!(page.len() == 1 && (5..64).all(|index| page[0].is_deleted(index)), "not yet");
            Ok(page[0].bytes().len())
        })
        .await
    });
    let bytes = stripped.await??;
    ensure!(bytes > BATCH_BYTES_MAX, "{bytes}");

    let earlier = siege.speaker(3);
    ensure!(earlier.versions == VersionRange::new(1, 1));
    let got = siege.attacker.does(move || async move {
        let mut line = earlier.join(ana).await?;
        let (alone, rest) = (fetched(&mut line, key, 1, 64).await?, fetched(&mut line, key, 60, last).await?);
        Ok::<_, anyhow::Error>((alone, rest))
    });
    let (alone, rest) = got.await??;
    ensure!(alone.is_empty(), "{} batches", alone.len());
    ensure!(rest == deletions, "{} of {} deletions", rest.len(), deletions.len());
    siege.they_stand("after a node of the previous version").await
}
