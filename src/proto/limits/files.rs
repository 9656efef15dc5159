//! Limits of files: what a message may name, what is stored, and what is transferred.

/// Longest content of a file, in bytes: 16 GiB. An image of a machine fits, and the list of its
/// parts stays below 2 KiB.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Longest name of a file, in bytes: the limit of common file systems.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// Longest media type, in bytes: the limit of each half in RFC 6838.
pub const MEDIA_TYPE_BYTES_MAX: usize = 127;

/// Longest preview of a picture, in bytes: a blurred thumbnail fits.
pub const PREVIEW_BYTES_MAX: usize = 1024;

/// Largest side of a preview, in pixels. A few bytes can claim to be a picture that takes a browser
/// gigabytes.
pub const PREVIEW_PIXELS_MAX: u32 = 256;

/// Largest side of a picture as a message gives it, in pixels: what JPEG can express.
pub const PICTURE_SIDE_MAX: u32 = 65_535;

/// Longest text of a message with files, in bytes: both together fit into a body.
pub const TEXT_WITH_FILES_BYTES_MAX: usize = 16 * 1024;

/// The unit in which content is verified, in bytes. Its hashes take 0.4 % of the content.
pub const GROUP_BYTES: u64 = 16 * 1024;

/// The unit in which content is announced and requested, in bytes.
pub const PART_BYTES: u64 = 1024 * 1024;

/// Verified units of one part.
pub const GROUPS_PER_PART: u64 = PART_BYTES / GROUP_BYTES;

/// Verified units in one frame. With their hashes they take less than 64 KiB.
pub const GROUPS_PER_FRAME: u64 = 3;

/// Longest list of parts in a frame, in bytes: one bit for each part.
pub const PARTS_BYTES_MAX: usize = (FILE_BYTES_MAX / PART_BYTES / 8) as usize;

/// Longest data of a frame, in bytes: its units, and 64 bytes for each level of the tree of hashes
/// above its first and its last one.
pub const FILE_DATA_BYTES_MAX: usize = (GROUPS_PER_FRAME * GROUP_BYTES) as usize + 2 * 21 * 64;

/// Longest part of an upload, in bytes: a browser that loses its connection sends no more again.
pub const UPLOAD_PART_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Uploads in parts that are open at the same time. Beyond, the one that waited longest is dropped.
pub const UPLOADS_OPEN_MAX: usize = 64;

/// How long content that no message names is kept, in milliseconds: a day.
pub const UPLOAD_KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// How long a download address works, in milliseconds.
pub const TICKET_MS: u64 = 60_000;

/// Download addresses that were not used yet. Beyond, the oldest is dropped.
pub const TICKETS_MAX: usize = 1024;

/// Messages in the list of files.
pub const FILES_LISTED_MAX: usize = 10_000;

/// Interval at which content that no message names is looked for, in milliseconds: an hour.
pub const SWEEP_EVERY_MS: u64 = 60 * 60 * 1000;

/// Pieces of an upload that wait for the disk, each as long as one read of the connection.
pub const UPLOAD_PIECES_WAITING_MAX: usize = 16;

/// Pieces of a download that wait for the reader, 48 KiB each.
pub const DOWNLOAD_PIECES_WAITING_MAX: usize = 8;

/// An upload of which nothing arrives for this long ends, in milliseconds. A tunnel over a slow
/// network may pause for a while.
pub const UPLOAD_STALL_MS: u64 = 30_000;

/// Peers that are asked for some content at a time: enough to find holders, few enough for a room
/// of hundreds.
pub const TRANSFER_PEERS_MAX: usize = 32;

/// Links that some content is fetched over at a time. After a crash the frame under way on each is
/// fetched again.
pub const TRANSFER_HOLDERS_MAX: usize = 8;

/// Requested bytes on one link: the least, at the beginning, and the most. The least is one frame.
pub const TRANSFER_WINDOW_BYTES: (u64, u64, u64) = (GROUPS_PER_FRAME * GROUP_BYTES, PART_BYTES / 2, 8 * PART_BYTES);

/// Requested bytes on all links: they may all wait for the disk.
pub const TRANSFER_IN_FLIGHT_BYTES_MAX: u64 = 16 * PART_BYTES;

/// A request that took less lets the window of its link grow, in milliseconds.
pub const TRANSFER_FAST_MS: u64 = 200;

/// A request that took more lets the window of its link shrink, in milliseconds.
pub const TRANSFER_SLOW_MS: u64 = 400;

/// A request that is older may be given to another link as well, in milliseconds.
pub const TRANSFER_OVERDUE_MS: u64 = 1_000;

/// Silence after which the requests of a link are given to others, in milliseconds.
pub const TRANSFER_STALL_MS: u64 = 2_000;

/// The same if no other link has the content, in milliseconds: a slow network takes seconds for one
/// frame.
pub const TRANSFER_STALL_ALONE_MS: u64 = 10_000;

/// The pause of a link after a failure, the first and the longest one, in milliseconds.
pub const TRANSFER_BACKOFF_MS: (u64, u64) = (1_000, 60_000);

/// Requests of a silent link whose late answers still count.
pub const TRANSFER_LATE_MAX: usize = 64;

/// Interval at which transfers are looked at, in milliseconds. A page gets at most four updates of
/// one file a second.
pub const TRANSFER_TURN_MS: u64 = 250;

/// Content that is fetched automatically at a time. Beyond, it is fetched on a click.
pub const AUTO_FETCHES_MAX: usize = 4_096;

/// Content of one author that is fetched automatically a day, in bytes.
pub const AUTO_FETCH_DAY_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Content of one author that is fetched automatically a day, in files: each takes a few files on
/// the disk.
pub const AUTO_FETCH_DAY_FILES_MAX: u64 = 10_000;

/// Default size of files that are fetched automatically, in MiB.
pub const AUTO_FETCH_MIB: u32 = 8;

/// Default size of the files of all other members together, in GiB.
pub const FILES_QUOTA_GIB: u32 = 4;

/// Content that one peer may ask about at a time. Beyond, the oldest question is forgotten.
pub const FILE_WANTS_MAX: usize = 8_192;

/// Requests of one peer that wait to be served. Beyond, the answer is "busy".
pub const FILE_REQUESTS_WAITING_MAX: usize = 256;

/// Frames that are read from the disk at once for one peer.
pub const FILE_FRAMES_AT_ONCE: u64 = 4;
