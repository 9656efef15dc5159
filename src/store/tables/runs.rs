//! The table `run`: runs of the program on this database, and the arrival numbers given in each.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::proto::ids::Arrival;
use crate::proto::limits::{ARRIVAL_MAX, RUNS_KEPT};
use crate::store::error::StoreError;
use crate::store::sql::{NonNegative, int};

/// Returns the highest arrival number that was given to an entry or a notice. Fails if a stored
/// number is out of range.
pub(crate) fn max_arrival(db: &Connection) -> Result<Arrival, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT max(coalesce((SELECT max(arrival) FROM entry), 0), coalesce((SELECT max(arrival) FROM notice), 0),
                    coalesce((SELECT max(start) FROM run), 0))",
    )?;
    let highest = statement.query_row([], |row| row.get::<_, NonNegative>(0))?.0;
    if highest > ARRIVAL_MAX {
        return Err(StoreError::inconsistent("an arrival number out of range"));
    }
    Ok(highest)
}

/// Returns the highest arrival number of a run. Returns none if the run is unknown.
///
/// A backup that was restored may know the run that continued after it was taken. It does not know
/// that run's later numbers, since the next run here began below them.
pub(crate) fn last_of_run(db: &Connection, run: &str, highest: Arrival) -> Result<Option<Arrival>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT (SELECT min(start) FROM run later WHERE later.run > this.run) FROM run this WHERE id = ?1",
    )?;
    let next: Option<Option<NonNegative>> = statement.query_row([run], |row| row.get(0)).optional()?;
    Ok(next.map(|next| next.map_or(highest, |start| start.0)))
}

/// Begins a run, which labels the arrival numbers from now on. Returns its name.
pub(crate) fn begin_run(db: &Connection) -> Result<String, StoreError> {
    let id = format!("{:016x}", rand::random::<u64>());
    let start = max_arrival(db)?;
    db.execute("INSERT INTO run (id, start) VALUES (?1, ?2)", params![id, int(start)])?;
    db.execute("DELETE FROM run WHERE run <= (SELECT max(run) FROM run) - ?1", [int(RUNS_KEPT)])?;
    Ok(id)
}
