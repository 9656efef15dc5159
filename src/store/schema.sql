-- Version 6 of a room's database. This file, changes.sql and files.sql always describe today; what an
-- older one needs stands in schema.rs.
--
-- Numbers are SQLite's signed 64 bits. Times are stamps (milliseconds since 1970 x 65,536 + a counter), except where
-- a name ends in _ms. Log ids are random 64-bit numbers and are kept with their highest bit flipped, so that SQLite's
-- signed order is theirs. Tables refer to each other by number; foreign keys are not enforced, since the hot tables
-- would pay a look-up for every row, and only the writer thread writes.

-- One row: whom this database belongs to. No other identity and no other room may write here.
CREATE TABLE node (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    room BLOB NOT NULL,          -- id of the room, 32 bytes
    own BLOB NOT NULL,           -- this node's id, 32 bytes
    name TEXT,                   -- this node's name when it last ran, if it ever said one
    indexed INTEGER NOT NULL DEFAULT 0 -- messages up to this arrival number are in the index of words
) STRICT;

-- Each start of the program on this database. A tab that comes back shows its run and the arrival number it got to;
-- it may go on only if that number was given in that run. The newest 1,000 are kept.
CREATE TABLE run (
    run INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,     -- random, 16 hex digits
    start INTEGER NOT NULL       -- the highest arrival number when it began
) STRICT;

-- All members ever known, this node included: the author of a log, a peer of a link, the subject of a notice.
CREATE TABLE author (
    author INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
    name TEXT,                   -- the newest name known
    name_time INTEGER,           -- since when, by their own clock
    addresses TEXT,              -- where they were last seen, separated by commas; null without a record
    port INTEGER,                -- where they listened last
    since_ms INTEGER,            -- when they came or went, by this node's wall clock
    lost INTEGER,                -- 1: went without a goodbye
    status TEXT,                 -- the newest status, as it was signed
    status_time INTEGER,         -- since when, by their own clock
    -- What this node's user thinks of them, 1 or 0.
    verified INTEGER NOT NULL DEFAULT 0,
    muted INTEGER NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE log (
    log INTEGER PRIMARY KEY,
    id INTEGER NOT NULL,         -- its random number, highest bit flipped
    author INTEGER NOT NULL,
    audience BLOB,               -- the one other member it is for; null: the whole room
    closed TEXT,                 -- not used any more
    bytes INTEGER NOT NULL DEFAULT 0, -- what its batches take
    UNIQUE (id, author)          -- id first: an entry's id names log and place, not the author
) STRICT;

-- Logs whose author signed two things for one place: the two headers with their signatures, which say where it ends.
CREATE TABLE fork (
    log INTEGER PRIMARY KEY,
    one BLOB NOT NULL,           -- CBOR: [header, signature]
    other BLOB NOT NULL
) STRICT;

-- What this node's user said in a log that ended before it: to be said again, once. The row stays, so that it is once.
CREATE TABLE fallen (
    fallen INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,          -- header hash of its batch
    place INTEGER NOT NULL,      -- its index there
    audience BLOB,               -- the one other member it was for; null: the whole room
    body BLOB,                   -- null: it is said again
    name TEXT,                   -- the caller's own name for it, if there was one
    content BLOB,                -- hash of what was asked for
    UNIQUE (hash, place)
) STRICT;

-- Batches that the disk changed, as they were found: taken out of their logs, and asked of others again.
CREATE TABLE damaged (
    batch INTEGER PRIMARY KEY,   -- the arrival number of its first entry
    log INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

-- What is held of each log: whole batches without a gap. At most 9 rows a log, so a start need not read every batch.
CREATE TABLE span (
    log INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    prev BLOB,                   -- what the first batch names as the one before it; null at the beginning
    head BLOB NOT NULL,          -- header hash of the last batch
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    PRIMARY KEY (log, first_seq)
) STRICT, WITHOUT ROWID;

-- Bodies are stored once, here. The entries of a batch have consecutive arrival numbers, so one index row finds 64.
CREATE TABLE batch (
    batch INTEGER PRIMARY KEY,   -- the arrival number of its first entry
    log INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    hash BLOB NOT NULL,          -- of its header
    bytes BLOB NOT NULL,         -- as it was signed; deletions take the place of deleted bodies
    UNIQUE (log, first_seq)
) STRICT;

-- Batches that name an entry in `after`: answers, and those written while some clock was off.
CREATE TABLE named (
    batch INTEGER PRIMARY KEY,   -- the batch that names
    id INTEGER NOT NULL,         -- the log of the named entry, highest bit flipped
    seq INTEGER NOT NULL,        -- its number there
    proof BLOB NOT NULL          -- the check in its id, 16 bytes
) STRICT;
-- Who stands on an entry that has just come, or moved.
CREATE INDEX named_entry ON named (id, seq);

CREATE TABLE entry (
    arrival INTEGER PRIMARY KEY, -- the local number; entries and notices share one counter
    batch INTEGER NOT NULL,      -- its number in the log is first_seq + arrival - batch
    conversation INTEGER,        -- null: not a message
    place INTEGER NOT NULL,      -- where it stands in the order of the room
    time INTEGER NOT NULL,       -- when its author said it
    moved INTEGER                -- the arrival number at which it last changed, or got another place; null: never
) STRICT;
-- Pages of one conversation; the rest of the order is looked up for equal places only.
CREATE INDEX entry_conversation ON entry (conversation, place) WHERE conversation IS NOT NULL;
-- Pages of all of them.
CREATE INDEX entry_place ON entry (place) WHERE conversation IS NOT NULL;
-- What a tab that was away has to show otherwise; few rows.
CREATE INDEX entry_moved ON entry (moved) WHERE moved IS NOT NULL;

-- Which words are in which message, by arrival number; no text, which stays in its batch. Words come folded and
-- separated by spaces, so the plainest tokenizer does, which takes all that is not ASCII for letters. Beginnings of one
-- and two letters fit thousands of words and are indexed themselves.
CREATE VIRTUAL TABLE search USING fts5 (words, content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '1 2');

-- Where an author takes a name. The name of a message is the latest in its log at or before it.
CREATE TABLE profile (
    log INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

-- A row appears with the first message.
CREATE TABLE conversation (
    conversation INTEGER PRIMARY KEY,
    channel TEXT UNIQUE,
    member BLOB UNIQUE,          -- the other one, of direct messages
    read INTEGER NOT NULL DEFAULT 0,   -- the user has read everything up to this arrival number
    unread INTEGER NOT NULL DEFAULT 0, -- messages of others with a greater one, counted as they come
    mentions INTEGER NOT NULL DEFAULT 0, -- those of them that mention this node's user
    CHECK ((channel IS NULL) <> (member IS NULL))
) STRICT;

-- Sets of members that were in reach when something was said: the same one for hours, so stored once.
CREATE TABLE reach (
    reach INTEGER PRIMARY KEY,
    members BLOB NOT NULL UNIQUE -- their author numbers, 4 bytes each, big-endian, ascending
) STRICT;

-- Batches of this node's own user.
CREATE TABLE own (
    batch INTEGER PRIMARY KEY,
    reach INTEGER                -- null: no member was in reach, or it came back from others
) STRICT;

-- The callers' own names for messages, kept 30 days: the same one never makes a second message.
CREATE TABLE ref (
    arrival INTEGER PRIMARY KEY, -- which message; ascending with time, so pruning begins at the smallest
    name TEXT NOT NULL UNIQUE,
    content BLOB NOT NULL,       -- hash of what was asked for
    said_ms INTEGER NOT NULL
) STRICT;

-- What others have stored of own logs, as merged ranges: one row for each log and member in the long run.
CREATE TABLE receipt (
    log INTEGER NOT NULL,
    member INTEGER NOT NULL,     -- author number
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (log, member, first_seq)
) STRICT, WITHOUT ROWID;

-- Lines for this node's own user. The newest 1,000 are kept, with a share reserved for warnings.
CREATE TABLE notice (
    arrival INTEGER PRIMARY KEY,
    wall_ms INTEGER NOT NULL,    -- by this node's wall clock
    kind TEXT NOT NULL CHECK (kind IN ('joined', 'back', 'left', 'lost', 'renamed', 'conflict', 'forked')),
    member INTEGER NOT NULL,     -- author number
    name TEXT NOT NULL           -- theirs then
) STRICT;

-- Settings, drafts and unsent messages of the user's pages on a shared machine. Bounded in number and bytes.
CREATE TABLE page_storage (
    item INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,    -- the page's own name for it
    value TEXT NOT NULL
) STRICT;
