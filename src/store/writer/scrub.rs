//! The scrub: a background pass of the integrity check over batches stored before the start, in
//! short steps while no job waits. A pass continues after a restart. The next one begins a week
//! later.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use tracing::debug;

use crate::proto::ids::{Arrival, NodeId, Seq};
use crate::proto::limits::{SCRUB_ENTRIES, SCRUB_EVERY_MS, SCRUB_NOTED, SCRUB_PAUSE_MS, SCRUB_SIZES};
use crate::store::error::StoreError;
use crate::store::recovery::audit::IntegrityCheck;
use crate::store::recovery::state_file::{DatabaseState, StateFile};
use crate::store::sql::{NonNegative, int};

/// The background pass.
pub(crate) struct Scrub {
    progress: Progress,
    /// Keeps the progress across restarts.
    state: Arc<StateFile>,
    /// The time of the start, in milliseconds since 1970.
    wall_ms: u64,
}

/// The progress of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Checks batches from `next` up to `last`.
    Batches {
        next: Arrival,
        last: Arrival,
    },
    /// Checks logs, from a row on.
    Logs(LogSizeCheck),
    Done,
}

/// A log whose batches are being added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LogSizeCheck {
    log: i64,
    /// The entry to continue with. Zero before the log was checked.
    next: Seq,
    /// Bytes of the batches before `next`.
    sum: u64,
    /// The size in the log's row at the beginning.
    told: u64,
}

impl LogSizeCheck {
    /// Begins with a log, or with the next one after a gap.
    fn of(log: i64) -> Self {
        Self { log, next: 0, sum: 0, told: 0 }
    }
}

impl Progress {
    /// Continues with batches up to `last`, unless a pass ended within a week. Without `last`, no
    /// batch remains to check.
    fn resume(state: &DatabaseState, last: Option<Arrival>, wall_ms: u64) -> Self {
        let is_fresh =
            state.scrubbed_ms.is_some_and(|at| wall_ms.checked_sub(at).is_some_and(|age| age < SCRUB_EVERY_MS));
        match last {
            Some(last) if !is_fresh => Self::Batches { next: state.scrub_next, last },
            Some(_) | None => Self::Done,
        }
    }
}

impl Scrub {
    /// Continues with batches up to `last`, unless a pass ended within a week. Without `last`, no
    /// batch remains to check.
    pub(crate) fn resume(state: Arc<StateFile>, last: Option<Arrival>, wall_ms: u64) -> Self {
        Self { progress: Progress::resume(&state.get(), last, wall_ms), state, wall_ms }
    }

    /// Returns the pause before the next step. None after the pass.
    pub(crate) fn pause(&self) -> Option<Duration> {
        (self.progress != Progress::Done).then_some(Duration::from_millis(SCRUB_PAUSE_MS))
    }

    /// Checks the next batches or logs. Fails with the damage that it finds. The next step checks
    /// the same part again.
    pub(crate) fn step(&mut self, db: &Connection, own: NodeId) -> Result<(), StoreError> {
        let next = self.next(db, own)?;
        if next == Progress::Done {
            self.complete();
            return Ok(());
        }
        if let (Progress::Batches { next: before, .. }, Progress::Batches { next, .. }) = (self.progress, next)
            && before / SCRUB_NOTED != next / SCRUB_NOTED
        {
            self.keep_progress(next, self.state.get().scrubbed_ms);
        }
        self.progress = next;
        Ok(())
    }

    /// Ends the pass as complete: everything was checked.
    pub(crate) fn complete(&mut self) {
        self.progress = Progress::Done;
        self.keep_progress(0, Some(self.wall_ms));
    }

    /// Stops the pass for this run. The next start continues it.
    pub(crate) fn give_up(&mut self) {
        self.progress = Progress::Done;
    }

    fn keep_progress(&self, next: Arrival, scrubbed_ms: Option<u64>) {
        let kept = self.state.update(|state| {
            state.scrub_next = next;
            state.scrubbed_ms = scrubbed_ms;
        });
        if let Err(error) = kept {
            // Without the progress, the next start checks more than necessary.
            debug!(%error, "the progress of the background check is not kept");
        }
    }

    fn next(&self, db: &Connection, own: NodeId) -> Result<Progress, StoreError> {
        match self.progress {
            Progress::Batches { next, last } => {
                let next = IntegrityCheck::new(db, own).batches(next, last, SCRUB_ENTRIES)?;
                Ok(next.map_or(Progress::Logs(LogSizeCheck::of(i64::MIN)), |next| Progress::Batches { next, last }))
            }
            Progress::Logs(sizes) => check_log_size(db, own, sizes),
            Progress::Done => Ok(Progress::Done),
        }
    }
}

/// Checks the ranges of a log, and adds up some of its batches.
fn check_log_size(db: &Connection, own: NodeId, mut sizes: LogSizeCheck) -> Result<Progress, StoreError> {
    let mut statement = db.prepare_cached("SELECT log, bytes FROM log WHERE log >= ?1 ORDER BY log LIMIT 1")?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, NonNegative>(1)?.0));
    let Some((log, told)) = statement.query_row([sizes.log], read).optional()? else { return Ok(Progress::Done) };
    if log != sizes.log || sizes.next == 0 {
        IntegrityCheck::new(db, own).edges(log)?;
        sizes = LogSizeCheck { told, ..LogSizeCheck::of(log) };
    }
    let mut statement = db.prepare_cached(
        "SELECT first_seq, length(bytes) FROM batch WHERE log = ?1 AND first_seq >= ?2 ORDER BY first_seq LIMIT ?3",
    )?;
    let mut rows = statement.query(params![log, int(sizes.next), SCRUB_SIZES as i64])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        sizes.next = row.get::<_, NonNegative>(0)?.0 + 1;
        sizes.sum += row.get::<_, NonNegative>(1)?.0;
    }
    if count == SCRUB_SIZES {
        return Ok(Progress::Logs(sizes));
    }
    // A log that changed between two steps is checked by the next pass.
    if sizes.told == told && sizes.sum != told {
        return Err(StoreError::inconsistent("the size of a log"));
    }
    Ok(log.checked_add(1).map_or(Progress::Done, |next| Progress::Logs(LogSizeCheck::of(next))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_resumes_and_restarts_after_a_week() {
        let begun = DatabaseState { scrub_next: 70_000, ..DatabaseState::default() };
        assert_eq!(Progress::resume(&begun, Some(90_000), 5), Progress::Batches { next: 70_000, last: 90_000 });
        assert_eq!(Progress::resume(&begun, None, 5), Progress::Done);
        let done = DatabaseState { scrubbed_ms: Some(1_000), ..DatabaseState::default() };
        assert_eq!(Progress::resume(&done, Some(9), 999 + SCRUB_EVERY_MS), Progress::Done);
        let anew = Progress::Batches { next: 0, last: 9 };
        // After a week, and with a clock that was set back.
        for wall_ms in [1_000 + SCRUB_EVERY_MS, 999] {
            assert_eq!(Progress::resume(&done, Some(9), wall_ms), anew);
        }
    }
}
