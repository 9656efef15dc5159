//! The protocol: what nodes of Roomful say to each other, byte by byte.
//!
//! This page is the specification; with it alone a node can be written in another language. The code beside it turns
//! bytes into the values of [`crate::proto`] and back, and refuses to know what follows from them: whether a beacon
//! matters or a batch is wanted is decided elsewhere. `tests/golden.rs` holds one example of every packet, frame and
//! batch as a hex dump that must never change.
//!
//! # Notation
//!
//! All numbers outside CBOR are big-endian. CBOR is RFC 8949. Types in tables: `u64` (an unsigned integer), `bool`,
//! `text` (UTF-8), `bytesN` (a byte string of exactly N bytes), `list<T, N>` (an array with at most N elements),
//! `[a, b]` (an array of exactly these). A trailing `?` marks what may be missing, or null; a field without one must
//! be there. `map` is a map whose keys are unsigned integers below 2^63, the numbers in the tables, in any order; of a
//! key that stands twice the last counts. Arrays, byte strings and texts have a definite length; maps, arrays marked
//! *open* and the `entries` of a header may have either. Numbers may be longer than they need to be.
//!
//! Every packet, frame, header and body can grow: a reader passes over map keys that it does not know, whatever CBOR is
//! under them, and over elements behind those it knows in the arrays marked *open*. A writer never gives a number that
//! is taken another meaning.
//!
//! | name | is |
//! | --- | --- |
//! | `id` | bytes32: an Ed25519 public key; who has the other half is that node |
//! | `hash` | bytes32: a BLAKE3 hash |
//! | `room id` | bytes32: BLAKE3 in derive-key mode, context `roomful 2026-11 room id`, over the length of the room's name in bytes (8 bytes), the name, and the 16 bytes of the room's key (nothing in an open room) |
//! | `room tag` | bytes8: the first 8 bytes of BLAKE3 in derive-key mode, context `roomful 2026-11 room tag`, over the room's name |
//! | `instance` | u64: random, drawn anew at each start of a node |
//! | `log` | u64: random, the number of a log of its author |
//! | `seq` | u64: the number of an entry in its log, from 1 to 2^63 - 2 (9,223,372,036,854,775,806); a batch that goes beyond does not verify |
//! | `entry id` | bytes32: log (8 bytes), seq (8 bytes), and the first 16 bytes of BLAKE3 over author (32), header hash (32) and the entry's index in its batch, from 0 (8 bytes) |
//! | `time` | u64 below 2^62: milliseconds since 1970 in UTC × 65,536 + a counter |
//! | `ms` | u64: milliseconds. From 2^53 on it is taken as 2^53 - 1 (9,007,199,254,740,991), the greatest whole number that JSON carries everywhere |
//! | `address` | byte string: 4 or 16 bytes of IPv4 or IPv6, and 2 bytes of port |
//!
//! A room's name, like a member's and a channel's, is NFC, trimmed, has single spaces only, at most 32 graphemes and 64
//! bytes, at most 4 combining marks in a grapheme (further ones are removed), and no control, bidirectional-override or
//! invisible characters. Names from others are cleaned the same way
//! and cut; where nothing is left, the first 8 characters of the id in base32 (RFC 4648, lower case) stand for them.
//!
//! # Beacon
//!
//! A UDP packet to port 7666 (or the room's own choice), at most 512 bytes: the 7 bytes `ROOMFUL`, the version byte 1,
//! and a map, with nothing behind it. A packet of another version, or of another form, is passed over.
//!
//! | key | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | room | room tag | other rooms pass it over |
//! | 1 | id | id | who sends it |
//! | 2 | instance | instance | another one than before: it was started again |
//! | 3 | port | u64 | the TCP port where it listens, 1024 to 65535 |
//! | 4 | name | text | what its user is called; in a room with a key the first 8 characters of the id in base32, since everybody on the wire can read it |
//!
//! It is sent from each IPv4 address of the machine, with that address as its source, to the broadcast address of that
//! address' network (127.255.255.255 on loopback), and to 255.255.255.255 except on loopback; and from one IPv6 address
//! of each interface, the link-local one if there is one, to the group `ff12::8000:7666` on that interface. (Link-local
//! scope; transient, since `ff02` is IANA's to give out; a group number that RFC 3307 leaves to everybody.) And to
//! wherever the user said, with the source that the system chooses. When: at the start, after 0.3 s and 1 s, every 2 s
//! until 10 s, then every 5 s with up to 10 % more at random; from the beginning again when the machine's addresses
//! change; and, at most once a second, when a dial fails. It is never answered by UDP, and nothing in it is believed:
//! it is a reason to dial, no more. Packets from 0.0.0.0, multicast or broadcast addresses, and from the own id, are
//! passed over. A link-local source is dialled on the interface where it was heard.
//!
//! # Dialling
//!
//! Who hears a beacon of its room from an id to which it has no link dials the *source address of the packet* at the
//! port in it, and expects that id. In the first 3 s of its run a node waits 0.3 s before it dials a smaller id
//! (compared as bytes); a node with k links waits a random 0 to 2k ms. A beacon is worth one dial at the most. After a
//! failure it waits 1 s, doubling to 60 s, and begins anew when that node was started again or is heard after 15 s of
//! silence; where another id answers it waits 60 s. Two nodes that dial each other get two links; see "One link per
//! pair".
//!
//! # TLS
//!
//! Version 1.3 only. Both sides present a certificate (X.509 v3, self-signed) and accept every one whose public key is
//! Ed25519 (SubjectPublicKeyInfo: the 12 bytes `302a300506032b6570032100` and the key); names, dates, issuer and its
//! signature count for nothing. Keys of small order are refused. The only signature scheme is `ed25519` (0x0807). The
//! dialler is the TLS client and offers the ALPN name `roomful/1`; a connection without it is dropped by both sides. No
//! session tickets, resumption or early data; no server name is needed. Key exchange X25519MLKEM768 or X25519. The id
//! of the other side is the key in its certificate; a dialler that expected another id hangs up. There is no
//! unencrypted mode.
//!
//! # Frames
//!
//! On the link both sides send frames: 4 bytes of length (not counting themselves) and as many bytes of CBOR, an array
//! of exactly two elements: the type (u64) and a map of its fields. At most 262,144 bytes, and 4,096 during the
//! handshake. Frames of a type that is not known are passed over unread, once the handshake is through, and so are
//! answers to what was not asked. Whatever breaks these rules (a length too long, a list longer than its limit, CBOR
//! that does not fit the table, bytes behind the CBOR, a batch that does not verify, a frame of the handshake behind
//! it) is answered by Close with the reason *protocol*, and the link ends.
//!
//! | type | frame | when | answer |
//! | --- | --- | --- | --- |
//! | 0 | Hello | first frame of each side | |
//! | 1 | Proof | handshake | |
//! | 2 | Intro | handshake | |
//! | 3 | Close | last frame of either side, at any time | the other side hangs up |
//! | 4 | Ping | after 3 s in which nothing came | Pong |
//! | 5 | Pong | at once | |
//! | 6 | Push | the sender has written something | Receipt, when it is stored |
//! | 7 | Receipt | batches of the receiver are stored | |
//! | 8 | Compare | at link-up, and every 5 s with those who may differ | Authors |
//! | 9 | Authors | at once | |
//! | 10 | AskLogs | an author's hashes differed | Logs |
//! | 11 | Logs | at once | |
//! | 12 | Fetch | something was found lacking | Page |
//! | 13 | Page | when it was read | |
//! | 14 | Relay | a member is reachable only through others | Reach |
//! | 15 | Reach | at once, and when it changes | |
//! | 16 | Carry | passed-on batches are stored | |
//! | 17 | Closed | the sender takes logs no further, or takes some again | |
//!
//! ## Handshake
//!
//! Within 10 s of the connection, TLS included, or it is dropped:
//!
//! 1. The dialler sends **Hello**.
//! 2. The acceptor checks it and sends **Hello** and **Proof**.
//! 3. The dialler checks both and sends **Proof** and **Intro**.
//! 4. The acceptor checks the proof and sends **Intro**. The link is up on both sides once they have the other's Intro.
//!
//! Whoever finds something wrong sends Close instead of its next frame and hangs up: *version* if the two have none in
//! common, *room* for another room tag or a wrong proof, *duplicate* if it is the same id and the same instance (a node
//! that dialled itself), *key in use* if it is its own id with another instance. Hello and Close keep their form in all
//! versions. A node that refuses the first frame of the other side has sent no Hello, so Close is the only frame that it
//! sends. A first frame that is too long, no CBOR, or no Hello is answered by Close, too, with the reason *protocol*.
//!
//! No frame at all is sent where no peer can read it: if TLS fails (TLS sends its own alert), if the connection
//! has no ALPN, if the id is not the one that was dialled, if the 10 s are over, and if the connection has to make room
//! for others. The connection just ends. At most 64 are unfinished at a time, fewer where the limit of file descriptors
//! is small. Beyond, the address with the most loses one: the oldest on which the dialler has sent nothing, else the
//! oldest. The addresses of an IPv6 /64 count as one, and then each by itself.
//!
//! | Hello | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | lowest | u64 | lowest version that the sender speaks; now 1 |
//! | 1 | highest | u64 | highest; now 1. The link speaks the highest that both do |
//! | 2 | room | room tag | |
//! | 3 | instance | instance | |
//!
//! | Proof | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | proof | bytes32 | see below |
//!
//! | Intro | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | name | text | what the user is called now |
//! | 1 | uptime_ms | ms | since the program started |
//! | 2 | wall_ms | ms | the wall clock: since 1970 in UTC. What differs from it is told to users and changes no order |
//! | 3 | listens | list<address, 64> | where the sender listens; loopback addresses only to peers on loopback |
//!
//! The proof is HMAC-SHA-256 under the room's key (in an open room: the bytes of its name) over, in this order:
//!
//! 1. the 20 bytes `roomful room proof 1` and a zero byte;
//! 2. one byte for the side that proves: 0 the dialler, 1 the acceptor;
//! 3. the dialler's id, the acceptor's id (32 bytes each);
//! 4. the dialler's Hello, then the acceptor's, each exactly as sent, with its 4 bytes of length;
//! 5. 32 bytes from the TLS exporter (RFC 8446, 7.5) with the label `EXPORTER-roomful-room-proof` and no context.
//!
//! It is compared in constant time. A room's key is 16 random bytes (people write them as the 12 words of BIP-39's
//! English list), so whoever records the proofs has nothing to try. An acceptor looks at 5 wrong proofs a minute from
//! one address, a Close with *room* in place of a proof being one; beyond, it closes connections from there before TLS.
//! A dialler that meets another key waits 60 s.
//!
//! ## Close, Ping, Pong
//!
//! | Close | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | reason | u64 | see the table |
//!
//! | reason | name | the other side |
//! | --- | --- | --- |
//! | 0 | stopping | shows "left". The instance that said so has no link any more: it has to come back with another one (see Hello), or it is refused as *busy* |
//! | 1 | duplicate | goes on with the other link; nobody is seen to leave |
//! | 2 | key in use | tells its user that the key is in use on two machines, and dials again after 60 s |
//! | 3 | version | |
//! | 4 | room | |
//! | 5 | protocol | dials again after 10 to 20 s, and so does the side that closed |
//! | 6 | silent | nothing came for 15 s |
//! | 7 | busy | dials again after 2 to 4 s: there are too many links (said to a newcomer, or to a peer whose link makes room for another), or from its address too many that were never seen before (64 at once, one more every 5 s), or it took too slowly what it was sent |
//! | 255 | other | dials again, as after a link that broke; so is every number not in this table |
//!
//! After Close a side sends nothing more. It reads on until the other has hung up, for at most 1 s, so that the Close
//! is not lost to a reset. A link that ends without Close: the member is "lost", unless it is back within 2 s.
//!
//! | Ping, Pong | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | wall_ms | ms | the sender's wall clock: since 1970 in UTC |
//!
//! Any byte is a sign of life. After 3 s without one a node sends Ping, after 8 s it shows the member as "unsure",
//! after 15 s it closes the link (*silent*). Example: Ping with the clock at 1,800,000,000,000 is
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
//! | 0 | receipts | list<[log, first seq, last seq], 1024> (open) | entries of the *receiver's* logs that the sender has on its disk |
//!
//! A node pushes what its own user writes, once it is on its own disk, to every linked node that it is for. It keeps at
//! most 1 MiB of it on a link without a receipt; beyond, the peer finds by comparing what it lacks. A batch is taken
//! whoever sends it, unless it is for somebody else: that one is passed over. Receipts, for what was pushed and for
//! what was fetched, are gathered for at most 20 ms and go to the author alone (see Carry for one without a link). A
//! range of receipts never spans what the sender does not hold.
//!
//! ## Comparing
//!
//! Two nodes compare what both may hold: the *scope* of their link. It is all logs for the whole room, and the logs
//! between just these two (written by one for the other), but none of an author whom either of them has closed (see
//! "Closed"). Nothing else is ever named on it. Only what is on the disk counts.
//!
//! - The **hash of an author** is BLAKE3 over, for each of that author's logs in scope of which anything is held or
//!   that is known to be forked, ascending by log number: log (8 bytes), count of ranges (8), and for each range,
//!   ascending, first seq (8), last seq (8) and head (32), the header hash of the range's last batch. A range is a run
//!   of whole batches without a gap; a log has at most 9 (one from the beginning, and 8 beyond gaps). Of a forked log
//!   (see "Forks") follow, behind its ranges, the seq of its end (8) and the header hash there (32; zeros if there is
//!   none).
//! - The **hash of everything** is BLAKE3 over, for each author who has such a log, ascending by id as bytes: the id
//!   (32) and the hash of that author (32).
//!
//! | Compare | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | hash | hash | of everything that the sender holds |
//! | 1 | from | id? | only authors with greater ids: the next page of an earlier answer |
//! | 2 | linked | list<id, 1024> | whom the sender is linked with now, in place of what it said before; empty, and saying nothing, if `from` is there |
//!
//! | Authors | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | same | bool | whether the hash of everything was the same, also where `from` was there; then there are no authors |
//! | 1 | authors | list<[id, hash], 256> | ascending: the hash of each author |
//! | 2 | more | bool | whether greater ids follow |
//! | 3 | linked | list<id, 1024> | as in Compare |
//!
//! | AskLogs | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | author | id | whose logs |
//! | 1 | from | log? | only logs with greater numbers |
//!
//! | Logs | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | author | id | whose logs |
//! | 1 | logs | list<map, 256> | ascending: 0 log; 1 audience (id?, none: the whole room); 2 ranges, list<[first seq, last seq, head], 9> (open); 3 fork, list<byte string, 2>?, see "Forks" |
//! | 2 | more | bool | whether greater numbers follow |
//!
//! Pages have at most 16 KiB. A node looks after itself: it asks, and fetches what it lacks. One that is asked and sees
//! a difference soon compares too: at once, or 1 s after it began to compare on that link last. An answer that takes
//! longer than 2 s ends the comparison.
//!
//! Questions may overlap. A node answers each Compare and AskLogs at once, in the order in which they came on the link,
//! and remembers nothing between them: a second Compare is answered like the first, with what is held by then, and both
//! sides may ask at the same time. A Page comes once it was read, possibly behind answers to later questions; a second
//! Fetch before that is answered at once, as *busy* (see "Fetch, Page"). Answers carry no number, so a node has one
//! comparison under way on a link and takes an answer only if it continues what it asked last: the same author, and ids
//! or numbers above `from`. A node may compare with any number of peers at the same time; this one does with one at each
//! address (all of loopback, and each /64 of IPv6, count as one), with more there while that one does not answer, and
//! lets those who do not answer wait behind the others.
//!
//! Every 5 s a node compares with the peers that did not hold the same when they compared last, 64 at the most, and with
//! one more in turn; and with all of them once it has learned of a fork.
//!
//! In the own author's logs a range says what a receipt says, and so do equal hashes (of all, or of the own
//! author): a receipt that was lost with a link is made good by the next comparison.
//!
//! ## Fetch, Page
//!
//! | Fetch | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | author | id | |
//! | 1 | log | log | |
//! | 2 | first | seq | from the batch on that holds this entry |
//! | 3 | last | seq | to the one that holds this: the page ends with it and goes back as far as it may |
//! | 4 | bytes | u64 | at most so many bytes of batches, but at least one batch; taken as 4,096 to 196,608 |
//!
//! | Page | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | author | id | |
//! | 1 | log | log | |
//! | 2 | batches | list<batch, 1024> | whole batches, ascending; without a gap, the last of them the newest in what was asked. Empty: nothing of it is held, or `busy` |
//! | 3 | busy | bool | the sender has not answered the last Fetch on this link yet: ask later or elsewhere |
//!
//! What is new is fetched before what is old: first the beginning of a log, which says its author's name, then the
//! newest page of each log in turn, then back from there. A log is fetched from its author, if that one is linked, and
//! from others if the author has not sent it within 2 s. One Fetch is under way on a link at a time, of a size that the
//! link moves in about 250 ms; without an answer for 250 ms others are asked, too, and after 2 s it is given up. What a
//! peer says that it holds and then sends nothing of is asked of it again after a minute. A node reads 4 pages at a time
//! for its peers, whose addresses take turns; a Fetch waits for that, and does not become *busy* by it.
//!
//! ## Relay, Reach, Carry
//!
//! A node that has no link with a member, while a peer says in `linked` that it has one, asks one such peer to pass on.
//! That peer answers at once, and again whenever it changes, whether it reaches the member; and it pushes, besides its
//! own, every new batch of that member for the whole room. Nothing of direct conversations is passed on. If it does
//! not answer for 2 s, or does not reach the member any more, another one is asked. What it calls the member counts
//! until the member is heard to say so itself. Of members never heard of before a node asks for 64 through peers at one
//! address (strangers who come from there themselves count too), and one more every 5 s.
//!
//! | Relay | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | member | id | whose batches to pass on |
//! | 1 | on | bool | false: no more, there is a link now |
//!
//! | Reach | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | member | id | who was asked about |
//! | 1 | state | u64 | 0 linked and heard from within 8 s; 1 said goodbye; 2 and above: not reached |
//! | 2 | name | text | as far as known |
//! | 3 | uptime_ms | ms | since its program started; 0 where it is not linked |
//! | 4 | listens | list<address, 64> | where it listens: worth a dial; none where it is not linked. Loopback addresses only to peers on loopback |
//!
//! | Carry | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | author | id | whose logs the receipts are for |
//! | 1 | from | id | who has stored them |
//! | 2 | receipts | list<[log, first seq, last seq], 1024> (open) | as in Receipt |
//!
//! Receipts for passed-on batches go back to the one who passed them on, with `from` as the sender; it sends the frame
//! as it is to the author, if they are linked, and no further. The author takes it for members that it reaches through
//! somebody and has no link with; whose word it is no signature says, so it is as good as that of those between.
//!
//! ## Closed
//!
//! | Closed | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | others | bool | whether the sender takes nothing of any author but itself: there is little room on its disk |
//! | 1 | authors | list<id, 1024> | whose logs it takes no further: they take all that one author may there (by default 256 MiB), are more than 4,096, or were written by somebody whom it never met, while it keeps as much of such as it will |
//!
//! It is sent when that changes, and at link-up if it ever did. Each one replaces the one before; without one
//! everything is taken. What a node has closed it neither asks for nor offers, and the other side leaves it out of what
//! the two compare, in both directions, and does not push it: two nodes that hold different parts of a log would
//! compare it for ever.
//!
//! Whom a node never met it knows from others alone, who could have made up any number of keys: it was neither linked with
//! them nor reached them through somebody (see Relay). Of such it keeps the logs of 2,048 authors, and 65,536 logs in all. Of
//! those who are one too many it names to each peer whom this peer names in a page of authors; and no longer, once it
//! has met them or has room again. Whoever is beyond the 1,024 of one frame is found to differ in each comparison, and
//! asked for in none.
//!
//! # Batches
//!
//! A batch is 1 to 64 consecutive entries of one log under one signature. In frames it is a byte string that holds,
//! exactly as its author made it, at most 131,072 bytes of CBOR: `[header, signature, bodies]`, where header is a byte
//! string with a CBOR map in it, signature is bytes64, and bodies is an array with one element for each entry. A header
//! has at most 6,144 bytes. Nobody ever encodes a batch again; it is stored and passed on as it came.
//!
//! | header | field | type | |
//! | --- | --- | --- | --- |
//! | 0 | version | u64 | 1. A batch of another version is passed over, and the frame around it is not at fault, as long as it is an array that begins with a header that begins this table |
//! | 1 | room | room id | a batch of another room does not verify |
//! | 2 | author | id | |
//! | 3 | audience | id? | the one other member it is for, not the author; none: the whole room |
//! | 4 | log | log | |
//! | 5 | first_seq | seq | of its first entry |
//! | 6 | prev | hash? | header hash of the batch before it in its log; missing exactly if `first_seq` is 1 |
//! | 7 | after | entry id? | see "Order" |
//! | 8 | entries | array of [time, body length in bytes (u64), BLAKE3 of the body] (open) | 1 to 64, their times growing; `first_seq` and their number make no seq above the last one |
//!
//! The *header hash* is BLAKE3 of the header's bytes. The signature is Ed25519 (RFC 8032, verified strictly: no key or
//! point of small order, no non-canonical number) over the 15 bytes `roomful batch 1`, a zero byte, and the header's
//! bytes.
//!
//! A body is a byte string of at most 33,792 bytes with the length and hash that the header says. Where the author has
//! deleted an entry, its place holds instead the array `[header, signature, index, body]`: header and signature of a
//! batch of the same author for the same audience, the index of an entry in it, and that entry's body, a Delete that
//! names the deleted entry. A batch with anything else in a body's place does not verify.
//!
//! A log belongs to one instance of its author and one audience. Times grow along it. `first_seq` is one more than the
//! last seq of the batch that `prev` hashes. A batch that verifies is stored even if what stands before it is lacking
//! still. One of another audience than its log is not taken. One that contradicts what is held of its
//! log in any other way makes a fork.
//!
//! ## Forks
//!
//! No honest author signs two headers for one seq of one log (unless its machine was put back to an earlier state while
//! it ran). Of any two headers of one log and audience, X with the smaller `first_seq` and Y:
//!
//! | if | then the seq | is claimed by |
//! | --- | --- | --- |
//! | both have the same `first_seq` and `prev` | `first_seq` | the hashes of X and Y |
//! | both have the same `first_seq`, and not the same `prev` | `first_seq` - 1 | both `prev` |
//! | X holds the seq before Y, and Y's `prev` is not the hash of X | Y's `first_seq` - 1 | the hash of X, and Y's `prev` |
//! | none of these, but X holds Y's first seq, or its last time is not below Y's first | Y's `first_seq` | nobody |
//!
//! The log *ends* at that seq with the batch that has the smaller of the two hashes, or, claimed by nobody, before it.
//! A node keeps of all ends that it can find or is told the least one (by seq, then by hash, nobody's first) and the
//! two headers that prove it; it keeps no batch that holds the end's seq or a later one, but the one with the end's
//! hash. Both headers are told in Logs, as byte strings that each hold the CBOR array `[header, signature]`; who is
//! told compares them like any batch with what it holds. Where two nodes hold the same last seq with another head, or
//! one lacks the end, it fetches from that seq back to where they part. The member is marked for good; what the
//! author's own node held of the part that fell it says again in a new log.
//!
//! ## Bodies
//!
//! 16 random bytes, so that a short text can't be guessed from its hash, and the CBOR array `[kind, map]`. A kind that
//! is not known, or a body that does not fit the table, is stored and passed on, and not shown. This version writes and
//! shows Say, Hooray and Profile; it knows the others as forms, and where a Delete stands in a body's place.
//! A `channel` is a clean name; missing in the room it is `general`, and in a direct message it means nothing.
//!
//! | kind | | fields |
//! | --- | --- | --- |
//! | 0 | Say | 0 text: text, at most 32,768 bytes, not blank; 1 channel: text?; 2 reply_to: entry id? |
//! | 1 | Edit | 0 entry: entry id of the same author; 1 text: as in Say |
//! | 2 | Delete | 0 entry: entry id of the same author |
//! | 3 | React | 0 entry: entry id; 1 emoji: text; 2 off: bool |
//! | 4 | Profile | 0 name: text, clean, or clean but for further marks; 1 status: text?. The first entry of every log |
//! | 5 | Hooray | 0 text: as in Say; 1 channel: text? |
//! | 6 | File | 0 name: text; 1 size: u64; 2 media type: text; 3 content: hash; 4 channel: text? |
//!
//! ## Order
//!
//! The time that an author signs is a hybrid logical clock: not before its wall clock, greater than the last in its
//! log, greater than what it has seen of others as far as that is not more than 60 s ahead of its own wall clock, and
//! itself never more than that ahead. If the author holds an entry of that conversation whose place is not below the
//! first time of the batch, `after` names the one with the greatest place, unless that is in the same log or an earlier
//! batch of the log named it, and the author has lost nothing of the log since; else, if its first message answers one
//! of another log, that one: then the answer stays below it, wherever that may turn out to stand. Where both are to be
//! named, a batch with nothing but a Profile, which says the name again, names the former, and the next one the latter;
//! and an answer to what is not named yet always begins a batch.
//!
//! The *place* of an entry is the greatest of: its time; the place of the entry before it in its log + 1; and, for the
//! first of a batch, the place of the entry named in `after` + 1. What is not held is left out until it comes; then
//! places are corrected. A conversation is ordered by (place, author, log, seq), ids compared as bytes: so equal sets
//! have equal order everywhere.
//!
//! # One link per pair
//!
//! Two links between the same two instances: if they were dialled by different sides, the one that the smaller id
//! dialled stays; if by the same, or if the older has been up for more than 10 s or silent for 1 s (then the other side
//! has lost it, and came back over another address), the newer. Only the node with the smaller id closes the other
//! (*duplicate*), once both are up; a third one ends any but the two of which one stays, on either side. A link from
//! another instance of an id that is linked: the old link is sent a Ping; if nothing comes on it for 2 s it is closed
//! (*silent*) and the new one taken, else the new one is refused (*key in use*).
//!
//! # Timers and limits
//!
//! All of them, with their reasons, are in [`crate::proto::limits`]. A node that was suspended (more than 5 s between
//! two turns) pings everybody and gives up nobody for 2 s.
//!
#![doc = include_str!("example.md")]

pub mod beacon;
mod error;
mod forms;
pub mod frame;
#[cfg(test)]
mod tests;

pub use error::WireError;
