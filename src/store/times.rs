//! Times that lie too far ahead: a flipped bit says that a member came in the year 4256, or was given a name then, and no later
//! name would ever be newer.
//!
//! These times come from clocks of this node and of others, which can be wrong without any damage. So they are cleared, and
//! the user is not told of a disk that changed something.

use rusqlite::{Connection, params};

use super::error::StoreError;
use super::sql::int;
use crate::proto::clock::Stamp;
use crate::proto::limits::TIME_AHEAD_MS;

/// Clears times that are later than the clock of this start and the newest message allow.
pub(super) fn clear_times_ahead(db: &Connection, wall_ms: u64) -> Result<(), StoreError> {
    // A clock that starts in 1970 must not make everything the future.
    let newest: i64 = db.query_row("SELECT coalesce(max(last_time), 0) FROM span", [], |row| row.get(0))?;
    let latest_ms = wall_ms.max(Stamp(newest.unsigned_abs()).ms()).saturating_add(TIME_AHEAD_MS);
    let latest = Stamp::from_ms(latest_ms);
    db.execute("UPDATE author SET name_time = NULL WHERE name_time > ?1", [int(latest.0)])?;
    db.execute("UPDATE author SET since_ms = NULL WHERE since_ms > ?1", [int(latest_ms)])?;
    db.execute("UPDATE notice SET wall_ms = ?2 WHERE wall_ms > ?1", params![int(latest_ms), int(wall_ms)])?;
    Ok(())
}
