//! Local rows, which no batch can restore: members, receipts, idempotency keys, notices and page
//! storage. A rebuild keeps each one that is legible and refers to existing rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::survey::DatabaseScan;
use crate::proto::clock::Stamp;
use crate::proto::ids::NodeId;
use crate::proto::limits::{ARRIVAL_MAX, BATCH_ENTRIES_MAX};
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, int};
use crate::store::tables::notices::kind_of;

/// The names of authors before a rebuild, for authors whose logs give none.
pub(crate) struct Names(Vec<(i64, Option<String>, Option<i64>)>);

impl Names {
    /// Restores the name of an author whose logs gave none.
    pub(crate) fn restore(self, db: &Connection) -> Result<(), StoreError> {
        let mut statement =
            db.prepare_cached("UPDATE author SET name = ?2, name_time = ?3 WHERE author = ?1 AND name IS NULL")?;
        for (author, name, time) in self.0 {
            statement.execute(params![author, name, time])?;
        }
        Ok(())
    }
}

/// Returns a column's text, or none if it is illegible.
fn text(row: &Row<'_>, column: usize) -> Option<String> {
    row.get::<_, Option<String>>(column).ok().flatten()
}

/// Returns a column's number, or none outside of 0 to `most`.
fn number(row: &Row<'_>, column: usize, most: i64) -> Option<i64> {
    row.get::<_, Option<i64>>(column).ok().flatten().filter(|number| (0..=most).contains(number))
}

/// Returns a column's 32 bytes, or none if it has another type or length.
fn bytes32(row: &Row<'_>, column: usize) -> Option<[u8; 32]> {
    row.get::<_, Option<Blob32>>(column).ok().flatten().map(|blob| blob.0)
}

/// Returns the rows of `sql` that `read` accepts.
fn all<T>(db: &Connection, sql: &str, read: impl Fn(&Row<'_>) -> Option<T>) -> Result<Vec<T>, StoreError> {
    let mut statement = db.prepare(sql)?;
    let rows: Vec<Option<T>> = statement.query_map([], |row| Ok(read(row)))?.collect::<Result<_, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

/// Rewrites the table of authors.
///
/// A corrupted key is replaced by the key of the logs that name its row. A key that has a row stays
/// there, so that flags never move to another member. Names from logs are left to the replay.
pub(crate) fn rebuild_authors(db: &Connection, survey: &DatabaseScan) -> Result<Names, StoreError> {
    struct Author {
        number: i64,
        key: Option<[u8; 32]>,
        name: (Option<String>, Option<i64>),
        addresses: Option<String>,
        seen: [Option<i64>; 3],
        marks: [i64; 3],
    }
    let read = |row: &Row<'_>| {
        Some(Author {
            number: row.get(0).ok()?,
            key: bytes32(row, 1),
            name: (text(row, 2), number(row, 3, int(Stamp::END))),
            addresses: text(row, 4),
            seen: [number(row, 5, i64::from(u16::MAX)), number(row, 6, i64::MAX), number(row, 7, 1)],
            // A value other than 0 and 1 has another bit flipped than the lowest.
            marks: [8, 9, 10].map(|column| row.get::<_, i64>(column).unwrap_or(0) & 1),
        })
    };
    let authors = all(
        db,
        "SELECT author, key, name, name_time, addresses, port, since_ms, lost, verified, muted, blocked
         FROM author NOT INDEXED ORDER BY author",
        read,
    )?;
    let known: BTreeSet<_> = authors.iter().filter_map(|author| author.key).collect();
    let right: BTreeMap<_, _> =
        survey.authors.iter().filter(|(id, _)| !known.contains(&id.0)).map(|(id, number)| (*number, id.0)).collect();
    let with_logs: BTreeSet<_> = survey.logs.keys().map(|key| key.author.0).collect();
    db.execute_batch("DELETE FROM author")?;
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO author
         (author, key, name, name_time, addresses, port, since_ms, lost, verified, muted, blocked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let mut names = Vec::new();
    for Author { number, key, mut name, addresses, seen: [port, since, lost], marks: [verified, muted, blocked] } in
        authors
    {
        let Some(key) = right.get(&number).copied().or(key) else { continue };
        if with_logs.contains(&key) {
            let (name, time) = std::mem::take(&mut name);
            names.push((number, name, time));
        }
        let (name, time) = name;
        insert.execute(params![
            number,
            Blob32(key),
            name,
            time,
            addresses,
            port,
            since,
            lost,
            verified,
            muted,
            blocked
        ])?;
    }
    Ok(Names(names))
}

/// Rewrites the other local tables: metadata of own messages, receipts, idempotency keys and
/// notices.
pub(crate) fn copy_local_rows(db: &Connection, own: NodeId) -> Result<(), StoreError> {
    reaches(db)?;
    let of_own =
        "SELECT b.batch FROM batch b JOIN log l ON l.log = b.log JOIN author a ON a.author = l.author WHERE a.key = ?1";
    db.execute(
        &format!("DELETE FROM own WHERE batch NOT IN ({of_own}) AND batch NOT IN (SELECT batch FROM damaged)"),
        [Blob32(own.0)],
    )?;
    db.execute(
        &format!("INSERT INTO own (batch, reach) SELECT batch, NULL FROM ({of_own}) WHERE batch NOT IN (SELECT batch FROM own)"),
        [Blob32(own.0)],
    )?;
    db.execute("UPDATE own SET reach = NULL WHERE reach NOT IN (SELECT reach FROM reach)", [])?;
    receipts(db, own)?;
    references(db)?;
    notices(db)?;
    page_storage(db)?;
    // An illegible name is replaced by the one that the own messages give.
    let name = db.query_row("SELECT name FROM node", [], |row| Ok(row.get::<_, Option<String>>(0).is_ok()))?;
    if !name {
        db.execute("UPDATE node SET name = (SELECT name FROM author WHERE key = ?1)", [Blob32(own.0)])?;
    }
    Ok(())
}

/// Rewrites reach sets, without members that have no row.
fn reaches(db: &Connection) -> Result<(), StoreError> {
    let known: BTreeSet<i64> = all(db, "SELECT author FROM author", |row| row.get(0).ok())?.into_iter().collect();
    let read = |row: &Row<'_>| Some((row.get::<_, i64>(0).ok()?, row.get::<_, Vec<u8>>(1).ok()?));
    let sets = all(db, "SELECT reach, members FROM reach NOT INDEXED ORDER BY reach", read)?;
    db.execute_batch("DELETE FROM reach")?;
    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO reach (reach, members) VALUES (?1, ?2)")?;
    for (reach, members) in sets {
        let number = |part: &&[u8]| part.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
        let left: Vec<&[u8]> = members.chunks_exact(4).filter(|part| known.contains(&number(part))).collect();
        if !left.is_empty() {
            insert.execute(params![reach, left.concat()])?;
        }
    }
    Ok(())
}

/// Rewrites receipts for own logs, up to the last entry there.
fn receipts(db: &Connection, own: NodeId) -> Result<(), StoreError> {
    let read = |row: &Row<'_>| {
        Some([row.get(0).ok()?, row.get(1).ok()?, number(row, 2, i64::MAX)?, number(row, 3, i64::MAX)?])
    };
    let receipts: Vec<[i64; 4]> = all(db, "SELECT log, member, first_seq, last_seq FROM receipt", read)?;
    db.execute_batch("DELETE FROM receipt")?;
    let mut written = db.prepare_cached(
        "SELECT max(coalesce((SELECT max(last_seq) FROM span WHERE log = ?1), 0),
                    coalesce((SELECT max(first_seq) + ?3 FROM damaged WHERE log = ?1), 0))
         FROM log l JOIN author a ON a.author = l.author WHERE l.log = ?1 AND a.key = ?2",
    )?;
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO receipt (log, member, first_seq, last_seq)
         SELECT ?1, author, ?3, ?4 FROM author WHERE author = ?2",
    )?;
    let mut ends: HashMap<i64, i64> = HashMap::new();
    for [log, member, first, last] in receipts {
        let params = params![log, Blob32(own.0), BATCH_ENTRIES_MAX as i64];
        let written = match ends.get(&log) {
            Some(end) => *end,
            None => written.query_row(params, |row| row.get(0)).optional()?.unwrap_or(0),
        };
        ends.insert(log, written);
        let last = last.min(written);
        if (1..=last).contains(&first) {
            insert.execute([log, member, first, last])?;
        }
    }
    Ok(())
}

/// Rewrites idempotency keys. The time of an entry shows whether a key refers to the right one.
/// A name is never asked for under a key.
fn references(db: &Connection) -> Result<(), StoreError> {
    let own = all(
        db,
        "SELECT e.arrival, e.time >> 16 FROM own o JOIN batch b ON b.batch = o.batch JOIN entry e ON e.batch = b.batch
         WHERE NOT EXISTS (SELECT 1 FROM profile p WHERE p.log = b.log AND p.seq = b.first_seq + e.arrival - b.batch)
         ORDER BY e.arrival",
        |row| Some((row.get::<_, i64>(0).ok()?, row.get::<_, i64>(1).ok()?)),
    )?;
    // Of several entries with the same time, the first.
    let by_time: HashMap<i64, i64> = own.iter().rev().map(|(arrival, ms)| (*ms, *arrival)).collect();
    let own: HashMap<i64, i64> = own.into_iter().collect();
    let waiting: BTreeSet<i64> =
        all(db, "SELECT batch FROM damaged", |row| row.get::<_, i64>(0).ok())?.into_iter().collect();
    let read = |row: &Row<'_>| Some((row.get(0).ok()?, text(row, 1)?, bytes32(row, 2)?, row.get(3).ok()?));
    let references: Vec<(i64, String, [u8; 32], i64)> =
        all(db, "SELECT arrival, name, content, said_ms FROM ref NOT INDEXED ORDER BY arrival", read)?;
    db.execute_batch("DELETE FROM ref")?;
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO ref (arrival, name, content, said_ms) VALUES (?1, ?2, ?3, ?4)")?;
    for (arrival, name, content, said_ms) in references {
        let is_waiting = waiting.range(arrival.saturating_sub(BATCH_ENTRIES_MAX as i64 - 1)..=arrival).next().is_some();
        let stands = own.get(&arrival).map(|ms| (arrival, *ms));
        let right = match stands {
            Some((_, ms)) if ms == said_ms => stands,
            None if is_waiting => Some((arrival, said_ms)),
            _ => by_time.get(&said_ms).map(|message| (*message, said_ms)).or(stands),
        };
        if let Some((arrival, said_ms)) = right {
            insert.execute(params![arrival, name, Blob32(content), said_ms])?;
        }
    }
    Ok(())
}

/// Rewrites notices about known members, of a known kind.
fn notices(db: &Connection) -> Result<(), StoreError> {
    let read = |row: &Row<'_>| {
        let kind = text(row, 2).filter(|kind| kind_of(kind).is_some())?;
        let arrival = number(row, 0, int(ARRIVAL_MAX / 2))?;
        let wall_ms = number(row, 1, int(Stamp(Stamp::END).ms()))?;
        Some((arrival, wall_ms, kind, row.get::<_, i64>(3).ok()?, text(row, 4)?))
    };
    let notices =
        all(db, "SELECT arrival, wall_ms, kind, member, name FROM notice NOT INDEXED ORDER BY arrival", read)?;
    db.execute_batch("DELETE FROM notice")?;
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO notice (arrival, wall_ms, kind, member, name)
         SELECT ?1, ?2, ?3, author, ?5 FROM author WHERE author = ?4",
    )?;
    for (arrival, wall_ms, kind, member, name) in notices {
        insert.execute(params![arrival, wall_ms, kind, member, name])?;
    }
    Ok(())
}

/// Rewrites the page storage. A value may be the only copy of a message, so illegible characters
/// are replaced.
fn page_storage(db: &Connection) -> Result<(), StoreError> {
    let lossy = |row: &Row<'_>, column| match row.get_ref(column).ok()? {
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    let read = |row: &Row<'_>| Some((row.get::<_, i64>(0).ok()?, lossy(row, 1)?, lossy(row, 2)?));
    let items = all(db, "SELECT item, key, value FROM page_storage NOT INDEXED ORDER BY item", read)?;
    db.execute_batch("DELETE FROM page_storage")?;
    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO page_storage (item, key, value) VALUES (?1, ?2, ?3)")?;
    for item in items {
        insert.execute(item)?;
    }
    Ok(())
}
