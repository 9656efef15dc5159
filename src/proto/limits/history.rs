//! Limits of history: how much is kept of each author, what is compared, and what is fetched.

/// Logs of one author: one for each start and audience, so years of daily starts.
pub const LOGS_PER_AUTHOR_MAX: usize = 4096;

/// Authors whom this node never met but of whom it keeps entries: eight times the size of a large
/// room may have come and gone. Without a limit, a member that invents keys could fill the list of
/// members.
pub const UNMET_AUTHORS_MAX: usize = 2048;

/// Logs in total of authors whom this node never met: those of a hundred authors with daily starts
/// for almost two years. Each takes about half a KiB of memory.
pub const UNMET_LOGS_MAX: usize = 65_536;

/// Default size limit of another member's logs, in bytes: years of conversation, and the most that
/// a flood can cost.
pub const AUTHOR_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Growth of a member's history after which the user is shown its new size, in bytes.
pub const AUTHOR_BYTES_STEP: u64 = 1024 * 1024;

/// Ranges held beyond a gap in one log: enough for real partitions, few enough to be cheap.
pub const RANGES_PER_LOG_MAX: usize = 8;

/// How long receipts are collected before they are sent, in milliseconds.
pub const RECEIPT_GATHER_MS: u64 = 20;

/// Interval of the periodic comparisons, in milliseconds.
pub const COMPARE_EVERY_MS: u64 = 5_000;

/// Shortest interval between comparisons with all peers because of new forks, in milliseconds. Each
/// node between the two ends of a room adds this to the time until a fork is known there, which is
/// to stay below 10 s.
///
/// Forks of invented authors can cause such rounds as long as such authors are accepted
/// ([`UNMET_AUTHORS_MAX`], [`super::NEWCOMERS_PER_ADDRESS`]): some hundred bytes per peer in a room
/// of ten.
pub const FORK_SPREAD_EVERY_MS: u64 = 500;

/// Timeout of a comparison or fetch, in milliseconds. Then another peer is asked.
pub const FETCH_PATIENCE_MS: u64 = 2_000;

/// How long one comparison may continue while others at its address wait, in milliseconds. A
/// complete comparison takes a few round trips, and one that never ends costs the others no more
/// than this at a time.
pub const COMPARE_TURN_MS: u64 = 500;

/// How long a peer that delivered nothing yet, or failed, may delay others, in milliseconds:
/// several round trips on a LAN. A later answer is still used.
pub const DOUBTFUL_MS: u64 = 100;

/// Peers at one address that are tried at once if others there do not answer. 64 of them
/// ([`super::NEWCOMERS_PER_ADDRESS`]), each tried for [`DOUBTFUL_MS`], take about a second. Each is
/// asked for [`PAGE_BYTES_MIN`], of which all but one page may be wasted.
pub const PROBES_PER_ADDRESS_MAX: usize = 8;

/// Simultaneous comparisons, each at another address: more than most attackers have, so that a peer
/// elsewhere gets its turn at once. Each takes up to about 10 KiB (256 authors that differ).
pub const COMPARISONS_MAX: usize = 32;

/// Peers compared with in one round, among those that may hold something else: all of most rooms,
/// and more than the strangers of one address. Each comparison exchanges about 1,000 bytes in a
/// room of ten.
pub const COMPARE_ROUND_MAX: usize = 64;

/// Simultaneous fetches, each from another address: enough to use any network fully, and more than
/// the addresses of most attackers.
pub const FETCHES_MAX: usize = 32;

/// Time after which an unanswered fetch counts as failed and no longer delays others, in
/// milliseconds. Its answer is still used. A page should take [`PAGE_MS`]; four times as much
/// happens on a slow network.
pub const FETCH_OVERDUE_MS: u64 = 1_000;

/// Pause of a peer after its first failure, in milliseconds; doubled with each further one.
pub const FAILED_PAUSE_MS_MIN: u64 = 1_000;

/// Longest pause of a failing peer, in milliseconds. An honest machine that was suspended is asked
/// again soon after it resumes, and 64 strangers at an address are asked no more than 4 times a
/// second.
pub const FAILED_PAUSE_MS_MAX: u64 = 16_000;

/// Peers, and addresses, whose results are remembered: twice the number of links, so that one that
/// fails and reconnects is recognised. Each takes less than 100 bytes.
pub const RANKED_MAX: usize = 2 * super::LINKS_MAX;

/// Longest page of a comparison, in bytes.
pub const COMPARE_PAGE_BYTES_MAX: usize = 16 * 1024;

/// Fetches that a node serves simultaneously. Others wait for their turn, at most one per link.
pub const FETCHES_SERVED_MAX: usize = 4;

/// Longest page of history, in bytes. With its frame it stays below [`super::FRAME_BYTES_MAX`], and
/// one batch always fits.
pub const PAGE_BYTES_MAX: usize = 192 * 1024;

/// Shortest page of history that is requested, in bytes.
pub const PAGE_BYTES_MIN: usize = 4 * 1024;

/// How long a page of history may occupy a link, in milliseconds, so that new messages never wait
/// longer behind old ones.
pub const PAGE_MS: u64 = 250;

/// Send window: bytes of own batches on a link without a receipt. Beyond, the peer is behind and
/// fetches.
pub const PUSH_UNRECEIPTED_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of batches waiting for the disk. Beyond, no frames are read until some are written. So a
/// fast writer waits, and others wait only for a commit or two.
pub const UNWRITTEN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Pause before a peer that was too busy to serve a fetch is asked again, in milliseconds: twice
/// the time of a page ([`PAGE_MS`]).
pub const FETCH_RETRY_MS: u64 = 500;

/// Pause before a peer is asked again for something it claimed to hold but did not send, in
/// milliseconds. A newer version may have written it, which this version skips each time.
pub const VAIN_RETRY_MS: u64 = 60_000;

/// Gaps remembered per link; the next comparison finds the rest. With the failed requests they take
/// up to 64 KiB, or 64 MiB on all links.
pub const WANTS_MAX: usize = 512;

/// Shortest time between two comparisons caused by differences that the peer found, in
/// milliseconds.
pub const COMPARE_AGAIN_MS: u64 = 1_000;

/// Pages of history read for peers that wait for the engine: more than the fetches served at once.
pub const HISTORY_PAGES_WAITING_MAX: usize = 16;
