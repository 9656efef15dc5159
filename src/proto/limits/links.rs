//! Links: their first moments, their frames, their queues, and when one counts as lost.

/// Longest frame on a link in bytes.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Longest first frame in bytes: whoever has proved nothing yet gets little memory.
pub const FIRST_FRAME_BYTES_MAX: usize = 4 * 1024;

/// Authors in a frame that says whose logs are taken no further: each has taken a whole quota of the disk, or was never met
/// and is one too many of such.
pub const FRAME_CLOSED_MAX: usize = 1024;

/// TCP, TLS and first frames together, in milliseconds.
pub const HANDSHAKE_MS_MAX: u64 = 10_000;

/// Links that have not finished their handshake.
pub const HANDSHAKES_MAX: usize = 64;

/// Silence on a link after which a node asks "are you there", in milliseconds.
pub const PING_AFTER_MS: u64 = 3_000;

/// Silence after which a member is shown as unsure, in milliseconds.
pub const UNSURE_AFTER_MS: u64 = 8_000;

/// Silence after which a link is given up, in milliseconds.
pub const LOST_AFTER_MS: u64 = 15_000;

/// When a second link comes up and the first was heard on within this time, both sides may have dialled at once; else
/// the first is taken for lost, in milliseconds.
pub const ALIVE_MS: u64 = 1_000;

/// A link that ended without a goodbye and is back within this time is not announced, in milliseconds.
pub const LOST_GRACE_MS: u64 = 2_000;

/// A second instance of one key is let in once the first was silent on a probe this long, in milliseconds.
pub const PROBE_MS: u64 = 2_000;

/// A gap between two turns of the engine that means this machine slept, in milliseconds.
pub const SLEPT_MS: u64 = 5_000;

/// After it slept, a node declares nobody lost for this long, in milliseconds.
pub const SLEPT_GRACE_MS: u64 = 2_000;

/// A peer that was asked to pass on a member and does not answer for this long is no help, in milliseconds.
pub const RELAY_PATIENCE_MS: u64 = 2_000;

/// Links at a time, if the limit of file descriptors allows as many.
///
/// A room is meant for 250 nodes. Each link costs two tasks, up to [`LINK_QUEUE_BYTES_MAX`] of memory
/// if its peer reads slowly, and a ping every [`PING_AFTER_MS`].
pub const LINKS_MAX: usize = 1024;

/// Links, beyond [`LINKS_MAX`], that are being refused or are saying goodbye; beyond, the goodbye that lasts longest is cut short.
pub const LINKS_CLOSING_MAX: usize = 32;

/// File descriptors that the mesh leaves to the rest of the program: the page's connections, those
/// whose user is being looked up, the database, and [`DESCRIPTORS_OTHER`].
pub const DESCRIPTORS_RESERVED: usize = 200;

/// File descriptors for standard streams, listeners, beacons, the data directory's lock, look-ups of names and addresses.
pub const DESCRIPTORS_OTHER: usize = 40;

/// File descriptors of the mesh even if that leaves less than [`DESCRIPTORS_RESERVED`]: a few nodes can still meet.
pub const MESH_DESCRIPTORS_MIN: usize = 16;

/// After a link was refused or evicted for want of room, how long the doctor reports that, in milliseconds.
pub const LINKS_FULL_TOLD_MS: u64 = 60_000;

/// Addresses that are named when all links are in use.
pub const CROWDED_ADDRESSES_NAMED: usize = 3;

/// Lowest and highest version of the protocol that this program speaks.
pub const PROTOCOL_VERSIONS: (u64, u64) = (1, 1);

/// Greatest number of milliseconds that is taken from others, as a time of theirs or as a time since: 285 thousand years, and
/// the greatest whole number that a page reads from JSON without loss. So is the difference of two of them.
pub const WIRE_MS_MAX: u64 = (1 << 53) - 1;

/// Batches in one frame: what fits into [`FRAME_BYTES_MAX`] at the shortest that a batch can be.
pub const FRAME_BATCHES_MAX: usize = 1024;

/// Receipts in one frame: what 20 ms gather from every author that a page of history can name, and far more.
pub const FRAME_RECEIPTS_MAX: usize = 1024;

/// Authors in a page of a comparison: what fits into [`super::COMPARE_PAGE_BYTES_MAX`].
pub const FRAME_AUTHORS_MAX: usize = 256;

/// Logs in a page of a comparison: what fits into [`super::COMPARE_PAGE_BYTES_MAX`].
pub const FRAME_LOGS_MAX: usize = 256;

/// Frames that wait on a link for its writer: own batches without a receipt at their shortest, and what else is said.
pub const LINK_QUEUE_FRAMES_MAX: usize = 8192;

/// Bytes that wait on a link for its writer: own batches without a receipt, a page for each fetch served, and as much again.
pub const LINK_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long the last frame may take to leave before the connection is dropped, in milliseconds: a stop has 3 s in all.
pub const FAREWELL_MS: u64 = 1_000;

/// Bytes of frames that have come in and wait for the engine, over all links; beyond, links wait in turn to be read.
pub const FRAMES_WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes that the system may hold on a link before it says "full": what is said next waits behind no more than this.
pub const TCP_NOTSENT_BYTES: u32 = 32 * 1024;

/// Most bytes that a link's writer hands over at once: several frames share a system call, and a stop is noticed between.
pub const LINK_WRITE_BYTES_MAX: usize = 64 * 1024;

/// Frames up to this are checked on the task that reads them, in bytes: the signatures in longer ones hold up others.
pub const DECODE_INLINE_BYTES_MAX: usize = 16 * 1024;

/// While a long frame comes in, how often that is reported as a sign of life, in milliseconds.
pub const HEARD_EVERY_MS: u64 = 1_000;

/// First wait of a listener that can't accept (no file descriptors, say), in milliseconds; doubled each time.
pub const ACCEPT_BACKOFF_MS_MIN: u64 = 10;

/// Longest wait of a listener that can't accept, in milliseconds.
pub const ACCEPT_BACKOFF_MS_MAX: u64 = 1_000;

/// Longest time between two turns of the engine, in milliseconds, so that a gap means that this machine slept.
pub const TURN_MS_MAX: u64 = 2_000;

/// Events of the network that wait for the engine: a burst of frames from all links.
pub const NET_EVENTS_WAITING_MAX: usize = 1024;
