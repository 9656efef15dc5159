//! Uploads of files before the message that names them.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::sync::mpsc::{Sender, channel};

use super::progress::TransferProgress;
use crate::api::FileJson;
use crate::client::{Error, NodeClient};

/// Bytes that are read and sent at once.
const PIECE_BYTES: usize = 64 * 1024;

/// The path that stands for standard input.
const STDIN: &str = "-";

/// Uploads files in their order, and returns them as a message names them. `name` is the name of
/// standard input.
pub(in crate::client) async fn upload_all(
    node: &NodeClient,
    paths: &[String],
    name: Option<&str>,
) -> Result<Vec<serde_json::Value>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let (file, name): (Box<dyn Read + Send>, String) = if path == STDIN {
            (Box::new(std::io::stdin()), name.unwrap_or("stdin").to_owned())
        } else {
            let unreadable = |source| Error::UnreadableFile { path: path.into(), source };
            let file = File::open(path).map_err(unreadable)?;
            if file.metadata().map_err(unreadable)?.is_dir() {
                return Err(Error::NotAFile(path.into()));
            }
            let own_name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.filter(|_| paths.len() == 1).map(str::to_owned).or(own_name);
            (Box::new(file), name.unwrap_or_default())
        };
        let size = if path == STDIN { None } else { std::fs::metadata(path).map(|metadata| metadata.len()).ok() };
        let uploaded = upload(node, file, &name, size).await?;
        files.push(json!({ "content": uploaded.content, "name": uploaded.name }));
    }
    Ok(files)
}

async fn upload(
    node: &NodeClient,
    file: Box<dyn Read + Send>,
    name: &str,
    size: Option<u64>,
) -> Result<FileJson, Error> {
    let (sender, pieces) = channel::<std::io::Result<Bytes>>(4);
    std::thread::spawn(move || read_pieces(file, &sender));
    let mut progress = TransferProgress::new(name, size);
    let (failed_tx, mut failed) = channel::<std::io::Error>(1);
    let state = (pieces, failed_tx, 0_u64, move |done| progress.show(done));
    let body = futures::stream::unfold(state, async |(mut pieces, failed, mut done, mut show)| {
        match pieces.recv().await? {
            Ok(piece) => {
                done += piece.len() as u64;
                show(done);
                Some((Ok::<_, Infallible>(Frame::data(piece)), (pieces, failed, done, show)))
            }
            Err(error) => {
                // The body must not end: what came so far would pass for the whole file.
                _ = failed.send(error).await;
                std::future::pending().await
            }
        }
    });
    let path = format!("/api/v1/files?name={}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    let posted = async {
        let answer = node.post_stream(&path, "application/octet-stream", StreamBody::new(body.boxed())).await?;
        let answer = answer.collect().await.map_err(|error| Error::Broken(error.to_string()))?.to_bytes();
        serde_json::from_slice(&answer).map_err(|error| Error::Foreign(error.to_string()))
    };
    tokio::select! {
        posted = posted => posted,
        Some(source) = failed.recv() => Err(Error::UnreadableFile { path: name.into(), source }),
    }
}

/// Reads on a thread of its own, no faster than the node takes it.
fn read_pieces(mut file: Box<dyn Read + Send>, sender: &Sender<std::io::Result<Bytes>>) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = match file.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => {
                piece.truncate(length);
                Ok(piece.into())
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = read.is_err();
        if sender.blocking_send(read).is_err() || is_last {
            return;
        }
    }
}
