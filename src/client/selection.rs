//! The lookup of a MESSAGE on the command line.

use crate::api::FoundMessages;
use crate::client::{Error, NodeClient};

/// The word for the last message of this node's own member.
const LAST: &str = "last";

/// Hex digits of a full id.
const ID_CHARACTERS: usize = 64;

/// Returns the full id of the message that `written` names. A full id is not looked up.
pub(super) async fn find_message(node: &NodeClient, written: &str) -> Result<String, Error> {
    if written.len() == ID_CHARACTERS {
        return Ok(written.to_owned());
    }
    let mut found: FoundMessages = node.get(&format!("/api/v1/messages/find?id={written}")).await?;
    match found.ids.len() {
        0 if written == LAST => Err(Error::NoOwnMessage),
        0 => Err(Error::NoSuchMessage(written.to_owned())),
        1 => Ok(found.ids.remove(0)),
        _ => Err(Error::AmbiguousMessage { written: written.to_owned(), fits: found.ids }),
    }
}
