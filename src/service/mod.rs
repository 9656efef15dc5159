//! `roomful service`: the node as a service of the user, by systemd. Needs no running node.

mod systemd;
mod unit;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::system::io_error_text;
use systemd::{is_booted, is_lingering, systemctl};
pub use unit::unit;

/// The name of the unit.
const UNIT: &str = "roomful.service";

/// The failure of `roomful service`, as one or two sentences for the user.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences say what the fields are")]
pub enum Error {
    /// There is no systemd, or none of this user.
    #[error(
        "systemd doesn't run services of users here\nstart the node by hand with `roomful`, or by what starts programs on this machine"
    )]
    NoSystemd,
    /// There is no home directory for the unit.
    #[error("there is no home directory\nset HOME or XDG_CONFIG_HOME")]
    NoHome,
    /// The unit was written by another program or by hand.
    #[error("{} was not written by `roomful service install`\nrename it if it is no longer needed", .0.display())]
    Foreign(PathBuf),
    /// There is no unit.
    #[error("the service is not installed\n`roomful service install` installs it")]
    NotInstalled,
    /// The unit cannot be written or removed.
    #[error("{}: {}\ncheck who owns this path", path.display(), io_error_text(source))]
    File { path: PathBuf, source: io::Error },
    /// systemd refused.
    #[error("systemctl --user {command} failed: {reason}\n`journalctl --user -u roomful` has the log")]
    Refused { command: String, reason: String },
}

/// Writes and starts the unit of a node with these options. Returns what to tell the user.
pub fn install(options: &[String]) -> Result<Vec<String>, Error> {
    if !is_booted() {
        return Err(Error::NoSystemd);
    }
    let path = unit_path()?;
    check_own(&path)?;
    let failed = |source| Error::File { path: path.clone(), source };
    let text = unit_here(options)?;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    fs::write(&path, text).map_err(failed)?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", UNIT])?;
    // Not `enable --now`: a node that runs already gets the new options.
    systemctl(&["restart", UNIT])?;
    let mut lines = vec![
        format!("The node runs as a service, from {}.", path.display()),
        "`roomful url` prints the sign-in link; `journalctl --user -u roomful` shows the log.".to_owned(),
    ];
    lines.push(lingering());
    Ok(lines)
}

/// Stops the service and removes the unit.
pub fn remove() -> Result<Vec<String>, Error> {
    if !is_booted() {
        return Err(Error::NoSystemd);
    }
    let path = unit_path()?;
    if !path.exists() {
        return Err(Error::NotInstalled);
    }
    check_own(&path)?;
    systemctl(&["disable", "--now", UNIT])?;
    fs::remove_file(&path).map_err(|source| Error::File { path, source })?;
    systemctl(&["daemon-reload"])?;
    Ok(vec!["The service is stopped and removed. Your history and identity are kept.".to_owned()])
}

/// Returns the state of the service.
pub fn status() -> Result<Vec<String>, Error> {
    if !is_booted() {
        return Err(Error::NoSystemd);
    }
    let state = |word: &str| match systemctl(&[word, UNIT]) {
        Ok(text) => text,
        // Its exit status says no; the text says which no.
        Err(Error::Refused { reason, .. }) => reason,
        Err(_) => "unknown".to_owned(),
    };
    let (enabled, active) = (state("is-enabled"), state("is-active"));
    let starts = format!("At login: {}.", if enabled == "enabled" { "starts" } else { "does not start" });
    Ok(vec![format!("Now: {active}."), starts, lingering()])
}

/// Returns the unit for this program and these options.
pub fn unit_here(options: &[String]) -> Result<String, Error> {
    let failed = |source| Error::File { path: "roomful".into(), source };
    let program = std::env::current_exe().map_err(failed)?;
    Ok(unit(&program, std::env::current_dir().ok().as_deref(), options))
}

/// Says whether the service outlives the user's last session, and how to change that.
fn lingering() -> String {
    if is_lingering() {
        "Lingering is on: the node starts with the machine, and stays when you log out. To turn it off: loginctl \
         disable-linger"
            .to_owned()
    } else {
        "Lingering is off: the node stops when you log out. To keep it running, and to start it with the machine: \
         loginctl enable-linger"
            .to_owned()
    }
}

fn unit_path() -> Result<PathBuf, Error> {
    let config = crate::config::default_config_file().ok_or(Error::NoHome)?;
    // `$XDG_CONFIG_HOME/roomful/config.toml` stands beside it.
    let home = config.ancestors().nth(2).ok_or(Error::NoHome)?;
    Ok(home.join("systemd/user").join(UNIT))
}

/// Refuses to touch a unit of another origin.
fn check_own(path: &Path) -> Result<(), Error> {
    match fs::read_to_string(path) {
        Ok(text) if !text.starts_with(unit::MARK) => Err(Error::Foreign(path.to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}
