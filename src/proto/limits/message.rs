//! Limits of messages: texts, names, batches, and the queue of entries to sign.

/// Longest text of a message, in bytes of UTF-8: a long log excerpt fits, and one text always fits
/// into a batch.
pub const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Most mentions of a message: more than a text that people write to each other names.
pub const MENTIONS_MAX: usize = 32;

/// At signs of a text behind which names are looked for: each is compared with the names of all
/// members.
pub const MENTIONS_TRIED_MAX: usize = 256;

/// Longest reaction in bytes: all emoji fit but some of two people with skin tones, which have up
/// to 35.
pub const REACTION_BYTES_MAX: usize = 32;

/// Most reactions of one author that count on one message, so that one member can't fill the bar
/// under it.
pub const REACTIONS_OF_AUTHOR_MAX: usize = 10;

/// Most kinds of reactions that count on one message: two rows on a page.
pub const REACTION_KINDS_MAX: usize = 32;

/// Longest status of a member in bytes: one line beside a name.
pub const STATUS_BYTES_MAX: usize = 128;

/// Longest topic of a channel in bytes: one line of a heading.
pub const TOPIC_BYTES_MAX: usize = 256;

/// Longest quote of an answered message, in characters: two lines above an answer.
pub const QUOTE_CHARS_MAX: usize = 140;

/// Versions of an edited message in one answer.
pub const VERSIONS_MAX: usize = 100;

/// Fewest characters of a message's id that name it: with fewer, two of 100,000 messages often
/// match.
pub const ID_PART_CHARS_MIN: usize = 8;

/// Messages listed for a part of an id: enough to see that it is not one.
pub const FOUND_IDS_MAX: usize = 8;

/// Longest name, in graphemes (characters as people see them).
pub const NAME_GRAPHEMES_MAX: usize = 32;

/// Combining marks on one grapheme of a name. Scripts need up to 4; more only draw over the lines
/// above and below.
pub const NAME_MARKS_MAX: usize = 4;

/// Longest name, in bytes of UTF-8, so that a beacon stays below 512 bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Files that one message can name.
pub const FILES_PER_MESSAGE_MAX: usize = 10;

/// Entries under one signature. A signature costs as much as 200 sealed records, so 64 make it
/// cheap.
pub const BATCH_ENTRIES_MAX: usize = 64;

/// Longest batch, in bytes: two fit into a frame, and one body of [`TEXT_BYTES_MAX`] into a batch.
pub const BATCH_BYTES_MAX: usize = 128 * 1024;

/// Longest header of a batch whose deletion takes the place of a body, in bytes. One with all of
/// its fields and a single entry has about 260.
pub const DELETION_HEADER_BYTES_MAX: usize = 512;

/// Longest body of such a deletion, in bytes: the random prefix, the id of an entry, and the name
/// of a channel have about 130.
pub const DELETION_BODY_BYTES_MAX: usize = 256;

/// Longest batch in which deletions took the place of bodies, in bytes. What its author signed
/// keeps [`BATCH_BYTES_MAX`]; the deletions, each with a signature and 16 bytes of marks, come on
/// top.
pub const STRIPPED_BATCH_BYTES_MAX: usize =
    BATCH_BYTES_MAX + BATCH_ENTRIES_MAX * (DELETION_HEADER_BYTES_MAX + DELETION_BODY_BYTES_MAX + 64 + 16);

/// Longest body of an entry, in bytes: a text, the random prefix, and the names of channel and
/// reply.
pub const BODY_BYTES_MAX: usize = TEXT_BYTES_MAX + 1024;

/// Longest header of a batch, in bytes: [`BATCH_ENTRIES_MAX`] slots need 3.5 KiB, and later
/// versions may add fields. Two headers, the proof of a fork, fit into a page of a comparison.
pub const HEADER_BYTES_MAX: usize = 6 * 1024;

/// How far a node's logical clock may be ahead of its wall clock, in milliseconds.
pub const CLOCK_AHEAD_MS_MAX: u64 = 60_000;

/// Own messages whose delivery the engine tracks for the page. The store still counts receipts of
/// older ones.
pub const OWN_LINES_FOLLOWED_MAX: usize = 1_000;

/// Conversations whose latest place is tracked individually: more than a user writes in. All others
/// share one upper bound.
pub const TOPS_MAX: usize = 1_024;

/// Entries signed for one commit: enough to keep the disk busy, few enough to keep the next commit
/// near.
pub const SIGN_AT_ONCE_MAX: usize = 1_024;

/// Own entries that wait for their commit. Beyond, the answer is "busy".
pub const SAYS_WAITING_MAX: usize = 4096;

/// Messages sent again to the page when the name of their author arrives late: more than a page
/// shows at once.
pub const RENAMED_LINES_MAX: usize = 256;

/// How long a caller's `ref` is remembered, in milliseconds: 30 days.
pub const REF_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Longest `ref`, in characters.
pub const REF_CHARS_MAX: usize = 64;

/// Deepest nesting of formatted text: more than people write, and safe to render by recursion.
pub const SPAN_DEPTH_MAX: usize = 8;

/// Spans of a message, nested ones included: more formatting than a reader can use, and few enough
/// elements for a page to draw at once. The remaining text is one span.
pub const SPANS_MAX: usize = 1_000;

/// Recent `ref`s kept in memory, so that a repetition is detected before the store knows the first
/// one.
pub const REFS_REMEMBERED_MAX: usize = 2 * SAYS_WAITING_MAX;

/// Digests of stored `ref`s kept in memory, in about 4 MiB: 3,300 messages on each of 30 days.
/// Beyond, the store is asked before each message.
pub const REFS_KNOWN_MAX: usize = 100_000;

/// Names that a command compares to find namesakes: ten of each member of the largest room, in a
/// few MiB of memory. Members can change their names as often as they like.
pub const NAMES_INDEXED_MAX: usize = 10_000;

/// Edits of deleted messages that are deleted in one go. Each deletion is a batch of its own; the
/// next ones follow when these are stored.
pub const EDITS_DELETED_AT_ONCE: usize = 64;
