//! Applies a write of the engine, of any kind, in the caller's transaction.

use rusqlite::Connection;

use super::append::{AppendResult, append};
use super::apply::{mark_read, put_member, put_notice, put_receipt};
use super::fork::apply_remote_fork;
use super::marks::set_member_flags;
use super::state::WriteState;
use super::truncate::{TruncationResult, collect_changes};
use crate::proto::entries::timeline::Message;
use crate::proto::replication::store_api::{Appended, Committed, Write, WriteResult};
use crate::store::error::StoreError;
use crate::store::tables::node::own_name;

/// Applies a write. Returns the result for the engine, if the write has one.
pub(crate) fn apply(state: &mut WriteState, db: &Connection, write: &Write) -> Result<Option<Committed>, StoreError> {
    let result = match write {
        Write::Append { token, batches } => {
            let AppendResult { lines: mut shown, moved, changed, tops, topics, read, resized, to_delete, released } =
                append(state, db, batches)?;
            let ids = |lines: &[Message]| lines.iter().map(|line| line.id).collect();
            let (token, messages, moved_ids) = (*token, ids(&shown), ids(&moved));
            shown.extend(moved);
            let moved = moved_ids;
            let appended =
                Appended { token, messages, moved, tops, topics, changed, read, resized, to_delete, released };
            return Ok(Some(Committed { result: WriteResult::Appended(appended), shown }));
        }
        Write::Fork(fork) => {
            let mut truncated = TruncationResult::default();
            apply_remote_fork(state, db, fork, &mut truncated)?;
            Some(WriteResult::Changed(collect_changes(state, db, truncated)?))
        }
        Write::Receipts(receipts) => {
            for receipt in receipts {
                put_receipt(state, db, receipt)?;
            }
            Some(WriteResult::Receipts(receipts.clone()))
        }
        Write::Notice { wall_ms, kind, member, name } => {
            Some(WriteResult::Noted(put_notice(state, db, *wall_ms, *kind, *member, name)?))
        }
        Write::Member(record) => {
            put_member(state, db, record)?;
            None
        }
        Write::Mark { member, change } => Some(WriteResult::Marked(set_member_flags(state, db, *member, *change)?)),
        Write::OwnName(name) => {
            own_name(db, name)?;
            None
        }
        Write::Read { conversation, arrival } => mark_read(state, db, conversation, *arrival)?.map(WriteResult::Read),
    };
    Ok(result.map(Committed::from))
}
