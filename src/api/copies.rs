//! Copies of the database that repairs and updates set aside, in JSON.

use serde::{Deserialize, Serialize};

/// A file in the data directory that is a copy of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainedCopy {
    /// The file's name.
    pub name: String,
    /// The file's size.
    pub bytes: u64,
}

/// The answer to the removal of copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedCopies {
    /// The names of the removed files.
    pub removed: Vec<String>,
}
