//! The table `author`: members, and the flags that the user gave them.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::proto::clock::Stamp;
use crate::proto::ids::NodeId;
use crate::proto::member_flags::MemberFlags;
use crate::proto::names::name::Name;
use crate::proto::replication::store_api::MemberRecord;
use crate::store::error::StoreError;
use crate::store::sql::{Blob32, NonNegative};

pub(crate) fn marks_of(db: &Connection, author: i64) -> Result<MemberFlags, StoreError> {
    let mut statement = db.prepare_cached("SELECT verified, muted, blocked FROM author WHERE author = ?1")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok(MemberFlags { verified: row.get(0)?, muted: row.get(1)?, blocked: row.get(2)? });
    Ok(statement.query_row([author], read)?)
}

/// Returns all members with a flag.
pub(crate) fn marks(db: &Connection) -> Result<Vec<(NodeId, MemberFlags)>, StoreError> {
    let sql = "SELECT key, verified, muted, blocked FROM author WHERE verified OR muted OR blocked ORDER BY author";
    let mut statement = db.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| {
        let marks = MemberFlags { verified: row.get(1)?, muted: row.get(2)?, blocked: row.get(3)? };
        Ok((NodeId(row.get::<_, Blob32>(0)?.0), marks))
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// Treatment of the authors whom the user blocks.
pub(crate) enum BlockedAuthors {
    /// As all others.
    Shown,
    /// Their messages are returned, but not quoted. Read when first needed.
    Unquoted(OnceCell<BTreeSet<NodeId>>),
    /// Their messages are not returned.
    Hidden(BTreeSet<NodeId>),
}

static NO_AUTHORS: BTreeSet<NodeId> = BTreeSet::new();

impl BlockedAuthors {
    pub(crate) fn hidden(db: &Connection) -> Result<Self, StoreError> {
        Ok(Self::Hidden(Self::read(db)?))
    }

    pub(crate) fn unquoted() -> Self {
        Self::Unquoted(OnceCell::new())
    }

    /// Returns true if messages of an author are not returned.
    pub(crate) fn hides(&self, author: NodeId) -> bool {
        matches!(self, Self::Hidden(authors) if authors.contains(&author))
    }

    /// Returns true if messages of any author are not returned.
    pub(crate) fn hides_any(&self) -> bool {
        matches!(self, Self::Hidden(authors) if !authors.is_empty())
    }

    /// Returns the authors whose reactions are left out, and whom no message quotes.
    pub(crate) fn not_quoted(&self, db: &Connection) -> Result<&BTreeSet<NodeId>, StoreError> {
        match self {
            Self::Shown => Ok(&NO_AUTHORS),
            Self::Hidden(authors) => Ok(authors),
            Self::Unquoted(authors) => match authors.get() {
                Some(authors) => Ok(authors),
                None => {
                    let read = Self::read(db)?;
                    Ok(authors.get_or_init(|| read))
                }
            },
        }
    }

    fn read(db: &Connection) -> Result<BTreeSet<NodeId>, StoreError> {
        Ok(marks(db)?.into_iter().filter(|(_, marks)| marks.blocked).map(|(id, _)| id).collect())
    }
}

/// What members say they are doing, this node's user included, and since when by their own clocks.
pub(crate) fn statuses(db: &Connection) -> Result<Vec<(NodeId, String, Stamp)>, StoreError> {
    let sql = "SELECT key, status, status_time FROM author WHERE status IS NOT NULL AND status_time IS NOT NULL";
    let mut statement = db.prepare(sql)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((NodeId(row.get::<_, Blob32>(0)?.0), row.get(1)?, Stamp(row.get::<_, NonNegative>(2)?.0)))
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// Returns all members except this node. A member has a name or a log: a row alone does not count.
pub(crate) fn members(db: &Connection, own: NodeId) -> Result<Vec<MemberRecord>, StoreError> {
    let mut statement = db.prepare(
        "SELECT key, name, name_time, addresses, port, since_ms, lost, (SELECT max(s.last_time) FROM log l
         JOIN span s ON s.log = l.log WHERE l.author = a.author) FROM author a WHERE key <> ?1
         AND (name IS NOT NULL OR author IN (SELECT author FROM log)) ORDER BY author",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let id = NodeId(row.get::<_, Blob32>(0)?.0);
        let addresses: Option<String> = row.get(3)?;
        // A member that is known from its logs alone counts as gone since its last entry.
        let last_said = row.get::<_, Option<NonNegative>>(7)?.map_or(0, |time| Stamp(time.0).ms());
        Ok(MemberRecord {
            id,
            name: Name::from_lossy(&row.get::<_, Option<String>>(1)?.unwrap_or_default(), &id.short()),
            name_time: Stamp(row.get::<_, Option<NonNegative>>(2)?.map_or(0, |time| time.0)),
            addresses: addresses.iter().flat_map(|all| all.split(',')).filter_map(|one| one.parse().ok()).collect(),
            port: row.get::<_, Option<u16>>(4)?.unwrap_or(0),
            since_ms: row.get::<_, Option<NonNegative>>(5)?.map_or(last_said, |since| since.0),
            lost: row.get::<_, Option<bool>>(6)?.unwrap_or(false),
        })
    };
    Ok(statement.query_map([Blob32(own.0)], read)?.collect::<Result<_, _>>()?)
}
