//! Conversion between the program's types and SQLite's columns. Knows no table.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::proto::ids::{Hash, LogId, NodeId};

/// Converts a number to a column. Stored numbers are below 2^63, by verification or by counting. A
/// greater number, from a peer or a client, becomes the maximum, which refers to no row.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Converts a log's random number to a column. The highest bit is flipped, so that SQLite's signed
/// order is the order of the numbers.
pub(super) fn log_id(id: LogId) -> i64 {
    (id.0 ^ 1 << 63) as i64
}

/// A column with a log's random number.
pub(super) struct LogColumn(pub(super) LogId);

impl FromSql for LogColumn {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(LogId(value.as_i64()? as u64 ^ 1 << 63)))
    }
}

/// A column of 32 bytes.
pub(super) struct Blob32(pub(super) [u8; 32]);

impl FromSql for Blob32 {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_blob()?.try_into().map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

impl ToSql for Blob32 {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl From<NodeId> for Blob32 {
    fn from(id: NodeId) -> Self {
        Self(id.0)
    }
}

impl From<Hash> for Blob32 {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

/// A column with a number from 0, the reverse of [`int`]. The program never writes a negative one.
pub(super) struct NonNegative(pub(super) u64);

impl FromSql for NonNegative {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}
