//! The scrub: a background pass of the integrity check over what was stored before the start, in short steps while the writer
//! has nothing else to do.

use std::time::Duration;

use rusqlite::OptionalExtension as _;

use super::audit::{Audit, log_bytes};
use super::error::StoreError;
use super::writer::Writer;
use crate::proto::ids::Arrival;
use crate::proto::limits::{SCRUB_BATCHES, SCRUB_PAUSE_MS};

/// How far the scrub has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scrub {
    /// Compares batches from a number up to another.
    Batches {
        next: Arrival,
        last: Arrival,
    },
    /// Compares the sizes of logs, from a row on.
    Logs {
        next: i64,
    },
    Done,
}

impl Scrub {
    /// Begins with batches up to `last`; without, nothing is left to check.
    pub(super) fn up_to(last: Option<Arrival>) -> Self {
        last.map_or(Self::Done, |last| Self::Batches { next: 0, last })
    }

    /// The pause before the next step, if there is one.
    pub(super) fn pause(self) -> Option<Duration> {
        (self != Self::Done).then_some(Duration::from_millis(SCRUB_PAUSE_MS))
    }
}

impl Writer {
    /// Makes one step. What it finds is repaired at once.
    pub(super) fn scrub(&mut self) -> Result<(), StoreError> {
        match self.scrub_step() {
            Ok(next) => {
                self.scrub = next;
                Ok(())
            }
            Err(StoreError::Altered(batch)) => self.set_aside_own(batch),
            Err(StoreError::Inconsistent(reason)) => self.rebuild(&reason),
            Err(error) => Err(error),
        }
        .or_else(|error| {
            if !error.is_disk_full() {
                return Err(error);
            }
            // Without room nothing can be repaired. The next start checks again.
            self.scrub = Scrub::Done;
            Ok(())
        })
    }

    fn scrub_step(&self) -> Result<Scrub, StoreError> {
        match self.scrub {
            Scrub::Batches { next, last } => {
                let next = Audit::new(&self.db, self.appender.own).batches(next, last, SCRUB_BATCHES)?;
                Ok(next.map_or(Scrub::Logs { next: i64::MIN }, |next| Scrub::Batches { next, last }))
            }
            Scrub::Logs { next } => {
                let mut statement =
                    self.db.prepare_cached("SELECT log FROM log WHERE log >= ?1 ORDER BY log LIMIT 1")?;
                let Some(log) = statement.query_row([next], |row| row.get::<_, i64>(0)).optional()? else {
                    return Ok(Scrub::Done);
                };
                log_bytes(&self.db, log)?;
                Ok(log.checked_add(1).map_or(Scrub::Done, |next| Scrub::Logs { next }))
            }
            Scrub::Done => Ok(Scrub::Done),
        }
    }
}
