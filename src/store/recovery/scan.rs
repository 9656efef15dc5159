//! Finds batches in the raw pages of a database and its write-ahead log, without SQLite. An intact
//! row is recognised by its form, whatever is damaged around it. The caller must verify each find.
//!
//! Numbers of the format are in SQLite's documentation, "Database File Format". Nothing is written.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::wal::{FRAME, FRAME_HEADER, PAGE, WAL_HEADER, committed_frames, number_at};
use crate::proto::limits::STRIPPED_BATCH_BYTES_MAX;
use crate::store::files::beside;

/// Maximum bytes of a row in its leaf page, and the minimum there of a longer row.
const LOCAL: (usize, usize) = (PAGE - 35, (PAGE - 12) * 32 / 255 - 23);

/// Bytes of a row in an overflow page, after the number of the next page.
const OVERFLOW: usize = PAGE - 4;

/// The serial type of a column with 32 bytes.
const HASH: u8 = 12 + 2 * 32;

/// A row of the table of batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundRow {
    /// The arrival number, if it is legible.
    pub(crate) number: Option<i64>,
    /// True if its page was committed. Frames behind the last commit, or of an earlier log, may not
    /// have been.
    pub(crate) is_committed: bool,
    file: Which,
    /// The offset of its content.
    at: u64,
    /// The bytes of its content, and those of them that are the batch.
    length: usize,
    batch: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Database,
    Log,
}

/// The files that are scanned.
pub(crate) struct Pages {
    database: Option<File>,
    log: Option<File>,
    /// The offset of the newest version of each page in the log.
    newest: HashMap<u32, u64>,
    /// The offsets of the committed frames.
    committed: HashSet<u64>,
}

impl Pages {
    /// Opens a database and its log. Either may be missing.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let open = |path: &Path| match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        };
        let (database, log) = (open(path)?, open(&beside(path, "-wal"))?);
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
        // The frame with the end of a commit may be cut off or damaged, so the index of the log
        // counts too.
        let counted = committed_frames(path, &salts)?;
        frames.truncate(commits.max(usize::try_from(counted).unwrap_or(0)));
        for (number, (page, is_of_this_log)) in frames.into_iter().enumerate() {
            // Frames of an earlier log are in the database already.
            if is_of_this_log {
                let at = WAL_HEADER + (number * FRAME + FRAME_HEADER) as u64;
                pages.newest.insert(page, at);
                pages.committed.insert(at);
            }
        }
        Ok(pages)
    }

    /// Finds all rows that look like batches, those in the log first. A batch may be found several
    /// times.
    pub(crate) fn batches(&self) -> std::io::Result<Vec<FoundRow>> {
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
                rows(&page, |from, row| {
                    found.push(FoundRow { file: which, at: at + from as u64, is_committed, ..row })
                });
                at += step;
            }
        }
        Ok(found)
    }

    /// Reads the bytes of a found batch. Returns none if a part of them is missing.
    ///
    /// Overflow pages are read from the log if it has them, or with `is_old` from the database.
    pub(crate) fn read(&self, found: &FoundRow, is_old: bool) -> std::io::Result<Option<Vec<u8>>> {
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

/// Returns the salts of a log, which each of its frames repeats. Either the header or one frame may
/// be damaged.
fn salts(log: &File) -> std::io::Result<[u8; 8]> {
    let mut salts = [[0; 8]; 3];
    let frame = |number: u64| WAL_HEADER + number * FRAME as u64 + 8;
    for (salts, at) in salts.iter_mut().zip([16, frame(0), frame(1)]) {
        read(log, salts, at)?;
    }
    let [header, first, second] = salts;
    Ok(if header == second { header } else { first })
}

/// Reports each offset in a page where a row of a batch begins.
///
/// The row's header has the types of six columns: the arrival number, which is not in the row,
/// three integers, a hash, and bytes.
fn rows(page: &[u8], mut report: impl FnMut(usize, FoundRow)) {
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
        if batch > STRIPPED_BATCH_BYTES_MAX || from + local(length) > page.len() {
            continue;
        }
        let number = number(page, from, length);
        report(from, FoundRow { number, is_committed: false, file: Which::Database, at: 0, length, batch });
    }
}

/// Returns the arrival number of a row. It precedes the content, after the length of the content.
fn number(page: &[u8], from: usize, length: usize) -> Option<i64> {
    (1..=9.min(from)).find_map(|taken| {
        let (number, read) = varint(&page[from - taken..])?;
        let lengths = (1..=3.min(from - taken))
            .find(|before| varint(&page[from - taken - before..]).is_some_and(|read| read == (length as u64, *before)));
        (read == taken && lengths.is_some()).then_some(number.cast_signed())
    })
}

/// Returns the bytes of an integer with a serial type.
fn integer_bytes(of: u8) -> Option<usize> {
    match of {
        1..=4 => Some(usize::from(of)),
        5 => Some(6),
        6 => Some(8),
        8 | 9 => Some(0),
        _ => None,
    }
}

/// Returns the bytes of a row that are in its leaf page.
fn local(length: usize) -> usize {
    let (most, least) = LOCAL;
    if length <= most {
        return length;
    }
    let local = least + (length - least) % OVERFLOW;
    if local <= most { local } else { least }
}

/// Decodes a number of 1 to 9 bytes. Returns it and its length.
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

/// Fills a buffer from a file, and the rest with zeros. Returns the bytes read.
fn read(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // An unreadable sector counts as the end of the file.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break,
            Err(error) => return Err(error),
        }
    }
    buffer[filled..].fill(0);
    Ok(filled)
}
