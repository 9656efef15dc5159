//! The rules of the protocol, as pure code: no socket, clock, thread or random source. Every run
//! can be replayed from a seed.
//!
//! In reading order:
//!
//! | module | contains |
//! | --- | --- |
//! | [`ids`], [`clock`], [`limits`] | identifiers, time, limits |
//! | [`name`](names::name) | a name, cleaned |
//! | [`confusables`](names::confusables) | letters that look alike |
//! | [`name_index`](names::name_index) | which names are shared by several members |
//! | [`kind`](entries::kind) | the kinds of entries, with a descriptor each |
//! | [`body`](entries::body) | the content of an entry |
//! | [`batch`](entries::batch) | the unit that is signed, sent, verified and stored |
//! | [`mention`](entries::mention) | members that a text names |
//! | [`file_name`](names::file_name) | names of files, cleaned |
//! | [`attachment`](files::attachment) | the files that a message names |
//! | [`group_set`](files::group_set) | which parts of a file are held |
//! | [`emoji`](entries::emoji) | which reactions are emoji |
//! | [`timeline`](entries::timeline) | messages and their order |
//! | [`appearance`](entries::appearance) | what edits, deletions and reactions made of a message |
//! | [`message_state`](entries::message_state) | the fold that computes an appearance |
//! | [`tokenizer`](entries::tokenizer) | the words that a search finds |
//! | [`frame`](replication::frame) | the frames between two nodes |
//! | [`range_set`](replication::range_set) | sets of sequence numbers |
//! | [`log`](replication::log) | what is held of one log |
//! | [`frontier`](replication::frontier) | what is held of all logs, and the hashes that two nodes compare |
//! | [`fork`](replication::fork) | a log in which two batches were signed for one position |
//! | [`author_limits`](replication::author_limits) | why entries of an author are no longer accepted |
//! | [`receipts`](replication::receipts) | delivery of own messages |
//! | [`drop_reason`](replication::drop_reason) | why input was dropped, counted |
//! | [`history`] | queries of the history |
//! | [`commands`] | what the user asks to publish |
//! | [`store_api`](replication::store_api) | the messages between engine and store |
//! | [`member_flags`] | the user's flags for members |
//! | [`roster`](members::roster) | presence of members |
//! | [`notices`](members::notices) | how often the user is told about one member |
//! | [`safety`](members::safety) | the safety words that two users compare |
//! | [`address_book`](links::address_book) | when to dial which address |
//! | [`beacon_schedule`](links::beacon_schedule) | when to announce this node |
//! | [`link_budget`](links::link_budget) | the number of links |
//! | [`eviction`](links::eviction) | which link is evicted |
//! | [`address_group`](links::address_group) | which addresses count as one |
//! | [`token_bucket`](links::token_bucket) | rate limits |
//! | [`newcomers`](links::newcomers) | admission of new members |
//! | [`room_key`](links::room_key) | the key of a room |
//! | [`room_proof`](links::room_proof) | the proof that a peer knows the room |
//! | [`transfer`] | which parts of a file are asked of which peer |
//! | [`engine`] | the state machine of a node: events in, actions out |

pub mod clock;
pub mod commands;
pub mod engine;
pub mod entries;
pub mod files;
pub mod history;
pub mod ids;
pub mod limits;
pub mod links;
pub mod member_flags;
pub mod members;
pub mod names;
pub mod replication;
pub mod transfer;
