//! The write-ahead log of a database, read without SQLite: SQLite takes a log only up to the first frame that is not what
//! was written, and drops the rest of it without a word.
//!
//! Numbers of the format are in SQLite's own documentation, "WAL-mode File Format". Nothing is written here.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Bytes of a page. The program never sets another size.
pub(super) const PAGE: usize = 4096;

/// How each of our databases begins: SQLite's name, the size of a page, and what never changes.
pub(super) const DATABASE_HEADER: &[u8; 24] = b"SQLite format 3\0\x10\x00\x02\x02\x00\x40\x20\x20";

/// Bytes of the log's header.
pub(super) const WAL_HEADER: u64 = 32;

/// Bytes of a frame's header.
pub(super) const FRAME_HEADER: usize = 24;

/// Bytes of a frame.
pub(super) const FRAME: usize = FRAME_HEADER + PAGE;

/// Bytes of the header of the log's index, with its checksum. It stands there twice.
const INDEX_HEADER: usize = 48;

/// The state of a log that the last run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// Everything that was committed into it is in it, or in the database already.
    Sound,
    /// Commits stand behind a frame that is not what was written.
    Broken,
    /// Commits are missing at its end, or all of it.
    Short,
}

/// The name of what SQLite keeps beside a database: `-wal`, `-shm`.
pub(super) fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What is known of the run that left a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastRun {
    /// True if it did not close the database.
    pub(super) was_open: bool,
    /// True if the system has not started anew since. Then all that was written is here, synced or not. After a power
    /// failure a later frame may be here without an earlier one, and the index is older or newer than the log.
    pub(super) is_same_boot: bool,
}

/// Looks through the log of the database at `path`.
pub(super) fn check(path: &Path, LastRun { was_open, is_same_boot }: LastRun) -> std::io::Result<Log> {
    let index = if is_same_boot { index(path)? } else { None };
    let file = match File::open(with(path, "-wal")) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let lost = index.map_or(was_open, |index| index.commits_beyond(0));
            return Ok(if lost { Log::Short } else { Log::Sound });
        }
        Err(error) => return Err(error),
    };
    let frames = file.metadata()?.len().saturating_sub(WAL_HEADER) / FRAME as u64;
    let mut header = [0; WAL_HEADER as usize];
    let Some(order) = read(&file, &mut header, 0)?.then(|| order(&header)).flatten() else {
        let lost = index.is_some_and(|index| index.commits_beyond(0));
        return Ok(match (frames, lost) {
            (0, false) => Log::Sound,
            (0, true) => Log::Short,
            _ => Log::Broken,
        });
    };
    let salts = &header[16..24];
    let index = index.filter(|index| index.salts == salts);
    let Walk { committed, whole, broken, is_certain } = walk(&file, &header, order, frames)?;
    let lost = index.is_some_and(|index| u64::from(index.frames) > committed);
    Ok(match (lost || (is_certain && is_same_boot), broken) {
        (false, _) => Log::Sound,
        (true, true) => Log::Broken,
        // SQLite would drop the frames that are left of a commit whose end is cut off.
        (true, false) if whole > committed => Log::Broken,
        (true, false) => Log::Short,
    })
}

/// Frames that the last run committed into the log of the database at `path`, if it is the one with these salts and its index
/// is there. One that the index counts was written, even if it is not what was written any more.
pub(super) fn committed_frames(path: &Path, salts: &[u8]) -> std::io::Result<u32> {
    Ok(index(path)?.filter(|index| index.salts == salts).map_or(0, |index| index.frames))
}

/// What came of reading a log from its beginning.
struct Walk {
    /// Frames up to the last commit that SQLite takes.
    committed: u64,
    /// Frames up to the last one that is as it was written.
    whole: u64,
    /// True if frames of this log follow that SQLite does not take.
    broken: bool,
    /// True if they were committed for certain: something was written behind their commit, and that waits for its sync.
    is_certain: bool,
}

fn walk(file: &File, header: &[u8], order: Order, frames: u64) -> std::io::Result<Walk> {
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
        // Each time the log begins anew both salts change. One of them alone is damaged.
        if frame[8..12] != header[16..20] && frame[12..16] != header[20..24] {
            break;
        }
        walk.broken = true;
        walk.is_certain |= has_commit;
        has_commit |= commits;
    }
    Ok(walk)
}

/// How the checksums of a log read its bytes.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

/// The order that a sound header names.
fn order(header: &[u8]) -> Option<Order> {
    let order = match number_at(header, 0) {
        0x377f_0682 => Order::Little,
        0x377f_0683 => Order::Big,
        _ => return None,
    };
    let is_sound = number_at(header, 8) == PAGE as u32
        && checksum(order, &header[..24], (0, 0)) == (number_at(header, 24), number_at(header, 28));
    is_sound.then_some(order)
}

fn checksum(order: Order, bytes: &[u8], (mut one, mut two): (u32, u32)) -> (u32, u32) {
    let word = |bytes: [u8; 4]| match order {
        Order::Little => u32::from_le_bytes(bytes),
        Order::Big => u32::from_be_bytes(bytes),
    };
    for pair in bytes.as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *pair;
        one = one.wrapping_add(word([a, b, c, d])).wrapping_add(two);
        two = two.wrapping_add(word([e, f, g, h])).wrapping_add(one);
    }
    (one, two)
}

/// A big-endian number.
pub(super) fn number_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// What the last run noted of its log, in memory that outlives its process.
struct Index {
    salts: [u8; 8],
    /// Frames that were committed.
    frames: u32,
    /// How many of them are in the database already.
    moved: u32,
}

impl Index {
    fn commits_beyond(&self, frames: u32) -> bool {
        self.frames > frames && self.moved < self.frames
    }
}

/// Reads the `-shm` file; none if it is missing, or was not complete at the moment of the crash.
fn index(path: &Path) -> std::io::Result<Option<Index>> {
    let mut bytes = [0; 2 * INDEX_HEADER + 4];
    match File::open(with(path, "-shm")) {
        Ok(file) if read(&file, &mut bytes, 0)? => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let (one, other) = bytes.split_at(INDEX_HEADER);
    let own = |at: usize| u32::from_ne_bytes([one[at], one[at + 1], one[at + 2], one[at + 3]]);
    let order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
    let is_sound = one == &other[..INDEX_HEADER] && checksum(order, &one[..40], (0, 0)) == (own(40), own(44));
    let mut salts = [0; 8];
    salts.copy_from_slice(&one[32..40]);
    let moved = u32::from_ne_bytes([other[48], other[49], other[50], other[51]]);
    Ok(is_sound.then_some(Index { salts, frames: own(16), moved }))
}

/// Fills a buffer; false where the file ends before.
fn read(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<bool> {
    match file.read_exact_at(buffer, at) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}
