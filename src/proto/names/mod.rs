//! Names of members and channels: how they are cleaned, compared and told apart.

pub mod confusables;
pub mod file_name;
pub mod name;
pub mod name_index;
