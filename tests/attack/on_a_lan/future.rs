//! Peers of a later version: additions are ignored if there is a common version. Otherwise the peer
//! is refused, and the user is warned once.

use roomful::proto::links::version_range::{PROTOCOL_VERSIONS, VersionRange};
use roomful::proto::replication::frame::{CloseReason, Frame};
use roomful::wire;
use roomful::wire::frame::LENGTH_BYTES;

use crate::siege::{PATIENCE, Siege};
use crate::writer::{Writer, push};
use support::wait::until_within;
use support::{Result, ensure};

/// Attempts of the peer without a common version.
const TRIES: u16 = 12;

#[tokio::test]
async fn newer_version_is_reported_once() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (speakers, ana) = ((1..=TRIES).map(|seed| siege.speaker(seed)).collect::<Vec<_>>(), siege.ana());
    let attack = siege.attacker.does(move || async move {
        for mut mallory in speakers {
            mallory.versions = VersionRange::new(PROTOCOL_VERSIONS.highest + 1, u64::MAX);
            let mut line = mallory.connect(ana).await?;
            line.send(&wire::frame::encode_hello(&mallory.hello())).await?;
            let told = line.receive().await?;
            ensure!(told == wire::frame::encode_close(CloseReason::Version)[LENGTH_BYTES..], "{told:?}");
        }
        Ok(())
    });
    siege.they_talk("while somebody from the future knocks").await?;
    attack.await??;
    let said = siege.nodes[0].said();
    let told = said.lines().filter(|line| line.contains("newer version")).count();
    ensure!(told == 1, "told {told} times: {said}");
    let refused = siege.nodes[0].api.get("/api/v1/doctor").await?["refused"]["wrong_version"].as_u64();
    ensure!(refused == Some(TRIES.into()), "{refused:?}");
    siege.they_stand("after somebody from the future").await
}

#[tokio::test]
async fn additions_of_a_later_version_are_ignored() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (mut mallory, ana) = (siege.speaker(1), siege.ana());
    mallory.versions = VersionRange::new(PROTOCOL_VERSIONS.lowest, PROTOCOL_VERSIONS.highest + 8);
    let said = Writer::new(&mallory, 1).says(&["from a later program".to_owned()]);
    let attack = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        // A frame of an unknown type, and a known one with an extra field: [4, {0: 1, 77: "x"}].
        for frame in [&[0x82, 0x18, 200, 0xa0][..], &[0x82, 4, 0xa2, 0, 1, 0x18, 77, 0x61, b'x']] {
            line.pass_on(frame).await?;
        }
        line.send(&push(&[said.bytes()])).await?;
        line.say(&Frame::Ping { wall_ms: 1 }).await?;
        let mut pongs = 0;
        while pongs < 2 {
            pongs += u32::from(matches!(line.hear().await?, Frame::Pong { .. }));
        }
        Ok(())
    });
    attack.await??;
    until_within(PATIENCE, "what it said is there", async || {
        let texts = siege.nodes[0].api.texts().await?;
        ensure!(texts.contains(&"from a later program".to_owned()), "{texts:?}");
        Ok(())
    })
    .await?;
    siege.they_stand("after a later program").await
}
