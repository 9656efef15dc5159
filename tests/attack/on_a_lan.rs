//! What the attacker does, one kind of misdeed a file.

#[path = "crowding.rs"]
mod crowding;
#[path = "floods.rs"]
mod floods;
#[path = "forking.rs"]
mod forking;
#[path = "future.rs"]
mod future;
#[path = "hoarding.rs"]
mod hoarding;
#[path = "listening.rs"]
mod listening;
#[path = "lying.rs"]
mod lying;
#[path = "posing.rs"]
mod posing;
#[path = "stalling.rs"]
mod stalling;
