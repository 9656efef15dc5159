//! The queries of requests, read and checked as far as that needs no state of the node.

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fields::{ChannelName, Digits, MemberId, MessageId, TimelineCursor};
use crate::proto::entries::timeline::{Conversation, Order};
use crate::proto::entries::tokenizer::SearchTerms;
use crate::proto::history::{ExportQuery, MessageSelector, PagePosition, PageQuery, SearchQuery};
use crate::proto::limits::{HISTORY_LIMIT, ID_PART_CHARS_MIN, ListLimit, SEARCH_BYTES_MAX, SEARCH_LIMIT};
use crate::web::error::ApiError;

/// Reads the query of `GET /api/v1/messages`.
pub(crate) fn page(uri: &Uri) -> Result<PageQuery, ApiError> {
    let params: PageParams = read(uri)?;
    let conversation = conversation(params.channel, params.with)?;
    let at = match (params.before, params.after, params.around, params.since) {
        (None, None, None, None) => PagePosition::Newest,
        (Some(before), None, None, None) => PagePosition::Before(before.0),
        (None, Some(after), None, None) => PagePosition::After(after.0),
        (None, None, Some(id), None) => PagePosition::Around(id.0),
        (None, None, None, Some(Digits(since))) => PagePosition::Since(since),
        _ => {
            return Err(ApiError::bad_request("Use only one of \"before\", \"after\", \"around\" and \"since\"."));
        }
    };
    Ok(PageQuery { at, conversation, limit: limit(params.limit, HISTORY_LIMIT)? })
}

/// Reads the query of `GET /api/v1/messages/ID/versions`.
pub(crate) fn versions(uri: &Uri) -> Result<Option<Order>, ApiError> {
    let params: VersionParams = read(uri)?;
    Ok(params.before.map(|cursor| cursor.0))
}

/// Reads the query of `GET /api/v1/messages/find`.
pub(crate) fn selector(uri: &Uri) -> Result<MessageSelector, ApiError> {
    let FindParams { id } = read(uri)?;
    let is_part = (ID_PART_CHARS_MIN..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    match id.as_str() {
        "last" => Ok(MessageSelector::OwnLast),
        _ if is_part => Ok(MessageSelector::IdPart(id.to_ascii_lowercase())),
        _ => Err(ApiError::bad_request(format!("\"id\" is {ID_PART_CHARS_MIN} to 64 hex digits, or last."))),
    }
}

/// Reads the query of `GET /api/v1/files`.
pub(crate) fn files(uri: &Uri) -> Result<Option<Conversation>, ApiError> {
    let params: FilesParams = read(uri)?;
    conversation(params.channel, params.with)
}

/// Reads the name in the query of an upload.
pub(crate) fn upload(uri: &Uri) -> Result<String, ApiError> {
    read(uri).map(|UploadParams { name }| name)
}

/// Reads the offset in the query of a part of an upload.
pub(crate) fn offset(uri: &Uri) -> Result<u64, ApiError> {
    read(uri).map(|PartParams { offset: Digits(offset) }| offset)
}

/// Reads the query of `GET /api/v1/export`.
pub(crate) fn export(uri: &Uri) -> Result<ExportQuery, ApiError> {
    let params: ExportParams = read(uri)?;
    let direct = match params.direct.as_deref() {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => return Err(ApiError::bad_request("\"direct\" must be 1 or 0.")),
    };
    let after = params.after.map(|cursor| cursor.0);
    Ok(ExportQuery { after, direct, limit: limit(params.limit, HISTORY_LIMIT)? })
}

/// Reads the query of `GET /api/v1/search`. Returns none if it contains no word.
pub(crate) fn search(uri: &Uri) -> Result<Option<SearchQuery>, ApiError> {
    let params: SearchParams = read(uri)?;
    if params.q.len() > SEARCH_BYTES_MAX {
        return Err(ApiError::bad_request(format!("A search can have up to {SEARCH_BYTES_MAX} bytes.")));
    }
    let conversation = conversation(params.channel, params.with)?;
    let limit = limit(params.limit, SEARCH_LIMIT)?;
    Ok(SearchTerms::new(&params.q).map(|wanted| SearchQuery {
        wanted,
        conversation,
        from: params.from.map(|id| id.0),
        before: params.before.map(|cursor| cursor.0),
        after: params.after.map(|cursor| cursor.0),
        limit,
    }))
}

#[derive(Deserialize)]
struct FilesParams {
    channel: Option<ChannelName>,
    with: Option<MemberId>,
}

#[derive(Deserialize)]
struct UploadParams {
    name: String,
}

#[derive(Deserialize)]
struct PartParams {
    offset: Digits,
}

#[derive(Deserialize)]
struct VersionParams {
    before: Option<TimelineCursor>,
}

#[derive(Deserialize)]
struct FindParams {
    id: String,
}

#[derive(Deserialize)]
struct PageParams {
    before: Option<TimelineCursor>,
    after: Option<TimelineCursor>,
    around: Option<MessageId>,
    since: Option<Digits>,
    channel: Option<ChannelName>,
    with: Option<MemberId>,
    limit: Option<Digits>,
}

#[derive(Deserialize)]
struct SearchParams {
    q: String,
    from: Option<MemberId>,
    channel: Option<ChannelName>,
    with: Option<MemberId>,
    before: Option<TimelineCursor>,
    after: Option<TimelineCursor>,
    limit: Option<Digits>,
}

#[derive(Deserialize)]
struct ExportParams {
    after: Option<TimelineCursor>,
    direct: Option<String>,
    limit: Option<Digits>,
}

fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    match Query::try_from_uri(uri) {
        Ok(Query(params)) => Ok(params),
        Err(rejection) => Err(ApiError::bad_request(format!("{}.", rejection.body_text()))),
    }
}

fn conversation(channel: Option<ChannelName>, with: Option<MemberId>) -> Result<Option<Conversation>, ApiError> {
    match (channel, with) {
        (None, None) => Ok(None),
        (Some(ChannelName(name)), None) => Ok(Some(Conversation::Channel(name))),
        (None, Some(MemberId(id))) => Ok(Some(Conversation::Direct(id))),
        (Some(_), Some(_)) => Err(ApiError::bad_request("Use only one of \"channel\" and \"with\".")),
    }
}

/// Returns the number of results for the `limit` of a query. The pair is the greatest and the
/// default number.
fn limit(asked: Option<Digits>, ListLimit { max, default }: ListLimit) -> Result<usize, ApiError> {
    match asked {
        None => Ok(default),
        Some(Digits(0)) => Err(ApiError::bad_request("\"limit\" must be at least 1.")),
        Some(Digits(limit)) => Ok(usize::try_from(limit).unwrap_or(usize::MAX).min(max)),
    }
}
