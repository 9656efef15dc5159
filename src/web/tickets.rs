//! Download addresses that work once and for a minute, so that a browser can download a file
//! without the token in its address.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;

use crate::proto::ids::Hash;
use crate::proto::limits::{TICKET_MS, TICKETS_MAX};

/// The unused addresses.
#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<[u8; 32], Ticket>>);

/// A file that a ticket opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TicketedFile {
    pub(super) content: Hash,
    pub(super) name: String,
}

struct Ticket {
    file: TicketedFile,
    until: Instant,
}

impl Tickets {
    /// Makes a ticket. Returns it in hex.
    pub(super) fn issue(&self, file: TicketedFile, now: Instant) -> String {
        let ticket: [u8; 32] = rand::random();
        let mut tickets = self.lock();
        tickets.retain(|_, ticket| ticket.until > now);
        if tickets.len() >= TICKETS_MAX
            && let Some(oldest) = tickets.iter().min_by_key(|(_, ticket)| ticket.until).map(|(key, _)| *key)
        {
            tickets.remove(&oldest);
        }
        tickets.insert(ticket, Ticket { file, until: now + Duration::from_millis(TICKET_MS) });
        HEXLOWER.encode(&ticket)
    }

    /// Returns the file of a ticket that still works.
    pub(super) fn peek(&self, ticket: &str, now: Instant) -> Option<TicketedFile> {
        let key = parse(ticket)?;
        self.lock().get(&key).filter(|ticket| ticket.until > now).map(|ticket| ticket.file.clone())
    }

    /// Uses a ticket up. Returns its file if it still worked.
    pub(super) fn redeem(&self, ticket: &str, now: Instant) -> Option<TicketedFile> {
        let key = parse(ticket)?;
        self.lock().remove(&key).filter(|ticket| ticket.until > now).map(|ticket| ticket.file)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(ticket: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(ticket.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> TicketedFile {
        TicketedFile { content: Hash([1; 32]), name: "a".to_owned() }
    }

    #[test]
    fn ticket_works_once() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let ticket = tickets.issue(file(), now);
        assert_eq!(tickets.peek(&ticket, now), Some(file()));
        assert_eq!(tickets.redeem(&ticket, now), Some(file()));
        assert_eq!(tickets.redeem(&ticket, now), None);
        assert_eq!(tickets.peek(&ticket, now), None);
    }

    #[test]
    fn ticket_expires_after_a_minute() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let ticket = tickets.issue(file(), now);
        assert!(tickets.peek(&ticket, now + Duration::from_millis(TICKET_MS - 1)).is_some());
        assert_eq!(tickets.redeem(&ticket, now + Duration::from_millis(TICKET_MS)), None);
    }

    #[test]
    fn wrong_tickets_open_nothing() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let ticket = tickets.issue(file(), now);
        for wrong in ["", "00", &ticket[1..], &ticket.to_uppercase(), &"0".repeat(64)] {
            assert_eq!(tickets.redeem(wrong, now), None);
        }
    }

    #[test]
    fn oldest_ticket_gives_way() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let first = tickets.issue(file(), now);
        let later = now + Duration::from_millis(1);
        let others: Vec<String> = (0..TICKETS_MAX).map(|_| tickets.issue(file(), later)).collect();
        assert_eq!(tickets.peek(&first, later), None);
        assert!(others.iter().all(|ticket| tickets.peek(ticket, later).is_some()));
    }
}
