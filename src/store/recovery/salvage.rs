//! Salvages a quarantined database into a new one: every batch that verifies, and the legible local
//! rows. Missing batches are fetched from peers.
//!
//! The quarantined files are only read. SQLite works on a copy whose header is corrected and whose
//! missing pages are empty. Batches that SQLite cannot reach are searched for in the raw pages.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, params};
use tracing::warn;

use super::legible::{LegibleAuthor, fallen, forks, name, page_items, receipts, rows};
use super::scan::Pages;
use super::wal::{DATABASE_HEADER, PAGE, number_at};
use crate::proto::entries::batch::{Header, verify};
use crate::proto::ids::{Hash, LogId, NodeId, RoomId, Seq};
use crate::proto::limits::COMMIT_BYTES_MAX;
use crate::proto::replication::store_api::{Append, IdempotencyKey, OwnBatch};
use crate::store::error::StoreError;
use crate::store::files::beside;
use crate::store::sql::{Blob32, NonNegative, int};
use crate::store::write::append::append;
use crate::store::write::state::WriteState;

/// Maximum pages of a copy. A greater number in the header is damaged.
const PAGES_MAX: u32 = 1 << 26;

/// Salvages everything into `db`. `copy` is a name for a copy of the quarantined files.
pub(crate) fn salvage(
    quarantine: &Path,
    copy: &Path,
    db: &mut Connection,
    appender: &mut WriteState,
    room: &RoomId,
) -> Result<(), StoreError> {
    let file = |source| StoreError::File { path: quarantine.to_owned(), source };
    let old = if copied(quarantine, copy).map_err(file)? { legible_copy(copy) } else { None };
    let (transaction, own) = (db.transaction()?, appender.own);
    let authors = old.as_ref().map(LegibleAuthor::all).unwrap_or_default();
    if let Some(old) = &old {
        name(old, &transaction)?;
        // Written before the batches, which depend on blocked authors, forks and republished
        // entries.
        authors.iter().try_for_each(|author| author.put_marks(&transaction, appender))?;
        fallen(old, &transaction)?;
        page_items(old, &transaction)?;
        forks(old, &transaction, appender, room)?;
    }
    transaction.commit()?;
    let mut salvage = Salvage {
        old: old.as_ref(),
        own,
        room,
        db,
        appender,
        waiting: Vec::new(),
        bytes: 0,
        taken: HashSet::new(),
        places: BTreeMap::new(),
    };
    salvage.batches()?;
    salvage.raw(&Pages::open(quarantine).map_err(file)?).and_then(|()| salvage.flush())?;
    let transaction = db.transaction()?;
    authors.iter().try_for_each(|author| author.put_rest(&transaction, appender))?;
    if let Some(old) = &old {
        receipts(old, &transaction, appender)?;
    }
    // Read marks were arrival numbers of the old database. Showing a thousand old messages as new
    // would mislead the user.
    transaction.execute("UPDATE conversation SET read = ?1, unread = 0, mentions = 0", [int(appender.highest)])?;
    Ok(transaction.commit()?)
}

/// Copies a database and its write-ahead log. Returns false if there is no database.
fn copied(from: &Path, to: &Path) -> std::io::Result<bool> {
    for suffix in ["", "-wal"] {
        match std::fs::copy(beside(from, suffix), beside(to, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Err(_) if suffix.is_empty() => return Ok(false),
            _ => {}
        }
    }
    let file = std::fs::OpenOptions::new().read(true).write(true).open(to)?;
    let held = file.metadata()?.len().div_ceil(PAGE as u64);
    let mut header = [0; 100];
    if file.read_exact_at(&mut header, 0).is_err() {
        return Ok(false);
    }
    // A truncated file is extended to its number of pages, so that SQLite reads those that are
    // left.
    let said = number_at(&header, 28);
    let pages = if said <= PAGES_MAX { u64::from(said).max(held) } else { held };
    file.set_len(pages * PAGE as u64)?;
    header[..24].copy_from_slice(DATABASE_HEADER);
    header[28..32].copy_from_slice(&u32::try_from(pages).unwrap_or(u32::MAX).to_be_bytes());
    // No free pages, schema format 4, no auto-vacuum, UTF-8, no reserved bytes, and a valid number
    // of pages.
    header[32..40].fill(0);
    header[44..48].copy_from_slice(&[0, 0, 0, 4]);
    header[52..60].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
    header[64..68].fill(0);
    header[72..92].fill(0);
    header.copy_within(24..28, 92);
    file.write_all_at(&header, 0)?;
    Ok(true)
}

fn legible_copy(copy: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(copy, flags).and_then(|old| {
        // A broken definition of one table then does not hide the others.
        old.execute_batch("PRAGMA writable_schema = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")?;
        old.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(old)
    });
    opened.map_err(|error| warn!(%error, "SQLite can't read the damaged database")).ok()
}

struct Salvage<'a> {
    old: Option<&'a Connection>,
    own: NodeId,
    room: &'a RoomId,
    db: &'a mut Connection,
    appender: &'a mut WriteState,
    waiting: Vec<Append>,
    /// Bytes of the waiting batches.
    bytes: usize,
    /// The old arrival numbers of the batches that were taken.
    taken: HashSet<i64>,
    /// The ranges of own logs that were taken, by their first entry.
    places: BTreeMap<(LogId, Seq), Seq>,
}

impl Salvage<'_> {
    /// Reads the table of batches forwards. Steps over a damaged page with increasing steps, then
    /// reads backwards up to the damage.
    fn batches(&mut self) -> Result<(), StoreError> {
        let Some(old) = self.old else { return Ok(()) };
        let mut read_to = 0_i64;
        let mut step = 1_i64;
        let mut from = 1_i64;
        loop {
            let (last, complete) =
                self.read_until_error(old, "batch >= ?1 AND batch > ?2 ORDER BY batch", from, read_to)?;
            if let Some(last) = last {
                if from > read_to + 1 {
                    self.read_until_error(old, "batch < ?1 AND batch > ?2 ORDER BY batch DESC", from, read_to)?;
                }
                read_to = last;
                step = 1;
            }
            if complete {
                return Ok(());
            }
            step = step.saturating_mul(2);
            from = read_to.max(from).saturating_add(step);
            if from == i64::MAX {
                return Ok(());
            }
        }
    }

    /// Reads rows until one is unreadable. Returns the last row's arrival number, and true at the
    /// end of the rows.
    fn read_until_error(
        &mut self,
        old: &Connection,
        which: &str,
        from: i64,
        read_to: i64,
    ) -> Result<(Option<i64>, bool), StoreError> {
        let mut last = None;
        let complete = rows(old, &format!("SELECT batch, bytes FROM batch WHERE {which}"), [from, read_to], |row| {
            let (Ok(number), Ok(bytes)) = (row.get::<_, i64>(0), row.get::<_, Vec<u8>>(1)) else { return Ok(()) };
            last = Some(number);
            self.take(Some(number), Bytes::from(bytes), true).map(|_| ())
        })?;
        Ok((last, complete))
    }

    /// Takes batches from the raw pages that were not taken yet, in the order of their arrival
    /// numbers.
    fn raw(&mut self, pages: &Pages) -> Result<(), StoreError> {
        let file = |source| StoreError::File { path: "the damaged database".into(), source };
        let mut found = pages.batches().map_err(file)?;
        found.sort_by_key(|found| found.number.unwrap_or(i64::MAX));
        for found in found {
            if found.number.is_some_and(|number| self.taken.contains(&number)) {
                continue;
            }
            for is_old in [false, true] {
                let Some(bytes) = pages.read(&found, is_old).map_err(file)? else { continue };
                if self.take(found.number, Bytes::from(bytes), found.is_committed)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes a batch if it verifies. Returns true if it was taken.
    ///
    /// Own batches must have been committed: one that was not was never sent, and would contradict
    /// the one sent in its place.
    fn take(&mut self, number: Option<i64>, bytes: Bytes, is_committed: bool) -> Result<bool, StoreError> {
        let Ok(batch) = verify(&bytes, self.room) else { return Ok(false) };
        let is_own = batch.header().author == self.own;
        if is_own && !(is_committed && self.is_free(batch.header())) {
            return Ok(false);
        }
        self.taken.extend(number);
        let own = is_own.then(|| {
            let beside = self.old.zip(number).map(|(old, number)| own_batch(old, number, batch.header().entries.len()));
            beside.and_then(Result::ok).unwrap_or_default()
        });
        self.bytes += bytes.len();
        self.waiting.push(Append { batch, own });
        if self.bytes >= COMMIT_BYTES_MAX {
            self.flush()?;
        }
        Ok(true)
    }

    /// Returns true if no other own batch was taken for any of the places of this one, and reserves
    /// them.
    fn is_free(&mut self, header: &Header) -> bool {
        let (log, last) = (header.log, header.last_seq());
        let before = self.places.range((log, 0)..=(log, last)).next_back();
        let is_free = before.is_none_or(|(_, taken)| *taken < header.first_seq);
        if is_free {
            self.places.insert((log, header.first_seq), last);
        }
        is_free
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let transaction = self.db.transaction()?;
        append(self.appender, &transaction, &self.waiting)?;
        transaction.commit()?;
        self.waiting.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// Returns the metadata of an own batch.
fn own_batch(old: &Connection, number: i64, entries: usize) -> Result<OwnBatch, StoreError> {
    let mut own = OwnBatch { refs: vec![None; entries], ..OwnBatch::default() };
    let mut statement =
        old.prepare_cached("SELECT arrival - ?1, name, content FROM ref WHERE arrival >= ?1 AND arrival < ?1 + ?2")?;
    let mut rows = statement.query(params![number, entries as i64])?;
    while let Some(row) = rows.next()? {
        let index = usize::try_from(row.get::<_, NonNegative>(0)?.0).unwrap_or(usize::MAX);
        if let Some(slot) = own.refs.get_mut(index) {
            *slot = Some(IdempotencyKey { name: row.get(1)?, content: Hash(row.get::<_, Blob32>(2)?.0) });
        }
    }
    let mut lines = crate::store::read::message::MessageReader::new(old, NodeId([0; 32]));
    own.of = lines.in_reach(number.unsigned_abs()).unwrap_or_default();
    Ok(own)
}
