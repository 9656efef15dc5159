//! The rules, pure: no socket, no clock, no thread, no random source. Everything here can be replayed from a seed.
//!
//! In reading order:
//!
//! | module | is |
//! | --- | --- |
//! | [`ids`], [`name`], [`lookalikes`], [`name_index`], [`clock`], [`limits`] | the small words: who, what it is called, when, how much |
//! | [`body`], [`batch`] | what is said, and the unit that is signed, sent, checked and stored |
//! | [`log`], [`frontier`] | what is held of one log, and of all; the hashes that two nodes compare |
//! | [`fork`] | what becomes of a log in which two things were signed for one place |
//! | [`closed`] | why a log is taken no further |
//! | [`timeline`] | where an entry stands: the order of the room |
//! | [`words`] | what a search finds |
//! | [`frame`], [`session`], [`room_key`] | what two nodes say to each other, how a link begins, and who is let in |
//! | [`link_budget`], [`eviction`] | how many links there may be, and which one makes room for another |
//! | [`address_group`], [`bucket`], [`newcomers`] | which addresses count as one, how often something may be done, how many may join |
//! | [`book`], [`announce`] | whom to dial, and when to be heard |
//! | [`roster`], [`marks`], [`receipts`] | who is here, what the user thinks of them, and who holds what this node's user wrote |
//! | [`notices`] | how often the user is told of one member |
//! | [`refusal`] | why something was not taken, counted |
//! | [`safety`] | what two users compare to be sure of each other |
//! | [`record`] | what the engine and the store say to each other |
//! | [`engine`] | all of it put together: what happened in, what is to be done out |

pub mod address_group;
pub mod announce;
pub mod batch;
pub mod body;
pub mod book;
pub mod bucket;
pub mod clock;
pub mod closed;
pub mod engine;
pub mod eviction;
pub mod fork;
pub mod frame;
pub mod frontier;
pub mod history;
pub mod ids;
pub mod limits;
pub mod link_budget;
pub mod log;
pub mod lookalikes;
pub mod marks;
pub mod name;
pub mod name_index;
pub mod newcomers;
pub mod notices;
pub mod receipts;
pub mod record;
pub mod refusal;
pub mod room_key;
pub mod roster;
pub mod safety;
pub mod session;
pub mod timeline;
pub mod words;
