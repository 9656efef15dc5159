//! Progress on a terminal.

use std::io::{IsTerminal as _, Write as _};

use crate::client::print;

/// One line on standard error that is written over. Nothing is shown if that is no terminal.
pub(super) struct TransferProgress {
    name: String,
    size: Option<u64>,
    /// The percentage, or the MiB, shown last.
    shown: Option<u64>,
    is_shown: bool,
}

impl TransferProgress {
    /// Begins at nothing, of `size` bytes if that is known.
    pub(super) fn new(name: &str, size: Option<u64>) -> Self {
        Self { name: print::sanitize(name), size, shown: None, is_shown: std::io::stderr().is_terminal() }
    }

    /// Shows that so many bytes are done.
    pub(super) fn show(&mut self, done: u64) {
        let step = match self.size {
            Some(size) => (u128::from(done) * 100 / u128::from(size.max(1))).min(100) as u64,
            None => done / crate::config::MIB,
        };
        if !self.is_shown || self.shown == Some(step) {
            return;
        }
        self.shown = Some(step);
        let unit = if self.size.is_some() { "%" } else { "MiB" };
        let mut stderr = std::io::stderr().lock();
        // A terminal that is gone shows nothing.
        _ = write!(stderr, "\r{}: {step} {unit}", self.name).and_then(|()| stderr.flush());
    }
}

impl Drop for TransferProgress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            eprintln!();
        }
    }
}
