//! Which notices are evicted when there are too many, and whether a tab may have missed one of these.
//!
//! Warnings have a share of the list, presence and names have the rest. On overflow, the class that
//! exceeds its share loses its oldest notice. So a class that holds less than its share has never
//! lost any.

use rusqlite::{Connection, params};

use super::error::StoreError;
use super::sql::{Count, int};
use crate::proto::ids::Arrival;
use crate::proto::limits::{NOTICES_KEPT, NOTICES_WARNINGS_KEPT};

/// Notices of one class.
#[derive(Default)]
struct Class {
    kept: u64,
    /// Those with a greater arrival number than the one that was asked about.
    newer: u64,
}

/// Counts the warnings, and the other notices.
fn count(db: &Connection, after: Arrival) -> Result<(Class, Class), StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT kind IN ('conflict', 'forked') AS warning, count(*), count(*) FILTER (WHERE arrival > ?1)
         FROM notice GROUP BY warning",
    )?;
    let mut rows = statement.query([int(after)])?;
    let (mut warnings, mut others) = (Class::default(), Class::default());
    while let Some(row) = rows.next()? {
        let class = if row.get(0)? { &mut warnings } else { &mut others };
        *class = Class { kept: row.get::<_, Count>(1)?.0, newer: row.get::<_, Count>(2)?.0 };
    }
    Ok((warnings, others))
}

/// Evicts what is beyond [`NOTICES_KEPT`].
pub(super) fn evict(db: &Connection) -> Result<(), StoreError> {
    let (warnings, others) = count(db, 0)?;
    let excess = (warnings.kept + others.kept).saturating_sub(NOTICES_KEPT);
    if excess == 0 {
        return Ok(());
    }
    db.prepare_cached(
        "DELETE FROM notice WHERE arrival IN
         (SELECT arrival FROM notice WHERE (kind IN ('conflict', 'forked')) = ?1 ORDER BY arrival LIMIT ?2)",
    )?
    .execute(params![warnings.kept > NOTICES_WARNINGS_KEPT, int(excess)])?;
    Ok(())
}

/// Returns true if a notice with a greater number than `after` may have been evicted.
pub(super) fn may_be_gone(db: &Connection, after: Arrival) -> Result<bool, StoreError> {
    let (warnings, others) = count(db, after)?;
    let is_full = warnings.kept + others.kept >= NOTICES_KEPT;
    // A kept one that is older than `after` proves that nothing newer of its class was evicted.
    let lost = |class: &Class, share| class.kept >= share && class.kept == class.newer;
    Ok(is_full && (lost(&warnings, NOTICES_WARNINGS_KEPT) || lost(&others, NOTICES_KEPT - NOTICES_WARNINGS_KEPT)))
}
