//! The command that starts this node again, for the page of a node that has stopped.

use std::path::Path;

use crate::config::{
    AUTO_FETCH_MIB, Config, FILES_QUOTA_GIB, GIB, MIB, PORT, PeerAddress, QUOTA_MIB, ROOM, RoomKeyFrom, SharedMode,
    WebPort,
};

/// Returns the command with the options in force, wherever they were given.
///
/// `data_dir` is the directory in use, or `None` for the default one. `web_port` is the port of the
/// page in use: a node that chose any free port must come back to the same one, or its page never
/// finds it. The name is left out where the directory keeps it. The room's key is never shown.
pub(crate) fn start_command(config: &Config, data_dir: Option<&Path>, web_port: Option<u16>) -> String {
    let mut words = Vec::new();
    if matches!(config.room_key, Some(RoomKeyFrom::Given(_))) {
        words.push("ROOMFUL_ROOM_KEY=…".to_owned());
    }
    words.push("roomful".to_owned());
    let mut option = |name: &str, value: &str| words.push(format!("--{name} {}", quote(value)));
    if let Some(name) = config.name.as_ref().filter(|_| config.ephemeral) {
        option("name", name.as_str());
    }
    if config.room.as_str() != ROOM {
        option("room", config.room.as_str());
    }
    if let Some(RoomKeyFrom::File(path)) = &config.room_key {
        option("room-key-file", &path.to_string_lossy());
    }
    if let Some(dir) = data_dir {
        option("data-dir", &dir.to_string_lossy());
    }
    if let Some(host) = config.host {
        option("host", &host.to_string());
    }
    if config.port != PORT {
        option("port", &config.port.to_string());
    }
    for peer in &config.peers {
        option("peer", &address(peer, config.port));
    }
    for target in &config.announce_to {
        option("announce-to", &address(target, config.port));
    }
    match (config.web_port, web_port) {
        (WebPort::None, _) => option("web-port", "none"),
        (WebPort::Fixed(port), _) | (WebPort::Any, Some(port)) => option("web-port", &port.to_string()),
        (WebPort::Any, None) => option("web-port", "0"),
        (WebPort::Usual, _) => {}
    }
    if let Some(path) = &config.web_socket {
        option("web-socket", &path.to_string_lossy());
    }
    match config.shared {
        SharedMode::Auto => {}
        SharedMode::Yes => option("shared", "yes"),
        SharedMode::No => option("shared", "no"),
    }
    if config.auto_fetch != u64::from(AUTO_FETCH_MIB) * MIB {
        option("auto-fetch", &(config.auto_fetch / MIB).to_string());
    }
    if config.files_quota != u64::from(FILES_QUOTA_GIB) * GIB {
        option("files-quota", &(config.files_quota / GIB).to_string());
    }
    if config.quota != u64::from(QUOTA_MIB) << 20 {
        option("quota", &(config.quota >> 20).to_string());
    }
    if let Some(program) = &config.on_message {
        option("on-message", &program.to_string_lossy());
    }
    if config.ephemeral {
        words.push("--ephemeral".to_owned());
    }
    words.join(" ")
}

/// Writes an address as the user would, without the port that is used anyway.
fn address(peer: &PeerAddress, usual: u16) -> String {
    match (peer.port == usual, peer.host.contains(':')) {
        (true, _) => peer.host.clone(),
        (false, true) => format!("[{}]:{}", peer.host, peer.port),
        (false, false) => format!("{}:{}", peer.host, peer.port),
    }
}

/// Quotes `text` as one word for a shell.
pub(crate) fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:._-@%+=,".contains(c);
    let is_word = !text.is_empty() && text.chars().all(is_plain);
    if is_word { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::cli::{self, Task};

    fn config(arguments: &str) -> Config {
        let arguments = std::iter::once("roomful").chain(arguments.split_whitespace());
        let variable = |name: &str| (name == "HOME").then(|| "/home/ana".into());
        match cli::parse(arguments.map(Into::into), variable, None).unwrap().task {
            Task::Node(config) => config,
            Task::Command { .. } | Task::Config { .. } => panic!("a node was asked for"),
        }
    }

    #[test]
    fn defaults_need_no_options() {
        assert_eq!(start_command(&config("--name Ana"), None, Some(7680)), "roomful");
    }

    #[test]
    fn command_starts_the_same_node() {
        let options = "--room attic --data-dir /srv/a --host 10.0.0.2 --port 7700 --peer box --peer 10.0.0.9:7666 \
             --announce-to 10.1.255.255:9000 --web-port 8000 --web-socket /tmp/p.sock --shared no --quota 9 \
             --on-message /bot --auto-fetch 0 --files-quota 1";
        let given = config(options);
        let command = start_command(&given, Some(&PathBuf::from("/srv/a")), Some(8000));
        assert_eq!(config(command.strip_prefix("roomful ").unwrap()), given, "{command}");
    }

    #[test]
    fn values_are_quoted_for_a_shell() {
        let command = start_command(&config("--peer [fe80::1%eth0]:9000"), None, None);
        assert_eq!(command, "roomful --peer '[fe80::1%eth0]:9000'");
    }

    #[test]
    fn any_port_becomes_the_one_in_use() {
        assert_eq!(start_command(&config("--web-port 0"), None, Some(40123)), "roomful --web-port 40123");
        assert_eq!(start_command(&config("--web-port none"), None, None), "roomful --web-port none");
    }

    #[test]
    fn ephemeral_nodes_keep_their_name() {
        let command = start_command(&config("--ephemeral --name O'Hara"), None, Some(7680));
        assert_eq!(command, r"roomful --name 'O'\''Hara' --ephemeral");
    }

    #[test]
    fn room_keys_are_not_shown() {
        let key = crate::proto::links::room_key::RoomKey::from_bytes([7; 16]);
        let given = Config { room_key: Some(RoomKeyFrom::Given(key)), ..config("") };
        assert_eq!(start_command(&given, None, None), "ROOMFUL_ROOM_KEY=… roomful");
        let file = config("--room-key-file /etc/key");
        assert_eq!(start_command(&file, None, None), "roomful --room-key-file /etc/key");
    }
}
