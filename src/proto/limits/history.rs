//! History: how much of whom is kept, what is compared, and what is fetched.

/// Most logs of one author: one for each start and audience, so years of daily starts.
pub const LOGS_PER_AUTHOR_MAX: usize = 4096;

/// Authors of whom something is kept though this node never met them: eight times as many as a room is meant for may have
/// come and gone, and a member who makes up keys fills no list of members without end.
pub const UNMET_AUTHORS_MAX: usize = 2048;

/// Logs in all of authors whom this node never met: a hundred of them have started anew each day for almost two years. Each
/// takes about half a KiB of memory.
pub const UNMET_LOGS_MAX: usize = 65_536;

/// What one other member's logs may take, unless set otherwise, in bytes: years of talk, and all that a flood can cost.
pub const AUTHOR_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How much the history of a member grows until its user is told again how much it is, in bytes.
pub const AUTHOR_BYTES_STEP: u64 = 1024 * 1024;

/// Most ranges held beyond a gap in one log: enough for splits in life, too few to be a burden.
pub const RANGES_PER_LOG_MAX: usize = 8;

/// How long receipts are gathered before they go out, in milliseconds.
pub const RECEIPT_GATHER_MS: u64 = 20;

/// How often a node compares what it holds with one peer in turn, in milliseconds.
pub const COMPARE_EVERY_MS: u64 = 5_000;

/// How often a node compares with all its peers because of new forks, in milliseconds. Each node between the two ends of a
/// room adds this to the time that a fork takes to be known there, which is to be below 10 s.
///
/// Forks of authors that were made up can cause this many rounds for as long as there is room for such authors
/// ([`UNMET_AUTHORS_MAX`], [`super::NEWCOMERS_PER_ADDRESS`]): some hundred bytes for each peer in a room of ten.
pub const FORK_SPREAD_EVERY_MS: u64 = 500;

/// A comparison or fetch without an answer this long is given up, and another peer asked, in milliseconds.
pub const FETCH_PATIENCE_MS: u64 = 2_000;

/// How long one comparison may go on while others at its address wait, in milliseconds: whole ones take a few answers on any
/// network, and one that never ends costs the others no more than this at a time.
pub const COMPARE_TURN_MS: u64 = 500;

/// How long a peer that delivered nothing yet, or failed, holds up others, in milliseconds: several times what an answer
/// takes on a LAN. One that takes longer is still heard.
pub const DOUBTFUL_MS: u64 = 100;

/// Peers at one address that are tried at once, if others there do not answer: 64 of them
/// ([`super::NEWCOMERS_PER_ADDRESS`]), each tried for [`DOUBTFUL_MS`], take about a second. Each is asked for
/// [`PAGE_BYTES_MIN`], of which all but one may come in vain.
pub const PROBES_PER_ADDRESS_MAX: usize = 8;

/// Comparisons that go on at a time, each at another address: more than the addresses of most attackers, so that a peer
/// elsewhere has its turn at once. Each takes about 10 KiB at the most (256 authors that differ).
pub const COMPARISONS_MAX: usize = 32;

/// Peers that a round compares with every [`COMPARE_EVERY_MS`], of those who may hold something else: all of most rooms, and
/// more than the strangers of one address. With each, 1,000 bytes or so are exchanged in a room of ten.
pub const COMPARE_ROUND_MAX: usize = 64;

/// Pages of history under way at a time, each from another address: enough to fill any line, and more than the addresses of
/// most attackers.
pub const FETCHES_MAX: usize = 32;

/// A fetch without an answer this long counts as a failure, and holds up the others no more, in milliseconds. Its answer is
/// still taken. A page is meant to take [`PAGE_MS`]; four times as much passes on a bad day.
pub const FETCH_OVERDUE_MS: u64 = 1_000;

/// How long a peer is not asked after its first failure, in milliseconds; doubled with each further one.
pub const FAILED_PAUSE_MS_MIN: u64 = 1_000;

/// Longest pause of a peer that fails again and again, in milliseconds: an honest one whose machine was frozen is asked again
/// soon after it woke, and 64 strangers of an address are asked no more than 4 times a second.
pub const FAILED_PAUSE_MS_MAX: u64 = 16_000;

/// Peers, and addresses, whose answers are remembered: twice as many as have links, so that one that fails and comes back is
/// known. Each takes less than 100 bytes.
pub const RANKED_MAX: usize = 2 * super::LINKS_MAX;

/// Longest page of a comparison in bytes.
pub const COMPARE_PAGE_BYTES_MAX: usize = 16 * 1024;

/// Fetches that a node serves at a time; others wait for their turn, one of each link.
pub const FETCHES_SERVED_MAX: usize = 4;

/// Longest page of history in bytes: with its frame below [`super::FRAME_BYTES_MAX`], and one batch always fits.
pub const PAGE_BYTES_MAX: usize = 192 * 1024;

/// Shortest page of history that is asked for, in bytes.
pub const PAGE_BYTES_MIN: usize = 4 * 1024;

/// How long a page of history may occupy a link, in milliseconds: what is new never waits longer behind what is old.
pub const PAGE_MS: u64 = 250;

/// Bytes of own batches on a link without a receipt; beyond, that peer is behind and fetches.
pub const PUSH_UNRECEIPTED_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of batches on their way to the disk; beyond, no more is heard until some of them are there: whoever writes
/// faster than the disk waits, and others wait no longer than for a commit or two.
pub const UNWRITTEN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A peer that was too busy to serve a fetch is asked again after this time, in milliseconds: a page takes [`PAGE_MS`].
pub const FETCH_RETRY_MS: u64 = 500;

/// What a peer said that it holds and then sent nothing of is asked of it again after this time, in milliseconds: a later program
/// may have written it, and then it is passed over each time.
pub const VAIN_RETRY_MS: u64 = 60_000;

/// Gaps that are remembered for a link; what is beyond is found by the next comparison. With what was asked for in vain they
/// take 64 KiB at the most, on all links together 64 MiB.
pub const WANTS_MAX: usize = 512;

/// After a comparison the other side's difference asks for another one no sooner than this, in milliseconds.
pub const COMPARE_AGAIN_MS: u64 = 1_000;

/// Pages of history that were read for peers and wait for the engine: one for each fetch that is served, and more.
pub const HISTORY_PAGES_WAITING_MAX: usize = 16;
