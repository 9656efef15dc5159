//! Requests to publish something, and what has to be read before the engine takes one: a `ref` that
//! may have been used, the message that is answered or changed.

use futures::future::BoxFuture;

use super::changes::ChangeResponder;
use super::files::{Shelf, attach};
use crate::proto::commands::{ChangeCommand, SayCommand};
use crate::proto::engine::Engine;
use crate::proto::entries::timeline::Message;
use crate::proto::ids::EntryId;
use crate::proto::replication::store_api::IdempotencyKey;
use crate::store::{Store, StoreError};
use crate::web::requests::{RequestError, Responder, SayResult, SocketId};

/// A lookup under way.
pub(super) type PendingLookup = BoxFuture<'static, LookedUp>;

/// A request to publish something.
pub(super) enum PublishRequest {
    Say { source: Option<SocketId>, say: SayCommand, answer: Responder<Result<SayResult, RequestError>> },
    Change { change: ChangeCommand, answer: ChangeResponder },
}

/// A request with what was read for it.
pub(super) struct LookedUp {
    pub(super) request: PublishRequest,
    pub(super) found: Result<Lookup, StoreError>,
}

/// The result of a lookup.
#[derive(Default)]
pub(super) struct Lookup {
    /// The entry that was published under the `ref`, if the engine did not know of it.
    pub(super) stored: Option<(IdempotencyKey, EntryId)>,
    /// The message that is answered or changed.
    pub(super) target: Option<Message>,
    /// The reason for which the files of a message can't be sent.
    pub(super) refused: Option<RequestError>,
}

impl PublishRequest {
    pub(super) fn reference(&self) -> Option<&IdempotencyKey> {
        match self {
            Self::Say { say, .. } => say.reference.as_ref(),
            Self::Change { change, .. } => change.reference.as_ref(),
        }
    }

    /// The message that is answered or changed.
    fn target(&self) -> Option<EntryId> {
        match self {
            Self::Say { say, .. } => say.reply_to,
            Self::Change { change, .. } => change.change.target(),
        }
    }

    fn has_files(&self) -> bool {
        matches!(self, Self::Say { say, .. } if !say.files.0.is_empty())
    }

    pub(super) fn refuse(self, error: RequestError) {
        match self {
            Self::Say { answer, .. } => _ = answer.send(Err(error)),
            Self::Change { answer, .. } => _ = answer.send(Err(error)),
        }
    }

    /// The `ref` of which only the store can tell whether it was used.
    fn ref_to_read<'a>(&'a self, engine: &Engine) -> Option<&'a IdempotencyKey> {
        self.reference().filter(|reference| engine.needs_ref_lookup(&reference.name))
    }

    /// Returns true if nothing has to be read for the request.
    pub(super) fn is_ready(&self, engine: &Engine) -> bool {
        self.target().is_none() && !self.has_files() && self.ref_to_read(engine).is_none()
    }

    /// Reads what the request needs, and holds the files that it names for its readers.
    pub(super) fn look_up(mut self, store: Store, shelf: Shelf, engine: &Engine) -> PendingLookup {
        let (name, target) = (self.ref_to_read(engine).map(|reference| reference.name.clone()), self.target());
        Box::pin(async move {
            let mut found = look_up(&store, name, target).await;
            if let (Self::Say { say, .. }, Ok(found)) = (&mut self, &mut found) {
                found.refused = attach(shelf, say).await.err();
            }
            LookedUp { found, request: self }
        })
    }
}

async fn look_up(store: &Store, name: Option<String>, target: Option<EntryId>) -> Result<Lookup, StoreError> {
    let mut found = Lookup::default();
    if let Some(name) = name {
        found.stored = store.by_ref(name).await?;
    }
    if let Some(id) = target {
        found.target = store.line(id).await?;
    }
    Ok(found)
}
