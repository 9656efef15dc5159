//! Files: what messages name, and how their content is fetched.

pub mod attachment;
pub mod file_frame;
pub mod group_set;
pub mod media_type;
pub mod naming;
pub mod picture;
pub mod status;
