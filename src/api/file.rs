//! The form of a file, as a message names it and as it is here.

use serde::{Deserialize, Serialize};

use crate::proto::files::attachment::Attachment;
use crate::proto::files::status::{FileState, FileStatus};

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileJson {
    /// BLAKE3 of the content, in hex.
    pub content: String,
    /// The name, one path component.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// The media type by the name's extension. It says nothing about the content.
    pub media_type: String,
    /// The width of a picture in pixels.
    pub width: Option<u32>,
    /// The height of a picture in pixels.
    pub height: Option<u32>,
    /// A tiny WebP or JPEG of a picture, in base64.
    pub preview: Option<String>,
    /// `remote`, `waiting`, `fetching`, `here`, `failed` or `gone`.
    pub state: String,
    /// The verified bytes that are here.
    pub have: u64,
    /// The reachable members that hold all of it; null if they were not asked.
    pub holders: Option<u64>,
    /// True if the user keeps it.
    pub pinned: bool,
}

impl FileJson {
    /// Makes the form of a file of a message.
    pub fn new(file: &Attachment, status: FileStatus) -> Self {
        let FileStatus { state, have, holders, pinned } = status;
        // A message can claim any size. When all is here, the node knows the true one.
        let size = if state == FileState::Here { have } else { file.size };
        Self {
            content: file.content.to_string(),
            name: file.name.clone(),
            size,
            media_type: file.media_type.clone(),
            width: file.width,
            height: file.height,
            preview: file.preview.as_ref().map(|bytes| data_encoding::BASE64.encode(bytes)),
            state: state.as_str().to_owned(),
            have,
            holders,
            pinned,
        }
    }
}

/// `GET /api/v1/files`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileList {
    /// The newest message that names some content decides the name.
    pub files: Vec<FileJson>,
}

/// A file in an export: what all nodes know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFile {
    /// BLAKE3 of the content, in hex.
    pub content: String,
    /// The name.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// The media type by the name's extension.
    pub media_type: String,
}

impl From<&Attachment> for ExportFile {
    fn from(file: &Attachment) -> Self {
        Self {
            content: file.content.to_string(),
            name: file.name.clone(),
            size: file.size,
            media_type: file.media_type.clone(),
        }
    }
}

/// The status whose form is the longest.
pub(super) const LONGEST: FileStatus =
    FileStatus { state: FileState::Fetching, have: u64::MAX, holders: Some(u64::MAX), pinned: false };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::Hash;

    #[test]
    fn true_size_of_a_complete_file_is_told() {
        let (name, media_type) = ("a".to_owned(), "text/plain".to_owned());
        let content = Hash([1; 32]);
        let file = Attachment { content, name, size: 9, media_type, width: None, height: None, preview: None };
        let size = |state| FileJson::new(&file, FileStatus { state, have: 5, holders: None, pinned: false }).size;
        assert_eq!(size(FileState::Here), 5);
        assert_eq!(size(FileState::Fetching), 9);
    }
}
