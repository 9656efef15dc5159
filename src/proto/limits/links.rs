//! Limits of links: the handshake, frames, queues, and when a link counts as lost.

/// Longest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Longest first frame, in bytes: a peer that has proved nothing gets little memory.
pub const FIRST_FRAME_BYTES_MAX: usize = 4 * 1024;

/// Authors in a Closed frame. Each has filled a whole quota of the disk, or is one of too many that
/// were never met.
pub const FRAME_CLOSED_MAX: usize = 1024;

/// Timeout of TCP, TLS and handshake together, in milliseconds.
pub const HANDSHAKE_MS_MAX: u64 = 10_000;

/// Connections with an unfinished handshake.
pub const HANDSHAKES_MAX: usize = 64;

/// Interval in which peers are told that the user is typing in a conversation, in milliseconds.
/// They show it for twice as long.
pub const TYPING_EVERY_MS: u64 = 3_000;

/// Shortest interval between two accepted Typing frames of a link, in milliseconds. A user who
/// switches conversations sends two at once; a flood costs the pages nothing.
pub const TYPING_ACCEPTED_EVERY_MS: u64 = 500;

/// Silence on a link after which a ping is sent, in milliseconds.
pub const PING_AFTER_MS: u64 = 3_000;

/// How much earlier than after [`PING_AFTER_MS`] a link is pinged if another one is pinged anyway,
/// in milliseconds: one wake-up then serves many links.
pub const PING_EARLY_MS: u64 = 1_000;

/// Silence after which a member is shown as unsure, in milliseconds.
pub const UNSURE_AFTER_MS: u64 = 8_000;

/// Silence after which a link is closed, in milliseconds.
pub const LOST_AFTER_MS: u64 = 15_000;

/// A link is responsive if it received anything within this time, in milliseconds. When a second
/// link to the same instance comes up, both sides may then have dialled at once; otherwise the
/// first link is taken for lost.
pub const ALIVE_MS: u64 = 1_000;

/// Grace period of a lost link, in milliseconds: if the member is back within it, no notice is
/// shown.
pub const LOST_GRACE_MS: u64 = 2_000;

/// Timeout of the probe of an old link when a second instance of its key connects, in milliseconds.
/// If nothing is received by then, the second instance is accepted.
pub const PROBE_MS: u64 = 2_000;

/// Gap between two engine steps that means that the machine was suspended, in milliseconds.
pub const SLEPT_MS: u64 = 5_000;

/// After a suspension, no link is closed as lost for this time, in milliseconds.
pub const SLEPT_GRACE_MS: u64 = 2_000;

/// Timeout of a relay request, in milliseconds. Then another peer is asked.
pub const RELAY_PATIENCE_MS: u64 = 2_000;

/// Simultaneous links, if the limit of file descriptors allows as many.
///
/// A room is meant for 250 nodes. Each link costs two tasks, up to [`LINK_QUEUE_BYTES_MAX`] of
/// memory if its peer reads slowly, and a ping every [`PING_AFTER_MS`].
pub const LINKS_MAX: usize = 1024;

/// Links, in addition to [`LINKS_MAX`], that are being refused or are saying goodbye. Beyond, the
/// goodbye that has lasted longest is cut short.
pub const LINKS_CLOSING_MAX: usize = 32;

/// File descriptors that the mesh leaves to the rest of the program: the page's connections, those
/// whose user is being looked up, the database, and [`DESCRIPTORS_OTHER`].
pub const DESCRIPTORS_RESERVED: usize = 200;

/// File descriptors for standard streams, listeners, beacons, the data directory's lock, and
/// lookups of names and interfaces.
pub const DESCRIPTORS_OTHER: usize = 40;

/// File descriptors of the mesh even if less than [`DESCRIPTORS_RESERVED`] remain: a few nodes can
/// still connect.
pub const MESH_DESCRIPTORS_MIN: usize = 16;

/// How long the doctor reports that a link was refused or evicted because all were in use, in
/// milliseconds.
pub const LINKS_FULL_TOLD_MS: u64 = 60_000;

/// Addresses named when all links are in use.
pub const CROWDED_ADDRESSES_NAMED: usize = 3;

/// Greatest number of milliseconds accepted from others, as a time or as a duration: 285 thousand
/// years, and the greatest integer that JSON carries without loss. The difference of two such
/// numbers is within the range, too.
pub const WIRE_MS_MAX: u64 = (1 << 53) - 1;

/// Batches in one frame: as many as fit into [`FRAME_BYTES_MAX`] at a batch's smallest size.
pub const FRAME_BATCHES_MAX: usize = 1024;

/// Receipts in one frame: far more than 20 ms of receipts for every author of a page of history.
pub const FRAME_RECEIPTS_MAX: usize = 1024;

/// Authors in a page of a comparison: as many as fit into [`super::COMPARE_PAGE_BYTES_MAX`].
pub const FRAME_AUTHORS_MAX: usize = 256;

/// Logs in a page of a comparison: as many as fit into [`super::COMPARE_PAGE_BYTES_MAX`].
pub const FRAME_LOGS_MAX: usize = 256;

/// Frames in a link's send queue: a send window of the smallest batches, and other frames.
pub const LINK_QUEUE_FRAMES_MAX: usize = 8192;

/// Frames of file data in a link's send queue: the next one is read while one is sent.
pub const LINK_BULK_FRAMES_MAX: usize = 2;

/// Bytes in a link's send queue: the send window, a page for each fetch served, and as much again.
pub const LINK_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Timeout of the last frame before the connection is dropped, in milliseconds. A stop may take 3 s
/// in all.
pub const FAREWELL_MS: u64 = 1_000;

/// Bytes of received frames that wait for the engine, over all links. Beyond, links take turns to
/// be read.
pub const FRAMES_WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes that the system may buffer unsent on a link: a new frame waits behind no more than this.
pub const TCP_NOTSENT_BYTES: u32 = 32 * 1024;

/// Bytes that a link's writer hands over at once: several frames share a system call, and a stop is
/// noticed in between.
pub const LINK_WRITE_BYTES_MAX: usize = 64 * 1024;

/// Frames up to this size are decoded on the task that reads them, in bytes. The signatures in
/// longer ones would delay other tasks.
pub const DECODE_INLINE_BYTES_MAX: usize = 16 * 1024;

/// Interval at which the arrival of a long frame is reported as a sign of life, in milliseconds.
pub const HEARD_EVERY_MS: u64 = 1_000;

/// First pause of a listener after an error of `accept`, for lack of file descriptors for example,
/// in milliseconds; doubled each time.
pub const ACCEPT_BACKOFF_MS_MIN: u64 = 10;

/// Longest pause of a listener after errors of `accept`, in milliseconds.
pub const ACCEPT_BACKOFF_MS_MAX: u64 = 1_000;

/// Longest time between two engine steps, in milliseconds, so that a longer gap means a suspension.
pub const TURN_MS_MAX: u64 = 2_000;

/// Network events that wait for the engine: a burst of frames from all links.
pub const NET_EVENTS_WAITING_MAX: usize = 1024;
