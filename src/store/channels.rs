//! Channels that were named under an earlier rule for names.
//!
//! A message is shown in the channel that today's rule makes of the signed name. A database of an earlier version has it under
//! the name as it was signed. This is no damage, and the user need not hear of it.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use crate::proto::name::Name;

/// Gives every channel its name under today's rule. Channels that get the same name become one.
pub(super) fn rename_channels(db: &mut Connection) -> Result<(), StoreError> {
    let renamed = surplus(db)?;
    if renamed.is_empty() {
        return Ok(());
    }
    let transaction = db.transaction()?;
    for (number, name) in renamed {
        let find = "SELECT conversation FROM conversation WHERE channel = ?1";
        let other: Option<i64> = transaction.query_row(find, [name.as_str()], |row| row.get(0)).optional()?;
        let Some(other) = other else {
            let rename = "UPDATE conversation SET channel = ?2 WHERE conversation = ?1";
            transaction.execute(rename, params![number, name.as_str()])?;
            continue;
        };
        transaction.execute("UPDATE entry SET conversation = ?2 WHERE conversation = ?1", [number, other])?;
        transaction.execute(
            "UPDATE conversation SET read = min(conversation.read, old.read), unread = conversation.unread + old.unread
             FROM conversation old WHERE conversation.conversation = ?2 AND old.conversation = ?1",
            [number, other],
        )?;
        transaction.execute("DELETE FROM conversation WHERE conversation = ?1", [number])?;
    }
    Ok(transaction.commit()?)
}

/// Channels whose names have marks that today's rule removes, and the names that they get. Any other name that is not clean
/// is damage.
fn surplus(db: &Connection) -> Result<Vec<(i64, Name)>, StoreError> {
    let mut statement = db.prepare("SELECT conversation, channel FROM conversation WHERE channel IS NOT NULL")?;
    let mut rows = statement.query([])?;
    let mut renamed = Vec::new();
    while let Some(row) = rows.next()? {
        let channel: String = row.get(1)?;
        let Some(name) = Name::new(&channel).ok().filter(|_| Name::was_clean(&channel)) else { continue };
        if name.as_str() != channel {
            renamed.push((row.get(0)?, name));
        }
    }
    Ok(renamed)
}
