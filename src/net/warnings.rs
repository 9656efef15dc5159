//! Warnings about the network, at most one a minute of each kind.

use std::io;

use crate::logging::throttle::WarnThrottle;
use crate::system::io_error_text;

/// The throttle of all warnings about sockets and interfaces.
#[derive(Default)]
pub(super) struct NetWarnings(WarnThrottle<&'static str>);

impl NetWarnings {
    /// Logs a warning unless one of the same kind was logged within the last minute.
    pub(super) fn warn(&mut self, what: &'static str, error: &io::Error) {
        if self.0.permits(what) {
            tracing::warn!(error = io_error_text(error), "{what}");
        }
    }
}
