//! Tells systemd the state of the node, if it started it.

use sd_notify::NotifyState;

/// The page can be opened and the mesh listens.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The configuration file is read again.
pub(super) fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    notify(&states);
}

/// The node is stopping.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd can't be told: {error}");
    }
}
