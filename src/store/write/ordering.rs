//! Order keys of entries: implements [`Places`] with the batch that is being stored in memory and
//! all others in SQL.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::row_cache::RowIdCache;
use crate::proto::clock::Stamp;
use crate::proto::entries::batch::Verified;
use crate::proto::entries::timeline::{Place, Places};
use crate::proto::ids::{Arrival, EntryId, LogKey, Seq};
use crate::store::error::StoreError;
use crate::store::sql::{NonNegative, int};
use crate::store::tables::batches::{BatchRow, dependents, find, find_by_id, named};
use crate::store::tables::changes::set_place;

/// The store behind the place rule. The batch's own row and its reference are stored already, its
/// entries are not.
pub(crate) struct OrderWriter<'a> {
    db: &'a Connection,
    numbers: &'a mut RowIdCache,
    /// The batch that is being stored. None while places are recomputed after a removal.
    batch: Option<&'a Verified>,
    /// The known places of the batch's entries.
    pub(crate) places: Vec<Option<Place>>,
    /// Batches that refer to an entry of the batch: its number, and the first entry of the
    /// referring batch.
    followers: Vec<(Seq, LogKey, Seq)>,
    /// The arrival number that marks moved entries, for tabs that resume.
    moved: Arrival,
}

impl<'a> OrderWriter<'a> {
    /// Begins with a batch whose entries have no places.
    pub(crate) fn new(
        db: &'a Connection,
        numbers: &'a mut RowIdCache,
        batch: &'a Verified,
        moved: Arrival,
    ) -> Result<Self, StoreError> {
        let header = batch.header();
        let followers = dependents(db, header.log, header.first_seq, header.last_seq())?;
        let places = vec![None; header.entries.len()];
        Ok(Self { db, numbers, batch: Some(batch), places, followers, moved })
    }

    /// Begins without a batch, after a removal.
    pub(crate) fn for_recompute(db: &'a Connection, numbers: &'a mut RowIdCache, moved: Arrival) -> Self {
        Self { db, numbers, batch: None, places: Vec::new(), followers: Vec::new(), moved }
    }

    /// Returns the index of an entry in the batch.
    fn index(&self, key: LogKey, seq: Seq) -> Option<usize> {
        let header = self.batch?.header();
        let index = usize::try_from(seq.checked_sub(header.first_seq)?).ok()?;
        (key == header.key() && index < self.places.len()).then_some(index)
    }

    /// Returns the row of a stored entry of another batch.
    fn find(&mut self, key: LogKey, seq: Seq) -> Result<Option<BatchRow>, StoreError> {
        let Some(log) = self.numbers.log(self.db, key)?.filter(|log| log.holds(seq)).map(|log| log.number) else {
            return Ok(None);
        };
        find(self.db, log, seq)
    }
}

impl Places for OrderWriter<'_> {
    type Error = StoreError;

    fn place(&mut self, key: LogKey, seq: Seq) -> Result<Option<Place>, StoreError> {
        if let Some(index) = self.index(key, seq) {
            return Ok(self.places[index]);
        }
        let Some(found) = self.find(key, seq)? else { return Ok(None) };
        let mut statement = self.db.prepare_cached("SELECT place FROM entry WHERE arrival = ?1")?;
        Ok(statement
            .query_row([int(found.arrival)], |row| row.get::<_, NonNegative>(0))
            .optional()?
            .map(|place| place.0))
    }

    fn place_of_id(&mut self, id: EntryId) -> Result<Option<Place>, StoreError> {
        let here = self.batch.and_then(|batch| Some((batch, self.index(batch.header().key(), id.seq)?)));
        if let Some((_, index)) = here.filter(|(batch, index)| batch.entry_id(*index) == id) {
            return Ok(self.places[index]);
        }
        match find_by_id(self.db, id)? {
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
        let time = statement.query_row([int(found.arrival)], |row| row.get::<_, NonNegative>(0)).optional()?;
        let Some(time) = time else { return Ok(None) };
        let after = if found.arrival == found.batch { named(self.db, found.batch)? } else { None };
        Ok(Some((Stamp(time.0), after)))
    }

    fn dependents(&mut self, key: LogKey, seq: Seq) -> Result<Vec<(LogKey, Seq)>, StoreError> {
        if self.index(key, seq).is_some() {
            let here = self.followers.iter().filter(|(named, ..)| *named == seq);
            return Ok(here.map(|(_, key, first)| (*key, *first)).collect());
        }
        let elsewhere = dependents(self.db, key.log, seq, seq)?;
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
        set_place(self.db, found.arrival, place)
    }
}
