//! `roomful open`: the page in the user's browser.
//!
//! The link goes through a file that only its user can read, since what a program is started with shows in `ps`. The node
//! removes the file when it stops.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::html::escape;
use super::url::link;
use super::{Error, Node};

/// The file in the data directory that leads to the page.
const REDIRECT: &str = "open.html";

/// A program that still runs after so long is the browser itself, and not one that looks for it.
const LOOKS_MS_MAX: u64 = 3_000;

/// How often to look whether it has ended.
const LOOK_EVERY_MS: u64 = 20;

/// Opens the page: with the first program that `BROWSER` names and that works, else with that of the desktop.
pub async fn open(node: &Node) -> Result<(), Error> {
    let file = node.dir.join(REDIRECT);
    let unwritten = |source| Error::NoRedirect { path: file.clone(), source };
    write(&file, &page(&link(node, None, false).await?)).map_err(unwritten)?;
    for mut browser in browsers(std::env::var("BROWSER").ok().as_deref(), &file) {
        if let Ok(started) = browser.spawn()
            && is_browsing(started).await
        {
            return Ok(());
        }
    }
    fs::remove_file(&file).map_err(unwritten)?;
    Err(Error::NoBrowser)
}

/// Writes what nobody else may read, over what was there before.
fn write(file: &Path, page: &str) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(page.as_bytes())
}

/// A page that leads to `link`, by itself and by a click.
fn page(link: &str) -> String {
    let link = escape(link);
    format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={link}\">\n\
         <title>Roomful</title>\n<a href=\"{link}\">Open the page</a>\n"
    )
}

/// What to try, in turn: the commands in `variable`, between colons, `%s` standing for the file if it is not the last
/// argument; else what the system has for it.
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
    // It lives on when this program has ended, and has no use for the room's key.
    command.process_group(0).env_remove("ROOMFUL_ROOM_KEY");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(command)
}

/// Whether it ended well, or goes on.
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
    fn the_file_stands_where_a_browser_wants_it() {
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
