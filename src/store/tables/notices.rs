//! The table `notice`: stores notices, and evicts the oldest when there are too many.
//!
//! Conflicts and forks have a share of the list each, presence and names have the rest. If the list
//! is full, a class that exceeds its share loses its oldest notices. So a class below its share has
//! never lost any.

use rusqlite::{Connection, params};

use crate::proto::entries::timeline::{Notice, NoticeKind};
use crate::proto::ids::{Arrival, NodeId};
use crate::proto::limits::{NOTICES_CONFLICTS_KEPT, NOTICES_FORKS_KEPT, NOTICES_KEPT};
use crate::proto::names::name::Name;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative, int};

/// The share of each class, by its number in [`CLASS`]. The first class that exceeds its share
/// loses notices first.
const SHARES: [u64; 3] =
    [NOTICES_KEPT - NOTICES_CONFLICTS_KEPT - NOTICES_FORKS_KEPT, NOTICES_CONFLICTS_KEPT, NOTICES_FORKS_KEPT];

/// The class of a notice: presence and names, conflicts, forks.
const CLASS: &str = "CASE kind WHEN 'forked' THEN 2 WHEN 'conflict' THEN 1 ELSE 0 END";

/// Notices of one class.
#[derive(Clone, Copy, Default)]
struct Class {
    kept: u64,
    /// Notices with a greater arrival number than the one in question.
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
            *class = Class { kept: row.get::<_, NonNegative>(1)?.0, newer: row.get::<_, NonNegative>(2)?.0 };
        }
    }
    Ok(classes)
}

fn total(classes: &[Class]) -> u64 {
    classes.iter().map(|class| class.kept).sum()
}

/// Evicts notices beyond [`NOTICES_KEPT`].
pub(crate) fn evict(db: &Connection) -> Result<(), StoreError> {
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
pub(crate) fn may_be_gone(db: &Connection, after: Arrival) -> Result<bool, StoreError> {
    let classes = count(db, after)?;
    // A kept notice that is not newer than `after` proves that no newer one of its class was
    // evicted.
    let lost = |(class, share): (&Class, u64)| class.kept >= share && class.kept == class.newer;
    Ok(total(&classes) >= NOTICES_KEPT && classes.iter().zip(SHARES).any(lost))
}

/// Returns the word for a kind in the column `kind`.
pub(crate) fn kind_word(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Joined => "joined",
        NoticeKind::Back => "back",
        NoticeKind::Left => "left",
        NoticeKind::Lost => "lost",
        NoticeKind::Renamed => "renamed",
        NoticeKind::Conflict => "conflict",
        NoticeKind::Forked => "forked",
    }
}

/// Returns the kind for a word, the reverse of [`kind_word`].
pub(crate) fn kind_of(word: &str) -> Option<NoticeKind> {
    use NoticeKind::{Back, Conflict, Forked, Joined, Left, Lost, Renamed};
    [Joined, Back, Left, Lost, Renamed, Conflict, Forked].into_iter().find(|kind| kind_word(*kind) == word)
}

/// Selects notices. `$rest` begins with `WHERE`.
macro_rules! notice_rows {
    ($rest:expr) => {
        concat!(
            "SELECT n.arrival, n.wall_ms, n.kind, a.key, n.name FROM notice n LEFT JOIN author a ON a.author = n.member ",
            $rest
        )
    };
}

/// Selects the notices of a time range, in milliseconds: from the first parameter to before the
/// second.
pub(crate) const NOTICES_BETWEEN: &str = notice_rows!("WHERE n.wall_ms >= ?1 AND n.wall_ms < ?2 ORDER BY n.arrival");
/// Selects notices with a greater arrival number, up to a limit.
pub(crate) const NOTICES_SINCE: &str = notice_rows!("WHERE n.arrival > ?1 ORDER BY n.arrival LIMIT ?2");

pub(crate) fn notices(db: &Connection, sql: &str, bounds: [i64; 2]) -> Result<Vec<Notice>, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(bounds)?;
    let mut notices = Vec::new();
    while let Some(row) = rows.next()? {
        let member = NodeId(row.get::<_, Blob32>(3)?.0);
        let Some(kind) = kind_of(&row.get::<_, String>(2)?) else {
            return Err(StoreError::inconsistent("a notice of no known kind"));
        };
        notices.push(Notice {
            arrival: row.get::<_, NonNegative>(0)?.0,
            wall_ms: row.get::<_, NonNegative>(1)?.0,
            kind,
            member,
            name: Name::from_lossy(&row.get::<_, String>(4)?, &member.short()),
        });
    }
    Ok(notices)
}
