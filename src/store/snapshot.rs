//! Everything that an engine has to know of the past when it starts.

use rusqlite::Connection;

use super::error::StoreError;
use super::fall::fallen;
use super::fork::fork;
use super::line::{Lines, Row, rows};
use super::look::own_newest;
use super::marks::marks;
use super::numbers::spans;
use super::sql::{Blob32, Count, LogColumn, int};
use crate::proto::clock::Stamp;
use crate::proto::ids::{EntryId, LogKey, NodeId};
use crate::proto::limits::{RESUME_HELD_MAX, TOPS_MAX};
use crate::proto::name::Name;
use crate::proto::record::{LogRecord, MemberReceipt, MemberRecord, OwnLine, Snapshot};
use crate::proto::timeline::{Conversation, Place};

/// Reads it; no batch is opened but those of the newest own messages.
pub(super) fn snapshot(db: &Connection, own: NodeId) -> Result<Snapshot, StoreError> {
    Ok(Snapshot {
        logs: logs(db)?,
        tops: tops(db)?,
        members: members(db, own)?,
        marks: marks(db)?,
        own: own_lines(db, own)?,
        receipts: receipts(db)?,
        fallen: fallen(db)?,
    })
}

pub(super) fn logs(db: &Connection) -> Result<Vec<LogRecord>, StoreError> {
    let mut statement = db.prepare(
        "SELECT l.log, l.id, a.key, l.audience, l.bytes FROM log l LEFT JOIN author a ON a.author = l.author ORDER BY a.key, l.id",
    )?;
    let mut rows = statement.query([])?;
    let mut logs = Vec::new();
    while let Some(row) = rows.next()? {
        logs.push(LogRecord {
            key: LogKey { log: row.get::<_, LogColumn>(1)?.0, author: NodeId(row.get::<_, Blob32>(2)?.0) },
            audience: row.get::<_, Option<Blob32>>(3)?.map(|id| NodeId(id.0)),
            ranges: spans(db, row.get(0)?)?,
            bytes: row.get::<_, Count>(4)?.0,
            fork: fork(db, row.get(0)?)?,
        });
    }
    Ok(logs)
}

/// The greatest place of each conversation, and whose it is; of those that are too many the greatest, highest first.
pub(super) fn tops(db: &Connection) -> Result<Vec<(Conversation, Place, EntryId)>, StoreError> {
    const TOP: &str = rows!(
        "conversation c CROSS JOIN entry e ON e.arrival = (SELECT arrival FROM entry t INDEXED BY entry_conversation
         WHERE t.conversation = c.conversation ORDER BY t.place DESC LIMIT 1)",
        "ORDER BY e.place DESC LIMIT ?1"
    );
    let mut lines = Lines::new(db, NodeId([0; 32]));
    let mut statement = db.prepare(TOP)?;
    // One more than are told apart stands for the rest.
    let mut rows = statement.query([int(TOPS_MAX as u64 + 1)])?;
    let mut tops = Vec::new();
    while let Some(row) = rows.next()? {
        let row = Row::read(row)?;
        let (conversation, id) = (lines.conversation_of(&row)?, lines.id(&row)?);
        tops.push((conversation, row.order().place, id));
    }
    Ok(tops)
}

/// Everybody ever known but this node itself: who has a name or a log. A row alone makes nobody a member.
pub(super) fn members(db: &Connection, own: NodeId) -> Result<Vec<MemberRecord>, StoreError> {
    let mut statement = db.prepare(
        "SELECT key, name, name_time, addresses, port, since_ms, lost, (SELECT max(s.last_time) FROM log l
         JOIN span s ON s.log = l.log WHERE l.author = a.author) FROM author a WHERE key <> ?1
         AND (name IS NOT NULL OR author IN (SELECT author FROM log)) ORDER BY author",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let id = NodeId(row.get::<_, Blob32>(0)?.0);
        let addresses: Option<String> = row.get(3)?;
        // Known from their logs alone: gone since they last said something.
        let last_said = row.get::<_, Option<Count>>(7)?.map_or(0, |time| Stamp(time.0).ms());
        Ok(MemberRecord {
            id,
            name: Name::lossy(&row.get::<_, Option<String>>(1)?.unwrap_or_default(), &id.short()),
            name_time: Stamp(row.get::<_, Option<Count>>(2)?.map_or(0, |time| time.0)),
            addresses: addresses.iter().flat_map(|all| all.split(',')).filter_map(|one| one.parse().ok()).collect(),
            port: row.get::<_, Option<u16>>(4)?.unwrap_or(0),
            since_ms: row.get::<_, Option<Count>>(5)?.map_or(last_said, |since| since.0),
            lost: row.get::<_, Option<bool>>(6)?.unwrap_or(false),
        })
    };
    Ok(statement.query_map([Blob32(own.0)], read)?.collect::<Result<_, _>>()?)
}

fn own_lines(db: &Connection, own: NodeId) -> Result<Vec<OwnLine>, StoreError> {
    let mut lines = Lines::new(db, own);
    let newest = own_newest(db, own, RESUME_HELD_MAX)?;
    newest.into_iter().map(|line| Ok(OwnLine { id: line.id, of: lines.in_reach(line.arrival)? })).collect()
}

/// What others have stored of own logs.
pub(super) fn receipts(db: &Connection) -> Result<Vec<MemberReceipt>, StoreError> {
    let mut statement = db.prepare(
        "SELECT a.key, l.id, r.first_seq, r.last_seq FROM receipt r JOIN author a ON a.author = r.member
         JOIN log l ON l.log = r.log ORDER BY r.log, r.member, r.first_seq",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(MemberReceipt {
            member: NodeId(row.get::<_, Blob32>(0)?.0),
            log: row.get::<_, LogColumn>(1)?.0,
            first: row.get::<_, Count>(2)?.0,
            last: row.get::<_, Count>(3)?.0,
        })
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}
