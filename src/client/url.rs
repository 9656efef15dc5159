//! `roomful url`: prints the sign-in link.

use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::node::{NodeClient, is_token};
use super::{Error, print};

#[derive(Deserialize)]
struct Rotated {
    token: String,
}

/// Prints the link as it is here, or as it is after a forward to `port`. With `rotate` all earlier
/// links become invalid first.
pub async fn url(node: &NodeClient, port: Option<u16>, rotate: bool) -> Result<(), Error> {
    print::line(&link(node, port, rotate).await?)
}

/// Returns the link.
pub(super) async fn link(node: &NodeClient, port: Option<u16>, rotate: bool) -> Result<Zeroizing<String>, Error> {
    // Connected first, so that a missing node is reported before a missing link. A link to a node
    // that has ended would also hand the token to the program that has its port now.
    node.connect().await?;
    let base = match (port, &node.run.web) {
        (Some(port), _) => format!("http://{}:{port}", node.run.host.as_deref().unwrap_or("127.0.0.1")),
        (None, Some(web)) => web.trim_end_matches('/').to_owned(),
        (None, None) => return Err(Error::NoWebPort(node.run.socket.clone())),
    };
    let token = if rotate {
        let answer = node.post("/api/v1/token/rotate", &json!({})).await?;
        let rotated: Rotated = serde_json::from_slice(&answer).map_err(|error| Error::Foreign(error.to_string()))?;
        Zeroizing::new(rotated.token)
    } else {
        node.token.clone()
    };
    if !is_token(&token) {
        return Err(Error::Foreign("a token of another form".to_owned()));
    }
    Ok(Zeroizing::new(format!("{base}/#token={}", *token)))
}
