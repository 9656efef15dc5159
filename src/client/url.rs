//! `roomful url`: the link to the page, with what opens it.

use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::node::{Node, is_token};
use super::{Error, print};

#[derive(Deserialize)]
struct Rotated {
    token: String,
}

/// Prints the link: as it is here, or after a forward to `port`; with `rotate`, after all earlier links were made worthless.
pub async fn url(node: &Node, port: Option<u16>, rotate: bool) -> Result<(), Error> {
    print::line(&link(node, port, rotate).await?)
}

/// That link.
pub(super) async fn link(node: &Node, port: Option<u16>, rotate: bool) -> Result<Zeroizing<String>, Error> {
    // Also where there is no link: that nobody runs is said first. And a link to a node that is gone would hand the token
    // to whoever has its port now.
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
