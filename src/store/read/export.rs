//! Export of the history: all messages in timeline order, from signed data only, so that nodes with
//! the same batches export the same. Flags, read marks and notices of this node are left out.

use rusqlite::Connection;

use super::message::MessageReader;
use super::page::{BEGINNING, Reader};
use crate::proto::entries::timeline::{Conversation, Message};
use crate::proto::history::{ExportQuery, ExportRows, PageBudget};
use crate::proto::ids::NodeId;
use crate::store::error::StoreError;

/// Reads the next part within a budget.
pub(crate) fn export(
    db: &Connection,
    own: NodeId,
    query: ExportQuery,
    budget: PageBudget,
) -> Result<ExportRows, StoreError> {
    let ExportQuery { after, direct, limit } = query;
    let mut reader = Reader::new(db, MessageReader::from_signed_data(db, own), budget);
    let mut lines: Vec<Message> = Vec::new();
    let mut bytes_left = budget.bytes;
    let is_cut = reader.scan(after.unwrap_or(BEGINNING), true, |reader, row| {
        if !direct && matches!(reader.lines.conversation_of(&row)?, Conversation::Direct(_)) {
            return Ok(true);
        }
        let line = reader.lines.line(&row)?.filter(|line| line.kind.info().is_exported);
        let Some(line) = line else { return Ok(true) };
        let size = (budget.sizes.line)(&line);
        if lines.len() >= limit || (size > bytes_left && !lines.is_empty()) {
            return Ok(false);
        }
        bytes_left = bytes_left.saturating_sub(size);
        lines.push(line);
        Ok(true)
    })?;
    let after = if is_cut { lines.last().map(|line| line.order) } else { None };
    Ok(ExportRows { lines, after })
}
