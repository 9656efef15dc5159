//! The files that a message is to name, checked as far as that needs no state of the node.

use serde::Deserialize;

use super::fields::ContentHash;
use crate::api::Code;
use crate::proto::files::attachment::{Attachment, Attachments};
use crate::proto::files::media_type::media_type_of;
use crate::proto::files::picture::is_preview;
use crate::proto::limits::{FILES_PER_MESSAGE_MAX, TEXT_WITH_FILES_BYTES_MAX};
use crate::proto::names::file_name::clean_file_name;
use crate::web::error::ApiError;

/// A file that a message is to name.
#[derive(Deserialize)]
pub(crate) struct FileFields {
    content: ContentHash,
    name: String,
    width: Option<u32>,
    height: Option<u32>,
    preview: Option<String>,
}

/// Checks the files of a message. Their sizes are known to the node alone.
pub(crate) fn attachments(list: Option<Vec<FileFields>>, text: &str) -> Result<Attachments, ApiError> {
    let list = list.unwrap_or_default();
    if list.len() > FILES_PER_MESSAGE_MAX {
        return Err(ApiError::new(Code::TooLong, format!("A message can have up to {FILES_PER_MESSAGE_MAX} files.")));
    }
    if !list.is_empty() && text.len() > TEXT_WITH_FILES_BYTES_MAX {
        return Err(ApiError::new(Code::TooLong, "The text of a message with files can have up to 16 KiB."));
    }
    list.into_iter().map(attachment).collect::<Result<_, _>>().map(Attachments)
}

fn attachment(fields: FileFields) -> Result<Attachment, ApiError> {
    let FileFields { content: ContentHash(content), name, width, height, preview } = fields;
    let name = clean_file_name(&name);
    let media_type = media_type_of(&name).to_owned();
    let preview = preview.map(|text| read_preview(&text)).transpose()?.map(Into::into);
    let file = Attachment { content, name, size: 0, media_type, width, height, preview };
    file.checked().ok_or_else(|| ApiError::bad_request("A file of the message is not valid."))
}

fn read_preview(text: &str) -> Result<Vec<u8>, ApiError> {
    let bytes = data_encoding::BASE64.decode(text.as_bytes()).ok().filter(|bytes| is_preview(bytes));
    bytes.ok_or_else(|| ApiError::bad_request("A \"preview\" is a small JPEG or WebP of at most 1 KiB, in base64."))
}
