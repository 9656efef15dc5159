//! Requests that may be repeated: their `ref` makes them idempotent.

use serde::de::DeserializeOwned;

use crate::client::{Error, NodeClient};

/// Posts an object with a new `ref`, and once more if the connection broke: the `ref` makes the
/// request idempotent.
pub(super) async fn post_once<T: DeserializeOwned>(
    node: &NodeClient,
    path: &str,
    mut object: serde_json::Value,
) -> Result<T, Error> {
    object["ref"] = new_ref().into();
    let answer = match node.post(path, &object).await {
        Err(Error::Broken(_)) => node.post(path, &object).await?,
        answer => answer?,
    };
    serde_json::from_slice(&answer).map_err(|error| Error::Foreign(error.to_string()))
}

/// Returns a `ref` that no other request has.
pub(super) fn new_ref() -> String {
    format!("{:032x}", rand::random::<u128>())
}
