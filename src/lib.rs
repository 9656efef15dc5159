//! Roomful puts everyone on a local network into one room, without a server, an account or the internet.
//!
//! Each machine runs one program, a *node*. Nodes find each other by UDP broadcast, keep one TLS connection with each
//! other, and each serves a page to its own user on localhost. What is said is kept in signed logs that every node
//! replicates, so whoever was away catches up from whoever is here. This page is the map of the code; the README says
//! how to use the program, and [`wire`] is the protocol.
//!
//! # From above
//!
//! ```text
//!   page, commands          the node of one machine                       other nodes
//!  ┌──────────────┐   ┌──────────────────────────────────────────┐   ┌────────────────┐
//!  │ HTTP and     │   │ web ──asks──▶ ┌──────┐ ◀──events── net ──│──▶│ UDP: beacons   │
//!  │ WebSocket on │◀─▶│     ◀──shows─ │ node │ ──frames──▶       │   │ TCP + TLS:     │
//!  │ localhost    │   │ store◀─writes │engine│                   │   │ one link each  │
//!  └──────────────┘   │       answers▶└──────┘                   │   └────────────────┘
//!                     └──────────────────────────────────────────┘
//! ```
//!
//! Four ideas carry everything. *What is said is a log*: an author appends signed, hash-chained batches that never
//! change, so anybody can store, relay and check them. *Everything that sends is a cursor over a log*: a link, a tab,
//! `roomful tail`; a slow reader lags and costs nobody memory. *Push what you write, pull the rest*: one mechanism,
//! comparing and fetching, heals every gap. *The rules are pure, the edges do I/O*: one synchronous engine decides,
//! drivers around it do, and a simulated world can replay any ordering of events from a seed.
//!
//! # In reading order
//!
//! | module | is |
//! | --- | --- |
//! | [`proto`] | the rules: what a batch is, how a timeline is ordered, who is here, what a peer lacks; [`proto::engine`] puts them together |
//! | [`wire`] | bytes to and from the values of `proto`: the written protocol |
//! | [`store`] | SQLite: append, and read after a cursor |
//! | [`net`] | interfaces, beacons, TLS, links |
//! | [`api`] | the JSON forms that pages, scripts and commands see |
//! | [`web`] | the page's server: guard, HTTP, WebSocket |
//! | [`node`] | one node put together; the loop in which everything meets |
//! | [`identity`] | the data directory: lock, key, token, socket |
//! | [`config`], [`cli`], [`greeting`], [`report`], [`signals`], [`system`] | the program around it |
//! | [`client`] | the commands that talk to a running node |
//!
//! The page is in `static/` (plain modules and styles, served as they are written) and `templates/` (its HTML). Tests are
//! in `tests/`: `properties` and `sim` for the rules, `golden` for the bytes of the protocol, `fuzz` for bytes from
//! strangers (what it kept is tried by `corpora`), `store`, `web` and `cli` for one room each, `processes`, `lan` and
//! `faults` for real nodes, `attack` for hostile members and strangers, `browser` and `behaviour` for real pages, `scenes` for
//! how they look, `js` for the rules of the page, `bench` for speed, `tidy` for the sources themselves, and `mutations`
//! for the tests.
//!
//! # The way of a message
//!
//! composer (`static/js/view/composer.js`) → [`web`]'s socket → [`node`] → [`proto::engine`] drafts and signs →
//! [`store`] commits → the engine sends it on every link → the other's [`net`] decodes and verifies → its engine → its
//! store commits → its engine shows it → its web → its page; and the receipt back to the author. Nothing is shown, sent
//! or acknowledged before its commit.
//!
//! # What always holds
//!
//! - `proto` opens no socket, reads no clock, starts no thread and draws no randomness of its own.
//! - [`web`], [`net`] and [`store`] never see each other: they meet in [`node`], as messages. Who may import whom is
//!   held by `tests/tidy.rs`.
//! - A [`proto::batch::Verified`] exists only if its signature, hashes and limits were checked; nothing else is stored.
//! - The bytes of a batch are kept as they were signed, never encoded again.
//! - A message is shown as its signed header says: what the database stores beside it is compared whenever it is read.
//! - The page builds no HTML from text: formatted text is typed spans, and it makes nodes of them. An exported page
//!   escapes all text.
//! - Every list, queue and wait that others can make grow has a limit, with its reason, in [`proto::limits`]. Whoever
//!   proves a key on a link is limited in how fast they come ([`proto::limits::NEWCOMERS_PER_ADDRESS`]), not in number.
//! - The mesh never uses the file descriptors with which the page and the database are opened
//!   ([`proto::link_budget`]), and a member that the user verified or wrote to never loses its link to another
//!   ([`proto::eviction`]).
//! - There are no cookies, and no connection between nodes without TLS.

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod greeting;
pub mod identity;
pub mod net;
pub mod node;
pub mod proto;
pub mod report;
pub mod signals;
pub mod store;
pub mod system;
pub mod web;
pub mod wire;
