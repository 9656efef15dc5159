//! Uploads: bytes of a page or a command on their way into the content store.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::events::FileEvent;
use super::listing::attachment;
use super::shelf::{Shelf, disk_error};
use crate::api::FileJson;
use crate::content::Upload;
use crate::node::clock::now;
use crate::node::free_space::has_room;
use crate::proto::limits::{UPLOAD_KEPT_MS, UPLOADS_OPEN_MAX};
use crate::web::file_requests::{UploadPiece, UploadProgress};
use crate::web::requests::{RequestError, Responder};

/// Bytes between two looks at the free disk space.
const LOOK_EVERY_BYTES: u64 = 16 * 1024 * 1024;

/// The uploads in parts that are under way, by their numbers.
#[derive(Default)]
pub(super) struct Uploads(BTreeMap<u64, Arc<PartialUpload>>);

struct PartialUpload {
    name: String,
    size: u64,
    /// When a part last began, in milliseconds since 1970.
    used_ms: AtomicU64,
    progress: Mutex<UploadState>,
}

/// How far an upload in parts has come. Locked while a part arrives.
enum UploadState {
    Begun,
    Receiving(Upload),
    Done(Box<FileJson>),
}

impl UploadState {
    fn offset(&self) -> u64 {
        if let Self::Receiving(upload) = self { upload.size() } else { 0 }
    }
}

/// Receives a file in one stream.
pub(super) fn receive_whole(
    shelf: Shelf,
    name: String,
    mut pieces: mpsc::Receiver<UploadPiece>,
    answer: Responder<Result<FileJson, RequestError>>,
) {
    tokio::task::spawn_blocking(move || {
        let received =
            begin(&shelf).and_then(|mut upload| match receive(&shelf, &mut upload, &mut pieces, u64::MAX)? {
                true => finish(&shelf, upload, name).map(Some),
                false => Ok(None),
            });
        match received {
            Ok(Some(file)) => _ = answer.send(Ok(file)),
            // The sender has gone.
            Ok(None) => {}
            Err(error) => _ = answer.send(Err(disk_error(&error))),
        }
    });
}

impl Uploads {
    /// Begins an upload in parts. Returns its number.
    pub(super) fn begin(&mut self, name: String, size: u64) -> u64 {
        let now_ms = now().wall_ms;
        let used_ms = |upload: &PartialUpload| upload.used_ms.load(Ordering::Relaxed);
        self.0.retain(|_, upload| now_ms.saturating_sub(used_ms(upload)) < UPLOAD_KEPT_MS);
        if self.0.len() >= UPLOADS_OPEN_MAX
            && let Some(oldest) = self.0.iter().min_by_key(|(_, upload)| used_ms(upload)).map(|(number, _)| *number)
        {
            self.0.remove(&oldest);
        }
        let (number, progress) = (rand::random(), Mutex::new(UploadState::Begun));
        self.0.insert(number, Arc::new(PartialUpload { name, size, used_ms: AtomicU64::new(now_ms), progress }));
        number
    }

    /// Continues an upload at an offset.
    pub(super) fn resume(
        &mut self,
        shelf: Shelf,
        number: u64,
        offset: u64,
        mut pieces: mpsc::Receiver<UploadPiece>,
        answer: Responder<Result<UploadProgress, RequestError>>,
    ) {
        let Some(found) = self.0.get(&number).cloned() else {
            _ = answer.send(Err(RequestError::NoSuchFile));
            return;
        };
        found.used_ms.store(now().wall_ms, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            _ = answer.send(found.receive_part(&shelf, offset, &mut pieces));
        });
    }
}

impl PartialUpload {
    fn receive_part(
        &self,
        shelf: &Shelf,
        offset: u64,
        pieces: &mut mpsc::Receiver<UploadPiece>,
    ) -> Result<UploadProgress, RequestError> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let UploadState::Done(file) = &*progress {
            // The answer to the last part may have been lost.
            return Ok(UploadProgress::Done(file.clone()));
        }
        if offset != progress.offset() {
            return Err(RequestError::BadOffset(progress.offset()));
        }
        if !has_room(shelf.content.dir(), 0) {
            return Err(RequestError::DiskFull);
        }
        if matches!(*progress, UploadState::Begun) {
            *progress = UploadState::Receiving(begin(shelf).map_err(|error| disk_error(&error))?);
        }
        let UploadState::Receiving(upload) = &mut *progress else { return Err(RequestError::NoSuchFile) };
        let received = receive(shelf, upload, pieces, self.size - offset);
        let (size, has_failed) = (upload.size(), upload.has_failed());
        if has_failed {
            // The next part begins anew.
            *progress = UploadState::Begun;
        }
        received.map_err(|error| disk_error(&error))?;
        if size < self.size {
            return Ok(UploadProgress::Offset(size));
        }
        let UploadState::Receiving(upload) = std::mem::replace(&mut *progress, UploadState::Begun) else {
            return Err(RequestError::NoSuchFile);
        };
        let file = Box::new(finish(shelf, upload, self.name.clone()).map_err(|error| disk_error(&error))?);
        *progress = UploadState::Done(file.clone());
        Ok(UploadProgress::Done(file))
    }
}

/// Writes pieces until the end, or until the sender has gone. Returns true at the end.
fn receive(
    shelf: &Shelf,
    upload: &mut Upload,
    pieces: &mut mpsc::Receiver<UploadPiece>,
    mut left: u64,
) -> io::Result<bool> {
    let mut looked_at = upload.size();
    while let Some(piece) = pieces.blocking_recv() {
        let UploadPiece::Data(bytes) = piece else { return Ok(true) };
        left = left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        upload.write(&bytes)?;
        if upload.size() - looked_at >= LOOK_EVERY_BYTES {
            looked_at = upload.size();
            if !has_room(shelf.content.dir(), 0) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
    }
    Ok(false)
}

fn begin(shelf: &Shelf) -> io::Result<Upload> {
    if !has_room(shelf.content.dir(), 0) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Upload::begin(&shelf.content, rand::random())
}

/// Stores an upload of which all has arrived.
fn finish(shelf: &Shelf, upload: Upload, name: String) -> io::Result<FileJson> {
    let (content, size) = upload.finish()?;
    let uploaded_ms = now().wall_ms;
    shelf.content.update(&content, size, |info| {
        info.used_ms = uploaded_ms;
        info.own = true;
        info.name = Some(name.clone());
        // Also of content that a message names: that message may be deleted before the next one.
        info.uploaded_ms = Some(uploaded_ms);
        info.wanted = false;
    })?;
    shelf.set_failed(content, false);
    shelf.update_status(&content);
    // It may have been on its way.
    shelf.report(FileEvent::Cancelled(content));
    Ok(shelf.statuses.file(&attachment(content, size, Some(name))))
}

#[cfg(test)]
mod tests {
    use super::super::test_bed::{Bed, bed, upload};
    use super::*;
    use crate::content::Hold;

    fn partial(size: u64) -> PartialUpload {
        let (used_ms, progress) = (AtomicU64::new(0), Mutex::new(UploadState::Begun));
        PartialUpload { name: "a.txt".to_owned(), size, used_ms, progress }
    }

    async fn part(
        upload: &Arc<PartialUpload>,
        shelf: &Shelf,
        offset: u64,
        bytes: &'static [u8],
    ) -> Result<UploadProgress, RequestError> {
        let (sender, mut pieces) = mpsc::channel(2);
        sender.send(UploadPiece::Data(bytes.into())).await.expect("room");
        sender.send(UploadPiece::End).await.expect("room");
        let (upload, shelf) = (upload.clone(), shelf.clone());
        tokio::task::spawn_blocking(move || upload.receive_part(&shelf, offset, &mut pieces)).await.expect("no panic")
    }

    #[tokio::test]
    async fn repeated_last_part_answers_the_file() {
        let Bed { shelf, dir: _dir, .. } = bed();
        let upload = Arc::new(partial(4));
        assert_eq!(part(&upload, &shelf, 0, b"ab").await.expect("stored"), UploadProgress::Offset(2));
        let done = part(&upload, &shelf, 2, b"cd").await.expect("stored");
        assert!(matches!(&done, UploadProgress::Done(file) if file.size == 4));
        assert_eq!(part(&upload, &shelf, 2, b"cd").await.expect("stored before"), done);
    }

    #[tokio::test]
    async fn upload_begins_anew_after_a_failed_write() {
        let Bed { shelf, dir: _dir, .. } = bed();
        let upload = Arc::new(partial(4));
        part(&upload, &shelf, 0, b"ab").await.expect("stored");
        if let UploadState::Receiving(upload) = &mut *upload.progress.lock().expect("free") {
            upload.break_for_test().expect("a full device");
        }
        assert!(part(&upload, &shelf, 2, b"c").await.is_err());
        assert!(matches!(part(&upload, &shelf, 2, b"d").await, Err(RequestError::BadOffset(0))));
        let done = part(&upload, &shelf, 0, b"abcd").await.expect("stored");
        let UploadProgress::Done(file) = done else { panic!("{done:?}") };
        assert_eq!(file.content, super::super::test_bed::hash(b"abcd").to_string());
    }

    #[tokio::test]
    async fn uploaded_file_is_no_longer_waited_for() {
        let Bed { shelf, dir: _dir, mut events } = bed();
        let content = super::super::test_bed::hash(b"abcd");
        shelf.content.update(&content, 4, |info| info.wanted = true).expect("a record");
        shelf
            .content
            .update(&content, 4, |info| info.holds.push(Hold { room: shelf.room, audience: None }))
            .expect("a hold");
        part(&Arc::new(partial(4)), &shelf, 0, b"abcd").await.expect("stored");
        let info = shelf.content.info(&content).expect("a record");
        assert!(!info.wanted && info.uploaded_ms.is_some(), "{info:?}");
        assert!(matches!(events.try_recv(), Ok(FileEvent::Cancelled(cancelled)) if cancelled == content));
    }

    #[tokio::test]
    async fn sweep_keeps_what_a_message_names() {
        let Bed { shelf, dir: _dir, .. } = bed();
        let (held, old) = (upload(&shelf, b"held"), upload(&shelf, b"old"));
        let hold = Hold { room: shelf.room, audience: None };
        for (content, size) in [(held, 4), (old, 3)] {
            shelf.content.update(&content, size, |info| info.uploaded_ms = Some(5)).expect("a record");
        }
        shelf.content.update(&held, 4, |info| info.holds.push(hold)).expect("a hold");
        super::super::records::sweep(&shelf, 6);
        assert_eq!(shelf.content.complete_size(&held), Some(4));
        assert_eq!(shelf.content.info(&held).expect("a record").uploaded_ms, None);
        assert_eq!(shelf.content.info(&old), None);
    }
}
