//! The tables as the rule for places sees them: the batch that is being stored in memory, everything else in SQL.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use super::find::{Found, by_id, find, named};
use super::numbers::Numbers;
use super::sql::{Blob32, Count, LogColumn, int, log_id};
use crate::proto::batch::Verified;
use crate::proto::clock::Stamp;
use crate::proto::ids::{Arrival, EntryId, LogId, LogKey, NodeId, Seq};
use crate::proto::timeline::{Place, Places};

/// See the module. The batch's own row and what it names are stored already, its entries are not.
pub(super) struct Settling<'a> {
    db: &'a Connection,
    numbers: &'a mut Numbers,
    /// The batch that is being stored; none: something is gone.
    batch: Option<&'a Verified>,
    /// The places of the batch's entries, as far as they are known.
    pub(super) places: Vec<Option<Place>>,
    /// Who names an entry of the batch: its number, and the first entry of the batch that names it.
    followers: Vec<(Seq, LogKey, Seq)>,
    /// The number under which what moves now is told to tabs that were away.
    moved: Arrival,
}

impl<'a> Settling<'a> {
    /// Begins with a batch without places.
    pub(super) fn new(
        db: &'a Connection,
        numbers: &'a mut Numbers,
        batch: &'a Verified,
        moved: Arrival,
    ) -> Result<Self, StoreError> {
        let header = batch.header();
        let followers = named_by(db, header.log, header.first_seq, header.last_seq())?;
        let places = vec![None; header.entries.len()];
        Ok(Self { db, numbers, batch: Some(batch), places, followers, moved })
    }

    /// Begins without a batch: something is gone on which others stood.
    pub(super) fn alone(db: &'a Connection, numbers: &'a mut Numbers, moved: Arrival) -> Self {
        Self { db, numbers, batch: None, places: Vec::new(), followers: Vec::new(), moved }
    }

    /// The index in the batch, if the entry is in it.
    fn index(&self, key: LogKey, seq: Seq) -> Option<usize> {
        let header = self.batch?.header();
        let index = usize::try_from(seq.checked_sub(header.first_seq)?).ok()?;
        (key == header.key() && index < self.places.len()).then_some(index)
    }

    /// The arrival number of an entry that is held and not in the batch.
    fn find(&mut self, key: LogKey, seq: Seq) -> Result<Option<Found>, StoreError> {
        let Some(log) = self.numbers.log(self.db, key)?.filter(|log| log.holds(seq)).map(|log| log.number) else {
            return Ok(None);
        };
        find(self.db, log, seq)
    }
}

impl Places for Settling<'_> {
    type Error = StoreError;

    fn place(&mut self, key: LogKey, seq: Seq) -> Result<Option<Place>, StoreError> {
        if let Some(index) = self.index(key, seq) {
            return Ok(self.places[index]);
        }
        let Some(found) = self.find(key, seq)? else { return Ok(None) };
        let mut statement = self.db.prepare_cached("SELECT place FROM entry WHERE arrival = ?1")?;
        Ok(statement.query_row([int(found.arrival)], |row| row.get::<_, Count>(0)).optional()?.map(|place| place.0))
    }

    fn place_of_id(&mut self, id: EntryId) -> Result<Option<Place>, StoreError> {
        let here = self.batch.and_then(|batch| Some((batch, self.index(batch.header().key(), id.seq)?)));
        if let Some((_, index)) = here.filter(|(batch, index)| batch.entry_id(*index) == id) {
            return Ok(self.places[index]);
        }
        match by_id(self.db, id)? {
            Some((key, _)) => self.place(key, id.seq),
            None => Ok(None),
        }
    }

    fn signed(&mut self, key: LogKey, seq: Seq) -> Result<Option<(Stamp, Option<EntryId>)>, StoreError> {
        if let (Some(index), Some(batch)) = (self.index(key, seq), self.batch) {
            let header = batch.header();
            return Ok(Some((Stamp(header.entries[index].time), header.after.filter(|_| index == 0))));
        }
        let Some(found) = self.find(key, seq)? else { return Ok(None) };
        let mut statement = self.db.prepare_cached("SELECT time FROM entry WHERE arrival = ?1")?;
        let time = statement.query_row([int(found.arrival)], |row| row.get::<_, Count>(0)).optional()?;
        let Some(time) = time else { return Ok(None) };
        let after = if found.arrival == found.batch { named(self.db, found.batch)? } else { None };
        Ok(Some((Stamp(time.0), after)))
    }

    fn followers(&mut self, key: LogKey, seq: Seq) -> Result<Vec<(LogKey, Seq)>, StoreError> {
        if self.index(key, seq).is_some() {
            let here = self.followers.iter().filter(|(named, ..)| *named == seq);
            return Ok(here.map(|(_, key, first)| (*key, *first)).collect());
        }
        let elsewhere = named_by(self.db, key.log, seq, seq)?;
        Ok(elsewhere.into_iter().map(|(_, key, first)| (key, first)).collect())
    }

    fn put(&mut self, key: LogKey, seq: Seq, place: Place) -> Result<(), StoreError> {
        if let Some(index) = self.index(key, seq) {
            self.places[index] = Some(place);
            return Ok(());
        }
        let Some(found) = self.find(key, seq)? else { return Ok(()) };
        self.db.prepare_cached("UPDATE entry SET place = ?2, moved = ?3 WHERE arrival = ?1")?.execute(params![
            int(found.arrival),
            int(place),
            int(self.moved)
        ])?;
        Ok(())
    }
}

/// The batches that name an entry from `first` to `last` of the log: the entry's number, and their own first entry.
pub(super) fn named_by(
    db: &Connection,
    log: LogId,
    first: Seq,
    last: Seq,
) -> Result<Vec<(Seq, LogKey, Seq)>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT n.seq, b.first_seq, l.id, a.key FROM named n CROSS JOIN batch b ON b.batch = n.batch
         CROSS JOIN log l ON l.log = b.log CROSS JOIN author a ON a.author = l.author
         WHERE n.id = ?1 AND n.seq BETWEEN ?2 AND ?3",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let key = LogKey { log: row.get::<_, LogColumn>(2)?.0, author: NodeId(row.get::<_, Blob32>(3)?.0) };
        Ok((row.get::<_, Count>(0)?.0, key, row.get::<_, Count>(1)?.0))
    };
    let found = statement.query_map(params![log_id(log), int(first), int(last)], read)?;
    Ok(found.collect::<Result<_, _>>()?)
}
