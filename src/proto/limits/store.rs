//! Limits of the database: commits, write queues, notices, search, background checks, repair.

/// The two forms of a limit of free disk space.
#[derive(Clone, Copy, Debug)]
pub struct FreeSpaceMin {
    /// In bytes.
    pub bytes: u64,
    /// In percent of the disk.
    pub percent: u64,
}

/// Low disk space: below this many free bytes, or below this percentage of the disk, whichever is
/// less, entries of other members are refused. The rest is reserved for the local user's messages.
pub const DISK_FREE_MIN: FreeSpaceMin = FreeSpaceMin { bytes: 200 * 1024 * 1024, percent: 5 };

/// Interval of checking free disk space, in milliseconds. At 20 MiB/s, half of [`DISK_FREE_MIN`] is
/// written meanwhile.
pub const DISK_EVERY_MS: u64 = 5_000;

/// Notices kept: more than a user scrolls through, and they are no part of the room's history.
pub const NOTICES_KEPT: u64 = 1_000;

/// The share of [`NOTICES_KEPT`] that is reserved for conflicts. Forks have [`NOTICES_FORKS_KEPT`];
/// the rest is reserved for presence and names. An unused share is lent to the others.
///
/// Members that come and go, or change their names, cost nothing to invent. They must not evict the
/// notice that a name was taken.
pub const NOTICES_CONFLICTS_KEPT: u64 = 250;

/// The share of [`NOTICES_KEPT`] that is reserved for forks.
///
/// A fork is reported once in the life of a member, a conflict whenever it takes a name. So
/// conflicts must not evict forks.
pub const NOTICES_FORKS_KEPT: u64 = 250;

/// Notices about one member and subject (presence, name, conflict) that are shown at once.
/// Starting, killing, starting and stopping a program within a minute is shown as it happened.
pub const NOTICES_AT_ONCE: u64 = 6;

/// Time until one more notice about that member and subject may be shown, in milliseconds.
pub const NOTICES_REFILL_MS: u64 = 60_000;

/// Conflicts of one member that are held back, each about another name. Beyond, the oldest is shown
/// at once.
///
/// A conflict is about the name of a known member, so there are few names for it.
pub const CONFLICTS_HELD_MAX: usize = 16;

/// Names per member for which a recently shown conflict is remembered: as many as the throttle lets
/// through in an hour.
pub const CONFLICTS_TOLD_MAX: usize = 64;

/// Sessions that a database remembers, so that a tab of one of them can resume: years of daily
/// starts.
pub const RUNS_KEPT: u64 = 1_000;

/// Simultaneous reads of the database; others wait. Each reads one bounded page.
pub const READERS: usize = 4;

/// File descriptors of the database: file, write-ahead log and a temporary file for each reader,
/// the writer and the checkpointer, and the shared index of the log.
pub const STORE_DESCRIPTORS: usize = 3 * (READERS + 2) + 1;

/// Writes that share one commit, and so one wait for the disk.
pub const COMMIT_WRITES_MAX: usize = 1_024;

/// Bytes of batches that share one commit: below half a second of writing on a slow disk.
pub const COMMIT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Writes deferred in memory while the disk is full. Beyond, the oldest (a receipt or a notice) is
/// dropped.
pub const WRITES_DEFERRED_MAX: usize = 4_096;

/// Interval of retrying deferred writes, in milliseconds.
pub const DISK_FULL_RETRY_MS: u64 = 1_000;

/// Size of the write-ahead log after which a checkpoint runs in the background, in bytes.
pub const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;

/// Size of the write-ahead log at which the writer waits for the checkpoint, in bytes. Sustained
/// load must not fill the disk.
pub const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest search query, in bytes: more than people type, and a bounded amount of work.
pub const SEARCH_BYTES_MAX: usize = 1024;

/// Longest word in the search index, in bytes. Longer words are truncated.
pub const WORD_BYTES_MAX: usize = 128;

/// Newest messages that a search scans itself while they are not indexed.
pub const SEARCH_UNINDEXED_MAX: usize = 1_000;

/// Newest messages whose texts a search reads before it asks the index: a few milliseconds, which
/// find a page of hits of a word that is in one of ten messages.
pub const SEARCH_SCANNED: usize = 500;

/// Indexed messages from which a search reads texts first. In fewer, the index finds any word as
/// fast.
pub const SEARCH_SCANNED_FROM: u64 = 10_000;

/// Entries indexed in one step, between two commits: a few milliseconds.
pub const INDEX_ENTRIES_MAX: usize = 256;

/// Bytes of text indexed in one step. One entry is always indexed.
pub const INDEX_BYTES_MAX: usize = 256 * 1024;

/// Entries that may wait for the index while the writer has other work. Beyond, each commit is
/// followed by a step.
pub const INDEX_BEHIND_MAX: u64 = 8_192;

/// Logs in the writer's row id cache. Beyond, the cache is cleared.
pub const LOGS_REMEMBERED_MAX: usize = 16_384;

/// Conversations in the writer's row id cache. Beyond, the cache is cleared.
pub const CONVERSATIONS_REMEMBERED_MAX: usize = 16_384;

/// Batches kept decoded while a page is read. Its messages mostly come from a few.
pub const BATCHES_LOADED_MAX: usize = 16;

/// Authors named among those with missing entries: as many as a user reads.
pub const LACKING_MAX: u64 = 16;

/// The greatest arrival number, exact in JSON. A billion messages a day reach it in 24,000 years.
pub const ARRIVAL_MAX: u64 = (1 << 53) - 1;

/// The newest arrival numbers whose batches and logs are checked against the tables at the start:
/// some milliseconds, and more than a page shows.
pub const CHECKED_AT_START: u64 = 1_024;

/// Entries checked in one step of the background check, between two commits: a few milliseconds.
pub const SCRUB_ENTRIES: u64 = 256;

/// Batches of one log whose sizes are added up in one step of the background check: a few
/// milliseconds.
pub const SCRUB_SIZES: usize = 1_024;

/// Pause between two steps of the background check, in milliseconds. 5,000 entries a second leave
/// the disk and a core almost idle.
pub const SCRUB_PAUSE_MS: u64 = 50;

/// Arrival numbers after which the background check saves its progress: one file every 13 seconds,
/// and at most that much is checked again after a restart.
pub const SCRUB_NOTED: u64 = 65_536;

/// Time between two complete background checks, in milliseconds: a week. Disks lose bits over
/// months, and a node that is restarted daily must not read all its history each time.
pub const SCRUB_EVERY_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Rebuilds of the tables in one run. A disk that needs more is failing: the node stops, and the
/// next start salvages.
pub const REBUILDS_MAX: u64 = 3;

/// Free disk space that a rebuild needs, in multiples of the database's size: the new tables, and
/// their write-ahead log.
pub const REBUILD_SPACE: u64 = 2;

/// Time until a rebuild that ran out of disk space is tried again, in milliseconds. Each try writes
/// for seconds and is rolled back, and blocks all other writes.
pub const REBUILD_FULL_RETRY_MS: u64 = 5 * 60 * 1000;

/// How far an unsigned time may lie after the start and after the newest message, in milliseconds:
/// a year. Clocks are usually off by less, and a flipped bit below it does no lasting harm.
pub const TIME_AHEAD_MS: u64 = 366 * 24 * 60 * 60 * 1000;

/// Repair reports kept: more than a page shows at once, so that a failing disk does not add more.
pub const REPORTS_KEPT: usize = 8;

/// How long a repair report is shown, in milliseconds: a week, so that a user who was away reads
/// it.
pub const REPORT_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Shortest time between a repair and the rebuild of a database in which no check finds damage, in
/// milliseconds. Each repair keeps a copy, which would fill the disk of a machine that restarts
/// again and again.
pub const REBUILD_EVERY_MS: u64 = 60 * 60 * 1000;

/// Repairs within [`REBUILD_EVERY_MS`]. A database that needs more is on a failing disk, and each
/// repair keeps a copy.
pub const REPAIRS_MAX: usize = 3;

/// Size up to which a start after a crash compares indexes with tables, in bytes: less than a
/// second. In larger databases only the form of the pages is checked, unless damage is suspected.
pub const THOROUGH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Time from a deletion until its text is erased from the search index and the write-ahead log, in
/// milliseconds, so that deletions in a row share one pass.
pub const ERASE_AFTER_MS: u64 = 1_000;

/// Time after which erasing no longer waits for a moment without writes, in milliseconds.
pub const ERASE_OVERDUE_MS: u64 = 10_000;

/// Time that truncating the write-ahead log waits for readers, in milliseconds. Writes wait as
/// well, so it is tried again instead.
pub const ERASE_BUSY_MS: u64 = 20;

/// Pages of the search index that one step of erasing merges: a few milliseconds of work.
pub const ERASE_MERGE_PAGES: i64 = 64;

/// Rest after a pass of erasing, in times its duration: in a room with a large index, a member that
/// deletes all the time keeps a fifth of one thread busy.
pub const ERASE_RESTS: u32 = 4;
