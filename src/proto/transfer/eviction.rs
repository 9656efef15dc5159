//! Which content is evicted to make room: that of others that the user did not pin, the least
//! recently used first.

use crate::proto::ids::Hash;

/// Stored content that may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The content.
    pub content: Hash,
    /// Its size in bytes.
    pub size: u64,
    /// When the user last used it.
    pub used_ms: u64,
    /// True if it is pinned, or being fetched.
    pub is_kept: bool,
}

/// Returns the content to evict so that `size` more bytes fit into `quota`; none if they do not
/// fit.
pub fn evicted(mut files: Vec<StoredFile>, size: u64, quota: u64) -> Option<Vec<Hash>> {
    let mut used: u64 = files.iter().map(|file| file.size).sum();
    let mut evicted = Vec::new();
    files.retain(|file| !file.is_kept);
    files.sort_unstable_by_key(|file| (file.used_ms, file.content));
    let mut candidates = files.into_iter();
    while used.saturating_add(size) > quota {
        let file = candidates.next()?;
        used -= file.size;
        evicted.push(file.content);
    }
    Some(evicted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: u8, size: u64, used_ms: u64, is_kept: bool) -> StoredFile {
        StoredFile { content: Hash([content; 32]), size, used_ms, is_kept }
    }

    #[test]
    fn least_recently_used_is_evicted_first() {
        let files = vec![file(1, 40, 9, false), file(2, 40, 3, false), file(3, 20, 1, true)];
        assert_eq!(evicted(files.clone(), 0, 100), Some(vec![]));
        assert_eq!(evicted(files.clone(), 1, 100), Some(vec![Hash([2; 32])]));
        assert_eq!(evicted(files.clone(), 80, 100), Some(vec![Hash([2; 32]), Hash([1; 32])]));
        assert_eq!(evicted(files, 81, 100), None, "the rest is kept");
    }

    #[test]
    fn file_beyond_the_quota_never_fits() {
        assert_eq!(evicted(vec![], 101, 100), None);
        assert_eq!(evicted(vec![file(1, 1, 1, false)], u64::MAX, 100), None);
    }
}
