-- Edits, deletions and reactions, each with the message that it names.
CREATE TABLE change (
    arrival INTEGER PRIMARY KEY, -- the entry
    id INTEGER NOT NULL,         -- the log of the entry that it names, highest bit flipped
    seq INTEGER NOT NULL,        -- its number there
    proof BLOB NOT NULL,         -- the check in its id, 16 bytes
    kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)), -- 1: edit, 2: deletion, 3: reaction
    author INTEGER NOT NULL,
    emoji TEXT,                  -- of a reaction
    off INTEGER NOT NULL,        -- 1: the reaction is taken back
    place INTEGER NOT NULL,      -- as in entry
    log INTEGER NOT NULL,        -- its own log and number: what orders changes at one place
    number INTEGER NOT NULL,
    target INTEGER,              -- the arrival number of what it changes; null: not here, or it may not change it
    conversation INTEGER,        -- the conversation of that
    current INTEGER NOT NULL DEFAULT 0 -- 1: an edit that was not deleted, or a reaction that counts
) STRICT;
-- What waits for an entry that has just come.
CREATE INDEX change_named ON change (id, seq) WHERE target IS NULL;
-- What changed a message.
CREATE INDEX change_target ON change (target, kind, author, emoji, current, place) WHERE target IS NOT NULL;
-- What of it counts, without what does not.
CREATE INDEX change_current ON change (target, kind, author, place) WHERE current = 1;
-- The greatest place of a conversation.
CREATE INDEX change_conversation ON change (conversation, place) WHERE conversation IS NOT NULL;

-- The topics that channels were given. The last in order counts.
CREATE TABLE topic (
    arrival INTEGER PRIMARY KEY, -- the entry
    channel TEXT NOT NULL,
    place INTEGER NOT NULL       -- as in entry
) STRICT;
CREATE INDEX topic_channel ON topic (channel, place);

-- Messages of others that mention this node's user.
CREATE TABLE mention (
    arrival INTEGER PRIMARY KEY
) STRICT;
