//! Authors that sign batches, and a store on a real file.

use ed25519_dalek::SigningKey;
use roomful::proto::clock::Stamp;
use roomful::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use roomful::proto::entries::body::{Body, SALT_BYTES};
use roomful::proto::entries::timeline::{Message, Notice, NoticeKind};
use roomful::proto::history::ReadMarker;
use roomful::proto::history::{PageBudget, PagePosition, PageQuery, SizeEstimator, TimelinePage};
use roomful::proto::ids::{EntryId, Hash, LogId, LogKey, NodeId, RoomId};
use roomful::proto::replication::store_api::{
    Append, Appended, Committed, LogChanges, OwnBatch, UndeletedEdit, Write, WriteError, WriteResult,
};
use roomful::store::{Location, Opened, Store};
use tempfile::TempDir;

/// 2026-11-22, about noon, in milliseconds.
pub(crate) const NOON: u64 = 1_795_348_800_000;

pub(crate) fn room() -> RoomId {
    RoomId::new("lobby", b"")
}

/// A message takes as much as its text, a notice 100 bytes.
pub(crate) const SIZES: SizeEstimator = SizeEstimator { line: |line| line.text.len(), notice: |_| 100 };

/// So many bytes, as [`SIZES`] has them.
pub(crate) fn budget(bytes: usize) -> PageBudget {
    PageBudget { bytes, sizes: SIZES }
}

/// An author of one log.
#[derive(Clone)]
pub(crate) struct Author {
    key: SigningKey,
    pub(crate) log: LogId,
    pub(crate) audience: Option<NodeId>,
    pub(crate) seq: u64,
    prev: Option<Hash>,
    /// Milliseconds after [`NOON`] of the next entry; a second goes by with each.
    pub(crate) at_ms: u64,
}

impl Author {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_bytes(&[seed; 32]),
            log: LogId(u64::from(seed) << 56 | 7),
            audience: None,
            seq: 0,
            prev: None,
            at_ms: 0,
        }
    }

    pub(crate) fn with_log(mut self, log: u64) -> Self {
        self.log = LogId(log);
        self
    }

    pub(crate) fn to(mut self, member: NodeId) -> Self {
        self.audience = Some(member);
        self
    }

    pub(crate) fn id(&self) -> NodeId {
        NodeId(self.key.verifying_key().to_bytes())
    }

    pub(crate) fn log_key(&self) -> LogKey {
        LogKey { author: self.id(), log: self.log }
    }

    pub(crate) fn batch(&mut self, bodies: &[Body], after: Option<EntryId>) -> Verified {
        let bodies: Vec<_> = bodies.iter().map(|body| body.encode([9; SALT_BYTES])).collect();
        let entries = bodies
            .iter()
            .map(|body| {
                self.at_ms += 1_000;
                slot(Stamp::from_ms(NOON + self.at_ms), body)
            })
            .collect();
        let header = Header {
            version: HEADER_VERSION,
            room: room(),
            author: self.id(),
            audience: self.audience,
            log: self.log,
            first_seq: self.seq + 1,
            prev: self.prev,
            after,
            entries,
        };
        let batch = sign(&self.key, header, &bodies);
        self.seq = batch.header().last_seq();
        self.prev = Some(batch.hash());
        batch
    }

    pub(crate) fn say(&mut self, text: &str) -> Verified {
        self.batch(&[say(text)], None)
    }

    pub(crate) fn say_all(&mut self, texts: &[&str]) -> Verified {
        self.batch(&texts.iter().map(|text| say(text)).collect::<Vec<_>>(), None)
    }

    pub(crate) fn named(&mut self, name: &str) -> Verified {
        self.batch(&[profile(name)], None)
    }
}

pub(crate) fn say(text: &str) -> Body {
    Body::say(text.to_owned(), None, None)
}

pub(crate) fn say_in(channel: &str, text: &str) -> Body {
    Body::say(text.to_owned(), Some(channel.to_owned()), None)
}

pub(crate) fn profile(name: &str) -> Body {
    Body::Profile { name: name.to_owned(), status: None }
}

/// The node whose store it is.
pub(crate) fn me() -> Author {
    Author::new(1)
}

/// A store and who is asking.
pub(crate) struct Bed {
    pub(crate) store: Store,
    pub(crate) opened: Opened,
    token: u64,
    /// What the last append did beside storing.
    pub(crate) changed: LogChanges,
    pub(crate) read: Vec<ReadMarker>,
    pub(crate) to_delete: Vec<UndeletedEdit>,
    pub(crate) released: Vec<Hash>,
}

impl Bed {
    pub(crate) fn at(dir: &TempDir) -> Self {
        Self::open(Location::in_dir(dir.path(), &room()), NOON)
    }

    pub(crate) fn open(location: Location, wall_ms: u64) -> Self {
        let (store, opened) = Store::open(location, room(), me().id(), wall_ms).expect("opens");
        Self::of(store, opened)
    }

    pub(crate) fn of(store: Store, opened: Opened) -> Self {
        let (read, to_delete, released) = (Vec::new(), Vec::new(), Vec::new());
        Self { store, opened, token: 0, changed: LogChanges::default(), read, to_delete, released }
    }

    pub(crate) async fn answer(&mut self) -> WriteResult {
        self.commit().await.result
    }

    async fn commit(&mut self) -> Committed {
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), self.opened.answers.recv());
        waited.await.expect("an answer in time").expect("the writer lives")
    }

    /// Appends in one request; gives the lines and what moved.
    pub(crate) async fn append_all(
        &mut self,
        batches: Vec<Append>,
    ) -> Result<(Vec<Message>, Vec<Message>), WriteError> {
        self.token += 1;
        self.store.write(Write::Append { token: self.token, batches });
        let Committed { result, shown } = self.commit().await;
        match result {
            WriteResult::Appended(Appended { token, messages, moved, changed, read, to_delete, released, .. })
                if token == self.token =>
            {
                (self.changed, self.read, self.to_delete, self.released) = (changed, read, to_delete, released);
                assert!(shown.iter().map(|line| line.id).eq(messages.iter().chain(&moved).copied()));
                let (lines, moved) = shown.split_at(messages.len());
                Ok((lines.to_vec(), moved.to_vec()))
            }
            WriteResult::Failed { token, error } if token == self.token => Err(error),
            other => panic!("not expected here: {other:?}"),
        }
    }

    pub(crate) async fn append(&mut self, batches: &[&Verified]) -> (Vec<Message>, Vec<Message>) {
        let batches = batches.iter().map(|batch| Append { batch: (*batch).clone(), own: None }).collect();
        self.append_all(batches).await.expect("there is room")
    }

    pub(crate) async fn append_own(&mut self, batch: &Verified, own: OwnBatch) -> Message {
        let batches = vec![Append { batch: batch.clone(), own: Some(own) }];
        self.append_all(batches).await.expect("there is room").0.remove(0)
    }

    pub(crate) async fn notice(&mut self, wall_ms: u64, member: NodeId) -> Notice {
        let name = roomful::proto::names::name::Name::from_lossy("Ana", "?");
        self.store.write(Write::Notice { wall_ms, kind: NoticeKind::Joined, member, name });
        match self.answer().await {
            WriteResult::Noted(notice) => notice,
            other => panic!("not expected here: {other:?}"),
        }
    }

    /// Writes many notices at once.
    pub(crate) async fn notices(&mut self, kind: NoticeKind, member: NodeId, count: u64) {
        for _ in 0..count {
            let name = roomful::proto::names::name::Name::from_lossy("Ana", "?");
            self.store.write(Write::Notice { wall_ms: NOON, kind, member, name });
        }
        for _ in 0..count {
            self.answer().await;
        }
    }

    pub(crate) async fn page(&self, at: PagePosition, limit: usize) -> TimelinePage {
        let page = self.store.page(PageQuery { at, conversation: None, limit }, budget(usize::MAX)).await;
        page.expect("readable").expect("found")
    }

    pub(crate) async fn texts(&self) -> Vec<String> {
        texts(&self.page(PagePosition::Newest, 10_000).await.lines)
    }
}

pub(crate) fn texts(lines: &[Message]) -> Vec<String> {
    lines.iter().map(|line| line.text.clone()).collect()
}
