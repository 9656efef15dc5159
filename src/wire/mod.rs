//! The protocol between Roomful nodes, byte by byte.
//!
//! This page is the specification: it is enough to write a node in another language. The code in
//! this module encodes and decodes the values of [`crate::proto`]. The engine decides what follows
//! from them, such as whether a beacon matters or a batch is wanted. `tests/protocol/golden.rs`
//! holds one example of every packet, frame and batch as a hex dump that must never change.
//!
//! # Notation
//!
//! All numbers outside CBOR are big-endian. CBOR is RFC 8949. Types in tables: `u64` (an unsigned
//! integer), `bool`, `text` (UTF-8), `bytesN` (a byte string of exactly N bytes), `list<T, N>` (an
//! array of at most N elements), `[a, b]` (an array of exactly these elements). A trailing `?`
//! marks a field that may be missing or null; all other fields are required.
//!
//! A `map` has unsigned integers below 2^63 as keys, the numbers in the tables, in any order. If a
//! key occurs twice, the last one counts. Arrays, byte strings and texts have a definite length;
//! maps, arrays marked *open* and the `entries` of a header may have either. Integers need not have
//! their shortest form.
//!
//! Every packet, frame, header and body can be extended: a reader ignores unknown map keys with any
//! CBOR as their value, and extra elements at the end of arrays marked *open*. A number that is in
//! use never changes its meaning.
//!
//! | name | meaning |
//! | --- | --- |
//! | `id` | bytes32: an Ed25519 public key. The holder of the private half is that node |
//! | `hash` | bytes32: a BLAKE3 hash |
//! | `room id` | bytes32: BLAKE3 in derive-key mode, context `roomful 2026-11 room id`, over the length of the room's name in bytes (8 bytes), the name, and the 16 bytes of the room's key (nothing in an open room) |
//! | `room tag` | bytes8: the first 8 bytes of BLAKE3 in derive-key mode, context `roomful 2026-11 room tag`, over the room's name |
//! | `instance` | u64: random, drawn at each start of a node |
//! | `log` | u64: random, the number of a log of its author |
//! | `seq` | u64: the number of an entry in its log, from 1 to 2^63 - 2 (9,223,372,036,854,775,806). A batch that goes beyond does not verify |
//! | `entry id` | bytes32: log (8 bytes), seq (8 bytes), and the first 16 bytes of BLAKE3 over author (32), header hash (32) and the entry's index in its batch, from 0 (8 bytes) |
//! | `time` | u64 below 2^62: milliseconds since 1970 in UTC × 65,536 + a counter |
//! | `ms` | u64: milliseconds. Values from 2^53 on are read as 2^53 - 1 (9,007,199,254,740,991), the greatest integer that JSON carries everywhere |
//! | `address` | byte string: 4 or 16 bytes of IPv4 or IPv6, and 2 bytes of port |
//!
//! Names of rooms, members and channels are in NFC, trimmed, with single spaces only. They have at
//! most 32 graphemes and 64 bytes, and at most 4 combining marks per grapheme (further ones are
//! removed). They contain no control, bidirectional-override or invisible characters. A receiver
//! normalises names in the same way and truncates them. If nothing is left of a member's name, the
//! first 8 characters of its id in base32 (RFC 4648, lower case) are used instead.
//!
//! # Beacon
//!
//! A UDP packet to port 7666 (or another port chosen for the room), at most 512 bytes: the 7 bytes
//! `ROOMFUL`, the version byte 1, and a map, with nothing after it. Packets of another version or
//! form are ignored.
//!
//! | key | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | room | room tag | nodes of other rooms ignore the beacon |
//! | 1 | id | id | the sender |
//! | 2 | instance | instance | a new value means that the node was restarted |
//! | 3 | port | u64 | the TCP port on which it listens, 1024 to 65535 |
//! | 4 | name | text | the user's name. In a room with a key, the first 8 characters of the id in base32, since every host on the network can read it |
//!
//! Source and target:
//!
//! - from each IPv4 address of the machine, with that address as the source, to the broadcast
//!   address of its network (127.255.255.255 on loopback) and, except on loopback, to
//!   255.255.255.255;
//! - from one IPv6 address of each interface, the link-local one if there is one, to the group
//!   `ff12::8000:7666` on that interface (link-local scope; transient, since IANA assigns `ff02`; a
//!   group number that RFC 3307 leaves free);
//! - to the targets that the user configured, with a source that the system chooses.
//!
//! A beacon is sent at the start, after 0.3 s and after 1 s; every 2 s until 10 s after the start;
//! then every 5 s with up to 10 % more at random. The schedule restarts when the machine's
//! addresses change. A beacon is also sent when a dial fails, at most once a second.
//!
//! A beacon is never answered by UDP and nothing in it is trusted: it is only a reason to dial.
//! Packets from 0.0.0.0, from multicast or broadcast addresses, and from the own id are ignored. A
//! link-local source is dialled on the interface that received the packet.
//!
//! # Dialling
//!
//! A node that receives a beacon of its room from an id that it has no link with dials the *source
//! address of the packet* at the port in it, and expects that id. A beacon is worth at most one
//! dial.
//!
//! - In its first 3 s a node waits 0.3 s before it dials a smaller id (compared as bytes).
//! - A node with k links waits a random 0 to 2k ms.
//! - After a failure it waits 1 s, doubling up to 60 s. The backoff is reset when the other node
//!   was restarted, or is heard after 15 s of silence.
//! - If another id answers, it waits 60 s.
//!
//! Two nodes that dial each other get two links; see "One link per pair".
//!
//! # TLS
//!
//! Version 1.3 only. Both sides present a self-signed X.509 v3 certificate and accept every
//! certificate whose public key is Ed25519 (SubjectPublicKeyInfo: the 12 bytes
//! `302a300506032b6570032100` and the key). Names, dates, issuer and the certificate's signature
//! are ignored. Keys of small order are rejected. The only signature scheme is `ed25519` (0x0807).
//!
//! The dialler is the TLS client and offers the ALPN name `roomful/1`; both sides drop a connection
//! without it. There are no session tickets, resumption or early data, and no server name is
//! needed. Key exchange is X25519MLKEM768 or X25519. The peer's id is the key in its certificate; a
//! dialler that expected another id hangs up. There is no unencrypted mode.
//!
//! # Frames
//!
//! Both sides send frames over the link: 4 bytes of length (not counting themselves), and that many
//! bytes of CBOR, an array of exactly two elements: the type (u64) and a map of its fields. A frame
//! has at most 262,144 bytes, and at most 4,096 during the handshake.
//!
//! After the handshake, frames of an unknown type are ignored, and so are answers that were not
//! asked for. Every other violation is answered by Close with the reason *protocol*, and the link
//! ends: a length above the limit, a list above its limit, CBOR that does not match the table,
//! bytes after the CBOR, a batch that does not verify, a handshake frame after the handshake.
//!
//! | type | frame | sent | answer |
//! | --- | --- | --- | --- |
//! | 0 | Hello | first frame of each side | |
//! | 1 | Proof | handshake | |
//! | 2 | Intro | handshake | |
//! | 3 | Close | last frame of either side, at any time | the other side hangs up |
//! | 4 | Ping | after 2 to 3 s in which nothing was received | Pong |
//! | 5 | Pong | at once | |
//! | 6 | Push | when the sender has written something | Receipt, once it is stored |
//! | 7 | Receipt | when batches of the receiver are stored | |
//! | 8 | Compare | at link-up, and every 5 s with peers that may differ | Authors |
//! | 9 | Authors | at once | |
//! | 10 | AskLogs | when an author's hashes differ | Logs |
//! | 11 | Logs | at once | |
//! | 12 | Fetch | when entries are missing | Page |
//! | 13 | Page | once it is read | |
//! | 14 | Relay | when a member is reachable only through others | Reach |
//! | 15 | Reach | at once, and when it changes | |
//! | 16 | Carry | when relayed batches are stored | |
//! | 17 | Closed | when the sender stops or resumes accepting entries of authors | |
//! | 18 | Typing | while the user is typing | |
//! | 19 | FileWant | when content is to be fetched, or not any more | FileHave |
//! | 20 | FileHave | at once, and when more is held | |
//! | 21 | FileRequest | when a part is wanted | FileData, FileRefuse |
//! | 22 | FileData | once it is read | |
//! | 23 | FileRefuse | when units are not sent | |
//!
//! ## Handshake
//!
//! It must be complete within 10 s of the connection, TLS included; otherwise the connection is
//! dropped.
//!
//! 1. The dialler sends **Hello**.
//! 2. The acceptor checks it and sends **Hello** and **Proof**.
//! 3. The dialler checks both and sends **Proof** and **Intro**.
//! 4. The acceptor checks the proof and sends **Intro**. The link is up on each side once it has
//!    the other's Intro.
//!
//! A side that finds an error sends Close instead of its next frame and hangs up. The reason is
//! *version* if there is no common version, *room* for another room tag or a wrong proof,
//! *duplicate* for the same id and the same instance (a node that dialled itself), and *key in use*
//! for the own id with another instance. Hello and Close keep their form in all versions. A node
//! that rejects the other side's first frame has not sent Hello, so Close is the only frame that it
//! sends. A first frame that is too long, not CBOR, or not a Hello is answered by Close with the
//! reason *protocol*.
//!
//! The connection ends without any frame where the peer could not read one: if TLS fails (TLS sends
//! its own alert), if the connection has no ALPN, if the id is not the one that was dialled, if the
//! 10 s are over, and if the connection is evicted. At most 64 connections are unfinished at a
//! time, fewer if the limit of file descriptors is small. Beyond, the address with the most loses
//! one: the oldest on which the dialler has sent nothing, else the oldest. The addresses of an IPv6
//! /64 count together first, and then each by itself.
//!
//! | Hello | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | lowest | u64 | the lowest version that the sender speaks; now 1 |
//! | 1 | highest | u64 | the highest; now 2. The link uses the highest version that both speak |
//! | 2 | room | room tag | |
//! | 3 | instance | instance | |
//!
//! The versions differ in one rule: in version 1 a batch that has more than 131,072 bytes because
//! of deletions in it (see "Batches") is not sent. It does not verify for nodes that speak version
//! 1 only.
//!
//! | Proof | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | proof | bytes32 | see below |
//!
//! | Intro | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | name | text | the user's current name |
//! | 1 | uptime_ms | ms | since the program started |
//! | 2 | wall_ms | ms | the wall clock: since 1970 in UTC. A difference is shown to the user and changes no order |
//! | 3 | listens | list<address, 64> | where the sender listens; loopback addresses only to peers on loopback |
//!
//! The proof is HMAC-SHA-256 under the room's key (in an open room: the bytes of its name) over, in
//! this order:
//!
//! 1. the 20 bytes `roomful room proof 1` and a zero byte;
//! 2. one byte for the side that proves: 0 the dialler, 1 the acceptor;
//! 3. the dialler's id, the acceptor's id (32 bytes each);
//! 4. the dialler's Hello, then the acceptor's, each exactly as sent, with its 4 bytes of length;
//! 5. 32 bytes from the TLS exporter (RFC 8446, 7.5) with the label `EXPORTER-roomful-room-proof`
//!    and no context.
//!
//! It is compared in constant time. A room's key is 16 random bytes (written by people as the 12
//! words of BIP-39's English list), so a recorded proof is useless for guessing it. An acceptor
//! checks 5 wrong proofs a minute from one address, counting a Close with *room* in place of a
//! proof; beyond, it closes connections from that address before TLS. A dialler that meets another
//! key waits 60 s.
//!
//! ## Close, Ping, Pong
//!
//! | Close | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | reason | u64 | see the table |
//!
//! | reason | name | the receiver |
//! | --- | --- | --- |
//! | 0 | stopping | shows "left". The instance that said so has no link any more: it must return as another instance (see Hello), or it is refused as *busy* |
//! | 1 | duplicate | continues with the other link; no member is shown as leaving |
//! | 2 | key in use | tells its user that the key is in use on two machines, and dials again after 60 s |
//! | 3 | version | |
//! | 4 | room | |
//! | 5 | protocol | dials again after 10 to 20 s, and so does the side that closed |
//! | 6 | silent | nothing was received for 15 s |
//! | 7 | busy | dials again after 2 to 4 s. Sent when all links are in use (to the newcomer, or to the peer whose link is evicted), when too many new members came from its address (64 at once, one more every 5 s), or when the receiver read too slowly |
//! | 255 | other | dials again, as after a lost link; so is every number not in this table |
//!
//! After Close a side sends nothing more. It reads on until the other has hung up, for at most 1 s,
//! so that the Close is not lost to a reset. If a link ends without Close, the member is shown as
//! "lost" unless it is back within 2 s.
//!
//! | Ping, Pong | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | wall_ms | ms | the sender's wall clock: since 1970 in UTC |
//!
//! Any byte is a sign of life. After 3 s without one a node sends Ping, or up to 1 s earlier
//! together with the Ping on another link. After 8 s it shows the member as "unsure", after 15 s it
//! closes the link (*silent*). Example: Ping with the clock at 1,800,000,000,000 is
//! `0000000d8204a1001b000001a3185c5000`.
//!
//! ## Push, Receipt
//!
//! | Push | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | batches | list<batch, 1024> | ascending within each log |
//!
//! | Receipt | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | receipts | list<[log, first seq, last seq], 1024> (open) | entries of the *receiver's* logs that the sender has stored on disk |
//!
//! Once its own user's entries are on disk, a node pushes them to every linked node in their
//! audience. It keeps at most 1 MiB of them on a link without a receipt; beyond, the peer finds the
//! missing entries by comparing. A receiver accepts a batch from any sender, but ignores one for an
//! audience that it is not part of. Receipts, for pushed and for fetched batches, are collected for
//! at most 20 ms and sent to the author only (see Carry for an author without a link). The range of
//! a receipt never covers entries that the sender does not hold.
//!
#![doc = include_str!("replication.md")]
//!
//! ## Typing
//!
//! | Typing | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | channel | text? | the channel; missing: the direct conversation of the two |
//!
//! A node sends it to all linked members, or to the peer of a direct conversation, at most every 3
//! s
//! for one conversation. The receiver shows it for 6 s, or until the next message of that member in
//! the conversation. It is never stored and never relayed. A receiver ignores a Typing frame that
//! comes less than 0.5 s after the last accepted one of that link.
//!
#![doc = include_str!("files.md")]
//!
//! # Batches
//!
//! A batch is 1 to 64 consecutive entries of one log under one signature. In frames it is a byte
//! string with at most 131,072 bytes of CBOR, exactly as its author encoded it but for deleted
//! bodies: `[header, signature, bodies]`. The header is a byte string that contains a CBOR map, the
//! signature is bytes64, and bodies is an array with one element per entry. A header has at most
//! 6,144 bytes. A batch is stored and forwarded as it was received, with one exception: a Delete
//! takes the place of a body (see below). Header and signature stay, byte for byte.
//!
//! | header | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | version | u64 | 1. A batch of another version is skipped, without fault of the frame around it, as long as it is an array that begins with a header that begins this table |
//! | 1 | room | room id | a batch of another room does not verify |
//! | 2 | author | id | |
//! | 3 | audience | id? | the only other member it is for, not the author; none: the whole room |
//! | 4 | log | log | |
//! | 5 | first_seq | seq | of its first entry |
//! | 6 | prev | hash? | header hash of the previous batch in its log; missing exactly if `first_seq` is 1 |
//! | 7 | after | entry id? | see "Order" |
//! | 8 | entries | array of [time, body length in bytes (u64), BLAKE3 of the body] (open) | 1 to 64, with growing times; no entry may exceed the greatest seq |
//!
//! The *header hash* is BLAKE3 of the header's bytes. The signature is Ed25519 (RFC 8032, verified
//! strictly: no key or point of small order, no non-canonical number) over the 15 bytes
//! `roomful batch 1`, a zero byte, and the header's bytes.
//!
//! A body is a byte string of at most 33,792 bytes with the length and hash in the header. If the
//! author has deleted an entry, the array `[header, signature, index, body]` stands in place of its
//! body: header and signature of a batch of the same author for the same audience, the index of an
//! entry in it, and that entry's body, a Delete that names the deleted entry. The Delete must be
//! alone in its batch, so the index is 0; its header has at most 512 bytes, and its body at most
//! 256. These arrays do not count for the 131,072 bytes of the batch. A batch that is longer with
//! them is sent in a Page, never in a Push. A batch with anything else in place of a body does not
//! verify.
//!
//! A node that holds both a Say, Hooray or Edit and a Delete of it by the same author for the same
//! audience puts the Delete in place of the body, and removes the body from its disk, whichever of
//! the two came first. It does so only if the Delete can stand there, and if its `channel` is that
//! of the message (any in a direct message, missing for an Edit). Any other Delete of a message
//! hides the message on all nodes, and removes nothing; a message whose Delete has no `channel` can
//! be deleted a second time with one. The header does not change, and so neither does what nodes
//! compare. The author's node signs a Delete for a message, and one for each of its Edits. A Delete
//! in place of a body counts even if its own batch is no longer held.
//!
//! A log belongs to one instance of its author and one audience. Its times grow. `first_seq` is one
//! more than the last seq of the batch whose hash is `prev`. A batch that verifies is stored even
//! if earlier batches are missing. One with another audience than its log is refused. One that
//! conflicts in any other way with what is held of its log makes a fork.
//!
//! ## Forks
//!
//! An honest author never signs two headers for one seq of one log (unless its machine was restored
//! to an earlier state while it ran). For any two headers of one log and audience, X with the
//! smaller `first_seq` and Y:
//!
//! | if | then the seq | is claimed by |
//! | --- | --- | --- |
//! | both have the same `first_seq` and `prev` | `first_seq` | the hashes of X and Y |
//! | both have the same `first_seq`, and not the same `prev` | `first_seq` - 1 | both `prev` |
//! | X contains the seq before Y, and Y's `prev` is not the hash of X | Y's `first_seq` - 1 | the hash of X, and Y's `prev` |
//! | none of these, but X contains Y's first seq, or its last time is not below Y's first | Y's `first_seq` | no hash |
//!
//! The log *ends* at that seq: with the batch that has the smaller of the two hashes, or, if no
//! hash claims it, before that seq. Of all ends that a node finds or receives it keeps the least
//! (by seq, then by hash, an end without a hash first) and the two headers that prove it. It keeps
//! no batch that contains the end's seq or a later one, except the one with the end's hash.
//!
//! Both headers are sent in Logs, as byte strings that each contain the CBOR array
//! `[header, signature]`; the receiver compares them with what it holds like any batch. If two
//! nodes hold the same last seq with another head, or one lacks the end, it fetches from that seq
//! backwards to where they diverge. The member is marked as forked for ever. The author's own node
//! publishes the entries that it held of the removed part again, in a new log.
//!
//! ## Bodies
//!
//! 16 random bytes, so that a short text can't be guessed from its hash, and the CBOR array
//! `[kind, map]`. A kind that
//! is not known, or a body that does not fit the table, is stored and passed on, and not shown.
//! File is retired: it is
//! never written or shown.
//! A `channel` is a clean name; missing in the room it is `general`, and in a direct message it
//! means nothing. That of a Delete is not: see "Batches".
//!
//! | kind | | fields |
//! | --- | --- | --- |
//! | 0 | Say | 0 text: text, at most 32,768 bytes, not blank; 1 channel: text?; 2 reply_to: entry id?; 3 files: array of *file*? (open), 10 at most; 4 mentions: array of [id, first byte (u64), bytes (u64)]? (open), 32 at most |
//! | 1 | Edit | 0 entry: entry id of the same author; 1 text: as in Say; 2 mentions: as in Say |
//! | 2 | Delete | 0 entry: entry id of the same author; 1 channel: text?, of a deleted message, which is shown there once its body is gone; see "Batches" |
//! | 3 | React | 0 entry: entry id; 1 emoji: text of 1 to 32 bytes without control, space or bidi characters; 2 off: bool |
//! | 4 | Profile | 0 name: text, clean, or clean but for further marks; 1 status: text?, one line of at most 128 bytes, else ignored. The first entry of every log |
//! | 5 | Hooray | 0 text: as in Say; 1 channel: text? |
//! | 6 | File | 0 name: text; 1 size: u64; 2 media type: text; 3 content: hash; 4 channel: text? |
//! | 7 | Topic | 0 channel: text; 1 text: text, one line of at most 256 bytes; empty: none |
//!
#![doc = include_str!("attachments.md")]
//!
//! ## Messages that change
//!
//! What a message (Say, Hooray) looks like depends on the entries that a node holds, and not on
//! the order in which they
//! arrived. An Edit and a Delete count if author and audience are those of the message, a React if
//! it is for the same
//! readers. What names an entry that is not held, or no message, or may not change it, is stored
//! and changes nothing.
//!
//! - Of several Edits the last in order counts (see "Order"). It gives text and mentions anew.
//! - A Delete is final: the message has no text, no files, no answered message and no reactions
//!   from then on.
//! - The last React of an author with an emoji turns the reaction on or off. Of those that are on,
//! the first 10 of each
//!   author count, and of these those of the first 32 emoji, by the place of that last React.
//! - A mention counts if its range lies in the text, at the boundaries of characters, and begins
//! with `@`. Of mentions that
//!   overlap, the first in the list counts.
//! - The topic of a channel is that of its last Topic, by any member.
//!
//! For `after` an Edit, Delete or React belongs to the conversation of the message that it names,
//! and a Topic to its
//! channel.
//!
//! ## Order
//!
//! The time that an author signs is a hybrid logical clock: not before its wall clock, greater
//! than the last in its
//! log, greater than what it has seen of others as far as that is not more than 60 s ahead of its
//! own wall clock, and
//! itself never more than that ahead. If the author holds an entry of that conversation whose
//! place is not below the
//! first time of the batch, `after` names the one with the greatest place, unless that is in the
//! same log or an earlier
//! batch of the log named it, and the author has lost nothing of the log since; else, if its first
//! message answers one
//! of another log, that one: then the answer stays below it, wherever that may turn out to stand.
//! Where both are to be
//! named, a batch with nothing but a Profile, which says the name again, names the former, and the
//! next one the latter;
//! and an answer to what is not named yet always begins a batch.
//!
//! The *place* of an entry is the greatest of: its time; the place of the entry before it in its
//! log + 1; and, for the
//! first of a batch, the place of the entry named in `after` + 1. What is not held is left out
//! until it comes; then
//! places are corrected. A conversation is ordered by (place, author, log, seq), ids compared as
//! bytes: so equal sets
//! have equal order everywhere.
//!
//! # One link per pair
//!
//! If there are two links between the same two instances, one survives:
//!
//! - dialled by different sides: the one that the smaller id dialled;
//! - dialled by the same side, or if the older link has been up for more than 10 s or silent for 1
//!   s (then the other side has lost it, and came back over another address): the newer one.
//!
//! Only the node with the smaller id closes the other link (*duplicate*), once both are up. A third
//! link ends any but the two of which one survives, on either side.
//!
//! A link from another instance of an id that is linked: the old link is sent a Ping. If nothing is
//! received on it for 2 s, it is closed (*silent*) and the new one accepted; otherwise the new one
//! is refused (*key in use*).
//!
//! # Timers and limits
//!
//! All of them, with their reasons, are in [`crate::proto::limits`]. A node that was suspended
//! (more than 5 s between two steps) pings all its peers and closes no link as lost for 2 s.
//!
#![doc = include_str!("example.md")]

pub mod beacon;
mod envelope;
mod error;
mod files;
mod forms;
pub mod frame;
#[cfg(test)]
mod tests;

pub use error::WireError;
