//! Somebody from the future: whose version this program can speak with says more than it understands, and whose it can't is
//! told so, and the user once.

use roomful::proto::frame::{CloseReason, Frame};
use roomful::proto::limits::PROTOCOL_VERSIONS;
use roomful::wire;
use roomful::wire::frame::LENGTH_BYTES;

use crate::common::wait::until_within;
use crate::common::{Result, ensure};
use crate::siege::{PATIENCE, Siege};
use crate::writer::{Writer, push};

/// How often somebody from the future tries.
const TRIES: u16 = 12;

#[tokio::test]
async fn a_newer_version_is_told_once_however_often_it_comes() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (speakers, ana) = ((1..=TRIES).map(|seed| siege.speaker(seed)).collect::<Vec<_>>(), siege.ana());
    let attack = siege.attacker.does(move || async move {
        for mut mallory in speakers {
            mallory.versions = (PROTOCOL_VERSIONS.1 + 1, u64::MAX);
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
async fn what_a_later_program_says_more_is_passed_over() -> Result<()> {
    let mut siege = Siege::new().await?;
    let (mut mallory, ana) = (siege.speaker(1), siege.ana());
    mallory.versions = (PROTOCOL_VERSIONS.0, PROTOCOL_VERSIONS.1 + 8);
    let said = Writer::new(&mallory, 1).says(&["from a later program".to_owned()]);
    let attack = siege.attacker.does(move || async move {
        let mut line = mallory.join(ana).await?;
        // A frame of a type that nobody knows yet, and a known one with a field more: [4, {0: 1, 77: "x"}].
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
