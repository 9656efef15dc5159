//! Everything else that the writer keeps: receipts, notices, members, this node's name, what was read. In the
//! transaction of the caller, like the batches.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::append::Appender;
use super::error::StoreError;
use super::notices::evict;
use super::sql::{Count, int};
use crate::proto::ids::{Arrival, LogKey, NodeId, Seq};
use crate::proto::name::Name;
use crate::proto::record::{MemberReceipt, MemberRecord};
use crate::proto::timeline::{Conversation, Notice, NoticeKind};

impl Appender {
    /// Keeps a member's word that it stored entries of an own log; of other logs, or entries that were never
    /// written, it has no word to give.
    pub(super) fn receipt(&mut self, db: &Connection, receipt: &MemberReceipt) -> Result<(), StoreError> {
        let key = LogKey { author: self.own, log: receipt.log };
        let Some(log) = self.numbers.log(db, key)? else { return Ok(()) };
        let written = log.spans.last().map_or(0, |span| span.last);
        let (log, mut first, mut last) = (log.number, receipt.first, receipt.last.min(written));
        if first == 0 || first > last {
            return Ok(());
        }
        let member = self.numbers.author(db, receipt.member)?;
        for (old_first, old_last) in touching(db, log, member, first, last)? {
            first = first.min(old_first);
            last = last.max(old_last);
            db.prepare_cached("DELETE FROM receipt WHERE log = ?1 AND member = ?2 AND first_seq = ?3")?
                .execute(params![log, member, int(old_first)])?;
        }
        db.prepare_cached("INSERT INTO receipt (log, member, first_seq, last_seq) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![log, member, int(first), int(last)])?;
        Ok(())
    }

    /// Numbers a notice and keeps it. Evicts the oldest one if there are too many.
    pub(super) fn notice(
        &mut self,
        db: &Connection,
        wall_ms: u64,
        kind: NoticeKind,
        member: NodeId,
        name: &Name,
    ) -> Result<Notice, StoreError> {
        let author = self.numbers.author(db, member)?;
        self.highest += 1;
        db.prepare_cached("INSERT INTO notice (arrival, wall_ms, kind, member, name) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![int(self.highest), int(wall_ms), kind_word(kind), author, name.as_str()])?;
        evict(db)?;
        Ok(Notice { arrival: self.highest, wall_ms, kind, member, name: name.clone() })
    }

    /// Keeps what is known of a member. A name in their logs that is newer, or of the same time, stays: it is signed.
    pub(super) fn member(&mut self, db: &Connection, record: &MemberRecord) -> Result<(), StoreError> {
        let author = self.numbers.author(db, record.id)?;
        let addresses: Vec<_> = record.addresses.iter().map(ToString::to_string).collect();
        db.prepare_cached("UPDATE author SET addresses = ?2, port = ?3, since_ms = ?4, lost = ?5 WHERE author = ?1")?
            .execute(params![author, addresses.join(","), record.port, int(record.since_ms), record.lost])?;
        db.prepare_cached(
            "UPDATE author SET name = ?2, name_time = ?3 WHERE author = ?1 AND coalesce(name_time, -1) < ?3",
        )?
        .execute(params![author, record.name.as_str(), int(record.name_time.0)])?;
        Ok(())
    }

    /// Moves the mark of what was read; returns it if it grew.
    pub(super) fn read(
        &mut self,
        db: &Connection,
        conversation: &Conversation,
        arrival: Arrival,
    ) -> Result<Option<Arrival>, StoreError> {
        let Some(number) = self.numbers.conversation(db, conversation, false)? else { return Ok(None) };
        // Nobody has read what has not come.
        let arrival = arrival.min(self.highest);
        let mut statement =
            db.prepare_cached("UPDATE conversation SET read = ?2 WHERE conversation = ?1 AND read < ?2")?;
        if statement.execute(params![number, int(arrival)])? == 0 {
            return Ok(None);
        }
        let own = self.numbers.author(db, self.own)?;
        db.prepare_cached(
            "UPDATE conversation SET unread = (
                 SELECT count(*) FROM entry e JOIN batch b ON b.batch = e.batch JOIN log l ON l.log = b.log
                 JOIN author a ON a.author = l.author
                 WHERE e.arrival > ?2 AND +e.conversation = ?1 AND l.author <> ?3 AND a.blocked = 0)
             WHERE conversation = ?1",
        )?
        .execute(params![number, int(arrival), own])?;
        Ok(Some(arrival))
    }
}

/// Keeps this node's name for the next start.
pub(super) fn own_name(db: &Connection, name: &Name) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE node SET name = ?1")?.execute([name.as_str()])?;
    Ok(())
}

/// The ranges of a member's receipts that overlap or adjoin this one.
fn touching(db: &Connection, log: i64, member: i64, first: Seq, last: Seq) -> Result<Vec<(Seq, Seq)>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT first_seq, last_seq FROM receipt
         WHERE log = ?1 AND member = ?2 AND first_seq <= ?4 + 1 AND last_seq >= ?3 - 1",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Count>(0)?.0, row.get::<_, Count>(1)?.0));
    let ranges = statement.query_map(params![log, member, int(first), int(last)], read)?;
    Ok(ranges.collect::<Result<_, _>>()?)
}

/// How a kind stands in the table.
fn kind_word(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Joined => "joined",
        NoticeKind::Back => "back",
        NoticeKind::Left => "left",
        NoticeKind::Lost => "lost",
        NoticeKind::Renamed => "renamed",
        NoticeKind::Conflict => "conflict",
        NoticeKind::Forked => "forked",
    }
}

/// The reverse of [`kind_word`]; the table lets nothing else in.
pub(super) fn kind_of(word: &str) -> Option<NoticeKind> {
    use NoticeKind::{Back, Conflict, Forked, Joined, Left, Lost, Renamed};
    [Joined, Back, Left, Lost, Renamed, Conflict, Forked].into_iter().find(|kind| kind_word(*kind) == word)
}

/// This node's name when it last ran.
pub(super) fn last_name(db: &Connection) -> Result<Option<Name>, StoreError> {
    let name: Option<Option<String>> = db.query_row("SELECT name FROM node", [], |row| row.get(0)).optional()?;
    Ok(name.flatten().and_then(|name| Name::new(&name).ok()))
}
