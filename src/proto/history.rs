//! What can be asked of the history, and what comes back: one form for the store that reads it and for whoever asks.

use std::ops::Range;

use super::ids::{Arrival, EntryId, NodeId};
use super::timeline::{Conversation, Line, Notice, Order};
use super::words::Wanted;

/// How many bytes messages and notices take where they go: only the reader of a page knows its form.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The size of a message.
    pub line: fn(&Line) -> usize,
    /// The size of a notice.
    pub notice: fn(&Notice) -> usize,
}

/// What a page may hold at most. A page with any message holds at least one of them, so that its reader gets on.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The limit in bytes.
    pub bytes: usize,
    /// What counts towards it.
    pub sizes: Sizes,
}

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Where it lies.
    pub at: At,
    /// Of this conversation only; none: of all.
    pub conversation: Option<Conversation>,
    /// At most so many messages.
    pub limit: usize,
}

/// Where a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At the end.
    Newest,
    /// Right before this place; strictly older.
    Before(Order),
    /// Right after this place; strictly newer.
    After(Order),
    /// With this message in the middle.
    Around(EntryId),
    /// What was stored after this number, in the order in which it was stored; notices count towards the limit.
    Since(Arrival),
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Oldest first; with [`At::Since`] in arrival order.
    pub lines: Vec<Line>,
    /// The node's own lines of the same time, in arrival order.
    pub notices: Vec<Notice>,
    /// Where to go on towards the past; none at the beginning, and with [`At::Since`].
    pub before: Option<Order>,
    /// Where to go on towards the present, also when nothing was found.
    pub after: Order,
    /// Everything that matched up to this number was considered. With [`At::Since`] the number to go on from.
    pub arrival: Arrival,
}

/// Which piece of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportQuery {
    /// Behind this place; none: from the beginning.
    pub after: Option<Order>,
    /// Whether direct messages are in it.
    pub direct: bool,
    /// At most so many messages.
    pub limit: usize,
}

/// A piece of an export: everything that is held, what is not shown as well, and nothing but what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// In the order of the room.
    pub lines: Vec<Line>,
    /// Where to go on; none at the end.
    pub after: Option<Order>,
}

/// What is looked for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// What.
    pub wanted: Wanted,
    /// Said in this conversation only; none: in any.
    pub conversation: Option<Conversation>,
    /// Said by this member only.
    pub from: Option<NodeId>,
    /// Standing strictly before this place.
    pub before: Option<Order>,
    /// Standing strictly behind this place.
    pub after: Option<Order>,
    /// At most so many.
    pub limit: usize,
}

/// A message that has what was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// It.
    pub line: Line,
    /// Where in its text, in bytes, ascending and apart.
    pub ranges: Vec<Range<usize>>,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Newest first.
    pub hits: Vec<Hit>,
    /// Where to go on towards the past; none if there is nothing more.
    pub before: Option<Order>,
}

/// How far a conversation was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which one.
    pub conversation: Conversation,
    /// Messages of others behind the mark.
    pub unread: u64,
    /// The mark.
    pub read: Arrival,
}
