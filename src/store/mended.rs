//! Reports of what the store had to repair, for its user. They are kept for a week beside the database, so that a restart
//! does not take them away unread.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::debug;

use super::state::{Report, StateFile};
use crate::proto::limits::{REPORT_MS, REPORTS_KEPT};

/// All reports, shared by the store and its writer, which finds more while it runs.
#[derive(Clone, Debug)]
pub(super) struct Mended {
    state: Arc<StateFile>,
    /// When this run began: its reports carry that time.
    wall_ms: u64,
    /// The reports of this run.
    fresh: Arc<Mutex<Vec<String>>>,
}

impl Mended {
    /// Goes on with the reports that are kept; those that are too old count no more.
    pub(super) fn new(state: Arc<StateFile>, wall_ms: u64) -> Self {
        Self { state, wall_ms, fresh: Arc::default() }
    }

    /// Adds a report to those of this run, once.
    pub(super) fn add(&self, text: &str) {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.iter().any(|told| told == text) {
            return;
        }
        fresh.push(text.to_owned());
        let report = Report { at_ms: self.wall_ms, text: text.to_owned() };
        let kept = self.state.update(|state| {
            state.reports.retain(|old| old.text != report.text && is_recent(old, self.wall_ms));
            state.reports.push(report);
            let surplus = state.reports.len().saturating_sub(REPORTS_KEPT);
            state.reports.drain(..surplus);
        });
        if let Err(error) = kept {
            // It is told all the same, though only in this run.
            debug!(%error, "a report is not kept");
        }
    }

    /// True if a sentence is told of this run.
    pub(super) fn has(&self, sentence: &str) -> bool {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|told| told == sentence)
    }

    /// All reports of this run, as one text.
    pub(super) fn fresh(&self) -> Option<String> {
        joined(&self.fresh.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All reports that are kept and those of this run, as one text, and the time of the newest.
    pub(super) fn told(&self) -> Option<(String, u64)> {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = self.state.get().reports;
        let kept = kept.iter().filter(|old| is_recent(old, self.wall_ms) && !fresh.contains(&old.text));
        let kept: Vec<&Report> = kept.collect();
        let newest = kept.iter().map(|report| report.at_ms).max();
        let newest = if fresh.is_empty() { newest? } else { self.wall_ms };
        let texts: Vec<String> = kept.into_iter().map(|report| report.text.clone()).chain(fresh).collect();
        joined(&texts).map(|text| (text, newest))
    }
}

/// Returns true if a report is younger than a week. One from the future is: the clock was put back.
fn is_recent(report: &Report, wall_ms: u64) -> bool {
    wall_ms.saturating_sub(report.at_ms) < REPORT_MS
}

fn joined(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mended: &Mended) -> Option<String> {
        mended.told().map(|(text, _)| text)
    }

    #[test]
    fn reports_are_told_again_for_a_week() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |wall_ms| Mended::new(Arc::new(StateFile::load(Some(&dir.path().join("room.db")))), wall_ms);
        let first = at(1_000);
        first.add("One.");
        first.add("One.");
        assert_eq!((first.fresh().as_deref(), first.told()), (Some("One."), Some(("One.".to_owned(), 1_000))));
        let second = at(2_000);
        assert_eq!((second.fresh(), second.told()), (None, Some(("One.".to_owned(), 1_000))));
        second.add("Two.");
        assert_eq!(second.told(), Some(("One. Two.".to_owned(), 2_000)));
        assert_eq!(told(&at(1_000 + REPORT_MS)).as_deref(), Some("Two."));
        assert_eq!(told(&at(2_000 + REPORT_MS)), None);
    }

    #[test]
    fn only_the_newest_reports_are_kept() {
        let mended = Mended::new(Arc::new(StateFile::load(None)), 1);
        for number in 0..=REPORTS_KEPT {
            mended.add(&format!("{number}."));
        }
        assert_eq!(mended.state.get().reports.len(), REPORTS_KEPT);
    }
}
