//! What a damaged database knows beside batches, row by row, as far as each can be read and makes sense. It goes into a new
//! database, in the transaction of the caller.

use std::net::IpAddr;

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Params, Row, params};

use super::append::Appender;
use super::error::StoreError;
use super::fall::Falls;
use super::keep::{last_name, own_name};
use super::sql::{Blob32, Count, LogColumn};
use crate::proto::fork::{Fork, Signed};
use crate::proto::ids::{NodeId, RoomId};
use crate::proto::name::Name;
use crate::proto::record::MemberReceipt;

/// Reads the rows that can be read of a query without an order: by these columns forwards up to what is damaged, and
/// backwards up to it. A row may come twice.
pub(super) fn legible<T>(
    old: &Connection,
    sql: &str,
    by: &[&str],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (before_next, end) in [(", ", ""), (" DESC, ", " DESC")] {
        let complete = rows(old, &format!("{sql} ORDER BY {}{end}", by.join(before_next)), [], |row| {
            all.extend(read(row).ok());
            Ok(())
        });
        if matches!(complete, Ok(true)) {
            break;
        }
    }
    all
}

/// Hands over rows until one can't be read. True if it came to the end; only `take` fails.
pub(super) fn rows(
    old: &Connection,
    sql: &str,
    params: impl Params,
    mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let Ok(mut statement) = old.prepare_cached(sql) else { return Ok(false) };
    let Ok(mut rows) = statement.query(params) else { return Ok(false) };
    loop {
        match rows.next() {
            Ok(Some(row)) => take(row)?,
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

/// This node's own name.
pub(super) fn name(old: &Connection, db: &Connection) -> Result<(), StoreError> {
    match last_name(old) {
        Ok(Some(name)) => own_name(db, &name),
        _ => Ok(()),
    }
}

/// An author as the old database knew them.
pub(super) struct Author {
    key: [u8; 32],
    name: Option<Name>,
    name_time: Option<i64>,
    addresses: Option<String>,
    port: Option<u16>,
    since_ms: Option<i64>,
    lost: Option<bool>,
    /// Verified, muted, blocked.
    marks: [bool; 3],
}

impl Author {
    /// Every legible author.
    pub(super) fn all(old: &Connection) -> Vec<Self> {
        let sql = "SELECT key, name, name_time, addresses, port, since_ms, lost, verified, muted, blocked FROM author";
        let is_address = |one: &str| one.is_empty() || one.parse::<IpAddr>().is_ok();
        legible(old, sql, &["author"], |row| {
            Ok(Self {
                key: row.get::<_, Blob32>(0)?.0,
                name: row.get::<_, Option<String>>(1)?.and_then(|name| Name::new(&name).ok()),
                name_time: row.get(2)?,
                addresses: row.get::<_, Option<String>>(3)?.filter(|all| all.split(',').all(is_address)),
                port: row.get(4)?,
                since_ms: row.get(5)?,
                lost: row.get(6)?,
                marks: [row.get(7)?, row.get(8)?, row.get(9)?],
            })
        })
    }

    /// What the user thinks of them.
    pub(super) fn put_marks(&self, db: &Connection, appender: &mut Appender) -> Result<(), StoreError> {
        let [verified, muted, blocked] = self.marks;
        let author = appender.numbers.author(db, NodeId(self.key))?;
        db.prepare_cached("UPDATE author SET verified = ?2, muted = ?3, blocked = ?4 WHERE author = ?1")?
            .execute(params![author, verified, muted, blocked])?;
        Ok(())
    }

    /// Where they were seen, and what they are called if no batch says it: a batch is signed.
    pub(super) fn put_rest(&self, db: &Connection, appender: &mut Appender) -> Result<(), StoreError> {
        let author = appender.numbers.author(db, NodeId(self.key))?;
        db.prepare_cached("UPDATE author SET addresses = ?2, port = ?3, since_ms = ?4, lost = ?5 WHERE author = ?1")?
            .execute(params![author, self.addresses, self.port, self.since_ms, self.lost])?;
        if let Some(name) = &self.name {
            db.prepare_cached("UPDATE author SET name = ?2, name_time = ?3 WHERE author = ?1 AND name IS NULL")?
                .execute(params![author, name.as_str(), self.name_time.unwrap_or(0)])?;
        }
        Ok(())
    }
}

/// What is to be said again, and what was: each thing once for ever.
pub(super) fn fallen(old: &Connection, db: &Connection) -> Result<(), StoreError> {
    const COLUMNS: usize = 6;
    let sql = "SELECT hash, place, audience, body, name, content FROM fallen";
    let all = legible(old, sql, &["fallen"], |row| {
        let mut values = [const { Value::Null }; COLUMNS];
        for (index, value) in values.iter_mut().enumerate() {
            *value = row.get(index)?;
        }
        Ok(values)
    });
    let mut insert = db.prepare(
        "INSERT INTO fallen (hash, place, audience, body, name, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
    )?;
    for row in all {
        match insert.execute(row) {
            // Read from a page of something else: no row of this table.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
            inserted => _ = inserted?,
        }
    }
    Ok(())
}

/// Proofs that an author signed two things for one place.
pub(super) fn forks(
    old: &Connection,
    db: &Connection,
    appender: &mut Appender,
    room: &RoomId,
) -> Result<(), StoreError> {
    let all = legible(old, "SELECT one, other FROM fork", &["log"], |row| {
        let signed = |bytes: Vec<u8>| Signed::verify(&Bytes::from(bytes), room).ok();
        Ok(signed(row.get(0)?).zip(signed(row.get(1)?)).and_then(|(one, other)| Fork::new(one, other)))
    });
    let mut falls = Falls::default();
    for fork in all.into_iter().flatten() {
        appender.fork_told(db, &fork, &mut falls)?;
    }
    appender.changed(db, falls)?;
    Ok(())
}

/// What others have stored of own logs, as far as these are held again.
pub(super) fn receipts(old: &Connection, db: &Connection, appender: &mut Appender) -> Result<(), StoreError> {
    const ALL: &str =
        "SELECT a.key, l.id, r.first_seq, r.last_seq FROM receipt r CROSS JOIN author a ON a.author = r.member
                       CROSS JOIN log l ON l.log = r.log";
    let all = legible(old, ALL, &["r.log", "r.member", "r.first_seq"], |row| {
        Ok(MemberReceipt {
            member: NodeId(row.get::<_, Blob32>(0)?.0),
            log: row.get::<_, LogColumn>(1)?.0,
            first: row.get::<_, Count>(2)?.0,
            last: row.get::<_, Count>(3)?.0,
        })
    });
    all.iter().try_for_each(|receipt| appender.receipt(db, receipt))
}
