//! An eavesdropper that records all traffic learns no text, room or name.

use std::io::{ErrorKind, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::siege::{PATIENCE, Siege};
use support::wait::until_within;
use support::{Result, ensure, json};

/// Every protocol, as packet sockets count them: `ETH_P_ALL` in the network's order.
const ALL: i32 = 0x0300;

/// Records every packet that comes and goes on this host until it is over.
fn record(over: &AtomicBool) -> Result<Vec<u8>> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(ALL)))?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let (mut all, mut packet) = (Vec::new(), vec![0; 128 * 1024]);
    while !over.load(Ordering::Relaxed) {
        match (&socket).read(&mut packet) {
            Ok(length) => all.extend_from_slice(&packet[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

fn holds(all: &[u8], words: &str) -> bool {
    all.windows(words.len()).any(|window| window == words.as_bytes())
}

#[tokio::test]
async fn recorded_traffic_reveals_no_text_room_or_name() -> Result<()> {
    let mut siege = Siege::keyed().await?;
    siege.nodes[0].api.say("whispered before").await?;

    let over = Arc::new(AtomicBool::new(false));
    let end = over.clone();
    let recorded = siege.fourth.does(move || async move { record(&end) });
    let carl = siege.fourth.runs(siege.lab.node("carl")).option("--room-key-file", &siege.key_file()?).start()?;
    carl.api.say("whispered by carl").await?;
    until_within(PATIENCE, "all have heard both", async || {
        for (node, text) in [(&carl, "whispered before"), (&siege.nodes[0], "whispered by carl")] {
            let texts = node.api.texts().await?;
            ensure!(texts.contains(&text.to_owned()), "{}: {texts:?}", node.name());
        }
        Ok(())
    })
    .await?;
    let direct = json!({ "text": "whispered to one", "to": carl.id() });
    siege.nodes[0].api.post("/api/v1/messages", &direct).await?.with(201)?;
    until_within(PATIENCE, "carl has heard what was for him alone", async || {
        ensure!(carl.api.texts().await?.contains(&"whispered to one".to_owned()), "not yet");
        Ok(())
    })
    .await?;
    over.store(true, Ordering::Relaxed);
    let all = recorded.await??;

    println!("{} bytes were recorded", all.len());
    ensure!(holds(&all, "ROOMFUL") && all.len() > 10_000, "the recording itself is sound: {} bytes", all.len());
    for words in ["whispered", siege.lab.room(), "general", "carl", "ana", carl.api.token()] {
        ensure!(!holds(&all, words), "{words:?} is there in clear");
    }
    siege.they_stand("after somebody listened").await
}
