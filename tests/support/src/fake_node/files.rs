//! The files of the fake node: bytes in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use roomful::api::FileJson;
use roomful::proto::files::attachment::Attachment;
use roomful::proto::files::media_type::media_type_of;
use roomful::proto::files::status::{FileState, FileStatus};
use roomful::proto::ids::Hash;
use roomful::web::file_requests::{FileChange, FileRequest, UploadPiece, UploadProgress};
use roomful::web::requests::RequestError;

/// What was uploaded, by content. Clones share it.
#[derive(Clone, Default)]
pub struct FakeFiles(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    files: HashMap<Hash, (String, Vec<u8>)>,
    uploads: HashMap<u64, (String, u64, Vec<u8>)>,
    changes: Vec<FileChange>,
}

impl FakeFiles {
    /// The changes that were requested, oldest first.
    pub fn changes(&self) -> Vec<FileChange> {
        self.0.lock().expect("files").changes.clone()
    }

    fn put(&self, name: String, bytes: Vec<u8>) -> FileJson {
        let content = Hash(*blake3::hash(&bytes).as_bytes());
        self.0.lock().expect("files").files.insert(content, (name, bytes));
        self.find(content).expect("just put")
    }

    fn find(&self, content: Hash) -> Option<FileJson> {
        let held = self.0.lock().expect("files");
        let (name, bytes) = held.files.get(&content)?;
        let size = bytes.len() as u64;
        let media_type = media_type_of(name).to_owned();
        let name = name.clone();
        let file = Attachment { content, name, size, media_type, width: None, height: None, preview: None };
        // The name decides, so that a test can have a file that is not here.
        let state = if file.name == "remote" { FileState::Remote } else { FileState::Here };
        Some(FileJson::new(&file, FileStatus { state, have: size, holders: None, pinned: false }))
    }

    /// All uploaded files.
    pub(super) fn all(&self) -> Vec<FileJson> {
        let all: Vec<Hash> = self.0.lock().expect("files").files.keys().copied().collect();
        all.into_iter().filter_map(|content| self.find(content)).collect()
    }

    /// Answers on a task of its own.
    pub(super) fn answer_soon(&self, request: FileRequest) -> bool {
        tokio::spawn(self.clone().answer(request));
        true
    }

    async fn answer(self, request: FileRequest) {
        match request {
            FileRequest::Upload { name, mut pieces, answer } => {
                let mut bytes = Vec::new();
                while let Some(piece) = pieces.recv().await {
                    match piece {
                        UploadPiece::Data(data) => bytes.extend_from_slice(&data),
                        UploadPiece::End => return drop(answer.send(Ok(self.put(name, bytes)))),
                    }
                }
            }
            FileRequest::BeginUpload { name, size, answer } => {
                self.0.lock().expect("files").uploads.insert(7, (name, size, Vec::new()));
                _ = answer.send(Ok(7));
            }
            FileRequest::ContinueUpload { upload, offset, mut pieces, answer } => {
                let known = self.0.lock().expect("files").uploads.get(&upload).map(|(.., bytes)| bytes.len() as u64);
                match known {
                    None => return drop(answer.send(Err(RequestError::NoSuchFile))),
                    Some(right) if right != offset => return drop(answer.send(Err(RequestError::BadOffset(right)))),
                    Some(_) => {}
                }
                while let Some(UploadPiece::Data(data)) = pieces.recv().await {
                    let mut held = self.0.lock().expect("files");
                    held.uploads.get_mut(&upload).expect("known").2.extend_from_slice(&data);
                }
                let (name, size, bytes) = self.0.lock().expect("files").uploads[&upload].clone();
                let done = bytes.len() as u64 == size;
                _ = answer.send(Ok(match done {
                    true => UploadProgress::Done(Box::new(self.put(name, bytes))),
                    false => UploadProgress::Offset(bytes.len() as u64),
                }));
            }
            FileRequest::List { answer, .. } => _ = answer.send(self.all()),
            FileRequest::Find { content, answer } => _ = answer.send(self.find(content)),
            FileRequest::Read { content, from, to, pieces } => {
                let bytes = self.0.lock().expect("files").files[&content].1[from as usize..to as usize].to_vec();
                for piece in bytes.chunks(1000) {
                    _ = pieces.send(piece.to_vec().into()).await;
                }
            }
            FileRequest::Change { content, change, answer } => {
                self.0.lock().expect("files").changes.push(change);
                _ = answer.send(self.find(content).ok_or(RequestError::NoSuchFile));
            }
        }
    }
}
