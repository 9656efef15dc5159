//! Clears times in the far future. A flipped bit can date a member's name to the year 4256, and no
//! later name would replace it.
//!
//! Such times also come from wrong clocks, of this node or of others. So they are cleared without a
//! report of damage.

use rusqlite::{Connection, params};

use crate::proto::clock::Stamp;
use crate::proto::limits::TIME_AHEAD_MS;
use crate::store::error::StoreError;
use crate::store::sql::int;

/// Clears times that are too far ahead of both the clock of this start and the newest message.
pub(crate) fn clear_times_ahead(db: &Connection, wall_ms: u64) -> Result<(), StoreError> {
    // With a clock that starts in 1970, all times would be in the future.
    let newest: i64 = db.query_row("SELECT coalesce(max(last_time), 0) FROM span", [], |row| row.get(0))?;
    let latest_ms = wall_ms.max(Stamp(newest.unsigned_abs()).ms()).saturating_add(TIME_AHEAD_MS);
    let latest = Stamp::from_ms(latest_ms);
    db.execute("UPDATE author SET name_time = NULL WHERE name_time > ?1", [int(latest.0)])?;
    db.execute("UPDATE author SET since_ms = NULL WHERE since_ms > ?1", [int(latest_ms)])?;
    db.execute("UPDATE notice SET wall_ms = ?2 WHERE wall_ms > ?1", params![int(latest_ms), int(wall_ms)])?;
    Ok(())
}
