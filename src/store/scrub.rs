//! The scrub: a background pass of the integrity check over what was stored before the start, in short steps while the writer
//! has nothing else to do. A pass goes on after a restart, and the next one begins a week later.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};
use tracing::debug;

use super::audit::Audit;
use super::error::StoreError;
use super::sql::{Count, int};
use super::state::State;
use super::writer::Writer;
use crate::proto::ids::{Arrival, Seq};
use crate::proto::limits::{SCRUB_ENTRIES, SCRUB_EVERY_MS, SCRUB_NOTED, SCRUB_PAUSE_MS, SCRUB_SIZES};

/// How far the scrub has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scrub {
    /// Compares batches from a number up to another.
    Batches {
        next: Arrival,
        last: Arrival,
    },
    /// Checks logs from a row on.
    Logs(Sizes),
    Done,
}

/// A log whose batches are being added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    log: i64,
    /// The entry with which it goes on; 0 before the log was looked at.
    next: Seq,
    /// Bytes of the batches before that.
    sum: u64,
    /// What the log's row said at the beginning.
    told: u64,
}

impl Sizes {
    /// Begins with a log, or the next that there is.
    fn of(log: i64) -> Self {
        Self { log, next: 0, sum: 0, told: 0 }
    }
}

impl Scrub {
    /// Goes on with batches up to `last`, unless a pass ended within a week. Without `last`, nothing is left to check.
    pub(super) fn resume(state: &State, last: Option<Arrival>, wall_ms: u64) -> Self {
        let is_fresh =
            state.scrubbed_ms.is_some_and(|at| wall_ms.checked_sub(at).is_some_and(|age| age < SCRUB_EVERY_MS));
        match last {
            Some(last) if !is_fresh => Self::Batches { next: state.scrub_next, last },
            Some(_) | None => Self::Done,
        }
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
            Ok(Scrub::Done) => {
                self.scrub_is_done();
                Ok(())
            }
            Ok(next) => {
                self.note(next);
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

    /// Ends the pass: everything was checked just now.
    pub(super) fn scrub_is_done(&mut self) {
        let wall_ms = self.wall_ms;
        self.scrub = Scrub::Done;
        self.note_progress(0, Some(wall_ms));
    }

    /// Writes the progress down now and then.
    fn note(&self, next: Scrub) {
        if let (Scrub::Batches { next: before, .. }, Scrub::Batches { next, .. }) = (self.scrub, next)
            && before / SCRUB_NOTED != next / SCRUB_NOTED
        {
            self.note_progress(next, self.state.get().scrubbed_ms);
        }
    }

    fn note_progress(&self, next: Arrival, scrubbed_ms: Option<u64>) {
        let noted = self.state.update(|state| {
            state.scrub_next = next;
            state.scrubbed_ms = scrubbed_ms;
        });
        if let Err(error) = noted {
            // Then the next start checks more than it had to.
            debug!(%error, "the progress of the background check is not kept");
        }
    }

    fn scrub_step(&self) -> Result<Scrub, StoreError> {
        match self.scrub {
            Scrub::Batches { next, last } => {
                let next = Audit::new(&self.db, self.appender.own).batches(next, last, SCRUB_ENTRIES)?;
                Ok(next.map_or(Scrub::Logs(Sizes::of(i64::MIN)), |next| Scrub::Batches { next, last }))
            }
            Scrub::Logs(sizes) => self.log_step(sizes),
            Scrub::Done => Ok(Scrub::Done),
        }
    }

    /// Checks what is held of a log, and adds up some of its batches.
    fn log_step(&self, mut sizes: Sizes) -> Result<Scrub, StoreError> {
        let mut statement =
            self.db.prepare_cached("SELECT log, bytes FROM log WHERE log >= ?1 ORDER BY log LIMIT 1")?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Count>(1)?.0));
        let Some((log, told)) = statement.query_row([sizes.log], read).optional()? else { return Ok(Scrub::Done) };
        if log != sizes.log || sizes.next == 0 {
            Audit::new(&self.db, self.appender.own).edges(log)?;
            sizes = Sizes { told, ..Sizes::of(log) };
        }
        let mut statement = self.db.prepare_cached(
            "SELECT first_seq, length(bytes) FROM batch WHERE log = ?1 AND first_seq >= ?2 ORDER BY first_seq LIMIT ?3",
        )?;
        let mut rows = statement.query(params![log, int(sizes.next), SCRUB_SIZES as i64])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            sizes.next = row.get::<_, Count>(0)?.0 + 1;
            sizes.sum += row.get::<_, Count>(1)?.0;
        }
        if count == SCRUB_SIZES {
            return Ok(Scrub::Logs(sizes));
        }
        // A log that changed between two steps is checked by the next pass.
        if sizes.told == told && sizes.sum != told {
            return Err(StoreError::inconsistent("the size of a log"));
        }
        Ok(log.checked_add(1).map_or(Scrub::Done, |next| Scrub::Logs(Sizes::of(next))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_goes_on_and_begins_again_after_a_week() {
        let begun = State { scrub_next: 70_000, ..State::default() };
        assert_eq!(Scrub::resume(&begun, Some(90_000), 5), Scrub::Batches { next: 70_000, last: 90_000 });
        assert_eq!(Scrub::resume(&begun, None, 5), Scrub::Done);
        let done = State { scrubbed_ms: Some(1_000), ..State::default() };
        assert_eq!(Scrub::resume(&done, Some(9), 999 + SCRUB_EVERY_MS), Scrub::Done);
        let anew = Scrub::Batches { next: 0, last: 9 };
        // After a week, and by a clock that was put back.
        for wall_ms in [1_000 + SCRUB_EVERY_MS, 999] {
            assert_eq!(Scrub::resume(&done, Some(9), wall_ms), anew);
        }
    }
}
