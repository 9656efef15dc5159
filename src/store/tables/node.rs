//! The table `node`: one row about this node.

use rusqlite::{Connection, OptionalExtension as _};

use crate::proto::ids::RoomId;
use crate::proto::names::name::Name;
use crate::store::error::StoreError;
use crate::store::sql::Blob32;

pub(crate) fn room(db: &Connection) -> Result<RoomId, StoreError> {
    Ok(RoomId(db.prepare_cached("SELECT room FROM node")?.query_row([], |row| row.get::<_, Blob32>(0))?.0))
}

/// Stores this node's name for the next start.
pub(crate) fn own_name(db: &Connection, name: &Name) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE node SET name = ?1")?.execute([name.as_str()])?;
    Ok(())
}

/// Returns this node's name when it last ran.
pub(crate) fn last_name(db: &Connection) -> Result<Option<Name>, StoreError> {
    let name: Option<Option<String>> = db.query_row("SELECT name FROM node", [], |row| row.get(0)).optional()?;
    Ok(name.flatten().and_then(|name| Name::new(&name).ok()))
}
