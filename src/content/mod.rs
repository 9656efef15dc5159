//! Content: the bytes of files, verified against their hashes.
//!
//! Content lies in one directory, in a file named by its hash: never by a name that a user gave it.
//! The complete bytes stand under the hash alone. Until then they stand beside it, with a record of
//! the units that were verified. A complete file is synced before it gets its name.
//!
//! | file | contains |
//! | --- | --- |
//! | `HASH` | all of the bytes |
//! | `HASH.part` | some of the bytes |
//! | `HASH.bao` | the tree of hashes, in post-order |
//! | `HASH.groups` | the verified units of a partial file, one bit each |
//! | `HASH.info` | the record: the readers, whether the user keeps it, when it was used |
//!
//! Every unit is verified again before it is served, so a disk that lies changes no byte that
//! leaves this module. The record of verified units is only a hint after a crash: the units are
//! verified again before the node relies on them.
//!
//! All functions block. The callers run them where that harms no other task.

mod disk;
mod info;
mod tree_hasher;
mod upload;
mod verified;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use info::{ContentInfo, Hold};
pub use tree_hasher::is_hash_of_nothing;
pub use upload::Upload;
pub use verified::VerifyError;

use crate::proto::files::group_set::GroupSet;
use crate::proto::ids::Hash;
use crate::proto::limits::{GROUP_BYTES, GROUPS_PER_FRAME};
use disk::{KINDS, Kind, TEMPORARY};
use verified::VerifiedFile;

/// The content of a node. Clones share it.
#[derive(Clone)]
pub struct ContentStore(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    items: Mutex<BTreeMap<Hash, Arc<Mutex<Item>>>>,
}

/// Some content, complete or partial.
struct Item {
    info: ContentInfo,
    held: GroupSet,
    /// False for a partial file of an earlier run whose units were not verified again yet.
    checked: bool,
    /// The open files while it is written or read.
    file: Option<VerifiedFile>,
}

/// What is known of some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentState {
    /// The record.
    pub info: ContentInfo,
    /// The verified units.
    pub held: GroupSet,
}

impl ContentStore {
    /// Opens the directory, and creates it if it is missing. Files that a crash left half-written
    /// are removed.
    pub fn open(dir: &Path) -> io::Result<Self> {
        disk::create_dir(dir)?;
        let mut items = BTreeMap::new();
        for entry in std::fs::read_dir(dir)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(TEMPORARY) || name.starts_with(upload::PREFIX) {
                disk::remove(&dir.join(name))?;
            }
            let Some(content) = name.strip_suffix(".info").and_then(Hash::from_hex) else { continue };
            if let Some(item) = Item::load(dir, &content) {
                items.insert(content, Arc::new(Mutex::new(item)));
            }
        }
        Ok(Self(Arc::new(Inner { dir: dir.to_owned(), items: Mutex::new(items) })))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// All content of which there is a record.
    pub fn contents(&self) -> Vec<Hash> {
        self.items().keys().copied().collect()
    }

    /// What is known of some content. Nothing of a partial file counts before
    /// [`ContentStore::check`].
    pub fn state(&self, content: &Hash) -> Option<ContentState> {
        let item = self.item(content)?;
        let item = lock(&item);
        let held = if item.checked { item.held.clone() } else { GroupSet::none(item.info.size) };
        Some(ContentState { info: item.info.clone(), held })
    }

    /// Returns the record of some content without its units.
    pub fn info(&self, content: &Hash) -> Option<ContentInfo> {
        self.item(content).map(|item| lock(&item).info.clone())
    }

    /// Returns the size of some content if all of it is here.
    pub fn complete_size(&self, content: &Hash) -> Option<u64> {
        let item = self.item(content)?;
        let item = lock(&item);
        (item.checked && item.held.is_complete()).then_some(item.info.size)
    }

    /// Returns the bytes of some content on the disk, verified or not.
    pub fn stored_bytes(&self, content: &Hash) -> u64 {
        self.item(content).map_or(0, |item| lock(&item).held.bytes_held())
    }

    /// Changes the record of some content, and creates it if there is none. Returns false, without
    /// a change, if another size is known.
    pub fn update(&self, content: &Hash, size: u64, change: impl FnOnce(&mut ContentInfo)) -> io::Result<bool> {
        let item = self.items().entry(*content).or_insert_with(|| Arc::new(Mutex::new(Item::new(size)))).clone();
        let mut item = lock(&item);
        if item.info.size != size {
            return Ok(false);
        }
        let before = item.info.clone();
        change(&mut item.info);
        item.info.size = size;
        let path = disk::path(&self.0.dir, content, Kind::Info);
        if item.info != before || !path.exists() {
            item.info.write(&path)?;
        }
        Ok(true)
    }

    /// Verifies the units of a partial file that an earlier run recorded.
    pub fn check(&self, content: &Hash) -> io::Result<()> {
        let Some(item) = self.item(content) else { return Ok(()) };
        let mut item = lock(&item);
        if item.checked {
            return Ok(());
        }
        let recorded = item.held.clone();
        let file = item.open(&self.0.dir, content)?;
        let mut valid = GroupSet::none(recorded.size());
        for group in (0..recorded.groups()).filter(|group| recorded.contains(*group)) {
            if file.verify(group, 1)? {
                valid.insert(group, 1);
            }
        }
        (item.held, item.checked) = (valid, true);
        if item.held.is_complete() { item.complete(&self.0.dir, content) } else { Ok(()) }
    }

    /// Verifies and stores units that another node sent. Returns true if the content is complete
    /// and on the disk. Content without a record is not stored.
    pub fn write(&self, content: &Hash, first: u64, count: u64, bytes: &[u8]) -> Result<bool, VerifyError> {
        self.check(content)?;
        let Some(item) = self.item(content) else { return Ok(false) };
        let mut item = lock(&item);
        if item.held.is_complete() || item.held.contains_all(first, count) {
            return Ok(item.held.is_complete());
        }
        let item = &mut *item;
        item.open(&self.0.dir, content)?.decode(first, count, bytes)?;
        item.held.insert(first, count);
        item.record(&self.0.dir, content, first, count)?;
        if item.held.is_complete() {
            item.complete(&self.0.dir, content)?;
        }
        Ok(item.held.is_complete())
    }

    /// Returns units with the hashes that prove them; none if they are not held. Units that the
    /// disk changed are dropped.
    pub fn encode(&self, content: &Hash, first: u64, count: u64) -> io::Result<Option<Vec<u8>>> {
        self.read_with(content, first, count, |file| file.encode(first, count))
    }

    /// Returns the bytes from `offset` to the end of their unit or the next ones, verified; none
    /// if they are not held.
    pub fn read(&self, content: &Hash, offset: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(size) = self.info(content).map(|info| info.size).filter(|size| offset < *size) else {
            return Ok(None);
        };
        let first = offset / GROUP_BYTES;
        let count = GROUPS_PER_FRAME.min(size.div_ceil(GROUP_BYTES) - first);
        let end = size.min((first + count) * GROUP_BYTES);
        self.read_with(content, first, count, |file| {
            if !file.verify(first, count)? {
                return Err(VerifyError::Mismatch);
            }
            let mut bytes = vec![0; usize::try_from(end - offset).unwrap_or(0)];
            file.data.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        })
    }

    fn read_with<T>(
        &self,
        content: &Hash,
        first: u64,
        count: u64,
        read: impl FnOnce(&VerifiedFile) -> Result<T, VerifyError>,
    ) -> io::Result<Option<T>> {
        let Some(item) = self.item(content) else { return Ok(None) };
        let mut item = lock(&item);
        if !item.checked || !item.held.contains_all(first, count) {
            return Ok(None);
        }
        match read(item.open(&self.0.dir, content)?) {
            Ok(found) => Ok(Some(found)),
            Err(VerifyError::Io(error)) => Err(error),
            Err(VerifyError::Mismatch) => {
                item.held.remove(first, count);
                item.demote(&self.0.dir, content)?;
                Ok(None)
            }
        }
    }

    /// Closes the files of some content that is not in use for now.
    pub fn close(&self, content: &Hash) {
        if let Some(item) = self.item(content) {
            lock(&item).file = None;
        }
    }

    /// Removes the bytes of some content, and keeps its record.
    pub fn remove_bytes(&self, content: &Hash) -> io::Result<()> {
        let Some(item) = self.item(content) else { return Ok(()) };
        let mut item = lock(&item);
        (item.file, item.checked) = (None, true);
        item.held = GroupSet::none(item.info.size);
        for (kind, _) in KINDS.iter().filter(|(kind, _)| *kind != Kind::Info) {
            disk::remove(&disk::path(&self.0.dir, content, *kind))?;
        }
        Ok(())
    }

    /// Removes all of some content, its record included.
    pub fn remove(&self, content: &Hash) -> io::Result<()> {
        self.remove_bytes(content)?;
        self.items().remove(content);
        disk::remove(&disk::path(&self.0.dir, content, Kind::Info))
    }

    /// Takes over content that was just hashed, whose bytes and tree are synced under other names.
    fn adopt(&self, content: &Hash, size: u64, data: &Path, tree: &Path) -> io::Result<()> {
        let item = self.items().entry(*content).or_insert_with(|| Arc::new(Mutex::new(Item::new(size)))).clone();
        let mut item = lock(&item);
        if item.checked && item.held.is_complete() && item.info.size == size {
            disk::remove(data)?;
            return disk::remove(tree);
        }
        item.file = None;
        std::fs::rename(tree, disk::path(&self.0.dir, content, Kind::Tree))?;
        std::fs::rename(data, disk::path(&self.0.dir, content, Kind::Complete))?;
        disk::remove(&disk::path(&self.0.dir, content, Kind::Partial))?;
        disk::remove(&disk::path(&self.0.dir, content, Kind::Groups))?;
        disk::sync_dir(&self.0.dir)?;
        // A size that a message claimed gives way to the true one.
        item.info.size = size;
        (item.held, item.checked) = (GroupSet::all(size), true);
        item.info.write(&disk::path(&self.0.dir, content, Kind::Info))
    }

    fn item(&self, content: &Hash) -> Option<Arc<Mutex<Item>>> {
        self.items().get(content).cloned()
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<Hash, Arc<Mutex<Item>>>> {
        lock(&self.0.items)
    }
}

impl Item {
    fn new(size: u64) -> Self {
        let info = ContentInfo { size, ..ContentInfo::default() };
        Self { info, held: GroupSet::none(size), checked: true, file: None }
    }

    /// Reads what the files say. Returns none without a record.
    fn load(dir: &Path, content: &Hash) -> Option<Self> {
        let info = ContentInfo::read(&disk::path(dir, content, Kind::Info))?;
        let length = |kind| disk::path(dir, content, kind).metadata().map(|file| file.len()).ok();
        let size = info.size;
        if length(Kind::Complete) == Some(size) {
            return Some(Self { info, held: GroupSet::all(size), checked: true, file: None });
        }
        let groups = std::fs::read(disk::path(dir, content, Kind::Groups)).unwrap_or_default();
        let held = GroupSet::from_bytes(size, &groups);
        let checked = held.bytes_held() == 0;
        Some(Self { info, held, checked, file: None })
    }

    /// Opens the files, unless they are open.
    fn open(&mut self, dir: &Path, content: &Hash) -> io::Result<&mut VerifiedFile> {
        if self.file.is_none() {
            let complete = disk::path(dir, content, Kind::Complete);
            let data = if self.checked && self.held.is_complete() && complete.exists() {
                File::open(complete)?
            } else {
                disk::open(&disk::path(dir, content, Kind::Partial))?
            };
            let tree = disk::open(&disk::path(dir, content, Kind::Tree))?;
            self.file = Some(VerifiedFile::new(data, tree, *content, self.info.size));
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("a file was just opened"))
    }

    /// Records units as verified. Not synced: after a crash they are verified again.
    fn record(&self, dir: &Path, content: &Hash, first: u64, count: u64) -> io::Result<()> {
        let bytes = self.held.bytes();
        let byte = |group: u64| usize::try_from(group / 8).unwrap_or(usize::MAX).min(bytes.len());
        let (from, to) = (byte(first), byte(first + count - 1) + 1);
        let changed = bytes.get(from..to).unwrap_or_default();
        disk::open(&disk::path(dir, content, Kind::Groups))?.write_all_at(changed, from as u64)
    }

    /// Syncs a file whose units are all verified, and gives it its name.
    fn complete(&mut self, dir: &Path, content: &Hash) -> io::Result<()> {
        let file = self.open(dir, content)?;
        file.data.set_len(file.size())?;
        file.data.sync_all()?;
        file.tree.sync_all()?;
        self.file = None;
        std::fs::rename(disk::path(dir, content, Kind::Partial), disk::path(dir, content, Kind::Complete))?;
        disk::sync_dir(dir)?;
        disk::remove(&disk::path(dir, content, Kind::Groups))
    }

    /// Makes a complete file partial again: the disk changed some of it.
    fn demote(&mut self, dir: &Path, content: &Hash) -> io::Result<()> {
        self.file = None;
        let complete = disk::path(dir, content, Kind::Complete);
        if complete.exists() {
            std::fs::rename(complete, disk::path(dir, content, Kind::Partial))?;
        }
        std::fs::write(disk::path(dir, content, Kind::Groups), self.held.bytes())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
