//! Reads the settings again on SIGHUP. The name, the peers and the log level change at once. For
//! others, the log says that a restart is needed; peers too wait for it if the port changed, which
//! is theirs where they name none.

use crate::config::{Loaded, LogLevel, PeerAddress, Reload, Setting};
use crate::identity::RunFile;
use crate::logging::LogControl;
use crate::proto::names::name::Name;

/// Options that change at once, or that are no setting of the node.
const CHANGE_AT_ONCE: &[&str] = &["name", PEER, "log", "config"];

const PEER: &str = "peer";

/// The settings that the node runs with, and the way to read them again.
pub(super) struct Settings {
    reload: Reload,
    logging: LogControl,
    loaded: Loaded,
    run_file: RunFile,
}

/// What a reload changes at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SettingsChange {
    /// The new name.
    pub(super) name: Option<Name>,
    /// Peers to dial from now on.
    pub(super) added: Vec<PeerAddress>,
    /// Peers that the user names no longer.
    pub(super) removed: Vec<PeerAddress>,
}

impl Settings {
    /// The settings of a start. `run_file` is what commands find the node by.
    pub(super) fn new(loaded: Loaded, reload: Reload, logging: LogControl, run_file: RunFile) -> Self {
        Self { reload, logging, loaded, run_file }
    }

    /// The file by which commands find the node, with the settings in force.
    pub(super) fn run_file(&self) -> &RunFile {
        &self.run_file
    }

    /// Reads the settings again. None if they are wrong: then the old ones stay in force.
    pub(super) fn read(&mut self) -> Option<SettingsChange> {
        let new = match (self.reload)() {
            Ok(new) => new,
            Err(error) => {
                let lines: Vec<&str> = error.lines().collect();
                tracing::warn!("the settings stay as they are: {}", lines.join("; "));
                return None;
            }
        };
        let pending = need_restart(&self.loaded.settings, &new.settings);
        if !pending.is_empty() {
            tracing::warn!("changed settings need a restart: {}", pending.join(", "));
        }
        if self.loaded.log != new.log {
            self.logging.set_level(new.log.map(LogLevel::as_str));
        }
        let (old, now) = (&self.loaded.config, &new.config);
        let missing_in = |all: &[PeerAddress], other: &[PeerAddress]| {
            all.iter().filter(|peer| !other.contains(peer)).cloned().collect::<Vec<_>>()
        };
        let mut change = SettingsChange {
            name: now.name.clone().filter(|name| old.name.as_ref() != Some(name)),
            ..SettingsChange::default()
        };
        let is_same_port = old.port == now.port;
        if is_same_port {
            change.added = missing_in(&now.peers, &old.peers);
            change.removed = missing_in(&old.peers, &now.peers);
            self.loaded.config.peers = new.config.peers;
        }
        self.loaded.config.name = new.config.name;
        self.loaded.log = new.log;
        for setting in &mut self.loaded.settings {
            if let Some(new) = new.settings.iter().find(|new| new.name == setting.name)
                && changes_at_once(&setting.name, is_same_port)
            {
                *setting = new.clone();
            }
        }
        self.run_file.settings = settings_json(&self.loaded.settings);
        Some(change)
    }
}

/// The settings as the run file has them.
pub(super) fn settings_json(settings: &[Setting]) -> serde_json::Value {
    serde_json::to_value(settings).unwrap_or_default()
}

/// The names of options whose values changed, and that do not change at once.
fn need_restart<'a>(old: &[Setting], new: &'a [Setting]) -> Vec<&'a str> {
    let has_changed = |setting: &&Setting| {
        let before = old.iter().find(|old| old.name == setting.name);
        before.is_some_and(|before| before.value != setting.value)
    };
    let changed: Vec<&str> = new.iter().filter(has_changed).map(|setting| setting.name.as_str()).collect();
    let is_same_port = !changed.contains(&"port");
    changed.into_iter().filter(|name| !changes_at_once(name, is_same_port)).collect()
}

fn changes_at_once(name: &str, is_same_port: bool) -> bool {
    CHANGE_AT_ONCE.contains(&name) && (is_same_port || name != PEER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SettingSource;

    #[test]
    fn only_some_settings_change_at_once() {
        let settings = |pairs: &[(&str, &str)]| -> Vec<Setting> {
            let setting = |(name, value): &(&str, &str)| Setting {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
                source: SettingSource::File,
            };
            pairs.iter().map(setting).collect()
        };
        let old = settings(&[("name", "Ana"), ("port", "7666"), ("quota", "256"), ("peer", "a"), ("log", "warn")]);
        let new = settings(&[("name", "Bo"), ("port", "7666"), ("quota", "128"), ("peer", "b"), ("log", "info")]);
        assert_eq!(need_restart(&old, &new), ["quota"]);
        assert!(need_restart(&new, &new).is_empty());
    }

    #[test]
    fn peers_wait_for_a_new_port() {
        assert!(changes_at_once("peer", true) && !changes_at_once("peer", false) && changes_at_once("name", false));
    }
}
