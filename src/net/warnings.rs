//! Warnings for the user's log that do not fill it: a network that is down is no reason to fill a disk.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use crate::proto::limits::WARN_EVERY_MS;
use crate::system::said;

/// When what was told last: at most one line a minute of each kind.
#[derive(Default)]
pub(super) struct Warnings(BTreeMap<&'static str, Instant>);

impl Warnings {
    /// Logs a warning, unless one of this kind was logged within the last minute.
    pub(super) fn warn(&mut self, what: &'static str, error: &io::Error) {
        let recent = |at: &Instant| at.elapsed() < Duration::from_millis(WARN_EVERY_MS);
        if self.0.get(what).is_some_and(recent) {
            return;
        }
        self.0.insert(what, Instant::now());
        tracing::warn!(error = said(error), "{what}");
    }
}
