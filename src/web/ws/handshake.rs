//! The handshake of a socket, in one of three ways.
//!
//! A page proves that it has the token without sending it, and the node proves itself first. So a
//! program that took over the node's port learns nothing. A script may send the token, or
//! authenticate the upgrade.

use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use tokio::time::timeout;

use super::transport::{CloseCause, WsTransport};
use crate::proto::ids::Arrival;
use crate::proto::limits::HELLO_MS_MAX;
use crate::web::credentials::{Bytes32, read_hex};
use crate::web::frames;
use crate::web::requests::Resume;
use crate::web::state::AppState;

/// The first frame of a client. Unknown fields are ignored.
#[derive(Deserialize)]
struct ClientHello {
    r#type: String,
    token: Option<String>,
    nonce: Option<String>,
    proof: Option<String>,
    after: Option<Arrival>,
    run: Option<String>,
}

impl ClientHello {
    fn read(text: &str, r#type: &str) -> Result<Self, CloseCause> {
        let hello: Self = serde_json::from_str(text).map_err(|_| CloseCause::NoHello)?;
        if hello.r#type == r#type { Ok(hello) } else { Err(CloseCause::NoHello) }
    }

    fn resume(self) -> Option<Resume> {
        Some(Resume { after: self.after?, run: self.run.unwrap_or_default() })
    }
}

/// An authenticated client.
pub(crate) struct Session {
    pub(crate) resume: Option<Resume>,
    /// The generation of the credentials that it showed.
    pub(crate) generation: u64,
}

/// Waits for a valid hello. `admitted` is the generation of the credentials of an authenticated
/// upgrade.
pub(crate) async fn handshake(
    wire: &mut WsTransport,
    shared: &AppState,
    admitted: Option<u64>,
) -> Result<Session, CloseCause> {
    let slot = shared.pending_hellos.enter();
    let session = slot.run_until_evicted(challenge(wire, shared, admitted)).await;
    session.unwrap_or(Err(CloseCause::NoHello))
}

async fn challenge(wire: &mut WsTransport, shared: &AppState, admitted: Option<u64>) -> Result<Session, CloseCause> {
    let hello = ClientHello::read(&first_text(wire, shared).await?, "hello")?;
    // Read before the check, so that a rotation meanwhile is noticed.
    let generation = shared.keys.generation();
    if let Some(nonce) = &hello.nonce {
        let nonce = read_hex(nonce).ok_or(CloseCause::NoHello)?;
        return verify(wire, shared, nonce, generation).await;
    }
    if let Some(token) = &hello.token {
        if !shared.keys.is_token(token) {
            shared.slow.delay().await;
            return Err(CloseCause::NoHello);
        }
        return Ok(Session { resume: hello.resume(), generation });
    }
    let generation = admitted.ok_or(CloseCause::NoHello)?;
    Ok(Session { resume: hello.resume(), generation })
}

/// Runs the mutual proof of the page: first the node's, then the page's.
async fn verify(wire: &mut WsTransport, shared: &AppState, a: Bytes32, generation: u64) -> Result<Session, CloseCause> {
    let b: Bytes32 = rand::random();
    wire.send([frames::challenge(&HEXLOWER.encode(&b), &shared.keys.node_proof(&a, &b))]).await?;
    let answer = ClientHello::read(&first_text(wire, shared).await?, "proof")?;
    if !shared.keys.is_page_proof(&a, &b, answer.proof.as_deref().unwrap_or_default()) {
        shared.slow.delay().await;
        return Err(CloseCause::NoHello);
    }
    Ok(Session { resume: answer.resume(), generation })
}

async fn first_text(wire: &mut WsTransport, shared: &AppState) -> Result<Utf8Bytes, CloseCause> {
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
        Some(Err(_late)) => Err(CloseCause::NoHello),
        None => Err(CloseCause::Stopping),
    }
}
