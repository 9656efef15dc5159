//! What is known of files: from the messages that name them, and from uploads that no message names
//! yet.

use std::collections::BTreeSet;

use super::shelf::Shelf;
use crate::api::FileJson;
use crate::node::info::report;
use crate::proto::entries::timeline::Conversation;
use crate::proto::files::attachment::Attachment;
use crate::proto::files::media_type::media_type_of;
use crate::proto::ids::Hash;
use crate::proto::limits::FILES_LISTED_MAX;

/// Lists the files of a conversation, or all, the newest first. Returns none if the database can't
/// be read.
pub(super) async fn list(shelf: &Shelf, conversation: Option<Conversation>) -> Option<Vec<FileJson>> {
    let messages = report(shelf.store.with_files(None, FILES_LISTED_MAX).await)?;
    let mut listed = BTreeSet::new();
    let mut files = Vec::new();
    let is_wanted = |found: &Conversation| conversation.as_ref().is_none_or(|wanted| wanted == found);
    for message in messages.iter().filter(|message| is_wanted(&message.conversation)) {
        let new = message.changes.files.iter().filter(|file| listed.insert(file.content));
        files.extend(new.map(|file| shelf.statuses.file(file)));
    }
    if conversation.is_none() {
        let unnamed = uploads(shelf).await.into_iter().filter(|upload| listed.insert(upload.content));
        let unnamed: Vec<_> = unnamed.map(|upload| shelf.statuses.file(&upload)).collect();
        files.splice(..0, unnamed);
    }
    Some(files)
}

/// Finds a file that a message names. Returns none if the database can't be read.
pub(super) async fn find_named(shelf: &Shelf, content: Hash) -> Option<Option<FileJson>> {
    let messages = report(shelf.store.with_files(Some(content), 1).await)?;
    let named = messages.iter().flat_map(|message| &message.changes.files).find(|file| file.content == content);
    Some(named.map(|file| shelf.statuses.file(file)))
}

/// Finds a file by its content. Returns none if the database can't be read.
pub(super) async fn find(shelf: &Shelf, content: Hash) -> Option<Option<FileJson>> {
    if let Some(file) = find_named(shelf, content).await? {
        return Some(Some(file));
    }
    let upload = uploads(shelf).await.into_iter().find(|file| file.content == content);
    Some(upload.map(|file| shelf.statuses.file(&file)))
}

/// The uploads that no message names yet.
async fn uploads(shelf: &Shelf) -> Vec<Attachment> {
    let content = shelf.content.clone();
    let read = tokio::task::spawn_blocking(move || {
        let info = |hash: Hash| Some((hash, content.info(&hash)?));
        let unnamed = content.contents().into_iter().filter_map(info).filter(|(_, info)| info.uploaded_ms.is_some());
        unnamed.map(|(hash, info)| attachment(hash, info.size, info.name)).collect()
    });
    read.await.unwrap_or_default()
}

/// The file of an upload.
pub(super) fn attachment(content: Hash, size: u64, name: Option<String>) -> Attachment {
    let name = name.unwrap_or_else(|| content.to_string());
    let media_type = media_type_of(&name).to_owned();
    Attachment { content, name, size, media_type, width: None, height: None, preview: None }
}
