//! The records of content: for whom it is held, and how long without a message.

use std::time::Duration;

use super::events::FileEvent;
use super::shelf::{Shelf, disk_error};
use crate::content::Hold;
use crate::node::clock::now;
use crate::node::info::report;
use crate::proto::commands::SayCommand;
use crate::proto::entries::timeline::{Conversation, Message};
use crate::proto::files::naming::audiences_of;
use crate::proto::ids::{Hash, NodeId};
use crate::proto::limits::{SWEEP_EVERY_MS, UPLOAD_KEPT_MS};
use crate::web::requests::RequestError;

/// Fills in the sizes of the files of a message that is about to be sent, and holds their content
/// for its readers. Refuses files of which not all is here.
pub(in crate::node) async fn attach(shelf: Shelf, say: &mut SayCommand) -> Result<(), RequestError> {
    if say.files.0.is_empty() {
        return Ok(());
    }
    let (mut files, hold) = (say.files.clone(), shelf.hold(say.recipient()));
    let attached = tokio::task::spawn_blocking(move || {
        for file in &mut files.0 {
            file.size = shelf.content.complete_size(&file.content).ok_or(RequestError::NotHere)?;
        }
        for file in &files.0 {
            let held = shelf.content.update(&file.content, file.size, |info| {
                info.own = true;
                if !info.is_held_for(hold) {
                    info.holds.push(hold);
                }
            });
            held.map_err(|error| disk_error(&error))?;
            shelf.readers.forget(&file.content);
        }
        Ok(files)
    });
    say.files = attached.await.unwrap_or(Err(RequestError::Stopping))?;
    Ok(())
}

/// A message that names some content is on the disk: the content is kept as long as it.
pub(super) fn on_named(shelf: &Shelf, content: &Hash) {
    let Some(info) = shelf.content.info(content).filter(|info| info.uploaded_ms.is_some()) else { return };
    shelf.log(shelf.content.update(content, info.size, |info| info.uploaded_ms = None));
}

/// The other member of a direct message; none in a channel.
pub(super) fn audience(message: &Message) -> Option<NodeId> {
    match &message.conversation {
        Conversation::Channel(_) => None,
        Conversation::Direct(member) => Some(*member),
    }
}

/// A message that named some content was deleted: the content is held only for the readers of
/// other messages that name it, and removed without any.
pub(super) async fn on_released(shelf: Shelf, content: Hash) {
    shelf.readers.forget(&content);
    let Some(namings) = report(shelf.store.namings_of(content).await) else { return };
    let audiences = audiences_of(&namings);
    let is_named = !namings.is_empty();
    let releasing = shelf.clone();
    let released = tokio::task::spawn_blocking(move || {
        let shelf = releasing;
        let Some(info) = shelf.content.info(&content) else { return };
        let stays = |hold: &Hold| hold.room != shelf.room || audiences.contains(&hold.audience);
        if info.holds.iter().all(stays) && !info.holds.is_empty() {
            return;
        }
        let is_kept = info.holds.iter().any(stays) || info.uploaded_ms.is_some();
        if is_kept {
            shelf.log(shelf.content.update(&content, info.size, |info| info.holds.retain(stays)));
        } else {
            shelf.log(shelf.content.remove(&content));
        }
        shelf.readers.forget(&content);
    });
    // Fails only when the program ends.
    _ = released.await;
    shelf.report(if is_named { FileEvent::Changed(content) } else { FileEvent::Cancelled(content) });
}

/// Removes uploads that no message named for a day, once an hour.
pub(super) async fn sweep_uploads(shelf: Shelf) {
    let mut turns = tokio::time::interval(Duration::from_millis(SWEEP_EVERY_MS));
    loop {
        turns.tick().await;
        let (shelf, before_ms) = (shelf.clone(), now().wall_ms.saturating_sub(UPLOAD_KEPT_MS));
        // Fails only when the program ends.
        _ = tokio::task::spawn_blocking(move || sweep(&shelf, before_ms)).await;
    }
}

/// Removes uploads from before a time that are held for no message.
pub(super) fn sweep(shelf: &Shelf, before_ms: u64) {
    for content in shelf.content.contents() {
        let Some(info) = shelf.content.info(&content) else { continue };
        if info.uploaded_ms.is_none_or(|uploaded_ms| uploaded_ms >= before_ms) {
            continue;
        }
        if info.holds.is_empty() {
            shelf.log(shelf.content.remove(&content));
            shelf.report(FileEvent::Changed(content));
        } else {
            shelf.log(shelf.content.update(&content, info.size, |info| info.uploaded_ms = None));
        }
    }
}
