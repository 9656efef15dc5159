//! Meeting others: beacons, the address book, dials, and who is let in.

/// Longest beacon in bytes: below every network's smallest packet, so never fragmented.
pub const BEACON_BYTES_MAX: usize = 512;

/// When one key is in use twice, the next try, in milliseconds.
pub const KEY_IN_USE_RETRY_MS: u64 = 60_000;

/// A node whose beacon came in within this time counts as heard, in milliseconds: a dozen beacons may be lost.
pub const HEARD_FRESH_MS: u64 = 60_000;

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

/// Longest wait for the TCP connection of a dial that the user did not ask for, in milliseconds.
///
/// A beacon or a peer can name an address that drops packets. Such a dial must not hold one of
/// [`DIALS_MAX`] for as long as a whole handshake may take.
pub const DIAL_CONNECT_MS_MAX: u64 = 3_000;

/// How long the system repeats the SYN of such a dial, in milliseconds: once, after 1 s.
///
/// A second repeat would follow after 2 s: Linux 6.5 and later begin with one a second.
pub const DIAL_SYN_MS: u64 = 1_900;

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

/// Strangers from one address, or through peers there, that become members at once: the users of a server; one more every
/// [`NEWCOMERS_PER_ADDRESS_REFILL_MS`].
pub const NEWCOMERS_PER_ADDRESS: u64 = 64;

/// How long until another stranger may come from an address, in milliseconds.
pub const NEWCOMERS_PER_ADDRESS_REFILL_MS: u64 = 5_000;

/// Strangers from one group of addresses (an IPv6 /64) that become members at once: a whole room; one
/// more every [`NEWCOMERS_PER_GROUP_REFILL_MS`].
///
/// On a network of IPv6 alone all peers are one group, so this is far more than for an address. Without
/// it, one machine that takes address after address could make up members without end.
pub const NEWCOMERS_PER_GROUP: u64 = 256;

/// How long until another stranger may come from a group, in milliseconds.
pub const NEWCOMERS_PER_GROUP_REFILL_MS: u64 = 1_000;

/// How long whoever said that it is full is not dialled, in milliseconds, and up to as much again.
pub const BUSY_RETRY_MS: u64 = 2_000;

/// Addresses at which a node says that it listens: more than a machine with containers has.
pub const LISTENS_MAX: usize = 64;

/// At most one warning of one kind in this time, in milliseconds: a cut network is no reason to fill a disk.
pub const WARN_EVERY_MS: u64 = 60_000;

/// How often the list of network interfaces is read, in milliseconds: a new address is used before anybody waits for it.
pub const INTERFACES_EVERY_MS: u64 = 2_000;

/// How long the address of a name may take that beacons go to, in milliseconds; the next beacon asks again.
pub const LOOKUP_MS_MAX: u64 = 2_000;

/// How long a peer is not dialled after a link on which one of the two broke the protocol, in milliseconds, and up to as
/// much again: it would do so again.
pub const PROTOCOL_RETRY_MS: u64 = 10_000;

/// How often those who fell silent are forgotten where there is no more room for whoever is heard, in milliseconds: a
/// flood must not make that the work of every packet.
pub const HEARD_SWEEP_EVERY_MS: u64 = 1_000;

/// Announcements that wait to be sent. One is as good as two: what finds no place is dropped.
pub const ANNOUNCEMENTS_WAITING_MAX: usize = 4;
