//! The user's systemd.

use std::process::Command;

use super::Error;
use crate::config::login_name;

/// Returns true if systemd runs this machine, and services of this user.
pub(super) fn is_booted() -> bool {
    sd_notify::booted().unwrap_or(false) && systemctl(&["show-environment"]).is_ok()
}

/// Runs `systemctl --user` with these words, and returns what it prints.
pub(super) fn systemctl(words: &[&str]) -> Result<String, Error> {
    let output = Command::new("systemctl").arg("--user").args(words).env("LC_ALL", "C").output();
    let output = output.map_err(|_| Error::NoSystemd)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().replace('\n', "; ");
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let reason = [text(&output.stderr), text(&output.stdout)].into_iter().find(|text| !text.is_empty());
    Err(Error::Refused { command: words.join(" "), reason: reason.unwrap_or_else(|| output.status.to_string()) })
}

/// Returns true if the user's services run without a session.
pub(super) fn is_lingering() -> bool {
    let name = login_name();
    std::path::Path::new("/var/lib/systemd/linger").join(name.as_str()).exists()
}
