//! Where ssh leads: user, host and port as its configuration resolves them.

use tokio::task::spawn_blocking;

use super::process::ssh_command;
use crate::client::Error;

/// The resolved destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    user: String,
    host: String,
    port: String,
}

impl Destination {
    /// Asks ssh where `host` leads, without a connection. An ssh that does not tell leads to `host`
    /// itself.
    pub(super) async fn resolve(host: &str, options: &[String]) -> Result<Self, Error> {
        let mut command = ssh_command();
        command.args(options).args(["-G", "--", host]);
        let output = spawn_blocking(move || command.output()).await;
        let output = output.map_err(|error| Error::Foreign(error.to_string()))?.map_err(Error::NoSsh)?;
        Ok(Self::read(&String::from_utf8_lossy(&output.stdout), host))
    }

    fn read(settings: &str, host: &str) -> Self {
        let value = |name: &str| {
            let lines = settings.lines().filter_map(|line| line.split_once(' '));
            lines.filter(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned()).next()
        };
        let (typed_user, typed_host) = host.rsplit_once('@').unwrap_or(("", host));
        Self {
            user: value("user").unwrap_or_else(|| typed_user.to_owned()),
            host: value("hostname").unwrap_or_else(|| typed_host.to_owned()),
            port: value("port").unwrap_or_else(|| "22".to_owned()),
        }
    }

    /// Returns the host name of the page's origin. It differs for each user, host and port.
    pub(super) fn origin_host(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("roomful ssh origin");
        for part in [&self.user, &self.host, &self.port] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        format!("{}.localhost", &hasher.finalize().to_hex()[..32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_host_and_port_has_an_origin() {
        let settings = "host box\nuser ana\nhostname box.example\nport 22\n";
        let resolved = Destination::read(settings, "box");
        assert_eq!(resolved, Destination::read("user ana\nhostname box.example\nport 22", "ana@alias"));
        let name = resolved.origin_host();
        let label = name.strip_suffix(".localhost").unwrap();
        assert!(label.len() == 32 && label.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
        for other in ["user bo\nhostname box.example\nport 22", "user ana\nhostname box.example\nport 2222", "user ana"]
        {
            assert_ne!(Destination::read(other, "x").origin_host(), name, "{other}");
        }
        let unresolved = Destination { user: "ana".into(), host: "box".into(), port: "22".into() };
        assert_eq!(Destination::read("", "ana@box"), unresolved);
    }
}
