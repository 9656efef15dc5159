//! A node that stores messages in memory, and a real web server in front of it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use roomful::api;
use roomful::api::doctor::{FailedDial, Files, Heard, InterfaceReport, LinksReport, PortsReport};
use roomful::metrics::MetricsSnapshot;
use roomful::proto::clock::Stamp;
use roomful::proto::commands::{ChangeCommand, RequestedChange, SayCommand};
use roomful::proto::entries::appearance::{Appearance, Reaction};
use roomful::proto::entries::timeline::{Conversation, Delivery, Message, MessageKind, Order};
use roomful::proto::history::{
    ExportRows, HitRow, MessageSelector, MessageVersion, PagePosition, PageQuery, ReadMarker, SearchResult,
    TimelinePage, VersionPage,
};
use roomful::proto::ids::{Arrival, EntryId, LogId, NodeId};
use roomful::proto::members::roster::Member;
use roomful::proto::names::name::Name;
use roomful::web::requests::{RequestError, Resume, SayResult, WelcomeReply};
use roomful::web::{BroadcastEvent, Credentials, Hub, Listeners, NodeRequest, PageToken, Web, listeners};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake_files::FakeFiles;

pub(crate) const OWN: NodeId = NodeId([1; 32]);
pub(crate) const OTHER: NodeId = NodeId([2; 32]);
const RUN: &str = "this run";

/// What the fake node holds.
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) lines: Vec<Message>,
    refs: HashMap<String, (SayCommand, usize)>,
    /// The answer to the next wish, if it is to be refused.
    pub(crate) refuse: Option<RequestError>,
    pub(crate) renamed: Option<Name>,
    /// What was asked to be changed.
    pub(crate) changes: Vec<ChangeCommand>,
    pub(crate) status: Option<String>,
    pub(crate) exited: bool,
    pub(crate) typed: Vec<Conversation>,
    pub(crate) files: FakeFiles,
    pub(crate) storage: BTreeMap<String, String>,
    pub(crate) queries: Vec<PageQuery>,
    pub(crate) held: Vec<(EntryId, Delivery)>,
    /// Messages that are committed while a welcome is read, after its snapshot, and published
    /// before it is answered.
    pub(crate) commit_during_welcome: usize,
}

impl Node {
    pub(crate) fn arrival(&self) -> Arrival {
        self.lines.len() as Arrival
    }

    /// Commits a message of another member without publishing it.
    pub(crate) fn commit(&mut self, text: &str) -> Message {
        self.add(OTHER, text, MessageKind::Say, Conversation::general())
    }

    fn add(&mut self, author: NodeId, text: &str, kind: MessageKind, conversation: Conversation) -> Message {
        let seq = self.arrival() + 1;
        let time = Stamp::from_ms(1_795_356_300_123 + seq);
        let to = match &conversation {
            Conversation::Direct(to) => Some(*to),
            Conversation::Channel(_) => None,
        };
        let line = Message {
            id: EntryId { log: LogId(7), seq, check: [9; 16] },
            arrival: seq,
            order: Order { place: time.0, author, log: LogId(7), seq },
            time,
            name: Name::from_lossy("Ana", "?"),
            conversation,
            to,
            kind,
            text: text.to_owned(),
            reply_to: None,
            reply: None,
            changes: Box::default(),
            held: (author == OWN).then_some(Delivery { held_by: 0, of: 1 }),
        };
        self.lines.push(line.clone());
        line
    }

    fn say(&mut self, say: SayCommand) -> Result<SayResult, RequestError> {
        if let Some(reference) = &say.reference
            && let Some((before, index)) = self.refs.get(&reference.name)
        {
            let same = *before == say;
            return if same {
                Ok(SayResult::Before(Box::new(self.lines[*index].clone())))
            } else {
                Err(RequestError::RefUsed)
            };
        }
        if let Some(error) = self.refuse.take() {
            return Err(error);
        }
        match say.recipient() {
            Some(OWN) => return Err(RequestError::BadTarget),
            Some(to) if to != OTHER => return Err(RequestError::NoSuchMember),
            _ => {}
        }
        let line = self.add(OWN, &say.text, say.kind, say.conversation.clone());
        if let Some(reference) = say.reference.clone() {
            self.refs.insert(reference.name, (say, self.lines.len() - 1));
        }
        Ok(SayResult::New(Box::new(line)))
    }

    fn change(&mut self, command: ChangeCommand) -> Result<Option<Message>, RequestError> {
        self.changes.push(command.clone());
        if let Some(error) = self.refuse.take() {
            return Err(error);
        }
        let id = match command.change {
            RequestedChange::Edit { id, .. } | RequestedChange::Delete { id } | RequestedChange::React { id, .. } => id,
            RequestedChange::Topic { .. } => return Ok(None),
        };
        let line = self.lines.iter_mut().find(|line| line.id == id).ok_or(RequestError::NoSuchMessage)?;
        match command.change {
            RequestedChange::Edit { text, mentions, .. } => {
                line.changes.edited = Some(line.time);
                line.changes.mentions = mentions.unwrap_or_default().counted(&text);
                line.text = text;
            }
            RequestedChange::Delete { .. } => {
                line.text.clear();
                *line.changes = Appearance { deleted: true, ..Appearance::default() };
            }
            RequestedChange::React { emoji, .. } => line.changes.reactions = vec![Reaction { emoji, by: vec![OWN] }],
            RequestedChange::Topic { .. } => {}
        }
        Ok(Some(line.clone()))
    }

    fn find(&self, selector: &MessageSelector) -> Vec<EntryId> {
        let matches = |id: &EntryId| match selector {
            MessageSelector::OwnLast => id.seq == self.arrival(),
            MessageSelector::IdPart(part) => id.to_string().starts_with(part),
        };
        self.lines.iter().map(|line| line.id).filter(matches).collect()
    }

    fn versions(&self, id: EntryId, before: Option<Order>) -> Option<VersionPage> {
        let line = self.lines.iter().find(|line| line.id == id)?;
        let said = MessageVersion { text: "first".to_owned(), time: line.time };
        let versions = if before.is_some() { vec![said] } else { Vec::new() };
        Some(VersionPage { versions, before: before.is_none().then_some(line.order) })
    }

    fn page(&mut self, query: PageQuery) -> Option<TimelinePage> {
        if matches!(query.at, PagePosition::Around(_)) {
            return None;
        }
        let lines: Vec<_> = self.lines.iter().rev().take(query.limit).rev().cloned().collect();
        self.queries.push(query);
        let after = Order { place: 9, author: OWN, log: LogId(1), seq: 1 };
        Some(TimelinePage {
            before: lines.first().map(|line| line.order),
            lines,
            notices: Vec::new(),
            after,
            arrival: 0,
        })
    }

    fn welcome(&self, resume: Option<&Resume>) -> WelcomeReply {
        let known = resume.filter(|resume| resume.run == RUN && resume.after <= self.arrival());
        let lines: Vec<_> = match known {
            Some(resume) => self.lines.iter().filter(|line| line.arrival > resume.after).cloned().collect(),
            None => self.lines.iter().rev().take(80).rev().cloned().collect(),
        };
        WelcomeReply {
            run: RUN.to_owned(),
            info: info(),
            members: vec![member()],
            conversations: vec![
                ReadMarker { unread: 1, mentions: 1, ..read_marker(Conversation::general(), 3) },
                read_marker(Conversation::Direct(OTHER), 0),
            ],
            topics: [(Conversation::general(), "Lunch".to_owned())].into(),
            notices: Vec::new(),
            moved: Vec::new(),
            before: None,
            arrival: self.arrival(),
            reset: resume.is_some() && known.is_none(),
            storage: self.storage.clone(),
            held: if known.is_some() { self.held.clone() } else { Vec::new() },
            lines,
        }
    }
}

/// Everything is read up to here.
pub(crate) fn read_marker(conversation: Conversation, read: Arrival) -> ReadMarker {
    ReadMarker { conversation, unread: 0, read, mentions: 0 }
}

pub(crate) fn member() -> Member {
    let own = Member::own(OWN, Name::from_lossy("Ana", "?"), vec![[192, 0, 2, 7].into()], 1_795_356_300_123);
    Member { clock_error_ms: None, ..own }
}

fn info() -> api::NodeJson {
    api::NodeJson {
        id: OWN.to_string(),
        name: "Ana".to_owned(),
        room: "lobby".to_owned(),
        version: "0.1.0".to_owned(),
        page: roomful::web::parts().into_owned(),
        tcp: vec!["192.0.2.7:7666".to_owned()],
        udp: 7666,
        started: api::time(1_795_356_300_123),
        web: None,
        socket: "/tmp/page.sock".to_owned(),
        data_dir: "/tmp".to_owned(),
        shared: false,
        history: api::History {
            missing: 3,
            lacking: vec![api::AuthorGaps { id: OTHER.to_string(), entries: 3 }],
            ..api::History::default()
        },
        discovery: Vec::new(),
        addresses: vec!["192.0.2.7".to_owned()],
        command: "roomful".to_owned(),
        mended: None,
        mended_at: None,
    }
}

fn doctor() -> api::Doctor {
    let last_heard = Some(api::time(1_795_356_300_123));
    let addresses = vec!["192.0.2.7".to_owned()];
    let interface = InterfaceReport { name: "eth0".to_owned(), addresses, sent: 3, heard: 2, refused: 1, last_heard };
    let at = api::time(1_795_356_300_123);
    api::Doctor {
        interfaces: vec![interface],
        ports: PortsReport { udp: 7666, tcp: 7667, web: None },
        dials: vec![FailedDial { address: "192.0.2.9:7666".to_owned(), at, error: "no answer".to_owned() }],
        refused: [("forged".to_owned(), 4)].into(),
        heard_by: vec![Heard { id: OTHER.to_string(), of_me: false }],
        clock_error_ms: Some(-5),
        likely: "Everything works.".to_owned(),
        discovery: Vec::new(),
        firewall: None,
        files: Files { open: Some(9), most: Some(1_024) },
        links: LinksReport { open: 1, most: 1_024, is_full: false, from: Vec::new() },
        disk_free: Some(1),
    }
}

/// A server with its node.
pub(crate) struct Server {
    pub(crate) node: Arc<Mutex<Node>>,
    pub(crate) hub: Hub,
    pub(crate) keys: Credentials,
    pub(crate) port: u16,
    pub(crate) path: PathBuf,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("page.sock");
        let socket = tokio::net::UnixListener::bind(&path).expect("a socket");
        let doors = Listeners::open(listeners::PortSelection::Given(0), Some(socket)).await.expect("doors");
        let port = doors.port().expect("a port");
        let (asks, asked) = mpsc::channel(64);
        let (hub, keys, stop) = (Hub::new(), Credentials::new(PageToken::random()), CancellationToken::new());
        let node = Arc::new(Mutex::new(Node::default()));
        tokio::spawn(answer(node.clone(), hub.clone(), keys.clone(), asked));
        let serving = tokio::spawn(Web::new(asks, hub.clone(), keys.clone(), stop.clone()).serve(doors));
        Self { node, hub, keys, port, path, stop, serving, _dir: dir }
    }

    pub(crate) fn token(&self) -> String {
        self.keys.token().to_hex().to_string()
    }

    pub(crate) fn node(&self) -> std::sync::MutexGuard<'_, Node> {
        self.node.lock().expect("the fake node")
    }

    /// Another member sends a message.
    pub(crate) fn hear(&self, text: &str) -> Message {
        let line = self.node().commit(text);
        self.hub.publish(BroadcastEvent::NewMessage { message: line.clone(), sender: None });
        line
    }
}

async fn answer(node: Arc<Mutex<Node>>, hub: Hub, keys: Credentials, mut asked: mpsc::Receiver<NodeRequest>) {
    while let Some(ask) = asked.recv().await {
        let mut node = node.lock().expect("the fake node");
        // Who asked may be gone already.
        let _ = match ask {
            NodeRequest::Say { source, say, answer } => {
                let sender = source.zip(say.reference.clone().map(|reference| reference.name));
                let said = node.say(say);
                if let Ok(SayResult::New(line)) = &said {
                    hub.publish(BroadcastEvent::NewMessage { message: (**line).clone(), sender });
                }
                answer.send(said).is_ok()
            }
            NodeRequest::Change { change, answer } => {
                let changed = node.change(change);
                if let Ok(Some(line)) = &changed {
                    hub.publish(BroadcastEvent::ChangedMessage(line.clone()));
                }
                answer.send(changed).is_ok()
            }
            NodeRequest::SetStatus { status, answer } => {
                node.status = status;
                answer.send(Ok(())).is_ok()
            }
            NodeRequest::Metrics { answer } => answer.send(MetricsSnapshot::default()).is_ok(),
            NodeRequest::FindMessages { selector, answer } => answer.send(node.find(&selector)).is_ok(),
            NodeRequest::Versions { id, before, answer } => answer.send(node.versions(id, before)).is_ok(),
            NodeRequest::Files(request) => node.files.answer_soon(request),
            NodeRequest::RefUsed { reference, answer } => answer.send(node.refs.contains_key(&reference)).is_ok(),
            NodeRequest::Rename { name, answer } => {
                node.renamed = Some(name);
                answer.send(Ok(())).is_ok()
            }
            NodeRequest::MarkRead { conversation, arrival, answer } => {
                hub.publish(BroadcastEvent::Read(read_marker(conversation, arrival)));
                answer.send(Ok(())).is_ok()
            }
            NodeRequest::Typing { conversation, answer } => {
                node.typed.push(conversation);
                answer.send(Ok(())).is_ok()
            }
            NodeRequest::SetItem { key, value, answer } => {
                _ = match value {
                    Some(value) => node.storage.insert(key, value),
                    None => node.storage.remove(&key),
                };
                answer.send(node.refuse.take().map_or(Ok(()), Err)).is_ok()
            }
            NodeRequest::Exit { answer } => {
                node.exited = true;
                // Both are on their way to the page; the worse order for the answer.
                hub.publish(BroadcastEvent::Stopping);
                answer.send(()).is_ok()
            }
            NodeRequest::RotateToken { answer } => {
                keys.rotate(PageToken::random());
                hub.publish(BroadcastEvent::TokenRotated);
                answer.send(Ok(())).is_ok()
            }
            NodeRequest::Members { answer } => answer.send(vec![member()]).is_ok(),
            NodeRequest::Info { answer } => answer.send(info()).is_ok(),
            NodeRequest::Doctor { answer } => answer.send(doctor()).is_ok(),
            NodeRequest::Page { query, answer } => answer.send(node.page(query)).is_ok(),
            NodeRequest::Mark { member: id, change, answer } => {
                let marked = Member { id, own: false, marks: change.apply(Default::default()), ..member() };
                let result = match id {
                    OTHER => Ok(marked),
                    OWN => Err(RequestError::BadTarget),
                    _ => Err(RequestError::NoSuchMember),
                };
                answer.send(result).is_ok()
            }
            NodeRequest::Search { query, answer } => {
                let hit = |line: &Message| Some(HitRow { ranges: query.wanted.find(&line.text)?, line: line.clone() });
                let hits = node.lines.iter().rev().filter_map(hit).take(query.limit).collect();
                answer.send(SearchResult { hits, before: None }).is_ok()
            }
            NodeRequest::Holders { id, answer } => {
                let holders = || api::MessageHolders { held: Vec::new(), missing: vec![OTHER.to_string()] };
                let is_own = |line: &Message| line.id == id && line.order.author == OWN;
                answer.send(node.lines.iter().any(is_own).then(holders)).is_ok()
            }
            NodeRequest::AddPeer { address, answer } => {
                answer.send(if address.contains(' ') { Err("a host has no spaces") } else { Ok(()) }).is_ok()
            }
            NodeRequest::Export { answer, .. } => {
                answer.send(ExportRows { lines: node.lines.clone(), after: None }).is_ok()
            }
            NodeRequest::Welcome { resume, answer } => {
                let welcome = node.welcome(resume.as_ref());
                for index in 0..std::mem::take(&mut node.commit_during_welcome) {
                    let line = node.commit(&format!("during the welcome {index}"));
                    hub.publish(BroadcastEvent::NewMessage { message: line, sender: None });
                }
                answer.send(welcome).is_ok()
            }
        };
    }
}
