//! Changes of how content is kept here, as a page or a command asks for them.

use super::events::FileEvent;
use super::shelf::{Shelf, disk_error};
use super::{fetching, listing};
use crate::api::FileJson;
use crate::proto::ids::Hash;
use crate::web::file_requests::FileChange;
use crate::web::requests::RequestError;

/// Makes a change. Returns the file as it is then.
pub(super) async fn change(shelf: Shelf, content: Hash, change: FileChange) -> Result<FileJson, RequestError> {
    let known = listing::find(&shelf, content).await.flatten().ok_or(RequestError::NoSuchFile)?;
    if change == FileChange::Fetch {
        let prepared = fetching::prepare(&shelf, content, None).await?;
        shelf.set_failed(content, false);
        shelf.report(match prepared {
            Some(new) => FileEvent::Prepared { content, new },
            None => FileEvent::Changed(content),
        });
    }
    let changing = shelf.clone();
    let changed = tokio::task::spawn_blocking(move || {
        let done = match change {
            FileChange::Fetch => Ok(()),
            FileChange::Cancel => stop(&changing, &content),
            FileChange::Remove => stop(&changing, &content).and_then(|()| changing.content.remove_bytes(&content)),
            FileChange::Pin(pinned) => {
                let size = changing.content.info(&content).map_or(known.size, |info| info.size);
                changing.content.update(&content, size, |info| info.pinned = pinned).map(|_| ())
            }
        };
        changing.update_status(&content);
        done
    });
    match changed.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(disk_error(&error)),
        Err(_) => return Err(RequestError::Stopping),
    }
    // The event loop ends what is under way, and tells the other pages.
    match change {
        FileChange::Cancel | FileChange::Remove => shelf.report(FileEvent::Cancelled(content)),
        FileChange::Pin(_) => shelf.report(FileEvent::Changed(content)),
        FileChange::Fetch => {}
    }
    listing::find(&shelf, content).await.flatten().ok_or(RequestError::NoSuchFile)
}

/// Records that some content is not wanted any more. Its verified parts stay.
fn stop(shelf: &Shelf, content: &Hash) -> std::io::Result<()> {
    let Some(info) = shelf.content.info(content).filter(|info| info.wanted) else { return Ok(()) };
    shelf.content.update(content, info.size, |info| info.wanted = false).map(|_| ())
}
