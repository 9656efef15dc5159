//! `roomful key`: prints a new room key as words. Needs no node.

use rand::TryRng as _;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Error, print};
use crate::config::RoomKey;

/// Makes a key of 128 random bits and prints it; with `json` as `{"key":"…"}`.
pub fn key(json: bool) -> Result<(), Error> {
    let mut bytes = Zeroizing::new([0; 16]);
    rand::rngs::SysRng.try_fill_bytes(&mut *bytes).map_err(|error| Error::NoRandomness(error.to_string()))?;
    let words = RoomKey::from_bytes(*bytes).words();
    if json { print::line(&json!({ "key": *words }).to_string()) } else { print::line(&words) }
}
