//! The database: what shares a commit, what waits for the disk, and what a search may cost.

/// Free bytes on the disk, and per cent of it, below which nothing of others is taken, whichever is less: the rest is for
/// what the own user says.
pub const DISK_FREE_MIN: (u64, u64) = (200 * 1024 * 1024, 5);

/// How often the free space is looked at, in milliseconds: at 20 MiB a second half of [`DISK_FREE_MIN`] passes.
pub const DISK_EVERY_MS: u64 = 5_000;

/// Notices kept: more than anybody scrolls through, and they are none of the room's history.
pub const NOTICES_KEPT: u64 = 1_000;

/// The share of [`NOTICES_KEPT`] that is reserved for conflicts. Forks have [`NOTICES_FORKS_KEPT`], and
/// the rest is reserved for presence and names. A share that is not used is lent to the others.
///
/// Members that come and go, or change their names, cost nothing to make up. They must not push out
/// the line that says that a name was taken.
pub const NOTICES_CONFLICTS_KEPT: u64 = 250;

/// The share of [`NOTICES_KEPT`] that is reserved for forks.
///
/// A fork is told once in the life of a member, a conflict whenever it takes a name. So conflicts must
/// not push out forks.
pub const NOTICES_FORKS_KEPT: u64 = 250;

/// Notices about one member and subject (presence, name, conflict) that are told at once: a program
/// that is started, killed, started and stopped within a minute is told as it happened.
pub const NOTICES_AT_ONCE: u64 = 6;

/// Time until one more notice about that member and subject may be told, in milliseconds.
pub const NOTICES_REFILL_MS: u64 = 60_000;

/// Conflicts of one member that are held, each about another name. Beyond, the oldest is told at once.
///
/// A conflict is about the name of a known member, so there are few names for it.
pub const CONFLICTS_HELD_MAX: usize = 16;

/// Names of which is remembered that a conflict of one member about them was told lately: what the
/// throttle tells in an hour.
pub const CONFLICTS_TOLD_MAX: usize = 64;

/// Starts of the program that a database remembers, so that a tab from one of them can go on: years of daily starts.
pub const RUNS_KEPT: u64 = 1_000;

/// Reads of the database at a time; others wait. Each is one bounded page.
pub const READERS: usize = 4;

/// File descriptors of the database: file, write-ahead log and a temporary file for each reader, the
/// writer and the checkpoints, and the shared index of the log.
pub const STORE_DESCRIPTORS: usize = 3 * (READERS + 2) + 1;

/// Pieces of work that share one commit, and so one wait for the disk.
pub const COMMIT_WRITES_MAX: usize = 1_024;

/// Bytes of batches that share one commit: below half a second of writing on a slow disk.
pub const COMMIT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Writes that wait in memory while the disk is full; beyond, the oldest (a receipt or a notice) is forgotten.
pub const WRITES_DEFERRED_MAX: usize = 4_096;

/// How often deferred writes are tried again, in milliseconds.
pub const DISK_FULL_RETRY_MS: u64 = 1_000;

/// Bytes written ahead after which they are moved into the database, beside the writer.
pub const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;

/// Length of the write-ahead log at which the writer itself waits for that: sustained load must not fill the disk.
pub const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Hits of one search, and how many if nobody says.
pub const SEARCH_LIMIT: (usize, usize) = (500, 50);

/// Longest that is looked for, in bytes: more than anybody types, and a bounded piece of work.
pub const SEARCH_BYTES_MAX: usize = 1024;

/// Longest word in the index of a search, in bytes; of longer ones the beginning.
pub const WORD_BYTES_MAX: usize = 128;

/// The newest messages that a search looks through itself as long as they are not in the index.
pub const SEARCH_UNINDEXED_MAX: usize = 1_000;

/// Hits at one place that a page of them puts into their order: authors who spoke in the same instant.
pub const SEARCH_TIES_MAX: usize = 64;

/// Entries that go into the index of words in one step, between two commits: a few milliseconds.
pub const INDEX_ENTRIES_MAX: usize = 256;

/// Bytes of text in one such step; one entry always goes.
pub const INDEX_BYTES_MAX: usize = 256 * 1024;

/// Entries that may wait for the index while the writer has other work; beyond, each commit is followed by a step.
pub const INDEX_BEHIND_MAX: u64 = 8_192;

/// Logs whose numbers the writer remembers; beyond, all are forgotten and read again as they are needed.
pub const LOGS_REMEMBERED_MAX: usize = 16_384;

/// Conversations whose numbers the writer remembers; beyond, all are forgotten and read again as they are needed.
pub const CONVERSATIONS_REMEMBERED_MAX: usize = 16_384;

/// Batches kept parsed while a page is read: its lines mostly come from a few.
pub const BATCHES_LOADED_MAX: usize = 16;

/// Authors that are named of those whose entries are missing: as many as a person reads.
pub const LACKING_MAX: u64 = 16;

/// The greatest arrival number: numbers up to it are exact in JSON. A billion messages a day reach it in 24,000 years.
pub const ARRIVAL_MAX: u64 = (1 << 53) - 1;

/// The newest arrival numbers whose batches a start compares with the tables beside them, and whose logs: some milliseconds,
/// and more than a page shows.
pub const CHECKED_AT_START: u64 = 1_024;

/// Entries that the background check compares in one step, between two commits: a few milliseconds.
pub const SCRUB_ENTRIES: u64 = 256;

/// Batches of one log whose sizes the background check adds up in one step: a few milliseconds.
pub const SCRUB_SIZES: usize = 1_024;

/// The pause between two such steps, in milliseconds: 5,000 entries a second keep the disk and a core all but idle.
pub const SCRUB_PAUSE_MS: u64 = 50;

/// Arrival numbers after which the progress of the background check is written down: a file every 13 seconds, and no more than
/// that is checked again after a restart.
pub const SCRUB_NOTED: u64 = 65_536;

/// How long after a whole pass of the background check the next one begins, in milliseconds: a week. A disk loses bits over
/// months, and a node that is restarted daily must not read all its history each time.
pub const SCRUB_EVERY_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Rebuilds of the tables in one run. A disk that needs more is failing: the node stops, and the next start salvages.
pub const REBUILDS_MAX: u64 = 3;

/// Free bytes on the disk that a rebuild needs, in sizes of the database: the new tables, and the write-ahead log with them.
pub const REBUILD_SPACE: u64 = 2;

/// How long after a rebuild that found no room the next one waits, in milliseconds: each writes for seconds what is rolled
/// back, and nothing else is written meanwhile.
pub const REBUILD_FULL_RETRY_MS: u64 = 5 * 60 * 1000;

/// How far ahead of this start and of the newest message a time may lie that no signature covers, in milliseconds: a year.
/// Clocks are off by less, as a rule, and a flipped bit that stays below does no harm that lasts.
pub const TIME_AHEAD_MS: u64 = 366 * 24 * 60 * 60 * 1000;

/// Reports of repairs that are kept: more than a page shows at once, so a failing disk writes no more.
pub const REPORTS_KEPT: usize = 8;

/// How long a report of a repair is told, in milliseconds: a week, so that a user who was away reads it.
pub const REPORT_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// A database in which no check finds damage is rebuilt no sooner than this after the last repair, in milliseconds: each
/// repair keeps a copy, and a machine that is restarted again and again would fill its disk.
pub const REBUILD_EVERY_MS: u64 = 60 * 60 * 1000;

/// Repairs within [`REBUILD_EVERY_MS`]. A database that needs more stands on a failing disk, and each repair keeps a copy.
pub const REPAIRS_MAX: usize = 3;

/// Bytes of a database up to which a start after a crash compares indexes with tables: less than a second. In a larger one
/// only the form of its pages is checked, unless there is a suspicion.
pub const THOROUGH_BYTES_MAX: u64 = 64 * 1024 * 1024;
