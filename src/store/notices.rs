//! Which notices are evicted when there are too many, and whether a tab may have missed one of these.
//!
//! Conflicts and forks have a share of the list each, presence and names have the rest. On overflow, a
//! class that exceeds its share loses its oldest notices. So a class that holds less than its share has
//! never lost any.

use rusqlite::{Connection, params};

use super::error::StoreError;
use super::sql::{Count, int};
use crate::proto::ids::Arrival;
use crate::proto::limits::{NOTICES_CONFLICTS_KEPT, NOTICES_FORKS_KEPT, NOTICES_KEPT};

/// The share of each class, by its number in [`CLASS`]. The first that exceeds its own loses first.
const SHARES: [u64; 3] =
    [NOTICES_KEPT - NOTICES_CONFLICTS_KEPT - NOTICES_FORKS_KEPT, NOTICES_CONFLICTS_KEPT, NOTICES_FORKS_KEPT];

/// The class of a notice: presence and names, conflicts, forks.
const CLASS: &str = "CASE kind WHEN 'forked' THEN 2 WHEN 'conflict' THEN 1 ELSE 0 END";

/// Notices of one class.
#[derive(Clone, Copy, Default)]
struct Class {
    kept: u64,
    /// Those with a greater arrival number than the one that was asked about.
    newer: u64,
}

/// Counts the notices of each class.
fn count(db: &Connection, after: Arrival) -> Result<[Class; 3], StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {CLASS} AS class, count(*), count(*) FILTER (WHERE arrival > ?1) FROM notice GROUP BY class"
    ))?;
    let mut rows = statement.query([int(after)])?;
    let mut classes = [Class::default(); 3];
    while let Some(row) = rows.next()? {
        if let Some(class) = classes.get_mut(usize::from(row.get::<_, u8>(0)?)) {
            *class = Class { kept: row.get::<_, Count>(1)?.0, newer: row.get::<_, Count>(2)?.0 };
        }
    }
    Ok(classes)
}

fn total(classes: &[Class]) -> u64 {
    classes.iter().map(|class| class.kept).sum()
}

/// Evicts what is beyond [`NOTICES_KEPT`].
pub(super) fn evict(db: &Connection) -> Result<(), StoreError> {
    let classes = count(db, 0)?;
    let mut excess = total(&classes).saturating_sub(NOTICES_KEPT);
    for (number, (class, share)) in (0_u8..).zip(classes.iter().zip(SHARES)) {
        let evicted = excess.min(class.kept.saturating_sub(share));
        if evicted == 0 {
            continue;
        }
        db.prepare_cached(&format!(
            "DELETE FROM notice WHERE arrival IN
             (SELECT arrival FROM notice WHERE {CLASS} = ?1 ORDER BY arrival LIMIT ?2)"
        ))?
        .execute(params![number, int(evicted)])?;
        excess -= evicted;
    }
    Ok(())
}

/// Returns true if a notice with a greater number than `after` may have been evicted.
pub(super) fn may_be_gone(db: &Connection, after: Arrival) -> Result<bool, StoreError> {
    let classes = count(db, after)?;
    // A kept one that is older than `after` proves that nothing newer of its class was evicted.
    let lost = |(class, share): (&Class, u64)| class.kept >= share && class.kept == class.newer;
    Ok(total(&classes) >= NOTICES_KEPT && classes.iter().zip(SHARES).any(lost))
}
