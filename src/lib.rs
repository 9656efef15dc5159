//! Roomful: chat for everyone on a local network, in one room, without a server, an account or the
//! internet.
//!
//! Each machine runs one program, a *node*. Nodes discover each other by UDP broadcast, keep one
//! TLS connection with each other, and each serves a page to its own user on localhost. Messages
//! are kept in signed logs that every node replicates, so a node that was away catches up from any
//! node that is here. This page is the map of the code. The README explains how to use the program,
//! and [`wire`] specifies the protocol.
//!
//! # Overview
//!
//! ```text
//!   page, commands          the node of one machine                       other nodes
//!  ┌──────────────┐   ┌──────────────────────────────────────────┐   ┌────────────────┐
//!  │ HTTP and     │   │ web ─requests▶ ┌──────┐ ◀─events── net ──│──▶│ UDP: beacons   │
//!  │ WebSocket on │◀─▶│     ◀─events── │ node │ ─frames──▶       │   │ TCP + TLS:     │
//!  │ localhost    │   │ store ◀writes─ │engine│                  │   │ one link each  │
//!  └──────────────┘   │       results▶ └──────┘                  │   └────────────────┘
//!                     └──────────────────────────────────────────┘
//! ```
//!
//! Four ideas shape the code:
//!
//! - *Every member writes a log.* An author appends signed, hash-chained batches, so any node can
//!   store, relay and verify them. Their headers and signatures never change.
//! - *Every sender is a cursor over a log*: a link, a tab, `roomful tail`. A slow reader lags and
//!   costs no memory.
//! - *Push new entries, pull the rest.* One mechanism, comparing and fetching, closes every gap.
//! - *The rules are pure, the edges do I/O.* One synchronous engine makes the decisions and the
//!   drivers around it carry them out. A simulated network can replay any order of events from a
//!   seed.
//!
//! # Modules in reading order
//!
//! | module | contains |
//! | --- | --- |
//! | [`proto`] | the rules: batches, the order of the timeline, presence, what a peer lacks; [`proto::engine`] puts them together |
//! | [`wire`] | encoding and decoding of `proto`'s values: the written protocol |
//! | [`store`] | SQLite: append, and read after a cursor |
//! | [`content`] | the bytes of files, verified against their hashes |
//! | [`net`] | interfaces, beacons, TLS, links |
//! | [`api`] | the JSON types of pages, scripts and commands |
//! | [`web`] | the page's server: authentication, HTTP, WebSocket |
//! | [`metrics`] | measurements, and their text for monitoring systems |
//! | [`node`] | the running node: the event loop that connects the modules |
//! | [`identity`] | the data directory: lock, key, token, socket |
//! | [`config`], [`cli`], [`startup_banner`], [`logging`], [`signals`], [`system`] | the process around the node |
//! | [`client`] | the commands that talk to a running node, and `roomful ssh` |
//! | [`service`] | the node as a service of the user |
//! | `bounded_slots` | connections of a limited number, of which one is evicted at the limit |
//!
//! The page is in `static/` (modules and styles, served as they are written) and `templates/` (its
//! HTML). The folders of `tests/` are named for what they test:
//!
//! - `protocol`: rules and bytes, with the inputs that `fuzz` found; `simulation`: many engines in
//!   one simulated network;
//! - `store`, `http` and `cli`: one part each; `node`, `network` and `faults`: real nodes;
//!   `attack`: hostile members and strangers;
//! - `page`: the page in real browsers (`real_nodes`, `fake_node`), and its looks (`visual`); `js`:
//!   its modules;
//! - `bench`: speed; `tidy`: rules for the sources; `mutations`: whether the tests detect changes
//!   to the code; `support`: the crate that the tests share.
//!
//! # The path of a message
//!
//! composer (`static/js/composer/composer.js`) → [`web`]'s socket → [`node`] → [`proto::engine`]
//! drafts and signs → [`store`] commits → the engine sends it on every link → the peer's [`net`]
//! decodes and verifies → its engine → its store commits → its engine publishes it → its web → its
//! page. The receipt goes back to the author. Nothing is shown, sent or acknowledged before its
//! commit.
//!
//! # Adding a kind of entry
//!
//! 1. `proto/entries/kind.rs`: its variant and its descriptor: the word, and whether it is shown,
//!    searched, exported and counted as unread. Store, API and commands read it there.
//! 2. `proto/entries/body.rs`: its fields on the wire. The compiler names the matches to complete,
//!    such as the bytes that it needs in a batch, and the audit of what it changes.
//! 3. `proto/commands.rs`: its fields in a command of the user.
//! 4. `proto/engine/publish/mod.rs`: the body of a message; or `node/changes.rs`: that of a change.
//! 5. `proto/entries/deletion.rs`: whether a deletion removes its body.
//! 6. `store/read/decoded.rs`: a message's text; or what it changes: the rule in
//!    `proto/entries/message_state.rs`, and the rows in `store/write/changes.rs` and
//!    `store/tables/changes.rs`.
//! 7. `web/extract/say.rs` or `web/extract/change.rs`: its fields in a request.
//! 8. `web/ws/request.rs`: its frame from a page.
//! 9. `api/message.rs`: its fields in an answer.
//! 10. `wire/mod.rs`: the specification of its body.
//!
//! Then the model of the store in `tests/support`, the golden bytes in `tests/protocol`, and the
//! page.
//!
//! # Adding a frame between nodes
//!
//! 1. `proto/replication/frame.rs`: the variant; of a frame about files,
//!    `proto/files/file_frame.rs`.
//! 2. `wire/envelope.rs`: its number.
//! 3. `wire/forms.rs`: its fields; `wire/frame.rs`: its encoding and decoding; or both in
//!    `wire/files.rs`.
//! 4. `proto/engine/mod.rs`: the component that takes it; or `node/files/`.
//! 5. `wire/mod.rs`, `wire/replication.md` or `wire/files.md`: its specification.
//!
//! Then its golden bytes in `tests/protocol`.
//!
//! # Adding an HTTP route
//!
//! 1. `api/`: the JSON form of the answer, in the file of its subject.
//! 2. `web/requests.rs`: a variant of [`web::NodeRequest`], if no present one fits; about files, in
//!    `web/file_requests.rs`.
//! 3. `web/handlers/`: the handler. Its fields are a struct that `extract/json.rs` or
//!    `extract/query.rs` reads; types of single fields are in `extract/fields.rs`.
//! 4. `web/router.rs`: the route. Its layers already authenticate it, bound its body and its time,
//!    and set the headers.
//! 5. `node/requests.rs`: the answer, from the store or the engine; or `node/files/`.
//! 6. `api/code.rs`: a code, if it refuses for a new reason.
//! 7. `tests/support/src/fake_node/replies.rs`: the fake node's answer; `tests/http/`: a test.
//!
//! # Adding a socket message
//!
//! From a page: a variant of [`web::request::RequestKind`] with its fields in `web/ws/request.rs`,
//! its request in `web/ws/commands.rs`, then steps 2, 5 and 7 above.
//!
//! To the pages: a variant of [`web::BroadcastEvent`] in `web/broadcast.rs`, its encoding in
//! `web/frames.rs`, and the place in `node/` that publishes it. Then `static/js/model/frames.js`.
//!
//! # Invariants
//!
//! - `proto` opens no socket, reads no clock, starts no thread and draws no randomness of its own.
//! - [`web`], [`net`] and [`store`] do not know each other. They exchange messages through
//!   [`node`]. `tests/tidy` enforces which module may import which.
//! - A [`proto::entries::batch::Verified`] exists only if its signature, hashes and limits were
//!   checked; nothing else is stored.
//! - The header and the signature of a batch are kept as they were signed. A body is only ever
//!   replaced by the author's signed deletion of it, in `proto/entries/deletion.rs`.
//! - A message is shown as its signed header says. Columns stored beside it are compared with the
//!   header at each read.
//! - The page builds no HTML from text: formatted text is a list of typed spans, from which it
//!   creates elements. An exported page escapes all text.
//! - Every list, queue and wait that others can make grow has a limit, with its reason, in
//!   [`proto::limits`]. The number of members is not limited, but the rate of newcomers is
//!   ([`proto::limits::NEWCOMERS_PER_ADDRESS`]).
//! - The mesh never uses the file descriptors reserved for the page and the database
//!   ([`proto::links::link_budget`]). A member that the user verified or wrote to never loses its
//!   link to another one ([`proto::links::eviction`]).
//! - There are no cookies, and no connection between nodes without TLS.

pub mod api;
mod bounded_slots;
pub mod cli;
pub mod client;
pub mod config;
pub mod content;
pub mod identity;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod node;
pub mod proto;
pub mod service;
pub mod signals;
mod start_command;
pub mod startup_banner;
pub mod store;
pub mod system;
pub mod web;
pub mod wire;
