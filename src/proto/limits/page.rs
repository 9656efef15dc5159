//! The page: connections, tokens, sockets, and what is sent to a tab.

/// Bytes that a tab which comes back may have missed; beyond, it starts afresh.
pub const RESUME_BYTES_MAX: usize = 1024 * 1024;

/// Longest path of a Unix socket in bytes: the system's structure holds 108, one of them the closing zero.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Longest body of a request to the page, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// How long a browser may take for the headers of a request, and again for its body, in milliseconds.
pub const REQUEST_MS_MAX: u64 = 10_000;

/// Connections to the page; beyond, the one that waits longest for its headers makes room.
pub const WEB_CONNECTIONS_MAX: usize = 128;

/// Connections whose users are looked up in one go: in a flood, waking the thread that asks costs
/// more than the query.
///
/// Each listener of the port holds as many in addition to [`WEB_CONNECTIONS_MAX`], and there are two.
/// They have their share of [`super::DESCRIPTORS_RESERVED`].
pub const OWNER_BATCH_MAX: usize = 6;

/// How long the kernel may take to name the users of that many connections, in milliseconds. It
/// takes microseconds for each, or waits for the queries of others; the next connections wait as
/// well.
pub const OWNER_MS_MAX: u64 = 1_000;

/// A connection to the page that takes nothing of what it was sent for this long is closed, in milliseconds.
pub const WEB_WRITE_STALL_MS: u64 = 13_000;

/// How long a connection that we close is read on, so that our last words are not lost to a reset, in milliseconds.
pub const WEB_LINGER_MS: u64 = 1_000;

/// What a wrong token costs the guesser, in milliseconds.
pub const GUESS_MS: u64 = 100;

/// Wrong tokens that wait in turn for their answer; more don't wait for each other.
pub const GUESSES_WAITING_MAX: usize = 16;

/// Sockets that have not said a valid hello; the next one displaces the oldest.
pub const HELLOS_WAITING_MAX: usize = 32;

/// How long a socket may take for its hello, and again for its proof, in milliseconds.
pub const HELLO_MS_MAX: u64 = 5_000;

/// Longest frame from a page in bytes: a text of 32 KiB fits, whatever its characters are written as.
pub const PAGE_FRAME_BYTES_MAX: usize = 256 * 1024;

/// Most frames from a page in one second.
pub const PAGE_FRAMES_PER_SECOND: u32 = 1_000;

/// What pages may be behind, in bytes of recent events kept for all of them together.
pub const PAGE_BEHIND_BYTES_MAX: usize = 1024 * 1024;

/// What pages may be behind, in number of events.
pub const PAGE_BEHIND_EVENTS_MAX: usize = 8192;

/// What pages may be behind, in milliseconds.
pub const PAGE_BEHIND_MS_MAX: u64 = 10_000;

/// Most bytes of events that a page is sent in one write.
pub const PAGE_WRITE_BYTES_MAX: usize = 64 * 1024;

/// Frames of a page that wait for the node's answer; until one is there no more are read.
pub const PAGE_ASKS_MAX: usize = 64;

/// How often a page hears that the node is there, in milliseconds.
pub const BEAT_MS: u64 = 15_000;

/// A page that sends nothing at all, no answer to a ping either, is given up after this long, in milliseconds.
pub const PAGE_SILENT_MS_MAX: u64 = 45_000;

/// How often at most a page hears of one message how many hold it, in milliseconds.
pub const HELD_EVERY_MS: u64 = 100;

/// Conversations in the first frame to a page: more than anybody looks through. Channels cost nothing, and a member can
/// speak in any number of them.
pub const CONVERSATIONS_LISTED_MAX: usize = 1_000;

/// Messages in the first frame to a fresh page.
pub const WELCOME_MESSAGES: usize = 80;

/// Bytes of messages in the first frame to a fresh page; one message always goes.
pub const WELCOME_BYTES_MAX: usize = 64 * 1024;

/// Messages and notices in the first frame to a page that comes back; if there are more, it starts afresh.
pub const RESUME_ENTRIES_MAX: usize = 1_000;

/// Own messages of which a page that comes back is told again how many hold them.
pub const RESUME_HELD_MAX: usize = 200;

/// Bytes of JSON of the messages and notices on one page of history, on one page of hits, in one piece of an export;
/// one message always goes. The answer has at most 1 MiB: the rest is for the cursors around them.
///
/// Eight readers at once of pages of the longest messages add about 17 MiB to a node.
pub const HISTORY_BYTES_MAX: usize = 1024 * 1024 - 1024;

/// Messages on one page of history, and how many if nobody says.
pub const HISTORY_LIMIT: (usize, usize) = (500, 100);

/// The port of the page if nobody says, and how many after it are tried.
pub const WEB_PORT: (u16, u16) = (7680, 100);

/// Messages that are looked up before they are said. Beyond, pages wait.
pub const LOOKUPS_MAX: usize = 256;

/// Questions of all pages that wait for the engine; beyond, pages wait.
pub const ASKS_WAITING_MAX: usize = 256;

/// How long the last words to a page may take to reach the system's buffer, where they wait for a stalled one, in
/// milliseconds.
pub const LAST_WORDS_MS: u64 = 1_000;

/// Bytes that may come from a page without making a whole frame: the smallest pieces of the largest one, with their headers.
pub const UNFINISHED_BYTES_MAX: u64 = 10 * PAGE_FRAME_BYTES_MAX as u64;

/// How long a node that stops may take to answer what a page asked before, in milliseconds.
pub const LAST_REPLIES_MS: u64 = 500;

/// Room for last words behind what a stalled page has not taken, in bytes.
pub const LAST_WORDS_BYTES: usize = 1024 * 1024;

/// What the system may keep of what was sent to a page and not taken, in bytes (it doubles this).
pub const WEB_SEND_BUFFER_BYTES: usize = 128 * 1024;

/// Bytes of an item of the page's storage: 64 hex digits of the node's id, a tab's UUID and the page's own word fit.
pub const PAGE_STORAGE_KEY_BYTES_MAX: usize = 160;

/// Bytes of its value: three texts of 32 KiB. Escaped twice as JSON it still fits into [`PAGE_FRAME_BYTES_MAX`].
pub const PAGE_STORAGE_VALUE_BYTES_MAX: usize = 96 * 1024;

/// Items in the page's storage: a few settings, and two for each of 60 tabs that were closed with a text in them.
pub const PAGE_STORAGE_ITEMS_MAX: u64 = 128;

/// Bytes of the page's storage: it goes with every welcome, and stays well below [`PAGE_BEHIND_BYTES_MAX`].
pub const PAGE_STORAGE_BYTES_MAX: u64 = 256 * 1024;
