//! Reports of repairs for the user. They are kept beside the database for a week, so that a restart
//! does not drop unread ones.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tracing::debug;

use super::repair::kept_sentence;
use super::state_file::{Report, StateFile};
use crate::proto::limits::{REPORT_MS, REPORTS_KEPT};

/// All reports, shared by the store and its writer.
#[derive(Clone, Debug)]
pub(crate) struct RepairNotes {
    state: Arc<StateFile>,
    /// The start of this run, in milliseconds since 1970 and by a monotonic clock.
    began: (u64, Instant),
    /// The reports of this run.
    fresh: Arc<Mutex<Vec<Report>>>,
}

impl RepairNotes {
    /// Continues with the stored reports that are recent.
    pub(crate) fn new(state: Arc<StateFile>, wall_ms: u64) -> Self {
        Self { state, began: (wall_ms, Instant::now()), fresh: Arc::default() }
    }

    /// Adds a report to those of this run, once.
    pub(crate) fn push(&self, text: &str) {
        let mut fresh = self.fresh();
        if fresh.iter().any(|told| told.text == text) {
            return;
        }
        let now_ms = self.now_ms();
        let report = Report { at_ms: now_ms, text: text.to_owned() };
        fresh.push(report.clone());
        let kept = self.state.update(|state| {
            state.reports.retain(|old| old.text != report.text && is_recent(old, now_ms));
            state.reports.push(report);
            let surplus = state.reports.len().saturating_sub(REPORTS_KEPT);
            state.reports.drain(..surplus);
        });
        if let Err(error) = kept {
            // The report is shown all the same, but only in this run.
            debug!(%error, "a report is not kept");
        }
    }

    /// Removes the names of files that are gone from the reports.
    pub(crate) fn forget_copies(&self, removed: &[PathBuf]) {
        let sentences: Vec<String> = removed.iter().map(|copy| kept_sentence(copy)).collect();
        let shorten = |reports: &mut Vec<Report>| {
            for report in reports {
                for sentence in &sentences {
                    report.text = report.text.replace(sentence, "");
                }
            }
        };
        shorten(&mut self.fresh());
        if let Err(error) = self.state.update(|state| shorten(&mut state.reports)) {
            debug!(%error, "a report is not shortened");
        }
    }

    /// Returns true if this run has reported a sentence.
    pub(crate) fn has(&self, sentence: &str) -> bool {
        self.fresh().iter().any(|told| told.text == sentence)
    }

    /// Returns all reports of this run, as one text.
    pub(crate) fn told_now(&self) -> Option<String> {
        joined(&self.fresh())
    }

    /// Returns all recent reports as one text, and the time of the newest.
    pub(crate) fn summary(&self) -> Option<(String, u64)> {
        let fresh = self.fresh().clone();
        let now_ms = self.now_ms();
        let is_fresh = |old: &Report| fresh.iter().any(|told| told.text == old.text);
        let mut reports = self.state.get().reports;
        reports.retain(|old| is_recent(old, now_ms) && !is_fresh(old));
        reports.extend(fresh);
        let newest = reports.iter().map(|report| report.at_ms).max()?;
        joined(&reports).map(|text| (text, newest))
    }

    fn fresh(&self) -> MutexGuard<'_, Vec<Report>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        let (wall_ms, began) = self.began;
        wall_ms.saturating_add(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// Returns true if a report is younger than a week. A report from the future is recent, since the
/// clock was set back.
fn is_recent(report: &Report, wall_ms: u64) -> bool {
    wall_ms.saturating_sub(report.at_ms) < REPORT_MS
}

fn joined(reports: &[Report]) -> Option<String> {
    let texts: Vec<&str> = reports.iter().map(|report| report.text.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(mended: &RepairNotes) -> Option<String> {
        mended.summary().map(|(text, _)| text)
    }

    #[test]
    fn reports_are_repeated_for_a_week() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |wall_ms| RepairNotes::new(Arc::new(StateFile::load(Some(&dir.path().join("room.db")))), wall_ms);
        let first = at(1_000);
        first.push("One.");
        first.push("One.");
        assert_eq!((first.told_now().as_deref(), told(&first).as_deref()), (Some("One."), Some("One.")));
        let second = at(10_000_000);
        assert_eq!((second.told_now(), told(&second).as_deref()), (None, Some("One.")));
        assert!(second.summary().is_some_and(|(_, at_ms)| at_ms < 10_000_000), "it keeps its time");
        second.push("Two.");
        assert_eq!(told(&second).as_deref(), Some("One. Two."));
        assert!(second.summary().is_some_and(|(_, at_ms)| at_ms >= 10_000_000));
        assert_eq!(told(&at(9_000_000 + REPORT_MS)).as_deref(), Some("Two."));
        assert_eq!(told(&at(20_000_000 + REPORT_MS)), None);
    }

    #[test]
    fn a_report_has_the_time_of_its_finding() {
        let mut mended = RepairNotes::new(Arc::new(StateFile::load(None)), 1_000);
        // The run began an hour ago.
        mended.began.1 -= Duration::from_secs(3600);
        mended.push("One.");
        assert!(mended.summary().is_some_and(|(_, at_ms)| at_ms >= 3_601_000));
    }

    #[test]
    fn only_the_newest_reports_are_kept() {
        let mended = RepairNotes::new(Arc::new(StateFile::load(None)), 1);
        for number in 0..=REPORTS_KEPT {
            mended.push(&format!("{number}."));
        }
        assert_eq!(mended.state.get().reports.len(), REPORTS_KEPT);
    }
}
