//! The history as an export has it: everything that is held, in the order of the room, from signed data alone, so that
//! nodes which hold the same export the same. What this node's user blocks, has read or was told stays out of it.

use rusqlite::Connection;

use super::error::StoreError;
use super::line::Lines;
use super::page::{BEGINNING, Reader};
use crate::proto::history::{Budget, Export, ExportQuery};
use crate::proto::ids::NodeId;
use crate::proto::timeline::{Conversation, Line};

/// Reads the next piece within a budget.
pub(super) fn export(db: &Connection, own: NodeId, query: ExportQuery, budget: Budget) -> Result<Export, StoreError> {
    let ExportQuery { after, direct, limit } = query;
    let mut reader = Reader::new(db, Lines::signed(db, own), budget);
    let mut lines: Vec<Line> = Vec::new();
    let mut bytes_left = budget.bytes;
    let is_cut = reader.scan(after.unwrap_or(BEGINNING), true, |reader, row| {
        if !direct && matches!(reader.lines.conversation_of(&row)?, Conversation::Direct(_)) {
            return Ok(true);
        }
        let Some(line) = reader.lines.line(&row)? else { return Ok(true) };
        let size = (budget.sizes.line)(&line);
        if lines.len() >= limit || (size > bytes_left && !lines.is_empty()) {
            return Ok(false);
        }
        bytes_left = bytes_left.saturating_sub(size);
        lines.push(line);
        Ok(true)
    })?;
    let after = if is_cut { lines.last().map(|line| line.order) } else { None };
    Ok(Export { lines, after })
}
