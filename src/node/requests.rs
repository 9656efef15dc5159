//! Requests of pages and commands: what changes something becomes an input of the engine, what only
//! reads is answered by the store on a task of its own.

use std::collections::{HashMap, VecDeque};

use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use tokio_util::sync::CancellationToken;

use super::changes::{self, ChangeEntry, ChangeResponder};
use super::discovery::DiscoveryLog;
use super::doctor::{self, Observations};
use super::files::Shelf;
use super::info::{self, NodeInfo, page_of, reply, report};
use super::listeners::web_token;
use super::lookup::{LookedUp, Lookup, PendingLookup, PublishRequest};
use super::measure::measure;
use crate::api;
use crate::config::UnresolvedPeer;
use crate::identity::DataDir;
use crate::metrics::MetricsSnapshot;
use crate::net::Net;
use crate::proto::commands::ChangeCommand;
use crate::proto::engine::{AskId, ChangeInput, Engine, Input, Reply};
use crate::proto::ids::{EntryId, NodeId};
use crate::proto::limits::{LOOKUPS_MAX, SAYS_WAITING_MAX};
use crate::proto::member_flags::FlagChange;
use crate::proto::members::member::Member;
use crate::proto::replication::store_api::Write;
use crate::store::{Store, StoreError};
use crate::web::requests::{NodeRequest, RequestError, Responder, Resume, SayResult, SocketId, WelcomeReply};
use crate::web::{BroadcastEvent, Credentials, Hub, PageToken};

/// The parts of the node that answer a request.
pub(super) struct NodeParts<'a> {
    pub(super) engine: &'a Engine,
    pub(super) net: &'a Net,
    pub(super) store: &'a Store,
    pub(super) hub: &'a Hub,
    pub(super) shelf: &'a Shelf,
    pub(super) credentials: &'a Credentials,
    pub(super) directory: &'a DataDir,
    pub(super) info: &'a NodeInfo,
    pub(super) discovery: &'a DiscoveryLog,
    pub(super) observations: &'a Observations,
    pub(super) stop: &'a CancellationToken,
}

/// A request that waits for the engine.
enum Pending {
    Say {
        source: Option<SocketId>,
        reference: Option<String>,
        answer: Responder<Result<SayResult, RequestError>>,
    },
    Done {
        answer: Responder<Result<(), RequestError>>,
    },
    /// Without an id: a topic.
    Change {
        id: Option<EntryId>,
        answer: ChangeResponder,
    },
}

impl From<PublishRequest> for Pending {
    fn from(request: PublishRequest) -> Self {
        match request {
            PublishRequest::Say { source, say, answer } => {
                Self::Say { source, reference: say.reference.map(|reference| reference.name), answer }
            }
            PublishRequest::Change { change, answer } => Self::Change { id: change.change.target(), answer },
        }
    }
}

/// A request that waits for the flags of a member to be changed.
type MarkResponder = Responder<Result<Member, RequestError>>;

/// The requests that wait for the engine or the store.
#[derive(Default)]
pub(super) struct Requests {
    pending: HashMap<AskId, Pending>,
    lookups: FuturesOrdered<PendingLookup>,
    /// In the order in which they came, which is that of the store's answers.
    marking: VecDeque<MarkResponder>,
    last_id: u64,
}

impl Requests {
    /// Returns true if one more request may come.
    pub(super) fn has_room(&self) -> bool {
        self.lookups.len() < LOOKUPS_MAX && self.pending.len() < SAYS_WAITING_MAX - LOOKUPS_MAX
    }

    /// Returns the next lookup that is done; none if there is none under way.
    pub(super) async fn next_lookup(&mut self) -> Option<LookedUp> {
        self.lookups.next().await
    }

    /// Answers a request, or returns the input of the engine that leads to the answer.
    pub(super) fn on_request(&mut self, request: NodeRequest, node: &NodeParts<'_>) -> Option<Input> {
        let store = node.store.clone();
        match request {
            NodeRequest::Say { source, say, answer } => {
                return self.publish(PublishRequest::Say { source, say, answer }, node);
            }
            NodeRequest::Change { change, answer } => {
                return self.publish(PublishRequest::Change { change, answer }, node);
            }
            NodeRequest::SetStatus { status, answer } => {
                let asker = self.register_pending(Pending::Done { answer });
                return Some(Input::SetStatus { asker, status });
            }
            NodeRequest::Versions { id, before, answer } => {
                reply(answer, async move { store.versions(id, before).await });
            }
            NodeRequest::FindMessages { selector, answer } => {
                reply(answer, async move { store.find_ids(selector).await });
            }
            NodeRequest::Rename { name, answer } => {
                let asker = self.register_pending(Pending::Done { answer });
                return Some(Input::Rename { asker, name });
            }
            NodeRequest::MarkRead { conversation, arrival, answer } => {
                store.write(Write::Read { conversation, arrival });
                _ = answer.send(Ok(()));
            }
            NodeRequest::Typing { conversation, answer } => {
                _ = answer.send(Ok(()));
                return Some(Input::Typing(conversation));
            }
            NodeRequest::SetItem { key, value, answer } => {
                let done = store.set_page_item(key, value);
                tokio::spawn(async move { _ = answer.send(item_set(done.await)) });
            }
            NodeRequest::Exit { answer } => {
                _ = answer.send(());
                node.stop.cancel();
            }
            NodeRequest::RotateToken { answer } => _ = answer.send(rotate_token(node)),
            NodeRequest::Members { answer } => _ = answer.send(node.engine.members().cloned().collect()),
            NodeRequest::Mark { member, change, answer } => return self.mark(node.engine, member, change, answer),
            NodeRequest::AddPeer { address, answer } => match address.parse::<UnresolvedPeer>() {
                Ok(peer) => {
                    _ = answer.send(Ok(()));
                    let target = (&peer.or_port(node.net.udp_port())).into();
                    return Some(Input::Peer { target, is_wanted: true });
                }
                Err(error) => _ = answer.send(Err(error)),
            },
            NodeRequest::RefUsed { reference, answer } if !node.engine.needs_ref_lookup(&reference) => {
                _ = answer.send(node.engine.knows_ref(&reference));
            }
            NodeRequest::RefUsed { reference, answer } => {
                tokio::spawn(async move {
                    let used = store.by_ref(reference).await.is_ok_and(|found| found.is_some());
                    _ = answer.send(used);
                });
            }
            NodeRequest::Info { answer } => answer_info(node, answer),
            NodeRequest::RemoveCopies { answer } => {
                reply(answer, async move { info::remove_copies(&store).await });
            }
            NodeRequest::Metrics { answer } => answer_metrics(node, answer),
            NodeRequest::Doctor { answer } => {
                let NodeParts { engine, net, observations, discovery, info, .. } = *node;
                _ = answer.send(doctor::report(engine, net, observations, discovery, info));
            }
            NodeRequest::Page { query, answer } => {
                reply(answer, async move { store.page(query, page_of(api::PAGE_SIZES)).await });
            }
            NodeRequest::Holders { id, answer } => {
                let since = node.engine.held_since(id);
                let read = async move { Ok(store.holders(id).await?.map(|found| info::holders(found, &since))) };
                reply(answer, read);
            }
            NodeRequest::Export { query, answer } => {
                reply(answer, async move { store.export(query, page_of(api::EXPORT_SIZES)).await });
            }
            NodeRequest::Search { query, answer } => {
                reply(answer, async move { store.search(query, page_of(api::PAGE_SIZES)).await });
            }
            // The event loop gives them to `files`.
            NodeRequest::Files(_) => {}
            NodeRequest::Welcome { resume, answer } => answer_welcome(node, resume, answer),
        }
        None
    }

    fn mark(&mut self, engine: &Engine, member: NodeId, change: FlagChange, answer: MarkResponder) -> Option<Input> {
        let refused = match engine.member(member) {
            None => RequestError::NoSuchMember,
            Some(member) if member.own => RequestError::BadTarget,
            Some(_) => {
                self.marking.push_back(answer);
                return Some(Input::Mark { member, change });
            }
        };
        _ = answer.send(Err(refused));
        None
    }

    /// The flags of a member were changed, or could not be: answers the oldest such request.
    pub(super) fn on_marked(&mut self, engine: &Engine, member: NodeId, done: bool) {
        let Some(answer) = self.marking.pop_front() else { return };
        let member = engine.member(member).filter(|_| done).cloned();
        _ = answer.send(member.ok_or(RequestError::DiskFull));
    }

    fn register_pending(&mut self, pending: Pending) -> AskId {
        self.last_id += 1;
        let asker = AskId(self.last_id);
        self.pending.insert(asker, pending);
        asker
    }

    /// Takes a request to publish something. Its turn comes after those whose lookup is under way.
    fn publish(&mut self, request: PublishRequest, node: &NodeParts<'_>) -> Option<Input> {
        if self.lookups.is_empty() && request.is_ready(node.engine) {
            return self.on_lookup(request, Lookup::default(), node.engine);
        }
        self.lookups.push_back(request.look_up(node.store.clone(), node.shelf.clone(), node.engine));
        None
    }

    /// What a request needs was read, and the engine was told of its `ref`. Returns the input of
    /// the engine, unless the request is answered.
    pub(super) fn on_lookup(&mut self, request: PublishRequest, found: Lookup, engine: &Engine) -> Option<Input> {
        let used = request.reference().filter(|reference| engine.knows_ref(&reference.name)).cloned();
        if let Some(reference) = used {
            let asker = self.register_pending(request.into());
            return Some(Input::Repeat { asker, reference });
        }
        match request {
            PublishRequest::Say { source, mut say, answer } => {
                let mentions = if say.reply_to.is_some() && found.target.is_none() {
                    Err(RequestError::BadTarget)
                } else if let Some(error) = found.refused {
                    Err(error)
                } else {
                    changes::mentions_or_names(say.mentions.take(), &say.text, &say.files, engine.members())
                };
                match mentions {
                    Ok(mentions) => {
                        say.mentions = Some(mentions);
                        let reference = say.reference.as_ref().map(|reference| reference.name.clone());
                        let asker = self.register_pending(Pending::Say { source, reference, answer });
                        return Some(Input::Say { asker, say });
                    }
                    Err(error) => _ = answer.send(Err(error)),
                }
            }
            PublishRequest::Change { change: ChangeCommand { change, reference }, answer } => {
                let id = change.target();
                match changes::to_entry(change, found.target, engine) {
                    Ok(ChangeEntry::New(body, conversation)) => {
                        let asker = self.register_pending(Pending::Change { id, answer });
                        return Some(Input::Change { asker, change: ChangeInput { conversation, body, reference } });
                    }
                    Ok(ChangeEntry::Done(message)) => _ = answer.send(Ok(Some(*message))),
                    Err(error) => _ = answer.send(Err(error)),
                }
            }
        }
        None
    }

    /// Returns the socket and the `ref` of a message, if a socket of a page sent it with a `ref`.
    pub(super) fn take_origin(&self, asker: AskId) -> Option<(SocketId, String)> {
        match self.pending.get(&asker)? {
            Pending::Say { source: Some(source), reference: Some(reference), .. } => Some((*source, reference.clone())),
            Pending::Say { .. } | Pending::Done { .. } | Pending::Change { .. } => None,
        }
    }

    /// A message is on the disk and published: answers its request.
    pub(super) fn complete_say(&mut self, asker: AskId, said: SayResult) {
        if let Some(Pending::Say { answer, .. }) = self.pending.remove(&asker) {
            _ = answer.send(Ok(said));
        }
    }

    /// Passes the engine's answer on, except for a new message: `complete_say` answers once it was
    /// published.
    pub(super) fn on_reply(&mut self, asker: AskId, reply: Reply, store: &Store) {
        let error = match reply {
            Reply::Done => None,
            Reply::SaidBefore(id) => match self.pending.remove(&asker) {
                Some(Pending::Say { answer, .. }) => {
                    let store = store.clone();
                    tokio::spawn(async move {
                        if let Some(Some(line)) = report(store.line(id).await) {
                            _ = answer.send(Ok(SayResult::Before(Box::new(line))));
                        }
                    });
                    return;
                }
                Some(Pending::Change { id, answer }) => return changes::answer_current(store.clone(), id, answer),
                Some(Pending::Done { .. }) | None => return,
            },
            Reply::RefUsed => Some(RequestError::RefUsed),
            Reply::NoSuchMember => Some(RequestError::NoSuchMember),
            Reply::Oneself => Some(RequestError::BadTarget),
            Reply::DiskFull => Some(RequestError::DiskFull),
            // The loop takes no more requests than the engine. Should it, the caller has to ask
            // again.
            Reply::Busy | Reply::Stopping => Some(RequestError::Stopping),
        };
        match self.pending.remove(&asker) {
            Some(Pending::Say { answer, .. }) => _ = answer.send(Err(error.unwrap_or(RequestError::Stopping))),
            Some(Pending::Change { id, answer }) => match error {
                Some(error) => _ = answer.send(Err(error)),
                None => changes::answer_current(store.clone(), id, answer),
            },
            Some(Pending::Done { answer }) => _ = answer.send(error.map_or(Ok(()), Err)),
            None => {}
        }
    }
}

fn answer_info(node: &NodeParts<'_>, answer: Responder<api::NodeJson>) {
    let store = node.store.clone();
    let info = info::describe(node.info, node.engine, node.net, node.store, node.discovery);
    tokio::spawn(async move {
        if let Some(info) = info::with_history(&store, info).await {
            _ = answer.send(info);
        }
    });
}

fn answer_metrics(node: &NodeParts<'_>, answer: Responder<MetricsSnapshot>) {
    let (store, snapshot) = (node.store.clone(), measure(node.engine, node.net, node.store, node.info));
    reply(answer, async move {
        let counts = store.counts().await?;
        Ok(MetricsSnapshot { entries: (counts.entries, counts.missing), ..snapshot })
    });
}

fn answer_welcome(node: &NodeParts<'_>, resume: Option<Resume>, answer: Responder<WelcomeReply>) {
    let store = node.store.clone();
    let info = info::describe(node.info, node.engine, node.net, node.store, node.discovery);
    let (members, run) = (node.engine.members().cloned().collect(), node.info.run.clone());
    tokio::spawn(async move {
        let Some(info) = info::with_history(&store, info).await else { return };
        if let Some(welcome) = report(info::welcome(&store, info, members, run, resume).await) {
            _ = answer.send(welcome);
        }
    });
}

fn rotate_token(node: &NodeParts<'_>) -> Result<(), RequestError> {
    let token: PageToken = match node.directory.rotate_token() {
        Ok(token) => web_token(&token),
        Err(error) => {
            tracing::warn!("{error}");
            return Err(RequestError::DiskFull);
        }
    };
    node.credentials.rotate(token);
    node.hub.publish(BroadcastEvent::TokenRotated);
    Ok(())
}

/// Returns what became of an item of the storage of the user's pages.
fn item_set(result: Result<bool, StoreError>) -> Result<(), RequestError> {
    match result {
        Ok(true) => Ok(()),
        Ok(false) => Err(RequestError::StorageFull),
        Err(error) if error.is_disk_full() => Err(RequestError::DiskFull),
        Err(error) => {
            tracing::warn!("{error}");
            Err(RequestError::Stopping)
        }
    }
}
