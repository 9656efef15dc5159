//! `roomful get`: fetches files, waits for them, and writes them. No existing file is overwritten,
//! unless the user forces it.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::list::known;
use super::progress::TransferProgress;
use crate::api::{FileJson, Messages};
use crate::client::selection::find_message;
use crate::client::{Error, NodeClient, print};

/// Interval of the checks how much is here, in milliseconds.
const CHECK_MS: u64 = 200;

/// The target that stands for standard output.
const STDOUT: &str = "-";

/// The name of a file without a usable one.
const UNNAMED: &str = "file";

/// The options of `get`.
#[derive(Clone, Debug)]
pub struct Get {
    /// A message, whose files are meant, or the hash of one file's content.
    pub what: String,
    /// A path, a directory, or `-`. None: the current directory.
    pub output: Option<String>,
    /// Overwrite what is there.
    pub force: bool,
    /// How long no member may send anything, in seconds.
    pub timeout_seconds: u32,
}

/// Gets the files.
pub async fn get(node: &NodeClient, get: Get) -> Result<(), Error> {
    let files = wanted(node, &get.what).await?;
    let targets = targets(&files, get.output.as_deref())?;
    for (file, target) in files.iter().zip(&targets) {
        if let Some(path) = target
            && !get.force
            && path.symlink_metadata().is_ok()
        {
            return Err(Error::FileExists(path.clone()));
        }
        fetch(node, file, get.timeout_seconds).await?;
        match target {
            Some(path) => save(node, file, path, get.force).await?,
            None => copy(node, file, &mut io::stdout().lock()).await.map_err(CopyError::at_output)?,
        }
    }
    Ok(())
}

/// Returns the files that the user means. Contents are tried before messages.
async fn wanted(node: &NodeClient, what: &str) -> Result<Vec<FileJson>, Error> {
    if let Some(file) = known(node).await?.into_iter().find(|file| file.content == what) {
        return Ok(vec![file]);
    }
    let id = find_message(node, what).await?;
    let page: Messages = match node.get(&format!("/api/v1/messages?around={id}&limit=1")).await {
        Err(Error::Refused { status: 404, .. }) => return Err(Error::NoSuchMessage(what.to_owned())),
        page => page?,
    };
    let message = page.messages.into_iter().find(|message| message.id == id);
    let files = message.ok_or_else(|| Error::NoSuchMessage(what.to_owned()))?.files;
    if files.is_empty() { Err(Error::NoFiles) } else { Ok(files) }
}

/// Returns the path for each file; none for standard output.
fn targets(files: &[FileJson], output: Option<&str>) -> Result<Vec<Option<PathBuf>>, Error> {
    let dir = match output {
        Some(STDOUT) => return Ok(vec![None; files.len()]),
        None => PathBuf::new(),
        Some(path) if Path::new(path).is_dir() || path.ends_with('/') => path.into(),
        Some(path) if files.len() == 1 => return Ok(vec![Some(path.into())]),
        Some(path) => return Err(Error::NotADirectory(path.into())),
    };
    let mut taken = HashSet::new();
    Ok(files.iter().map(|file| Some(dir.join(free_name(plain_name(&file.name), &mut taken)))).collect())
}

/// Returns the name, or if another file of the message has it, one with a number.
fn free_name(name: String, taken: &mut HashSet<String>) -> String {
    let (stem, end) = match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => (stem, format!(".{end}")),
        _ => (name.as_str(), String::new()),
    };
    let mut names = iter::once(name.clone()).chain((2..).map(|number| format!("{stem} ({number}){end}")));
    names.find(|name| taken.insert(name.clone())).unwrap_or_default()
}

/// Returns the last part of a name that another member chose, without what leads to other
/// directories or hides it.
fn plain_name(name: &str) -> String {
    let last = print::sanitize(name.rsplit(['/', '\\']).next().unwrap_or_default());
    let plain = last.trim().trim_start_matches('.');
    if plain.is_empty() { UNNAMED.to_owned() } else { plain.to_owned() }
}

/// Waits until all of a file is here.
async fn fetch(node: &NodeClient, file: &FileJson, timeout_seconds: u32) -> Result<(), Error> {
    if file.state == "here" {
        return Ok(());
    }
    let path = format!("/api/v1/files/{}/fetch", file.content);
    node.post(&path, &json!({})).await?;
    let mut progress = TransferProgress::new(&file.name, Some(file.size));
    let patience = Duration::from_secs(timeout_seconds.into());
    let (mut have, mut moved) = (0, Instant::now());
    loop {
        let files = known(node).await?;
        let now = files.iter().find(|other| other.content == file.content);
        let now = now.ok_or_else(|| Error::NoSuchFile(print::sanitize(&file.name)))?;
        progress.show(now.have);
        if now.state == "here" {
            return Ok(());
        }
        if now.have > have {
            (have, moved) = (now.have, Instant::now());
        }
        if moved.elapsed() >= patience {
            return Err(Error::NotFetched { name: print::sanitize(&file.name), seconds: timeout_seconds });
        }
        sleep(Duration::from_millis(CHECK_MS)).await;
    }
}

/// Writes a file beside its path first, so that a half one is never taken for it.
async fn save(node: &NodeClient, file: &FileJson, path: &Path, force: bool) -> Result<(), Error> {
    let unwritten = |source| Error::UnwrittenFile { path: path.to_owned(), source };
    // Without the name, which may be as long as a name can be.
    let part = path.with_file_name(format!(".roomful-{:08x}.part", rand::random::<u32>()));
    let mut output: File = OpenOptions::new().write(true).create_new(true).open(&part).map_err(unwritten)?;
    let copied = async {
        copy(node, file, &mut output).await.map_err(|error| error.at(path))?;
        output.sync_all().map_err(unwritten)?;
        // A link fails if the path exists by now; a rename would replace it.
        let placed = if force { fs::rename(&part, path) } else { fs::hard_link(&part, path) };
        match placed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::FileExists(path.to_owned())),
            // Some file systems have no links.
            Err(_) if !force && !path.exists() => fs::rename(&part, path).map_err(unwritten),
            placed => placed.map_err(unwritten),
        }
    };
    let result = copied.await;
    _ = fs::remove_file(&part);
    result
}

/// The failure of a copy.
enum CopyError {
    Node(Error),
    Output(io::Error),
}

impl CopyError {
    fn at_output(self) -> Error {
        match self {
            Self::Node(error) => error,
            Self::Output(error) => print::output_error(error),
        }
    }

    fn at(self, path: &Path) -> Error {
        match self {
            Self::Node(error) => error,
            Self::Output(source) => Error::UnwrittenFile { path: path.to_owned(), source },
        }
    }
}

/// Copies the bytes of a file that is here.
async fn copy(node: &NodeClient, file: &FileJson, output: &mut impl Write) -> Result<(), CopyError> {
    let body = node.get_stream(&format!("/api/v1/files/{}", file.content)).await;
    let mut body = body.map_err(CopyError::Node)?;
    let mut written = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CopyError::Node(Error::Broken(error.to_string())))?;
        let piece = frame.into_data().unwrap_or_default();
        output.write_all(&piece).map_err(CopyError::Output)?;
        written += piece.len() as u64;
    }
    if written != file.size {
        return Err(CopyError::Node(Error::Broken("the file ended early".to_owned())));
    }
    output.flush().map_err(CopyError::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_stay_in_the_directory() {
        for (name, plain) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("..", "file"),
            (".bashrc", "bashrc"),
            ("a\\b", "b"),
            ("", "file"),
            ("x\u{1b}[2J\n", "x␛[2J"),
        ] {
            assert_eq!(plain_name(name), plain, "{name:?}");
        }
    }

    #[test]
    fn equal_names_of_one_message_get_numbers() {
        let mut taken = HashSet::new();
        let names = ["a.png", "a.png", "a.png", "README", "README", "a (2).png"];
        let free = names.map(|name| free_name(name.to_owned(), &mut taken));
        assert_eq!(free, ["a.png", "a (2).png", "a (3).png", "README", "README (2)", "a (2) (2).png"]);
    }
}
