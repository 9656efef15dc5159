//! Checks the write-ahead log of a database without SQLite. SQLite applies a log only up to the
//! first damaged frame, and silently drops the rest.
//!
//! Numbers of the format are in SQLite's documentation, "WAL-mode File Format". Nothing is written.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::store::files::beside;

/// Bytes of a page. The program never sets another size.
pub(crate) const PAGE: usize = 4096;

/// The first bytes of a database: SQLite's name, the page size, and constants.
pub(crate) const DATABASE_HEADER: &[u8; 24] = b"SQLite format 3\0\x10\x00\x02\x02\x00\x40\x20\x20";

/// Bytes of the log's header.
pub(crate) const WAL_HEADER: u64 = 32;

/// Bytes of a frame's header.
pub(crate) const FRAME_HEADER: usize = 24;

/// Bytes of a frame.
pub(crate) const FRAME: usize = FRAME_HEADER + PAGE;

/// Bytes of the header of the log's index, with its checksum. The index has two copies of it.
const INDEX_HEADER: usize = 48;

/// The state of a log that the last run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalState {
    /// All committed frames are in the log, or in the database already.
    Sound,
    /// Committed frames follow a damaged one.
    Broken,
    /// Committed frames are missing at the end, or the whole log is.
    Short,
}

/// Facts about the run that left a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastRun {
    /// True if it did not close the database.
    pub(crate) was_open: bool,
    /// True if the system has not rebooted since. Then all written data is there, synced or not.
    ///
    /// After a power failure, a later frame may be there without an earlier one, and the index may
    /// be older or newer than the log.
    pub(crate) is_same_boot: bool,
}

/// Checks the log of the database at `path`.
pub(crate) fn check(path: &Path, LastRun { was_open, is_same_boot }: LastRun) -> std::io::Result<WalState> {
    let index = if is_same_boot { index(path)? } else { None };
    let file = match File::open(beside(path, "-wal")) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let lost = index.map_or(was_open, |index| index.commits_beyond(0));
            return Ok(if lost { WalState::Short } else { WalState::Sound });
        }
        Err(error) => return Err(error),
    };
    let frames = file.metadata()?.len().saturating_sub(WAL_HEADER) / FRAME as u64;
    let mut header = [0; WAL_HEADER as usize];
    let Some(order) = read(&file, &mut header, 0)?.then(|| order(&header)).flatten() else {
        let lost = index.is_some_and(|index| index.commits_beyond(0));
        return Ok(match (frames, lost) {
            (0, false) => WalState::Sound,
            (0, true) => WalState::Short,
            _ => WalState::Broken,
        });
    };
    let salts = &header[16..24];
    let index = index.filter(|index| index.salts == salts);
    let Walk { committed, whole, broken, is_certain } = walk(&file, &header, order, frames)?;
    let lost = index.is_some_and(|index| u64::from(index.frames) > committed);
    Ok(match (lost || (is_certain && is_same_boot), broken) {
        (false, _) => WalState::Sound,
        (true, true) => WalState::Broken,
        // SQLite would drop the intact frames of a commit whose end is cut off.
        (true, false) if whole > committed => WalState::Broken,
        (true, false) => WalState::Short,
    })
}

/// Returns the number of frames that the last run committed, according to the index of the log.
/// Returns 0 if the index is missing, or belongs to a log with other salts.
///
/// A counted frame was written, even if it is damaged now.
pub(crate) fn committed_frames(path: &Path, salts: &[u8]) -> std::io::Result<u32> {
    Ok(index(path)?.filter(|index| index.salts == salts).map_or(0, |index| index.frames))
}

/// The result of reading a log from its beginning.
struct Walk {
    /// Frames up to the last commit that SQLite applies.
    committed: u64,
    /// Frames up to the last intact one.
    whole: u64,
    /// True if the log has further frames, which SQLite does not apply.
    broken: bool,
    /// True if those frames were certainly committed: a later frame follows their commit, and a
    /// frame is written only after the sync of the commit before it.
    is_certain: bool,
}

fn walk(file: &File, header: &[u8], order: ByteOrder, frames: u64) -> std::io::Result<Walk> {
    let mut sum = checksum(order, &header[..24], (0, 0));
    let mut walk = Walk { committed: 0, whole: 0, broken: false, is_certain: false };
    let (mut is_whole, mut has_commit) = (true, false);
    let mut frame = vec![0; FRAME];
    for number in 0..frames {
        if !read(file, &mut frame, WAL_HEADER + number * FRAME as u64)? {
            break;
        }
        let commits = frame[4..8] != [0; 4];
        if is_whole {
            sum = checksum(order, &frame[..8], sum);
            sum = checksum(order, &frame[FRAME_HEADER..], sum);
            let written = (number_at(&frame, 16), number_at(&frame, 20));
            if frame[8..16] == header[16..24] && written == sum {
                walk.whole = number + 1;
                walk.committed = if commits { number + 1 } else { walk.committed };
                continue;
            }
            is_whole = false;
        }
        // A restarted log changes both salts. A frame with one changed salt is damaged.
        if frame[8..12] != header[16..20] && frame[12..16] != header[20..24] {
            break;
        }
        walk.broken = true;
        walk.is_certain |= has_commit;
        has_commit |= commits;
    }
    Ok(walk)
}

/// The byte order of a log's checksums.
#[derive(Clone, Copy)]
enum ByteOrder {
    Little,
    Big,
}

/// Returns the byte order that an intact header names.
fn order(header: &[u8]) -> Option<ByteOrder> {
    let order = match number_at(header, 0) {
        0x377f_0682 => ByteOrder::Little,
        0x377f_0683 => ByteOrder::Big,
        _ => return None,
    };
    let is_sound = number_at(header, 8) == PAGE as u32
        && checksum(order, &header[..24], (0, 0)) == (number_at(header, 24), number_at(header, 28));
    is_sound.then_some(order)
}

fn checksum(order: ByteOrder, bytes: &[u8], (mut one, mut two): (u32, u32)) -> (u32, u32) {
    let word = |bytes: [u8; 4]| match order {
        ByteOrder::Little => u32::from_le_bytes(bytes),
        ByteOrder::Big => u32::from_be_bytes(bytes),
    };
    for pair in bytes.as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *pair;
        one = one.wrapping_add(word([a, b, c, d])).wrapping_add(two);
        two = two.wrapping_add(word([e, f, g, h])).wrapping_add(one);
    }
    (one, two)
}

/// Returns a big-endian number.
pub(crate) fn number_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The index of the log, in memory that outlives its process.
struct Index {
    salts: [u8; 8],
    /// Committed frames.
    frames: u32,
    /// Frames that are in the database already.
    moved: u32,
}

impl Index {
    fn commits_beyond(&self, frames: u32) -> bool {
        self.frames > frames && self.moved < self.frames
    }
}

/// Reads the `-shm` file. Returns none if it is missing, or was incomplete at the crash.
fn index(path: &Path) -> std::io::Result<Option<Index>> {
    let mut bytes = [0; 2 * INDEX_HEADER + 4];
    match File::open(beside(path, "-shm")) {
        Ok(file) if read(&file, &mut bytes, 0)? => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let (one, other) = bytes.split_at(INDEX_HEADER);
    let own = |at: usize| u32::from_ne_bytes([one[at], one[at + 1], one[at + 2], one[at + 3]]);
    let order = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };
    let is_sound = one == &other[..INDEX_HEADER] && checksum(order, &one[..40], (0, 0)) == (own(40), own(44));
    let mut salts = [0; 8];
    salts.copy_from_slice(&one[32..40]);
    let moved = u32::from_ne_bytes([other[48], other[49], other[50], other[51]]);
    Ok(is_sound.then_some(Index { salts, frames: own(16), moved }))
}

/// Fills a buffer. Returns false if the file ends before.
fn read(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<bool> {
    match file.read_exact_at(buffer, at) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}
