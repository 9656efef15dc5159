//! Limits of discovery: beacons, the address book, dials, and the admission of new members.

/// Longest beacon, in bytes: below the smallest packet of every network, so it is never fragmented.
pub const BEACON_BYTES_MAX: usize = 512;

/// Pause before the next dial to a key that is in use on two machines, in milliseconds.
pub const KEY_IN_USE_RETRY_MS: u64 = 60_000;

/// A node whose beacon arrived within this time counts as heard, in milliseconds. A dozen beacons
/// may be lost.
pub const HEARD_FRESH_MS: u64 = 60_000;

/// Entries of the address book, and senders of beacons that are remembered. Beyond, the oldest
/// unverified entry is evicted.
pub const ADDRESSES_MAX: usize = 1024;

/// Backoff after the first failed dial, in milliseconds.
pub const DIAL_BACKOFF_MS_MIN: u64 = 1_000;

/// Longest backoff between dials to one address, in milliseconds.
pub const DIAL_BACKOFF_MS_MAX: u64 = 60_000;

/// Budget of failed dials per address; one more every [`DIAL_FAILURES_PER_ADDRESS_REFILL_MS`].
pub const DIAL_FAILURES_PER_ADDRESS: u64 = 16;

/// Time until an address gains one failed dial, in milliseconds.
pub const DIAL_FAILURES_PER_ADDRESS_REFILL_MS: u64 = 5_000;

/// Budget of failed dials in total; one more every [`DIAL_FAILURES_REFILL_MS`].
pub const DIAL_FAILURES: u64 = 32;

/// Time until the total budget gains one failed dial, in milliseconds.
pub const DIAL_FAILURES_REFILL_MS: u64 = 500;

/// Beacons of unknown nodes accepted per second and address.
pub const BEACONS_PER_ADDRESS: u64 = 64;

/// Beacons of unknown nodes accepted per second in total.
pub const BEACONS: u64 = 512;

/// Packets on the beacon port processed per second and address: more than all nodes of a server
/// send.
pub const PACKETS_PER_ADDRESS: u64 = 128;

/// Packets on the beacon port processed per second in total: a thousand nodes that start at once.
pub const PACKETS: u64 = 1_000;

/// Connect timeout of a dial that the user did not ask for, in milliseconds.
///
/// A beacon or a peer can name an address that drops packets. Such a dial must not occupy one of
/// [`DIALS_MAX`] for the time of a whole handshake.
pub const DIAL_CONNECT_MS_MAX: u64 = 3_000;

/// How long the system repeats the SYN of such a dial, in milliseconds: once, after 1 s.
///
/// A second repeat would follow after 2 s: Linux 6.5 and later begin with one a second.
pub const DIAL_SYN_MS: u64 = 1_900;

/// Simultaneous dials: each costs a socket and a handshake on both sides.
pub const DIALS_MAX: usize = 32;

/// Failures after which an address not given by the user is removed.
pub const DIAL_FAILURES_FORGET: u32 = 12;

/// Failures after which an address that a peer reported as its own is removed. Many are unreachable
/// from here, those of containers for example.
pub const DIAL_FAILURES_FORGET_SAID: u32 = 2;

/// Lowest TCP port that is dialled at the word of others. Below are system services, which no node
/// must be tricked into contacting.
pub const PORT_MIN: u16 = 1024;

/// The UDP port of the beacons if the user gives none: ROOM on a telephone keypad. Nodes on
/// different ports do not find each other.
pub const DEFAULT_PORT: u16 = 7666;

/// The room if the user gives none.
pub const DEFAULT_ROOM: &str = "lobby";

/// Reported addresses of a member that are tried: more than two machines have networks in common.
pub const SAID_MAX: usize = 8;

/// Wrong room keys checked per address within [`WRONG_KEYS_EVERY_MS`]: enough for honest mistakes.
pub const WRONG_KEYS_MAX: usize = 5;

/// How long a wrong room key counts, in milliseconds. The dialler does not try that address for the
/// same time.
pub const WRONG_KEYS_EVERY_MS: u64 = 60_000;

/// A node younger than this delays its dials to smaller ids, in milliseconds.
pub const YOUNG_MS: u64 = 3_000;

/// The delay of a young node before it dials a smaller id, in milliseconds.
pub const YOUNG_WAIT_MS: u64 = 300;

/// Largest delay, per existing link, before a node dials a newcomer, in milliseconds. It spreads
/// the dials of a large room.
pub const DIAL_SPREAD_MS: u64 = 2;

/// Times of the first beacons, in milliseconds after the start: one may be lost, an interface may
/// come up late.
pub const BEACON_BURST_MS: [u64; 3] = [0, 300, 1_000];

/// Until this time after the start, beacons use the fast interval, in milliseconds.
pub const BEACON_FAST_UNTIL_MS: u64 = 10_000;

/// Fast beacon interval, in milliseconds.
pub const BEACON_FAST_MS: u64 = 2_000;

/// Normal beacon interval, in milliseconds.
pub const BEACON_SLOW_MS: u64 = 5_000;

/// Random part of the beacon interval, so that nodes that started together do not stay in step.
pub const BEACON_JITTER_PER_CENT: u64 = 10;

/// Silence after which a beacon means that the path is open again, in milliseconds. Two beacons may
/// be lost.
pub const BEACON_SILENT_MS: u64 = 15_000;

/// Shortest time between an early beacon and the one before, in milliseconds.
pub const BEACON_EARLY_MS: u64 = 1_000;

/// Newcomers admitted at once from one address, or through peers there: the users of a server. One
/// more every [`NEWCOMERS_PER_ADDRESS_REFILL_MS`].
pub const NEWCOMERS_PER_ADDRESS: u64 = 64;

/// Time until an address may bring another newcomer, in milliseconds.
pub const NEWCOMERS_PER_ADDRESS_REFILL_MS: u64 = 5_000;

/// Newcomers admitted at once from one group of addresses (an IPv6 /64): a whole room. One more
/// every [`NEWCOMERS_PER_GROUP_REFILL_MS`].
///
/// In an IPv6-only network all peers are one group, so this is far above the limit of an address.
/// Without it, a machine that takes address after address could invent members without end.
pub const NEWCOMERS_PER_GROUP: u64 = 256;

/// Time until a group may bring another newcomer, in milliseconds.
pub const NEWCOMERS_PER_GROUP_REFILL_MS: u64 = 1_000;

/// Pause before a node that said *busy* is dialled again, in milliseconds; a random part of up to
/// the same is added.
pub const BUSY_RETRY_MS: u64 = 2_000;

/// Addresses in a node's own list: more than a machine with containers has.
pub const LISTENS_MAX: usize = 64;

/// Shortest time between two warnings of one kind, in milliseconds, so that a network outage cannot
/// fill the disk.
pub const WARN_EVERY_MS: u64 = 60_000;

/// Interval of reading the list of network interfaces, in milliseconds: short enough that a user
/// does not wait for a new address.
pub const INTERFACES_EVERY_MS: u64 = 2_000;

/// Timeout of the name lookup of a beacon target, in milliseconds. The next beacon tries again.
pub const LOOKUP_MS_MAX: u64 = 2_000;

/// Pause before a peer is dialled again after a link on which either side broke the protocol, in
/// milliseconds; a random part of up to the same is added. It would probably happen again.
pub const PROTOCOL_RETRY_MS: u64 = 10_000;

/// Shortest interval between two removals of silent senders of beacons, done when the list is full,
/// in milliseconds. A flood must not cause one per packet.
pub const HEARD_SWEEP_EVERY_MS: u64 = 1_000;

/// Announcements that wait to be sent. One is as good as two, so further ones are dropped.
pub const ANNOUNCEMENTS_WAITING_MAX: usize = 4;
