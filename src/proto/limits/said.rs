//! What is said: texts, names, batches, and what waits to be signed.

/// Longest text of a message, in bytes of UTF-8: a long log excerpt fits, and a batch of one always does.
pub const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Longest name, in characters as people see them (graphemes).
pub const NAME_GRAPHEMES_MAX: usize = 32;

/// Most combining marks on a character of a name. Scripts need up to 4; more only draw over the lines above and below.
pub const NAME_MARKS_MAX: usize = 4;

/// Longest name in bytes of UTF-8, so that a beacon stays below 512 bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Most entries under one signature. A signature costs as much as 200 sealed records, so 64 make it cheap.
pub const BATCH_ENTRIES_MAX: usize = 64;

/// Longest batch in bytes: two fit into a frame, and one body of [`TEXT_BYTES_MAX`] into a batch.
pub const BATCH_BYTES_MAX: usize = 128 * 1024;

/// Longest body of an entry in bytes: a text, its random bytes and the names of channel and answered entry.
pub const BODY_BYTES_MAX: usize = TEXT_BYTES_MAX + 1024;

/// Longest header of a batch in bytes: [`BATCH_ENTRIES_MAX`] slots need 3.5 KiB, and a newer program may add something.
/// Two of them, the proof of a fork, fit into a page of a comparison.
pub const HEADER_BYTES_MAX: usize = 6 * 1024;

/// How far a node's logical clock may be ahead of its own wall clock, in milliseconds.
pub const CLOCK_AHEAD_MS_MAX: u64 = 60_000;

/// Own messages whose receipts are followed for the page; of older ones the store still counts them.
pub const OWN_LINES_FOLLOWED_MAX: usize = 1_000;

/// Conversations whose newest entry is told apart: more than anybody speaks in. For all others stands one place.
pub const TOPS_MAX: usize = 1_024;

/// Entries signed for one commit: enough to fill the disk's time, few enough to keep the next one near.
pub const SIGN_AT_ONCE_MAX: usize = 1_024;

/// Entries of this node's user that wait for their commit; beyond, the answer is "busy".
pub const SAYS_WAITING_MAX: usize = 4096;

/// Messages that are told again when the name under which they were said comes late: more than a page shows at once.
pub const RENAMED_LINES_MAX: usize = 256;

/// How long a caller's `ref` is remembered, in milliseconds: 30 days.
pub const REF_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Longest `ref` in characters.
pub const REF_CHARS_MAX: usize = 64;

/// Deepest nesting of formatted text: more than anybody writes, and little enough to draw by recursion.
pub const SPAN_DEPTH_MAX: usize = 8;

/// Most spans of a message, nested ones included: more formatting than a reader can use, and few enough elements for a
/// page to draw at once. The remaining text is one span of text.
pub const SPANS_MAX: usize = 1_000;

/// The refs of the last messages said that are remembered, so that a repetition is seen before the store can know of it.
pub const REFS_REMEMBERED_MAX: usize = 2 * SAYS_WAITING_MAX;

/// Names that a command compares to find namesakes: ten of each member of the largest room, in some MiB of memory. Members
/// can take a new name as often as they like.
pub const NAMES_INDEXED_MAX: usize = 10_000;
