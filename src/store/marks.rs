//! What this node's user thinks of a member: verified, muted, blocked. In the transaction of the caller.

use rusqlite::{Connection, params};

use super::append::Appender;
use super::error::StoreError;
use super::sql::{Blob32, int};
use crate::proto::ids::NodeId;
use crate::proto::marks::{MarkChange, Marks};
use crate::proto::record::Marked;

impl Appender {
    /// Changes the marks of a member. Blocking changes what pages show, also of the past: what is unread is counted anew,
    /// and a new run begins, so that no tab goes on from what it shows.
    pub(super) fn mark(&mut self, db: &Connection, member: NodeId, change: MarkChange) -> Result<Marked, StoreError> {
        let author = self.numbers.author(db, member)?;
        let before = of(db, author)?;
        let marks = change.apply(before);
        db.prepare_cached("UPDATE author SET verified = ?2, muted = ?3, blocked = ?4 WHERE author = ?1")?
            .execute(params![author, marks.verified, marks.muted, marks.blocked])?;
        if before.blocked == marks.blocked {
            return Ok(Marked { member, marks, run: None });
        }
        Ok(Marked { member, marks, run: Some(self.afresh(db)?) })
    }

    /// Other messages are shown from now on, also of the past: counts what is unread anew, and begins a run. Returns its
    /// name.
    pub(super) fn afresh(&mut self, db: &Connection) -> Result<String, StoreError> {
        let own = self.numbers.author(db, self.own)?;
        db.prepare_cached(
            "UPDATE conversation SET unread = (
                 SELECT count(*) FROM entry e JOIN batch b ON b.batch = e.batch JOIN log l ON l.log = b.log
                 JOIN author a ON a.author = l.author
                 WHERE e.arrival > conversation.read AND +e.conversation = conversation.conversation
                 AND l.author <> ?1 AND a.blocked = 0)",
        )?
        .execute([own])?;
        let run = format!("{:016x}", rand::random::<u64>());
        db.prepare_cached("DELETE FROM run")?.execute([])?;
        db.prepare_cached("INSERT INTO run (id, start) VALUES (?1, ?2)")?.execute(params![run, int(self.highest)])?;
        Ok(run)
    }

    /// Whether pages are to show nothing of an author.
    pub(super) fn is_blocked(&mut self, db: &Connection, author: NodeId) -> Result<bool, StoreError> {
        let author = self.numbers.author(db, author)?;
        Ok(of(db, author)?.blocked)
    }
}

fn of(db: &Connection, author: i64) -> Result<Marks, StoreError> {
    let mut statement = db.prepare_cached("SELECT verified, muted, blocked FROM author WHERE author = ?1")?;
    let read = |row: &rusqlite::Row<'_>| Ok(Marks { verified: row.get(0)?, muted: row.get(1)?, blocked: row.get(2)? });
    Ok(statement.query_row([author], read)?)
}

/// Everybody who has a mark.
pub(super) fn marks(db: &Connection) -> Result<Vec<(NodeId, Marks)>, StoreError> {
    let sql = "SELECT key, verified, muted, blocked FROM author WHERE verified OR muted OR blocked ORDER BY author";
    let mut statement = db.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| {
        let marks = Marks { verified: row.get(1)?, muted: row.get(2)?, blocked: row.get(3)? };
        Ok((NodeId(row.get::<_, Blob32>(0)?.0), marks))
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}
