//! Every limit of the program, each with its reason. What a peer, a page or a user can make grow ends here.

/// Longest text of a message, in bytes of UTF-8: a long log excerpt fits, and a batch of one always does.
pub const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Longest name, in characters as people see them (graphemes).
pub const NAME_GRAPHEMES_MAX: usize = 32;

/// Longest name in bytes of UTF-8, so that a beacon stays below 512 bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Most entries under one signature. A signature costs as much as 200 sealed records, so 64 make it cheap.
pub const BATCH_ENTRIES_MAX: usize = 64;

/// Longest batch in bytes: two fit into a frame, and one body of [`TEXT_BYTES_MAX`] into a batch.
pub const BATCH_BYTES_MAX: usize = 128 * 1024;

/// Longest body of an entry in bytes: a text, its random bytes and the names of channel and answered entry.
pub const BODY_BYTES_MAX: usize = TEXT_BYTES_MAX + 1024;

/// Longest frame on a link in bytes.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Longest first frame in bytes: whoever has proved nothing yet gets little memory.
pub const FIRST_FRAME_BYTES_MAX: usize = 4 * 1024;

/// Longest beacon in bytes: below every network's smallest packet, so never fragmented.
pub const BEACON_BYTES_MAX: usize = 512;

/// Longest header of a batch in bytes: [`BATCH_ENTRIES_MAX`] slots need 3.5 KiB, and a newer program may add something.
/// Two of them, the proof of a fork, fit into a page of a comparison.
pub const HEADER_BYTES_MAX: usize = 6 * 1024;

/// How far a node's logical clock may be ahead of its own wall clock, in milliseconds.
pub const CLOCK_AHEAD_MS_MAX: u64 = 60_000;

/// Most logs of one author: one for each start and audience, so years of daily starts.
pub const LOGS_PER_AUTHOR_MAX: usize = 4096;

/// What one other member's logs may take, unless set otherwise, in bytes: years of talk, and all that a flood can cost.
pub const AUTHOR_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How much the history of a member grows until its user is told again how much it is, in bytes.
pub const AUTHOR_BYTES_STEP: u64 = 1024 * 1024;

/// Free bytes on the disk, and per cent of it, below which nothing of others is taken, whichever is less: the rest is for
/// what the own user says.
pub const DISK_FREE_MIN: (u64, u64) = (200 * 1024 * 1024, 5);

/// How often the free space is looked at, in milliseconds: at 20 MiB a second half of [`DISK_FREE_MIN`] passes.
pub const DISK_EVERY_MS: u64 = 5_000;

/// Authors in a frame that says whose logs are taken no further: each has taken a whole quota of the disk.
pub const FRAME_CLOSED_MAX: usize = 1024;

/// Most ranges held beyond a gap in one log: enough for splits in life, too few to be a burden.
pub const RANGES_PER_LOG_MAX: usize = 8;

/// TCP, TLS and first frames together, in milliseconds.
pub const HANDSHAKE_MS_MAX: u64 = 10_000;

/// Links that have not finished their handshake.
pub const HANDSHAKES_MAX: usize = 64;

/// Silence on a link after which a node asks "are you there", in milliseconds.
pub const PING_AFTER_MS: u64 = 3_000;

/// Silence after which a member is shown as unsure, in milliseconds.
pub const UNSURE_AFTER_MS: u64 = 8_000;

/// Silence after which a link is given up, in milliseconds.
pub const LOST_AFTER_MS: u64 = 15_000;

/// When a second link comes up and the first was heard on within this time, both sides may have dialled at once; else
/// the first is taken for lost, in milliseconds.
pub const ALIVE_MS: u64 = 1_000;

/// A link that ended without a goodbye and is back within this time is not announced, in milliseconds.
pub const LOST_GRACE_MS: u64 = 2_000;

/// A second instance of one key is let in once the first was silent on a probe this long, in milliseconds.
pub const PROBE_MS: u64 = 2_000;

/// When one key is in use twice, the next try, in milliseconds.
pub const KEY_IN_USE_RETRY_MS: u64 = 60_000;

/// A gap between two turns of the engine that means this machine slept, in milliseconds.
pub const SLEPT_MS: u64 = 5_000;

/// After it slept, a node declares nobody lost for this long, in milliseconds.
pub const SLEPT_GRACE_MS: u64 = 2_000;

/// How long receipts are gathered before they go out, in milliseconds.
pub const RECEIPT_GATHER_MS: u64 = 20;

/// A node whose beacon came in within this time counts as heard, in milliseconds: a dozen beacons may be lost.
pub const HEARD_FRESH_MS: u64 = 60_000;

/// How often a node compares what it holds with one peer in turn, in milliseconds.
pub const COMPARE_EVERY_MS: u64 = 5_000;

/// A comparison or fetch without an answer this long is given up, and another peer asked, in milliseconds.
pub const FETCH_PATIENCE_MS: u64 = 2_000;

/// How long one comparison may go on while others wait, in milliseconds: whole ones take a few answers on any network,
/// and one that never ends costs the others no more than this at a time.
pub const COMPARE_TURN_MS: u64 = 500;

/// Longest page of a comparison in bytes.
pub const COMPARE_PAGE_BYTES_MAX: usize = 16 * 1024;

/// Fetches that a node serves at a time; more are told "busy" and try elsewhere.
pub const FETCHES_SERVED_MAX: usize = 4;

/// Longest page of history in bytes: with its frame below [`FRAME_BYTES_MAX`], and one batch always fits.
pub const PAGE_BYTES_MAX: usize = 192 * 1024;

/// Shortest page of history that is asked for, in bytes.
pub const PAGE_BYTES_MIN: usize = 4 * 1024;

/// How long a page of history may occupy a link, in milliseconds: what is new never waits longer behind what is old.
pub const PAGE_MS: u64 = 250;

/// Bytes of own batches on a link without a receipt; beyond, that peer is behind and fetches.
pub const PUSH_UNRECEIPTED_BYTES_MAX: usize = 1024 * 1024;

/// Rows of the address book, and senders of beacons remembered; beyond, the oldest unverified row goes.
pub const ADDRESSES_MAX: usize = 1024;

/// First wait after a dial that failed, in milliseconds.
pub const DIAL_BACKOFF_MS_MIN: u64 = 1_000;

/// Longest wait between dials to one address, in milliseconds.
pub const DIAL_BACKOFF_MS_MAX: u64 = 60_000;

/// Failed dials that one address may cost at once; one more every [`DIAL_FAILURES_PER_ADDRESS_REFILL_MS`].
pub const DIAL_FAILURES_PER_ADDRESS: u64 = 16;

/// How long until an address has one more failed dial to spend, in milliseconds.
pub const DIAL_FAILURES_PER_ADDRESS_REFILL_MS: u64 = 5_000;

/// Failed dials in all at once; one more every [`DIAL_FAILURES_REFILL_MS`].
pub const DIAL_FAILURES: u64 = 32;

/// How long until there is one more failed dial to spend in all, in milliseconds.
pub const DIAL_FAILURES_REFILL_MS: u64 = 500;

/// Beacons of unknown nodes that count, a second from one address.
pub const BEACONS_PER_ADDRESS: u64 = 64;

/// Beacons of unknown nodes that count, a second in all.
pub const BEACONS: u64 = 512;

/// Packets on the beacons' port that are looked at, a second from one address: more than the nodes of a server send.
pub const PACKETS_PER_ADDRESS: u64 = 128;

/// Packets on the beacons' port that are looked at, a second in all: a thousand nodes that start at once.
pub const PACKETS: u64 = 1_000;

/// Dials at a time: each costs a socket and a handshake at both ends.
pub const DIALS_MAX: usize = 32;

/// Failures after which an address that was not given by the user is forgotten.
pub const DIAL_FAILURES_FORGET: u32 = 12;

/// Failures after which an address is forgotten that a peer named as its own: many lead nowhere from here (containers).
pub const DIAL_FAILURES_FORGET_SAID: u32 = 2;

/// Lowest TCP port that is dialled on the word of others: below are services on which nobody shall be made to knock.
pub const PORT_MIN: u16 = 1024;

/// Addresses at which a member is said to listen that are tried: more than a machine has networks in common with us.
pub const SAID_MAX: usize = 8;

/// Wrong room keys that are looked at from one address within [`WRONG_KEYS_EVERY_MS`]: enough for somebody's mistakes.
pub const WRONG_KEYS_MAX: usize = 5;

/// How long a wrong room key counts, in milliseconds; after one, the address is not dialled for as long.
pub const WRONG_KEYS_EVERY_MS: u64 = 60_000;

/// A node younger than this lets those with smaller ids dial first, in milliseconds.
pub const YOUNG_MS: u64 = 3_000;

/// How long a young node waits before it dials a smaller id, in milliseconds.
pub const YOUNG_WAIT_MS: u64 = 300;

/// For each link that a node has it waits up to this long before it dials a newcomer, in milliseconds.
pub const DIAL_SPREAD_MS: u64 = 2;

/// When the first beacons go out, in milliseconds after the start: one may be lost, an interface may come up late.
pub const BEACON_BURST_MS: [u64; 3] = [0, 300, 1_000];

/// Until so long after the start beacons go out faster, in milliseconds.
pub const BEACON_FAST_UNTIL_MS: u64 = 10_000;

/// Time between beacons at first, in milliseconds.
pub const BEACON_FAST_MS: u64 = 2_000;

/// Time between beacons later, in milliseconds.
pub const BEACON_SLOW_MS: u64 = 5_000;

/// Random part of the time between beacons, so that nodes that started together do not stay together.
pub const BEACON_JITTER_PER_CENT: u64 = 10;

/// Silence after which a beacon means that the way there is open again, in milliseconds: two beacons may be lost.
pub const BEACON_SILENT_MS: u64 = 15_000;

/// Shortest time before an early beacon, in milliseconds.
pub const BEACON_EARLY_MS: u64 = 1_000;

/// Own messages whose receipts are followed for the page; of older ones the store still counts them.
pub const OWN_LINES_FOLLOWED_MAX: usize = 1_000;

/// Entries signed for one commit: enough to fill the disk's time, few enough to keep the next one near.
pub const SIGN_AT_ONCE_MAX: usize = 1_024;

/// Entries of this node's user that wait for their commit; beyond, the answer is "busy".
pub const SAYS_WAITING_MAX: usize = 4096;

/// A peer that was asked to pass on a member and does not answer for this long is no help, in milliseconds.
pub const RELAY_PATIENCE_MS: u64 = 2_000;

/// Links at a time, whoever is at the other end.
pub const LINKS_MAX: usize = 1024;

/// Strangers from one address, or through peers there, that become members at once: the users of a server; one more every
/// [`NEWCOMERS_PER_ADDRESS_REFILL_MS`].
pub const NEWCOMERS_PER_ADDRESS: u64 = 64;

/// How long until another stranger may come from an address, in milliseconds.
pub const NEWCOMERS_PER_ADDRESS_REFILL_MS: u64 = 5_000;

/// How long whoever said that it is full is not dialled, in milliseconds, and up to as much again.
pub const BUSY_RETRY_MS: u64 = 2_000;

/// Notices kept: more than anybody scrolls through, and they are none of the room's history.
pub const NOTICES_KEPT: u64 = 1_000;

/// Starts of the program that a database remembers, so that a tab from one of them can go on: years of daily starts.
pub const RUNS_KEPT: u64 = 1_000;

/// Messages that are told again when the name under which they were said comes late: more than a page shows at once.
pub const RENAMED_LINES_MAX: usize = 256;

/// How long a caller's `ref` is remembered, in milliseconds: 30 days.
pub const REF_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Bytes that a tab which comes back may have missed; beyond, it starts afresh.
pub const RESUME_BYTES_MAX: usize = 1024 * 1024;

/// What one message costs on its way to a page beside its text (which stands there twice), in bytes.
pub const LINE_OVERHEAD_BYTES: usize = 512;

/// Reads of the database at a time; others wait. Each is one bounded page.
pub const READERS: usize = 4;

/// Pieces of work that share one commit, and so one wait for the disk.
pub const COMMIT_WRITES_MAX: usize = 1_024;

/// Bytes of batches that share one commit: below half a second of writing on a slow disk.
pub const COMMIT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Writes that wait in memory while the disk is full; beyond, the oldest (a receipt or a notice) is forgotten.
pub const WRITES_DEFERRED_MAX: usize = 4_096;

/// How often deferred writes are tried again, in milliseconds.
pub const DISK_FULL_RETRY_MS: u64 = 1_000;

/// Bytes written ahead after which they are moved into the database, beside the writer.
pub const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;

/// Length of the write-ahead log at which the writer itself waits for that: sustained load must not fill the disk.
pub const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest path of a Unix socket in bytes: the system's structure holds 108, one of them the closing zero.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Lowest and highest version of the protocol that this program speaks.
pub const PROTOCOL_VERSIONS: (u64, u64) = (1, 1);

/// Batches in one frame: what fits into [`FRAME_BYTES_MAX`] at the shortest that a batch can be.
pub const FRAME_BATCHES_MAX: usize = 1024;

/// Receipts in one frame: what 20 ms gather from every author that a page of history can name, and far more.
pub const FRAME_RECEIPTS_MAX: usize = 1024;

/// Authors in a page of a comparison: what fits into [`COMPARE_PAGE_BYTES_MAX`].
pub const FRAME_AUTHORS_MAX: usize = 256;

/// Logs in a page of a comparison: what fits into [`COMPARE_PAGE_BYTES_MAX`].
pub const FRAME_LOGS_MAX: usize = 256;

/// Addresses at which a node says that it listens: more than a machine with containers has.
pub const LISTENS_MAX: usize = 64;

/// Frames that wait on a link for its writer: own batches without a receipt at their shortest, and what else is said.
pub const LINK_QUEUE_FRAMES_MAX: usize = 8192;

/// Bytes that wait on a link for its writer: own batches without a receipt, a page for each fetch served, and as much again.
pub const LINK_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long the last frame may take to leave before the connection is dropped, in milliseconds: a stop has 3 s in all.
pub const FAREWELL_MS: u64 = 1_000;

/// Bytes of frames that have come in and wait for the engine, over all links; beyond, links wait in turn to be read.
pub const FRAMES_WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of batches on their way to the disk; beyond, no more is heard until some of them are there: whoever writes
/// faster than the disk waits, and others wait no longer than for a commit or two.
pub const UNWRITTEN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes that the system may hold on a link before it says "full": what is said next waits behind no more than this.
pub const TCP_NOTSENT_BYTES: u32 = 32 * 1024;

/// Most bytes that a link's writer hands over at once: several frames share a system call, and a stop is noticed between.
pub const LINK_WRITE_BYTES_MAX: usize = 64 * 1024;

/// Frames up to this are checked on the task that reads them, in bytes: the signatures in longer ones hold up others.
pub const DECODE_INLINE_BYTES_MAX: usize = 16 * 1024;

/// While a long frame comes in, how often that is reported as a sign of life, in milliseconds.
pub const HEARD_EVERY_MS: u64 = 1_000;

/// First wait of a listener that can't accept (no file descriptors, say), in milliseconds; doubled each time.
pub const ACCEPT_BACKOFF_MS_MIN: u64 = 10;

/// Longest wait of a listener that can't accept, in milliseconds.
pub const ACCEPT_BACKOFF_MS_MAX: u64 = 1_000;

/// At most one warning of one kind in this time, in milliseconds: a cut network is no reason to fill a disk.
pub const WARN_EVERY_MS: u64 = 60_000;

/// How often the list of network interfaces is read, in milliseconds: a new address is used before anybody waits for it.
pub const INTERFACES_EVERY_MS: u64 = 2_000;

/// How long the address of a name may take that beacons go to, in milliseconds; the next beacon asks again.
pub const LOOKUP_MS_MAX: u64 = 2_000;

/// Longest body of a request to the page, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// How long a browser may take for the headers of a request, and again for its body, in milliseconds.
pub const REQUEST_MS_MAX: u64 = 10_000;

/// Connections to the page; beyond, the one that waits longest for its headers makes room.
pub const WEB_CONNECTIONS_MAX: usize = 128;

/// A connection to the page that takes nothing of what it was sent for this long is closed, in milliseconds.
pub const WEB_WRITE_STALL_MS: u64 = 13_000;

/// How long a connection that we close is read on, so that our last words are not lost to a reset, in milliseconds.
pub const WEB_LINGER_MS: u64 = 1_000;

/// What a wrong token costs the guesser, in milliseconds.
pub const GUESS_MS: u64 = 100;

/// Wrong tokens that wait in turn for their answer; more don't wait for each other.
pub const GUESSES_WAITING_MAX: usize = 16;

/// Sockets that have not said a valid hello; the next one displaces the oldest.
pub const HELLOS_WAITING_MAX: usize = 32;

/// How long a socket may take for its hello, and again for its proof, in milliseconds.
pub const HELLO_MS_MAX: u64 = 5_000;

/// Longest frame from a page in bytes: a text of 32 KiB fits, whatever its characters are written as.
pub const PAGE_FRAME_BYTES_MAX: usize = 256 * 1024;

/// Most frames from a page in one second.
pub const PAGE_FRAMES_PER_SECOND: u32 = 1_000;

/// What pages may be behind, in bytes of recent events kept for all of them together.
pub const PAGE_BEHIND_BYTES_MAX: usize = 1024 * 1024;

/// What pages may be behind, in number of events.
pub const PAGE_BEHIND_EVENTS_MAX: usize = 8192;

/// What pages may be behind, in milliseconds.
pub const PAGE_BEHIND_MS_MAX: u64 = 10_000;

/// Most bytes of events that a page is sent in one write.
pub const PAGE_WRITE_BYTES_MAX: usize = 64 * 1024;

/// Frames of a page that wait for the node's answer; until one is there no more are read.
pub const PAGE_ASKS_MAX: usize = 64;

/// How often a page hears that the node is there, in milliseconds.
pub const BEAT_MS: u64 = 15_000;

/// A page that sends nothing at all, no answer to a ping either, is given up after this long, in milliseconds.
pub const PAGE_SILENT_MS_MAX: u64 = 45_000;

/// How often at most a page hears of one message how many hold it, in milliseconds.
pub const HELD_EVERY_MS: u64 = 100;

/// Messages in the first frame to a fresh page.
pub const WELCOME_MESSAGES: usize = 80;

/// Bytes of messages in the first frame to a fresh page; one message always goes.
pub const WELCOME_BYTES_MAX: usize = 64 * 1024;

/// Messages and notices in the first frame to a page that comes back; if there are more, it starts afresh.
pub const RESUME_ENTRIES_MAX: usize = 1_000;

/// Own messages of which a page that comes back is told again how many hold them.
pub const RESUME_HELD_MAX: usize = 200;

/// Bytes of messages on one page of history; one message always goes.
pub const HISTORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Messages on one page of history, and how many if nobody says.
pub const HISTORY_LIMIT: (usize, usize) = (500, 100);

/// Hits of one search, and how many if nobody says.
pub const SEARCH_LIMIT: (usize, usize) = (500, 50);

/// Longest that is looked for, in bytes: more than anybody types, and a bounded piece of work.
pub const SEARCH_BYTES_MAX: usize = 1024;

/// Longest word in the index of a search, in bytes; of longer ones the beginning.
pub const WORD_BYTES_MAX: usize = 128;

/// The newest messages that a search looks through itself as long as they are not in the index.
pub const SEARCH_UNINDEXED_MAX: usize = 1_000;

/// Hits at one place that a page of them puts into their order: authors who spoke in the same instant.
pub const SEARCH_TIES_MAX: usize = 64;

/// Entries that go into the index of words in one step, between two commits: a few milliseconds.
pub const INDEX_ENTRIES_MAX: usize = 256;

/// Bytes of text in one such step; one entry always goes.
pub const INDEX_BYTES_MAX: usize = 256 * 1024;

/// Entries that may wait for the index while the writer has other work; beyond, each commit is followed by a step.
pub const INDEX_BEHIND_MAX: u64 = 8_192;

/// Longest `ref` in characters.
pub const REF_CHARS_MAX: usize = 64;

/// The port of the page if nobody says, and how many after it are tried.
pub const WEB_PORT: (u16, u16) = (7680, 100);

/// Deepest nesting of formatted text: more than anybody writes, and little enough to draw by recursion.
pub const SPAN_DEPTH_MAX: usize = 8;

const _: () = assert!(PUSH_UNRECEIPTED_BYTES_MAX + FETCHES_SERVED_MAX * FRAME_BYTES_MAX < LINK_QUEUE_BYTES_MAX);
const _: () = assert!(BODY_BYTES_MAX < BATCH_BYTES_MAX && BATCH_BYTES_MAX < PAGE_BYTES_MAX);
const _: () = assert!(PAGE_BYTES_MAX + 1024 < FRAME_BYTES_MAX);
const _: () = assert!(PING_AFTER_MS < UNSURE_AFTER_MS && UNSURE_AFTER_MS < LOST_AFTER_MS);
