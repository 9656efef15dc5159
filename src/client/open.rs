//! `roomful open`: opens the page in the user's browser.
//!
//! The link goes through a file that only the user can read, since arguments of a program show in
//! `ps`. The node removes the file when it stops.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use askama::Template;
use tokio::time::{Instant, sleep};

use super::messages::html::render;
use super::url::link;
use super::{Error, NodeClient};

/// The file in the data directory that redirects to the page.
const REDIRECT: &str = "open.html";

/// A program that runs longer is the browser itself, not a launcher of one. In milliseconds.
const LOOKS_MS_MAX: u64 = 3_000;

/// Interval of the checks whether the program has ended, in milliseconds.
const LOOK_EVERY_MS: u64 = 20;

/// Opens the page with the first program in `BROWSER` that works, else with that of the desktop.
pub async fn open(node: &NodeClient) -> Result<(), Error> {
    open_link(&node.dir.join(REDIRECT), &link(node, None, false).await?).await
}

/// Opens a link through `file`, which redirects to it. Without a browser the file is removed again.
pub(super) async fn open_link(file: &Path, link: &str) -> Result<(), Error> {
    let unwritten = |source| Error::NoRedirect { path: file.to_owned(), source };
    write(file, &render(&Redirect { link })?).map_err(unwritten)?;
    for mut browser in browsers(std::env::var("BROWSER").ok().as_deref(), file) {
        if let Ok(started) = browser.spawn()
            && is_browsing(started).await
        {
            return Ok(());
        }
    }
    fs::remove_file(file).map_err(unwritten)?;
    Err(Error::NoBrowser)
}

/// Writes a file that only the user can read, in place of an earlier one.
fn write(file: &Path, page: &str) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(page.as_bytes())
}

/// The page that redirects to `link`, with the link itself as a fallback.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={{ link }}">
<title>Roomful</title>
<a href="{{ link }}">Open the page</a>
"#
)]
struct Redirect<'a> {
    link: &'a str,
}

/// Returns the commands to try: those in `variable`, separated by colons, then that of the system.
/// `%s` stands for the file; without it the file is the last argument.
fn browsers(variable: Option<&str>, file: &Path) -> Vec<Command> {
    let usual = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let named = variable.unwrap_or_default().split(':').chain([usual]);
    named.filter_map(|line| command(line, file)).collect()
}

fn command(line: &str, file: &Path) -> Option<Command> {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next()?);
    let mut has_file = false;
    for word in words {
        if word == "%s" {
            has_file = true;
            command.arg(file);
        } else {
            command.arg(word);
        }
    }
    if !has_file {
        command.arg(file);
    }
    // The browser outlives this program, and must not get the room's key.
    command.process_group(0).env_remove("ROOMFUL_ROOM_KEY");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(command)
}

/// Returns true if the program succeeded or still runs.
async fn is_browsing(mut started: Child) -> bool {
    let deadline = Instant::now() + Duration::from_millis(LOOKS_MS_MAX);
    while Instant::now() < deadline {
        match started.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => sleep(Duration::from_millis(LOOK_EVERY_MS)).await,
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_file_is_where_browsers_can_read_it() {
        let file = Path::new("/d/open.html");
        let lines = |variable| {
            let line = |command: &Command| {
                let words = [command.get_program()].into_iter().chain(command.get_args());
                words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
            };
            browsers(variable, file).iter().map(line).collect::<Vec<_>>()
        };
        let usual = if cfg!(target_os = "macos") { "open /d/open.html" } else { "xdg-open /d/open.html" };
        assert_eq!(lines(None), [usual]);
        assert_eq!(lines(Some("")), [usual]);
        assert_eq!(lines(Some("firefox --new-tab:w3m")), ["firefox --new-tab /d/open.html", "w3m /d/open.html", usual]);
        assert_eq!(lines(Some("see %s --now")), ["see /d/open.html --now", usual]);
    }
}
