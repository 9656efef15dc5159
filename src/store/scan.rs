//! Finds batches in the raw pages of a database and its log, without SQLite: whatever is damaged around it, a row that is
//! whole is found by its form. Nothing is believed that is found: the caller verifies it.
//!
//! Numbers of the format are in SQLite's own documentation, "Database File Format". Nothing is written here.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::wal::{FRAME, FRAME_HEADER, PAGE, WAL_HEADER, committed_frames, number_at, with};
use crate::proto::limits::BATCH_BYTES_MAX;

/// Bytes of a row that stand in its leaf at most; of a longer one there are at least so many.
const LOCAL: (usize, usize) = (PAGE - 35, (PAGE - 12) * 32 / 255 - 23);

/// Bytes of a row in a page of its own, behind the number of the next one.
const OVERFLOW: usize = PAGE - 4;

/// The type of a column with 32 bytes.
const HASH: u8 = 12 + 2 * 32;

/// A row of the table of batches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Its number, where it is legible.
    pub(super) number: Option<i64>,
    /// True if its page was committed. Frames behind the last commit, or of an earlier log, need not have been.
    pub(super) is_committed: bool,
    file: Which,
    /// Where its content begins.
    at: u64,
    /// Bytes of its content, and which of them are the batch.
    length: usize,
    batch: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Database,
    Log,
}

/// The files to look through.
pub(super) struct Pages {
    database: Option<File>,
    log: Option<File>,
    /// Where the log has the newest version of a page.
    newest: HashMap<u32, u64>,
    /// Where the frames that were committed begin.
    committed: HashSet<u64>,
}

impl Pages {
    /// Opens a database and its log; either may be missing.
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let open = |path: &Path| match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        };
        let (database, log) = (open(path)?, open(&with(path, "-wal"))?);
        let mut pages = Self { database, log, newest: HashMap::new(), committed: HashSet::new() };
        let Some(log) = &pages.log else { return Ok(pages) };
        let salts = salts(log)?;
        let mut header = [0; FRAME_HEADER];
        let mut frames = Vec::new();
        let mut commits = 0;
        let mut at = WAL_HEADER;
        while read(log, &mut header, at)? == FRAME_HEADER {
            frames.push((number_at(&header, 0), header[8..16] == salts));
            if header[8..16] == salts && header[4..8] != [0; 4] {
                commits = frames.len();
            }
            at += FRAME as u64;
        }
        // A frame that says where a commit ends may be cut off, or damaged.
        let counted = committed_frames(path, &salts)?;
        frames.truncate(commits.max(usize::try_from(counted).unwrap_or(0)));
        for (number, (page, is_of_this_log)) in frames.into_iter().enumerate() {
            // What is left of an earlier log is in the database.
            if is_of_this_log {
                let at = WAL_HEADER + (number * FRAME + FRAME_HEADER) as u64;
                pages.newest.insert(page, at);
                pages.committed.insert(at);
            }
        }
        Ok(pages)
    }

    /// Finds all rows that look like batches, those of the log first. One may be found more than once.
    pub(super) fn batches(&self) -> std::io::Result<Vec<Found>> {
        let mut found = Vec::new();
        let files = [
            (Which::Log, &self.log, WAL_HEADER + FRAME_HEADER as u64, FRAME as u64),
            (Which::Database, &self.database, 0, PAGE as u64),
        ];
        let mut page = vec![0; PAGE];
        for (which, file, first, step) in files {
            let Some(file) = file else { continue };
            let mut at = first;
            while read(file, &mut page, at)? > 0 {
                let is_committed = which == Which::Database || self.committed.contains(&at);
                rows(&page, |from, row| found.push(Found { file: which, at: at + from as u64, is_committed, ..row }));
                at += step;
            }
        }
        Ok(found)
    }

    /// Reads the bytes of a batch that was found; `None` if a part of them is not there. Of pages that the log has as well,
    /// its version counts, or with `is_old` that of the database.
    pub(super) fn read(&self, found: &Found, is_old: bool) -> std::io::Result<Option<Vec<u8>>> {
        let Some(file) = self.file(found.file) else { return Ok(None) };
        let local = local(found.length);
        let mut row = vec![0; local];
        if read(file, &mut row, found.at)? < local {
            return Ok(None);
        }
        let mut page = vec![0; PAGE];
        let mut next = [0; 4];
        if row.len() < found.length {
            read(file, &mut next, found.at + local as u64)?;
        }
        while row.len() < found.length {
            if !self.overflow(u32::from_be_bytes(next), is_old, &mut page)? {
                return Ok(None);
            }
            next.copy_from_slice(&page[..4]);
            row.extend_from_slice(&page[4..4 + OVERFLOW.min(found.length - row.len())]);
        }
        Ok(Some(row.split_off(found.length - found.batch)))
    }

    fn overflow(&self, number: u32, is_old: bool, page: &mut [u8]) -> std::io::Result<bool> {
        let newest = self.newest.get(&number).copied().filter(|_| !is_old);
        let (file, at) = match (newest, number.checked_sub(1)) {
            (_, None) => return Ok(false),
            (Some(at), _) => (Which::Log, at),
            (None, Some(before)) => (Which::Database, u64::from(before) * PAGE as u64),
        };
        let Some(file) = self.file(file) else { return Ok(false) };
        Ok(read(file, page, at)? > 0)
    }

    fn file(&self, which: Which) -> Option<&File> {
        match which {
            Which::Database => self.database.as_ref(),
            Which::Log => self.log.as_ref(),
        }
    }
}

/// The salts of a log, which each of its frames carries. Either the header or one frame may be damaged.
fn salts(log: &File) -> std::io::Result<[u8; 8]> {
    let mut salts = [[0; 8]; 3];
    let frame = |number: u64| WAL_HEADER + number * FRAME as u64 + 8;
    for (salts, at) in salts.iter_mut().zip([16, frame(0), frame(1)]) {
        read(log, salts, at)?;
    }
    let [header, first, second] = salts;
    Ok(if header == second { header } else { first })
}

/// Reports each place in a page where a batch's row begins. Its header holds the types of six columns: the number, which is
/// not in the row, three integers, a hash, and bytes.
fn rows(page: &[u8], mut report: impl FnMut(usize, Found)) {
    for from in 1..page.len().saturating_sub(9) {
        let header = usize::from(page[from]);
        if !(7..=9).contains(&header) || page[from + 1] != 0 || page[from + 5] != HASH {
            continue;
        }
        let integers: Option<usize> = page[from + 2..from + 5].iter().map(|of| integer_bytes(*of)).sum();
        let (Some(integers), Some((of, read))) = (integers, varint(&page[from + 6..])) else { continue };
        if read != header - 6 || of < 12 || of % 2 != 0 {
            continue;
        }
        let batch = (of as usize - 12) / 2;
        let length = header + integers + 32 + batch;
        if batch > BATCH_BYTES_MAX || from + local(length) > page.len() {
            continue;
        }
        let number = number(page, from, length);
        report(from, Found { number, is_committed: false, file: Which::Database, at: 0, length, batch });
    }
}

/// The number of a row: it stands before the content, behind the length of that.
fn number(page: &[u8], from: usize, length: usize) -> Option<i64> {
    (1..=9.min(from)).find_map(|taken| {
        let (number, read) = varint(&page[from - taken..])?;
        let lengths = (1..=3.min(from - taken))
            .find(|before| varint(&page[from - taken - before..]).is_some_and(|read| read == (length as u64, *before)));
        (read == taken && lengths.is_some()).then_some(number.cast_signed())
    })
}

/// Bytes of an integer by its type.
fn integer_bytes(of: u8) -> Option<usize> {
    match of {
        1..=4 => Some(usize::from(of)),
        5 => Some(6),
        6 => Some(8),
        8 | 9 => Some(0),
        _ => None,
    }
}

/// Bytes of a row that stand in its leaf.
fn local(length: usize) -> usize {
    let (most, least) = LOCAL;
    if length <= most {
        return length;
    }
    let local = least + (length - least) % OVERFLOW;
    if local <= most { local } else { least }
}

/// A number of 1 to 9 bytes, and how many.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some((number << 8 | u64::from(*byte), 9));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, at + 1));
        }
    }
    None
}

/// Fills a buffer as far as the file goes, the rest with zeros; returns how far.
fn read(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A sector that can't be read is as good as lost.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break,
            Err(error) => return Err(error),
        }
    }
    buffer[filled..].fill(0);
    Ok(filled)
}
