//! What pages ask: what changes something goes to the engine, what only reads to the store beside the loop.

use std::path::PathBuf;

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::doors::web_token;
use super::target;
use super::turn::Turns;
use crate::api;
use crate::config::PeerText;
use crate::proto::engine::{Answer, AskId, Input, Say};
use crate::proto::history::{Budget, Sizes};
use crate::proto::ids::{Hash, NodeId, RoomTag};
use crate::proto::limits::HISTORY_BYTES_MAX;
use crate::proto::marks::MarkChange;
use crate::proto::name::Name;
use crate::proto::record::{Ref, Write};
use crate::proto::roster::Member;
use crate::proto::timeline::{Conversation, Line, LineKind};
use crate::store::{Holders, Store, StoreError};
use crate::web::ask::{self, Ask, Said, SayError, SocketNo, Welcome};
use crate::web::{Event, Token};

/// What does not change while the node runs.
pub(super) struct About {
    pub(super) own: NodeId,
    pub(super) room: Name,
    /// What beacons say of it.
    pub(super) tag: RoomTag,
    /// The name of this run, for pages that come back.
    pub(super) run: String,
    pub(super) started_ms: u64,
    /// The page's address without the token.
    pub(super) web: Option<String>,
    /// The page's port on 127.0.0.1.
    pub(super) web_port: Option<u16>,
    pub(super) socket: PathBuf,
    pub(super) data_dir: PathBuf,
    /// True if other people work on this machine.
    pub(super) is_shared: bool,
}

/// A question that waits for the engine.
pub(super) enum Pending {
    Say { source: Option<SocketNo>, reference: Option<String>, answer: ask::Answer<Result<Said, SayError>> },
    Rename { answer: ask::Answer<Result<(), SayError>> },
}

/// Somebody who waits for the marks of a member to be changed.
pub(super) type Marking = ask::Answer<Result<Member, SayError>>;

/// Something to say whose `ref` and answered message are being looked up.
pub(super) type Lookup = BoxFuture<'static, Found>;

/// What was found.
pub(super) struct Found {
    source: Option<SocketNo>,
    say: ask::Say,
    answer: ask::Answer<Result<Said, SayError>>,
    found: Result<Verdict, StoreError>,
}

/// What the store knows of something that is about to be said.
enum Verdict {
    New(Option<Ref>),
    /// The same `ref` made this message before.
    Before(Box<Line>),
    /// It can't be said.
    Refused(SayError),
}

impl Turns {
    pub(super) fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Say { source, say, answer } => {
                let store = self.store.clone();
                self.lookups.push_back(Box::pin(async move {
                    let found = look_up(&store, &say).await;
                    Found { source, say, answer, found }
                }));
            }
            Ask::Rename { name, answer } => {
                let asker = self.next_ask(Pending::Rename { answer });
                self.handle(Input::Rename { asker, name });
            }
            Ask::MarkRead { conversation, arrival, answer } => {
                self.store.write(Write::Read { conversation, arrival });
                _ = answer.send(Ok(()));
            }
            Ask::SetItem { key, value, answer } => {
                let done = self.store.set_page_item(key, value);
                tokio::spawn(async move { _ = answer.send(item_set(done.await)) });
            }
            Ask::Exit { answer } => {
                _ = answer.send(());
                self.stop.cancel();
            }
            Ask::RotateToken { answer } => _ = answer.send(self.rotate_token()),
            Ask::Members { answer } => _ = answer.send(self.engine.members().cloned().collect()),
            Ask::Mark { member, change, answer } => self.mark(member, change, answer),
            Ask::RefUsed { reference, answer } => {
                let store = self.store.clone();
                tokio::spawn(async move {
                    let used = store.by_ref(reference).await.is_ok_and(|found| found.is_some());
                    _ = answer.send(used);
                });
            }
            Ask::Info { answer } => {
                let (store, info) = (self.store.clone(), self.info());
                tokio::spawn(async move {
                    if let Some(info) = with_history(&store, info).await {
                        _ = answer.send(info);
                    }
                });
            }
            Ask::Doctor { answer } => _ = answer.send(self.doctor()),
            Ask::Page { query, answer } => {
                let store = self.store.clone();
                reply(answer, async move { store.page(query, page_of(api::PAGE_SIZES)).await });
            }
            Ask::Holders { id, answer } => {
                let (store, since) = (self.store.clone(), self.engine.held_since(id));
                reply(answer, async move { Ok(store.holders(id).await?.map(|found| holders(found, &since))) });
            }
            Ask::AddPeer { address, answer } => _ = answer.send(self.add_peer(&address)),
            Ask::Export { query, answer } => {
                let store = self.store.clone();
                reply(answer, async move { store.export(query, page_of(api::EXPORT_SIZES)).await });
            }
            Ask::Search { query, answer } => {
                let store = self.store.clone();
                reply(answer, async move { store.search(query, page_of(api::PAGE_SIZES)).await });
            }
            Ask::Welcome { resume, answer } => self.welcome(resume, answer),
        }
    }

    fn mark(&mut self, member: NodeId, change: MarkChange, answer: Marking) {
        let refused = match self.engine.member(member) {
            None => SayError::NoSuchMember,
            Some(member) if member.own => SayError::BadTarget,
            Some(_) => {
                self.marking.push_back(answer);
                self.handle(Input::Mark { member, change });
                return;
            }
        };
        _ = answer.send(Err(refused));
    }

    /// The marks of a member were changed, or could not be: whoever asked may know.
    pub(super) fn marked(&mut self, member: NodeId, done: bool) {
        let Some(answer) = self.marking.pop_front() else { return };
        let member = self.engine.member(member).filter(|_| done).cloned();
        _ = answer.send(member.ok_or(SayError::DiskFull));
    }

    fn add_peer(&mut self, address: &str) -> Result<(), &'static str> {
        let peer = address.parse::<PeerText>()?.or_port(self.net.udp_port());
        self.handle(Input::Peer(target(&peer)));
        Ok(())
    }

    fn next_ask(&mut self, pending: Pending) -> AskId {
        self.asked += 1;
        let asker = AskId(self.asked);
        self.pending.insert(asker, pending);
        asker
    }

    /// A `ref` and an answered message were looked up: on to the engine.
    pub(super) fn looked_up(&mut self, found: Found) {
        let Found { source, say, answer, found } = found;
        let reference = match report(found).unwrap_or(Verdict::Refused(SayError::Stopping)) {
            Verdict::New(reference) => reference,
            Verdict::Before(line) => {
                _ = answer.send(Ok(Said { line: *line, new: false }));
                return;
            }
            Verdict::Refused(error) => {
                _ = answer.send(Err(error));
                return;
            }
        };
        let name = reference.as_ref().map(|reference| reference.name.clone());
        let asker = self.next_ask(Pending::Say { source, reference: name, answer });
        let channel = say.channel.unwrap_or_else(|| Name::lossy(Conversation::GENERAL, Conversation::GENERAL));
        let hooray = say.kind == LineKind::Hooray;
        let say = Say { to: say.to, channel, text: say.text, reply_to: say.reply_to, hooray, reference };
        self.handle(Input::Say { asker, say });
    }

    /// Who said it, if it was a socket of a page with a `ref`.
    pub(super) fn said_by(&self, asker: AskId) -> Option<(SocketNo, String)> {
        match self.pending.get(&asker)? {
            Pending::Say { source: Some(source), reference: Some(reference), .. } => Some((*source, reference.clone())),
            Pending::Say { .. } | Pending::Rename { .. } => None,
        }
    }

    /// A message is on the disk and published: whoever said it may know.
    pub(super) fn said(&mut self, asker: AskId, line: Line) {
        if let Some(Pending::Say { answer, .. }) = self.pending.remove(&asker) {
            _ = answer.send(Ok(Said { line, new: true }));
        }
    }

    /// The engine's answer, except for what is said: that is answered when it was published.
    pub(super) fn answer(&mut self, asker: AskId, result: Answer) {
        let error = match result {
            Answer::Said(_) => return,
            Answer::Done => None,
            Answer::SaidBefore(id) => {
                if let Some(Pending::Say { answer, .. }) = self.pending.remove(&asker) {
                    let store = self.store.clone();
                    tokio::spawn(async move {
                        if let Some(Some(line)) = report(store.line(id).await) {
                            _ = answer.send(Ok(Said { line, new: false }));
                        }
                    });
                }
                return;
            }
            Answer::RefUsed => Some(SayError::RefUsed),
            Answer::NoSuchMember => Some(SayError::NoSuchMember),
            Answer::Oneself => Some(SayError::BadTarget),
            Answer::DiskFull => Some(SayError::DiskFull),
            // The loop takes no more questions than the engine; should it, whoever asked has to ask again.
            Answer::Busy | Answer::Stopping => Some(SayError::Stopping),
        };
        match self.pending.remove(&asker) {
            Some(Pending::Say { answer, .. }) => _ = answer.send(Err(error.unwrap_or(SayError::Stopping))),
            Some(Pending::Rename { answer }) => _ = answer.send(error.map_or(Ok(()), Err)),
            None => {}
        }
    }

    fn rotate_token(&mut self) -> Result<(), SayError> {
        let token: Token = match self.directory.rotate_token() {
            Ok(token) => web_token(&token),
            Err(error) => {
                tracing::warn!("{error}");
                return Err(SayError::DiskFull);
            }
        };
        self.keys.rotate(token);
        self.hub.publish(Event::TokenRotated);
        Ok(())
    }

    /// What the node is, without what is in the database.
    fn info(&self) -> api::Node {
        let own = self.engine.members().find(|member| member.own);
        let addresses = own.map(|own| own.addresses.iter().map(ToString::to_string).collect()).unwrap_or_default();
        let (mended, mended_ms) = self.store.mended().unzip();
        api::Node {
            id: self.about.own.to_string(),
            name: self.engine.name().to_string(),
            room: self.about.room.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            page: crate::web::parts().into_owned(),
            tcp: self.net.tcp_addresses(),
            udp: self.net.udp_port(),
            started: api::time(self.about.started_ms),
            web: self.about.web.clone(),
            socket: self.about.socket.display().to_string(),
            data_dir: self.about.data_dir.display().to_string(),
            shared: self.about.is_shared,
            history: api::History::default(),
            discovery: self.discovery.rows(),
            addresses,
            mended,
            mended_at: mended_ms.map(api::time),
        }
    }

    fn welcome(&self, resume: Option<ask::Resume>, answer: oneshot::Sender<Welcome>) {
        let (store, info, run) = (self.store.clone(), self.info(), self.about.run.clone());
        let members = self.engine.members().cloned().collect();
        tokio::spawn(async move {
            let Some(info) = with_history(&store, info).await else { return };
            if let Some(welcome) = report(welcome(&store, info, members, run, resume).await) {
                _ = answer.send(welcome);
            }
        });
    }
}

/// Whether something can be said: its `ref` is new, and what it answers is here.
async fn look_up(store: &Store, say: &ask::Say) -> Result<Verdict, StoreError> {
    let reference = say.reference.as_ref().map(|name| Ref { name: name.clone(), content: content(say) });
    if let Some(reference) = &reference
        && let Some((known, line)) = store.by_ref(reference.name.clone()).await?
    {
        let same = known.content == reference.content;
        return Ok(if same { Verdict::Before(Box::new(line)) } else { Verdict::Refused(SayError::RefUsed) });
    }
    if let Some(id) = say.reply_to
        && store.line(id).await?.is_none()
    {
        return Ok(Verdict::Refused(SayError::BadTarget));
    }
    Ok(Verdict::New(reference))
}

/// What became of an item of the storage of the user's pages.
fn item_set(result: Result<bool, StoreError>) -> Result<(), SayError> {
    match result {
        Ok(true) => Ok(()),
        Ok(false) => Err(SayError::StorageFull),
        Err(error) if error.is_disk_full() => Err(SayError::DiskFull),
        Err(error) => {
            tracing::warn!("{error}");
            Err(SayError::Stopping)
        }
    }
}

/// A hash of all that a message is made of, to tell a repetition from a mistake.
fn content(say: &ask::Say) -> Hash {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    part(if say.kind == LineKind::Hooray { b"hooray" } else { b"say" });
    part(say.text.as_bytes());
    part(say.to.as_ref().map_or(&[], |to| &to.0));
    part(say.channel.as_ref().map_or(Conversation::GENERAL, Name::as_str).as_bytes());
    part(say.reply_to.map(|id| id.to_bytes()).as_ref().map_or(&[], |id| &id[..]));
    Hash(*hasher.finalize().as_bytes())
}

async fn with_history(store: &Store, info: api::Node) -> Option<api::Node> {
    let counts = report(store.counts().await)?;
    let lacking = |(id, entries): &(NodeId, u64)| api::Lacking { id: id.to_string(), entries: *entries };
    let history = api::History {
        entries: counts.entries,
        missing: counts.missing,
        oldest: counts.oldest.map(|oldest| api::time(oldest.ms())),
        lacking: counts.lacking.iter().map(lacking).collect(),
    };
    Some(api::Node { history, ..info })
}

/// Who holds a message, each with the time at which that was heard, if it was in this run.
fn holders(found: Holders, since: &[(NodeId, u64)]) -> api::Holders {
    let holder = |id: &NodeId| api::Holder {
        id: id.to_string(),
        at: since.iter().find(|(member, _)| member == id).map(|(_, wall_ms)| api::time(*wall_ms)),
    };
    api::Holders {
        held: found.held.iter().map(holder).collect(),
        missing: found.missing.iter().map(NodeId::to_string).collect(),
    }
}

async fn welcome(
    store: &Store,
    info: api::Node,
    members: Vec<crate::proto::roster::Member>,
    run: String,
    resume: Option<ask::Resume>,
) -> Result<Welcome, StoreError> {
    let resumes = resume.is_some();
    let found = store.welcome(resume.map(|resume| (resume.run, resume.after)), api::PAGE_SIZES).await?;
    let mut held = Vec::new();
    if resumes && !found.reset {
        let own = store.own_newest(crate::proto::limits::RESUME_HELD_MAX).await?;
        held = own.into_iter().filter_map(|line| Some((line.id, line.held?))).collect();
    }
    Ok(Welcome {
        run,
        info,
        members,
        conversations: found.conversations,
        lines: found.lines,
        notices: found.notices,
        moved: found.moved,
        before: found.before,
        arrival: found.arrival,
        reset: found.reset,
        storage: found.storage,
        held,
    })
}

/// The budget of one answer that lists messages.
fn page_of(sizes: Sizes) -> Budget {
    Budget { bytes: HISTORY_BYTES_MAX, sizes }
}

/// Answers with what is read, beside the loop.
fn reply<T: Send + 'static>(
    answer: ask::Answer<T>,
    read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) {
    tokio::spawn(async move {
        if let Some(found) = report(read.await) {
            _ = answer.send(found);
        }
    });
}

/// What was read, or nothing where reading failed: then whoever asked hears that the node is stopping, and the log why.
fn report<T>(result: Result<T, StoreError>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!("the database can't be read: {error}")).ok()
}
