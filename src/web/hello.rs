//! Who may have a socket: three ways in, and a lobby that never holds many.
//!
//! A page proves that it has the token without sending it, and the node proves itself first: whoever took over the
//! node's port learns nothing. A script may send the token itself, or show it with the upgrade.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::ask::Resume;
use super::frames;
use super::keys::{Bytes32, read_hex};
use super::wire::{End, Wire};
use crate::proto::ids::Arrival;
use crate::proto::limits::{HELLO_MS_MAX, HELLOS_WAITING_MAX};

/// The first frame of a page; what else stands in it is ignored.
#[derive(Deserialize)]
struct Hello {
    r#type: String,
    token: Option<String>,
    nonce: Option<String>,
    proof: Option<String>,
    after: Option<Arrival>,
    run: Option<String>,
}

impl Hello {
    fn read(text: &str, r#type: &str) -> Result<Self, End> {
        let hello: Self = serde_json::from_str(text).map_err(|_| End::NoHello)?;
        if hello.r#type == r#type { Ok(hello) } else { Err(End::NoHello) }
    }

    fn resume(self) -> Option<Resume> {
        Some(Resume { after: self.after?, run: self.run.unwrap_or_default() })
    }
}

/// What a page holds that came in.
pub(super) struct Guest {
    pub(super) resume: Option<Resume>,
    /// Of the keys that let it in.
    pub(super) generation: u64,
}

/// Waits for a valid hello. `admitted`: the generation of the keys that came with the upgrade.
pub(super) async fn hear(wire: &mut Wire, shared: &Shared, admitted: Option<u64>) -> Result<Guest, End> {
    let place = shared.lobby.enter();
    let displaced = place.displaced.clone();
    let guest = displaced.run_until_cancelled(greet(wire, shared, admitted)).await;
    guest.unwrap_or(Err(End::NoHello))
}

async fn greet(wire: &mut Wire, shared: &Shared, admitted: Option<u64>) -> Result<Guest, End> {
    let hello = Hello::read(&first_text(wire, shared).await?, "hello")?;
    // Before anything is checked, so that keys which change meanwhile are noticed.
    let generation = shared.keys.generation();
    if let Some(nonce) = &hello.nonce {
        let nonce = read_hex(nonce).ok_or(End::NoHello)?;
        return prove(wire, shared, nonce, generation).await;
    }
    if let Some(token) = &hello.token {
        if !shared.keys.is_token(token) {
            shared.slow.pay().await;
            return Err(End::NoHello);
        }
        return Ok(Guest { resume: hello.resume(), generation });
    }
    let generation = admitted.ok_or(End::NoHello)?;
    Ok(Guest { resume: hello.resume(), generation })
}

/// The page's way: the node's proof, then the page's.
async fn prove(wire: &mut Wire, shared: &Shared, a: Bytes32, generation: u64) -> Result<Guest, End> {
    let b: Bytes32 = rand::random();
    wire.send([frames::challenge(&HEXLOWER.encode(&b), &shared.keys.node_proof(&a, &b))]).await?;
    let answer = Hello::read(&first_text(wire, shared).await?, "proof")?;
    if !shared.keys.is_page_proof(&a, &b, answer.proof.as_deref().unwrap_or_default()) {
        shared.slow.pay().await;
        return Err(End::NoHello);
    }
    Ok(Guest { resume: answer.resume(), generation })
}

async fn first_text(wire: &mut Wire, shared: &Shared) -> Result<Utf8Bytes, End> {
    let text = async {
        loop {
            if let Some(text) = wire.next().await? {
                return Ok(text);
            }
        }
    };
    let in_time = timeout(Duration::from_millis(HELLO_MS_MAX), text);
    match shared.stop.run_until_cancelled(in_time).await {
        Some(Ok(text)) => text,
        Some(Err(_late)) => Err(End::NoHello),
        None => Err(End::Stopping),
    }
}

/// Sockets that have not said a valid hello.
#[derive(Default)]
pub(super) struct Lobby(Mutex<VecDeque<CancellationToken>>);

impl Lobby {
    /// A place, for which the one who waits longest may have to go.
    fn enter(&self) -> Place {
        let displaced = CancellationToken::new();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those who came in, or went, have given their place back.
        waiting.retain(|other| !other.is_cancelled());
        if waiting.len() >= HELLOS_WAITING_MAX
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.cancel();
        }
        waiting.push_back(displaced.clone());
        Place { displaced }
    }
}

/// A place in the lobby, given back when it is dropped.
struct Place {
    displaced: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.displaced.cancel();
    }
}
