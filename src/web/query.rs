//! The queries of requests, read and checked; nothing here knows the node's state.

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::draft::{bad, channel_name};
use super::refused::Refused;
use crate::api::Cursor;
use crate::proto::history::{At, ExportQuery, PageQuery, SearchQuery};
use crate::proto::ids::{EntryId, NodeId};
use crate::proto::limits::{HISTORY_LIMIT, SEARCH_BYTES_MAX, SEARCH_LIMIT};
use crate::proto::timeline::{Conversation, Order};
use crate::proto::words::Wanted;

/// `GET /api/v1/messages`
pub(super) fn page(uri: &Uri) -> Result<PageQuery, Refused> {
    let asked: PageAsked = read(uri)?;
    let conversation = conversation(asked.channel.as_deref(), asked.with.as_deref())?;
    Ok(PageQuery { at: asked.at()?, conversation, limit: limit(asked.limit.as_deref(), HISTORY_LIMIT)? })
}

/// `GET /api/v1/export`
pub(super) fn export(uri: &Uri) -> Result<ExportQuery, Refused> {
    let asked: ExportAsked = read(uri)?;
    let direct = match asked.direct.as_deref() {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => return Err(bad("\"direct\" is 1 or 0.")),
    };
    let after = asked.after.as_deref().map(cursor).transpose()?;
    Ok(ExportQuery { after, direct, limit: limit(asked.limit.as_deref(), HISTORY_LIMIT)? })
}

/// `GET /api/v1/search`; `None` where there is no word to look for.
pub(super) fn search(uri: &Uri) -> Result<Option<SearchQuery>, Refused> {
    let asked: SearchAsked = read(uri)?;
    let words = asked.q.ok_or_else(|| bad("A search needs words: \"q\"."))?;
    if words.len() > SEARCH_BYTES_MAX {
        return Err(bad(&format!("A search has at most {SEARCH_BYTES_MAX} bytes.")));
    }
    let from = asked.from.map(|id| NodeId::from_hex(&id).ok_or_else(|| bad("\"from\" has to be a full id.")));
    let (conversation, from) = (conversation(asked.channel.as_deref(), asked.with.as_deref())?, from.transpose()?);
    let before = asked.before.as_deref().map(cursor).transpose()?;
    let after = asked.after.as_deref().map(cursor).transpose()?;
    let limit = limit(asked.limit.as_deref(), SEARCH_LIMIT)?;
    let wanted = Wanted::new(&words);
    Ok(wanted.map(|wanted| SearchQuery { wanted, conversation, from, before, after, limit }))
}

#[derive(Deserialize)]
struct PageAsked {
    before: Option<String>,
    after: Option<String>,
    around: Option<String>,
    since: Option<String>,
    channel: Option<String>,
    with: Option<String>,
    limit: Option<String>,
}

impl PageAsked {
    fn at(&self) -> Result<At, Refused> {
        match (&self.before, &self.after, &self.around, &self.since) {
            (None, None, None, None) => Ok(At::Newest),
            (Some(before), None, None, None) => Ok(At::Before(cursor(before)?)),
            (None, Some(after), None, None) => Ok(At::After(cursor(after)?)),
            (None, None, Some(id), None) => {
                EntryId::from_hex(id).map(At::Around).ok_or_else(|| bad("\"around\" has to be a full id."))
            }
            (None, None, None, Some(since)) => {
                let number = since.parse().ok().filter(|_| is_digits(since));
                number.map(At::Since).ok_or_else(|| bad("\"since\" has to be an arrival number."))
            }
            _ => Err(bad("Only one of \"before\", \"after\", \"around\" and \"since\".")),
        }
    }
}

#[derive(Deserialize)]
struct SearchAsked {
    q: Option<String>,
    from: Option<String>,
    channel: Option<String>,
    with: Option<String>,
    before: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

#[derive(Deserialize)]
struct ExportAsked {
    after: Option<String>,
    direct: Option<String>,
    limit: Option<String>,
}

fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refused> {
    let Query(asked) = Query::<T>::try_from_uri(uri).map_err(|_| bad("Each parameter may come once."))?;
    Ok(asked)
}

fn cursor(text: &str) -> Result<Order, Refused> {
    Cursor::parse(text).map(|cursor| cursor.0).ok_or_else(|| bad("This is no cursor of this room."))
}

fn conversation(channel: Option<&str>, with: Option<&str>) -> Result<Option<Conversation>, Refused> {
    match (channel, with) {
        (None, None) => Ok(None),
        (Some(channel), None) => channel_name(channel).map(|name| Some(Conversation::Channel(name))),
        (None, Some(id)) => {
            let id = NodeId::from_hex(id).ok_or_else(|| bad("\"with\" has to be a full id."))?;
            Ok(Some(Conversation::Direct(id)))
        }
        (Some(_), Some(_)) => Err(bad("Only one of \"channel\" and \"with\".")),
    }
}

/// How many, of at most and usually so many.
fn limit(asked: Option<&str>, (most, usual): (usize, usize)) -> Result<usize, Refused> {
    let Some(limit) = asked else { return Ok(usual) };
    if !is_digits(limit) {
        return Err(bad("\"limit\" has to be a number."));
    }
    match limit.parse::<usize>() {
        Ok(0) => Err(bad("\"limit\" is at least 1.")),
        Ok(limit) => Ok(limit.min(most)),
        // A number too large for this machine is large.
        Err(_) => Ok(most),
    }
}

/// Whether it is a plain number: the standard library would take a plus sign as well.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
