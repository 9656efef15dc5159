//! Prepares a transfer: which readers it is for, and whether its bytes may take the disk.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::events::FileEvent;
use super::records::audience;
use super::shelf::{Shelf, disk_error};
use crate::content::{ContentState, Upload, is_hash_of_nothing};
use crate::node::free_space::has_room;
use crate::node::info::report;
use crate::proto::files::naming::{Naming, audiences_of, fetched_together};
use crate::proto::ids::{Hash, NodeId};
use crate::proto::transfer::NewTransfer;
use crate::proto::transfer::eviction::{StoredFile, evicted};
use crate::web::requests::RequestError;

/// What the messages say of some content.
struct Claims {
    /// The size in the oldest message. The node knows whether it is true when all of it is here.
    size: u64,
    /// The audience of the oldest message.
    audience: Option<NodeId>,
    namings: BTreeSet<Naming>,
}

/// Prepares to fetch some content. Returns none if all of it is here.
///
/// `checked_size`: the size that a limit was applied to. Content of another size is left.
pub(super) async fn prepare(
    shelf: &Shelf,
    content: Hash,
    checked_size: Option<u64>,
) -> Result<Option<NewTransfer>, RequestError> {
    let namings = report(shelf.store.namings_of(content).await).ok_or(RequestError::Stopping)?;
    let first = report(shelf.store.first_naming(content).await).ok_or(RequestError::Stopping)?;
    let first = first.ok_or(RequestError::NoSuchFile)?;
    let file = first.changes.files.iter().find(|file| file.content == content);
    let size = file.map(|file| file.size).ok_or(RequestError::NoSuchFile)?;
    let claims = Claims { size, audience: audience(&first), namings };
    let shelf = shelf.clone();
    let prepared = tokio::task::spawn_blocking(move || begin(&shelf, &content, &claims, checked_size));
    prepared.await.unwrap_or(Err(RequestError::Stopping))
}

fn begin(
    shelf: &Shelf,
    content: &Hash,
    claims: &Claims,
    checked_size: Option<u64>,
) -> Result<Option<NewTransfer>, RequestError> {
    // Units of an earlier run count only when they are verified.
    shelf.content.check(content).map_err(|error| disk_error(&error))?;
    if shelf.content.complete_size(content).is_some() {
        return Ok(None);
    }
    let known = shelf.content.state(content).filter(is_size_settled);
    let size = known.map_or(claims.size, |state| state.info.size);
    if checked_size.is_some_and(|checked| checked != size) {
        return Ok(None);
    }
    {
        let _space = shelf.space.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(shelf, content, size)?;
        record(shelf, content, size, claims)?;
    }
    let ContentState { info, held } = shelf.content.state(content).ok_or(RequestError::NoSuchFile)?;
    if held.is_complete() {
        return Ok(None);
    }
    let room_holds = info.holds.iter().filter(|hold| hold.room == shelf.room);
    let audiences: BTreeSet<_> = room_holds.map(|hold| hold.audience).collect();
    let others = audiences_of(&claims.namings).into_iter().filter(|audience| !audiences.contains(audience));
    let not_asked = others.flatten().collect();
    let authors = claims.namings.iter().map(|naming| naming.author).collect();
    Ok(Some(NewTransfer { audiences, not_asked, authors, held }))
}

/// Returns true if the size in a record stays, whatever another message claims.
fn is_size_settled(state: &ContentState) -> bool {
    let ContentState { info, held } = state;
    info.own || info.pinned || info.wanted || info.used_ms > 0 || held.bytes_held() > 0
}

/// Records that some content is wanted, and for whom.
fn record(shelf: &Shelf, content: &Hash, size: u64, claims: &Claims) -> Result<(), RequestError> {
    let io = |error| disk_error(&error);
    if size == 0 {
        return record_nothing(shelf, content, claims);
    }
    // A size that another message claimed, and that was never tried.
    if shelf.content.info(content).is_some_and(|info| info.size != size) {
        shelf.content.remove(content).map_err(io)?;
    }
    hold(shelf, content, size, claims, true)
}

/// Records the content of no bytes, for which no peer can be asked.
fn record_nothing(shelf: &Shelf, content: &Hash, claims: &Claims) -> Result<(), RequestError> {
    if !is_hash_of_nothing(content) {
        return Err(RequestError::NoSuchFile);
    }
    let stored = Upload::begin(&shelf.content, rand::random()).and_then(Upload::finish);
    stored.map_err(|error| disk_error(&error))?;
    hold(shelf, content, 0, claims, false)
}

fn hold(shelf: &Shelf, content: &Hash, size: u64, claims: &Claims, wanted: bool) -> Result<(), RequestError> {
    let change = |info: &mut crate::content::ContentInfo| {
        info.wanted = wanted;
        let here = info.holds.iter().filter(|hold| hold.room == shelf.room);
        let mut held: BTreeSet<_> = here.map(|hold| hold.audience).collect();
        if held.is_empty() {
            held.insert(claims.audience);
        }
        for audience in fetched_together(shelf.own, &claims.namings, held) {
            let hold = shelf.hold(audience);
            if !info.is_held_for(hold) {
                info.holds.push(hold);
            }
        }
    };
    shelf.content.update(content, size, change).map_err(|error| disk_error(&error))?;
    shelf.readers.forget(content);
    Ok(())
}

/// Evicts content of others until some more fits, and refuses it otherwise.
fn make_room(shelf: &Shelf, content: &Hash, size: u64) -> Result<(), RequestError> {
    let others = shelf.content.contents().into_iter().filter(|other| other != content).filter_map(|other| {
        let info = shelf.content.info(&other).filter(|info| !info.own)?;
        // The rest of what is being fetched is still to come.
        let size = if info.wanted { info.size } else { shelf.content.stored_bytes(&other) };
        let is_kept = info.pinned || info.wanted;
        (size > 0).then_some(StoredFile { content: other, size, used_ms: info.used_ms, is_kept })
    });
    let evicted = evicted(others.collect(), size, shelf.settings.quota_bytes).ok_or(RequestError::FilesFull)?;
    for content in evicted {
        tracing::info!("a file was evicted to make room for another");
        shelf.content.remove_bytes(&content).map_err(|error| disk_error(&error))?;
        shelf.report(FileEvent::Changed(content));
    }
    let missing = size.saturating_sub(shelf.content.stored_bytes(content));
    if has_room(shelf.content.dir(), missing) { Ok(()) } else { Err(RequestError::DiskFull) }
}

#[cfg(test)]
mod tests {
    use super::super::test_bed::{BEN, Bed, CONTENT, MALLORY, bed, upload};
    use super::*;
    use crate::content::ContentStore;

    fn claims(size: u64, namings: &[(Option<NodeId>, NodeId)]) -> Claims {
        let audience = namings[0].0;
        let namings = namings.iter().map(|(audience, author)| Naming { audience: *audience, author: *author });
        Claims { size, audience, namings: namings.collect() }
    }

    fn held_for(shelf: &Shelf, content: &Hash) -> Vec<Option<NodeId>> {
        shelf.content.info(content).expect("a record").holds.iter().map(|hold| hold.audience).collect()
    }

    #[tokio::test]
    async fn content_of_an_unchecked_size_is_left() {
        let Bed { shelf, dir: _dir, .. } = bed();
        let claimed = claims(500, &[(None, BEN)]);
        assert!(begin(&shelf, &CONTENT, &claimed, Some(1)).expect("no error").is_none());
        assert_eq!(shelf.content.info(&CONTENT), None);
        assert!(begin(&shelf, &CONTENT, &claimed, Some(500)).expect("no error").is_some());
    }

    #[tokio::test]
    async fn false_size_keeps_what_is_known() {
        let Bed { shelf, dir: _dir, .. } = bed();
        begin(&shelf, &CONTENT, &claims(500, &[(None, BEN)]), None).expect("wanted").expect("new");
        let new = begin(&shelf, &CONTENT, &claims(9, &[(None, MALLORY)]), None).expect("wanted").expect("new");
        assert_eq!(new.held.size(), 500);
        let pinned = Hash([8; 32]);
        shelf.content.update(&pinned, 400, |info| info.pinned = true).expect("a record");
        begin(&shelf, &pinned, &claims(9, &[(None, MALLORY)]), None).expect("wanted").expect("new");
        assert_eq!(shelf.content.info(&pinned).expect("a record").size, 400);
        let tried = Hash([9; 32]);
        shelf.content.update(&tried, 400, |_| {}).expect("a record");
        begin(&shelf, &tried, &claims(9, &[(None, BEN)]), None).expect("wanted").expect("new");
        assert_eq!(shelf.content.info(&tried).expect("a record").size, 9, "a claim that was never tried");
    }

    #[tokio::test]
    async fn claim_of_no_bytes_keeps_the_empty_file() {
        let Bed { shelf, dir: _dir, .. } = bed();
        let empty = upload(&shelf, b"");
        assert!(begin(&shelf, &CONTENT, &claims(0, &[(None, MALLORY)]), None).is_err());
        assert_eq!(shelf.content.complete_size(&empty), Some(0));
    }

    #[tokio::test]
    async fn evicted_direct_file_stays_direct() {
        let Bed { shelf, dir: _dir, .. } = bed();
        let direct = (Some(BEN), BEN);
        let new = begin(&shelf, &CONTENT, &claims(50, &[direct]), None).expect("wanted").expect("new");
        assert_eq!((new.audiences, new.not_asked), ([Some(BEN)].into(), [].into()));
        shelf.content.remove_bytes(&CONTENT).expect("evicted");
        for mallory in [(None, MALLORY), (Some(MALLORY), MALLORY)] {
            let new = begin(&shelf, &CONTENT, &claims(50, &[direct, mallory]), None).expect("wanted").expect("new");
            assert_eq!(new.audiences, [Some(BEN)].into());
            assert_eq!(held_for(&shelf, &CONTENT), [Some(BEN)]);
        }
        // If the other message is older, the file is not asked of Ben, whose node would send it.
        let other = Hash([8; 32]);
        let new = begin(&shelf, &other, &claims(50, &[(None, MALLORY), direct]), None).expect("wanted").expect("new");
        assert_eq!((new.audiences, new.not_asked), ([None].into(), [BEN].into()));
    }

    #[tokio::test]
    async fn least_used_file_makes_room_and_pages_hear_it() {
        let Bed { shelf, mut events, dir: _dir } = bed();
        let (old, new) = (upload(&shelf, &[1; 600]), upload(&shelf, &[2; 300]));
        shelf.content.update(&new, 300, |info| info.used_ms = 5).expect("a record");
        begin(&shelf, &CONTENT, &claims(500, &[(None, BEN)]), None).expect("wanted").expect("fits");
        assert_eq!(shelf.content.complete_size(&old), None);
        assert!(matches!(events.try_recv(), Ok(FileEvent::Changed(content)) if content == old), "pages are told");
        assert_eq!(shelf.content.complete_size(&new), Some(300), "it was used later");
        let full = begin(&shelf, &Hash([8; 32]), &claims(501, &[(None, BEN)]), None);
        assert!(matches!(full, Err(RequestError::FilesFull)), "what is being fetched is kept");
        begin(&shelf, &Hash([8; 32]), &claims(400, &[(None, BEN)]), None).expect("wanted").expect("fits");
        assert_eq!(shelf.content.complete_size(&new), None);
    }

    #[tokio::test]
    async fn cancelled_parts_count_toward_the_quota() {
        let (from, Bed { mut shelf, dir, .. }) = (bed(), bed());
        shelf.settings.quota_bytes = 100_000;
        let content = upload(&from.shelf, &[5; 60_000]);
        shelf.content.update(&content, 60_000, |_| {}).expect("a record");
        let units = from.shelf.content.encode(&content, 0, 3).expect("read").expect("held");
        shelf.content.write(&content, 0, 3, &units).expect("verified");
        // After a restart they count before they are verified.
        shelf.content = ContentStore::open(&dir.path().join("files")).expect("content");
        assert!(shelf.content.stored_bytes(&content) > 0);
        begin(&shelf, &CONTENT, &claims(60_000, &[(None, BEN)]), None).expect("wanted").expect("fits");
        assert_eq!(shelf.content.stored_bytes(&content), 0);
    }
}
