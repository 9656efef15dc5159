-- The content that messages name. The rows of a message go with its text.
CREATE TABLE attachment (
    arrival INTEGER NOT NULL,    -- the message
    number INTEGER NOT NULL,     -- which of its files
    content BLOB NOT NULL,       -- hash of the content, 32 bytes
    PRIMARY KEY (arrival, number)
) STRICT, WITHOUT ROWID;
-- Which messages name some content. Random, but few messages have files.
CREATE INDEX attachment_content ON attachment (content, arrival);
