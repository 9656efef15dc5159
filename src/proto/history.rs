//! Queries of the history and their results, shared by the store and its callers.

use std::ops::Range;

use crate::proto::clock::Stamp;
use crate::proto::entries::timeline::{Conversation, Message, Notice, Order};
use crate::proto::entries::tokenizer::SearchTerms;
use crate::proto::ids::{Arrival, EntryId, NodeId};

/// Computes the size of a row in the caller's output form, which only the caller knows.
#[derive(Clone, Copy, Debug)]
pub struct SizeEstimator {
    /// The size of a message in bytes.
    pub line: fn(&Message) -> usize,
    /// The size of a notice in bytes.
    pub notice: fn(&Notice) -> usize,
}

/// The size limit of a page. A page always holds at least one message if there is any, so that its
/// reader makes progress.
#[derive(Clone, Copy, Debug)]
pub struct PageBudget {
    /// The limit in bytes.
    pub bytes: usize,
    /// How sizes are computed.
    pub sizes: SizeEstimator,
}

/// A query for one page of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// The page's position.
    pub at: PagePosition,
    /// Only this conversation. `None`: all.
    pub conversation: Option<Conversation>,
    /// The largest number of messages.
    pub limit: usize,
}

/// The position of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagePosition {
    /// The end of the timeline.
    Newest,
    /// Strictly before this position.
    Before(Order),
    /// Strictly after this position.
    After(Order),
    /// Around this message.
    Around(EntryId),
    /// Everything stored after this arrival number, in arrival order. Notices count towards the
    /// limit.
    Since(Arrival),
}

/// A page of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelinePage {
    /// The messages, oldest first; with [`PagePosition::Since`] in arrival order.
    pub lines: Vec<Message>,
    /// The notices of the same period, in arrival order.
    pub notices: Vec<Notice>,
    /// The cursor towards older messages. `None` at the beginning, and with
    /// [`PagePosition::Since`].
    pub before: Option<Order>,
    /// The cursor towards newer messages. Present even if the page is empty.
    pub after: Order,
    /// Everything that matches up to this arrival number was considered. With
    /// [`PagePosition::Since`], the number to continue from.
    pub arrival: Arrival,
}

/// A query for one part of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportQuery {
    /// Strictly after this position. `None`: from the beginning.
    pub after: Option<Order>,
    /// True if direct messages are included.
    pub direct: bool,
    /// The largest number of messages.
    pub limit: usize,
}

/// A part of an export: everything that is held, hidden messages included, from signed data only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRows {
    /// The messages, in timeline order.
    pub lines: Vec<Message>,
    /// The cursor of the next part. `None` at the end.
    pub after: Option<Order>,
}

/// A full-text search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// The search terms.
    pub wanted: SearchTerms,
    /// Only this conversation. `None`: all.
    pub conversation: Option<Conversation>,
    /// Only this author.
    pub from: Option<NodeId>,
    /// Strictly before this position.
    pub before: Option<Order>,
    /// Strictly after this position.
    pub after: Option<Order>,
    /// The largest number of hits.
    pub limit: usize,
}

/// A search hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HitRow {
    /// The message.
    pub line: Message,
    /// The matches in its text: ascending, disjoint byte ranges.
    pub ranges: Vec<Range<usize>>,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchResult {
    /// The hits, newest first.
    pub hits: Vec<HitRow>,
    /// The cursor towards older hits. `None` if there are no more.
    pub before: Option<Order>,
}

/// The messages that a user means by a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageSelector {
    /// The last one of this node's own member.
    OwnLast,
    /// Those whose ids begin or end with these hex digits, in lower case.
    IdPart(String),
}

/// A text that a message had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageVersion {
    /// The text.
    pub text: String,
    /// When its author wrote it.
    pub time: Stamp,
}

/// Some versions of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// Oldest first.
    pub versions: Vec<MessageVersion>,
    /// Where to go on towards the past; none at the original.
    pub before: Option<Order>,
}

/// The read marker of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMarker {
    /// The conversation.
    pub conversation: Conversation,
    /// The number of messages of others after the marker.
    pub unread: u64,
    /// Everything up to this arrival number is read.
    pub read: Arrival,
    /// Those of the unread messages that mention this node's user.
    pub mentions: u64,
}
