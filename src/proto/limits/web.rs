//! Limits of the page: connections, tokens, WebSockets, and what is sent to a tab.

use std::ops::RangeInclusive;

/// Bytes that a resuming tab may have missed. Beyond, it reloads.
pub const RESUME_BYTES_MAX: usize = 1024 * 1024;

/// Longest path of a Unix socket, in bytes: the system's structure holds 108, including the final
/// zero.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Longest body of a request to the page, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// Timeout of the headers of a request, and again of its body, in milliseconds.
pub const REQUEST_MS_MAX: u64 = 10_000;

/// Timeout of a handler of the page's API, its body included, in milliseconds. Any search or page
/// of history takes less on a slow disk; a handler without an answer hangs.
pub const HANDLER_MS_MAX: u64 = 30_000;

/// Connections to the page. Beyond, the one that has been idle longest is evicted.
pub const WEB_CONNECTIONS_MAX: usize = 128;

/// Connections whose users are looked up in one query. In a flood, waking the querying thread costs
/// more than the query.
///
/// Each of the port's two listeners holds as many in addition to [`WEB_CONNECTIONS_MAX`]. They have
/// their share of [`super::DESCRIPTORS_RESERVED`].
pub const OWNER_BATCH_MAX: usize = 6;

/// Timeout of one such query, in milliseconds. The kernel takes microseconds per connection, or
/// waits for the queries of others. Later connections wait as well.
pub const OWNER_MS_MAX: u64 = 1_000;

/// A connection to the page that accepts no data for this long is closed, in milliseconds.
pub const WEB_WRITE_STALL_MS: u64 = 13_000;

/// How long a closing connection is still read, in milliseconds, so that the last bytes sent are
/// not lost to a reset.
pub const WEB_LINGER_MS: u64 = 1_000;

/// Delay of a failed authentication, in milliseconds.
pub const GUESS_MS: u64 = 100;

/// Failed authentications that are delayed one after the other. Beyond, they are delayed in
/// parallel.
pub const GUESSES_WAITING_MAX: usize = 16;

/// WebSockets without a valid hello. Beyond, the oldest is closed.
pub const HELLOS_WAITING_MAX: usize = 32;

/// Timeout of a WebSocket's hello, and again of its proof, in milliseconds.
pub const HELLO_MS_MAX: u64 = 5_000;

/// Messages that wait for the user's program. Beyond, messages are skipped.
pub const HOOKS_WAITING_MAX: usize = 1_000;

/// Time of the user's program for one message, in milliseconds. Then its process group is ended.
pub const HOOK_MS_MAX: u64 = 10_000;

/// Linked members that the metrics list: a full mesh of the largest room that is meant.
pub const METRICS_PEERS_MAX: usize = 250;

/// Longest line of a stream of messages, in bytes: a text of 32 KiB fits, however it is escaped.
pub const STREAM_LINE_BYTES_MAX: usize = 256 * 1024;

/// Messages of one stream that wait for the node's response: two full batches. Beyond, no more of
/// the stream is read.
pub const STREAM_SAYS_MAX: usize = 128;

/// Longest frame from a page, in bytes: a text of 32 KiB fits, however it is escaped.
pub const PAGE_FRAME_BYTES_MAX: usize = 256 * 1024;

/// Frames from a page per second.
pub const PAGE_FRAMES_PER_SECOND: u32 = 1_000;

/// How far pages may lag, in bytes of recent events, which are kept once for all pages.
pub const PAGE_BEHIND_BYTES_MAX: usize = 1024 * 1024;

/// How far pages may lag, in events.
pub const PAGE_BEHIND_EVENTS_MAX: usize = 8192;

/// How far pages may lag, in milliseconds.
pub const PAGE_BEHIND_MS_MAX: u64 = 10_000;

/// Bytes of events sent to a page in one write.
pub const PAGE_WRITE_BYTES_MAX: usize = 64 * 1024;

/// Requests of a page that wait for the node's response. Beyond, no more are read.
pub const PAGE_ASKS_MAX: usize = 64;

/// Interval of the heartbeat to a page, in milliseconds.
pub const BEAT_MS: u64 = 15_000;

/// A page that sends nothing for this long, not even an answer to a ping, is closed, in
/// milliseconds.
pub const PAGE_SILENT_MS_MAX: u64 = 45_000;

/// Shortest interval between two updates of one message's delivery state to a page, in
/// milliseconds.
pub const HELD_EVERY_MS: u64 = 100;

/// Conversations in the first frame to a page: more than a user looks through. Channels cost
/// nothing, and a member can write in any number of them.
pub const CONVERSATIONS_LISTED_MAX: usize = 1_000;

/// Messages in the first frame to a new page.
pub const WELCOME_MESSAGES: usize = 80;

/// Bytes of messages in the first frame to a new page. One message is always sent.
pub const WELCOME_BYTES_MAX: usize = 64 * 1024;

/// Messages and notices in the first frame to a resuming page. If it missed more, it reloads.
pub const RESUME_ENTRIES_MAX: usize = 1_000;

/// Own messages whose delivery state is sent again to a resuming page.
pub const RESUME_HELD_MAX: usize = 200;

/// Bytes of JSON of the messages and notices in a page of history, a page of hits or a part of an
/// export. One message is always sent. The answer is at most 1 MiB; the difference is for the
/// cursors around them.
///
/// Eight simultaneous readers of pages of the longest messages add about 17 MiB to a node's memory.
pub const HISTORY_BYTES_MAX: usize = 1024 * 1024 - 1024;

/// How many items a caller may ask for at once.
#[derive(Clone, Copy, Debug)]
pub struct ListLimit {
    /// The largest number.
    pub max: usize,
    /// The number if the caller names none.
    pub default: usize,
}

/// The number of messages in a page of history.
pub const HISTORY_LIMIT: ListLimit = ListLimit { max: 500, default: 100 };

/// The number of hits of a search.
pub const SEARCH_LIMIT: ListLimit = ListLimit { max: 500, default: 50 };

/// The ports of the page: the default, and those after it that are tried.
pub const WEB_PORTS: RangeInclusive<u16> = 7680..=7780;

/// Messages whose `ref` is being looked up. Beyond, pages wait.
pub const LOOKUPS_MAX: usize = 256;

/// Requests of all pages that wait for the engine. Beyond, pages wait.
pub const ASKS_WAITING_MAX: usize = 256;

/// Timeout of writing the last frames to a page into the system's buffer, in milliseconds. A
/// stalled page reads them from there.
pub const LAST_WORDS_MS: u64 = 1_000;

/// Bytes from a page that form no complete frame: the largest frame in the smallest pieces, with
/// their headers.
pub const UNFINISHED_BYTES_MAX: u64 = 10 * PAGE_FRAME_BYTES_MAX as u64;

/// How long a stopping node may take to answer earlier requests of a page, in milliseconds.
pub const LAST_REPLIES_MS: u64 = 500;

/// Extra send buffer for the last frames to a stalled page, in bytes.
pub const LAST_WORDS_BYTES: usize = 1024 * 1024;

/// The system's send buffer of a connection to the page, in bytes (the system doubles this).
pub const WEB_SEND_BUFFER_BYTES: usize = 128 * 1024;

/// Longest key in the page's storage, in bytes: the node's id in hex, a tab's UUID and the page's
/// own name fit.
pub const PAGE_STORAGE_KEY_BYTES_MAX: usize = 160;

/// Longest value in the page's storage, in bytes: three texts of 32 KiB. Escaped twice as JSON it
/// still fits into [`PAGE_FRAME_BYTES_MAX`].
pub const PAGE_STORAGE_VALUE_BYTES_MAX: usize = 96 * 1024;

/// Items in the page's storage: some settings, and two for each of 60 tabs closed with unsent text.
pub const PAGE_STORAGE_ITEMS_MAX: u64 = 128;

/// Size of the page's storage, in bytes. It is part of every welcome, and stays well below
/// [`PAGE_BEHIND_BYTES_MAX`].
pub const PAGE_STORAGE_BYTES_MAX: u64 = 256 * 1024;
