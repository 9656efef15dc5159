//! A node that remembers what is said to it, and a server in front of it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use roomful::api;
use roomful::api::doctor::{FailedDial, Files, Heard, Interface, Links, Ports};
use roomful::proto::clock::Stamp;
use roomful::proto::history::{At, Export, Found, Hit, Page, PageQuery, Reading};
use roomful::proto::ids::{Arrival, EntryId, LogId, NodeId};
use roomful::proto::name::Name;
use roomful::proto::roster::{Member, State};
use roomful::proto::timeline::{Conversation, Held, Line, LineKind, Order};
use roomful::web::ask::{Resume, Said, Say, SayError, Welcome};
use roomful::web::{Ask, Doors, Event, Hub, Keys, Token, Web, door};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const OWN: NodeId = NodeId([1; 32]);
pub(crate) const OTHER: NodeId = NodeId([2; 32]);
const RUN: &str = "this run";

/// What the fake node holds.
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) lines: Vec<Line>,
    refs: HashMap<String, (Say, usize)>,
    /// The answer to the next wish, if it is to be refused.
    pub(crate) refuse: Option<SayError>,
    pub(crate) renamed: Option<Name>,
    pub(crate) exited: bool,
    pub(crate) storage: BTreeMap<String, String>,
    pub(crate) queries: Vec<PageQuery>,
    pub(crate) held: Vec<(EntryId, Held)>,
    /// Lines that are committed while a welcome is read, after its snapshot, and published before it is answered.
    pub(crate) commit_during_welcome: usize,
}

impl Node {
    pub(crate) fn arrival(&self) -> Arrival {
        self.lines.len() as Arrival
    }

    /// Commits a line by somebody else, without telling anybody.
    pub(crate) fn commit(&mut self, text: &str) -> Line {
        self.add(OTHER, text, LineKind::Say, None, None)
    }

    fn add(&mut self, author: NodeId, text: &str, kind: LineKind, to: Option<NodeId>, channel: Option<Name>) -> Line {
        let seq = self.arrival() + 1;
        let time = Stamp::from_ms(1_795_356_300_123 + seq);
        let conversation = match to {
            Some(to) => Conversation::Direct(to),
            None => channel.map_or_else(Conversation::general, Conversation::Channel),
        };
        let line = Line {
            id: EntryId { log: LogId(7), seq, check: [9; 16] },
            arrival: seq,
            order: Order { place: time.0, author, log: LogId(7), seq },
            time,
            name: Name::lossy("Ana", "?"),
            conversation,
            to,
            kind,
            text: text.to_owned(),
            reply_to: None,
            held: (author == OWN).then_some(Held { held_by: 0, of: 1 }),
        };
        self.lines.push(line.clone());
        line
    }

    fn say(&mut self, say: Say) -> Result<Said, SayError> {
        if let Some(reference) = &say.reference
            && let Some((before, index)) = self.refs.get(reference)
        {
            let same = *before == say;
            return if same {
                Ok(Said { line: self.lines[*index].clone(), new: false })
            } else {
                Err(SayError::RefUsed)
            };
        }
        if let Some(error) = self.refuse.take() {
            return Err(error);
        }
        match say.to {
            Some(OWN) => return Err(SayError::BadTarget),
            Some(to) if to != OTHER => return Err(SayError::NoSuchMember),
            _ => {}
        }
        let line = self.add(OWN, &say.text, say.kind, say.to, say.channel.clone());
        if let Some(reference) = say.reference.clone() {
            self.refs.insert(reference, (say, self.lines.len() - 1));
        }
        Ok(Said { line, new: true })
    }

    fn page(&mut self, query: PageQuery) -> Option<Page> {
        if matches!(query.at, At::Around(_)) {
            return None;
        }
        let lines: Vec<_> = self.lines.iter().rev().take(query.limit).rev().cloned().collect();
        self.queries.push(query);
        let after = Order { place: 9, author: OWN, log: LogId(1), seq: 1 };
        Some(Page { before: lines.first().map(|line| line.order), lines, notices: Vec::new(), after, arrival: 0 })
    }

    fn welcome(&self, resume: Option<&Resume>) -> Welcome {
        let known = resume.filter(|resume| resume.run == RUN && resume.after <= self.arrival());
        let lines: Vec<_> = match known {
            Some(resume) => self.lines.iter().filter(|line| line.arrival > resume.after).cloned().collect(),
            None => self.lines.iter().rev().take(80).rev().cloned().collect(),
        };
        Welcome {
            run: RUN.to_owned(),
            info: info(),
            members: vec![member()],
            conversations: vec![
                Reading { conversation: Conversation::general(), unread: 1, read: 3 },
                Reading { conversation: Conversation::Direct(OTHER), unread: 0, read: 0 },
            ],
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

pub(crate) fn member() -> Member {
    Member {
        id: OWN,
        name: Name::lossy("Ana", "?"),
        state: State::Online,
        own: true,
        addresses: vec![[192, 0, 2, 7].into()],
        since_ms: 1_795_356_300_123,
        direct: true,
        via: None,
        clock_error_ms: None,
        marks: Default::default(),
        forked: false,
        bytes: 0,
        closed: None,
    }
}

fn info() -> api::Node {
    api::Node {
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
            lacking: vec![api::Lacking { id: OTHER.to_string(), entries: 3 }],
            ..api::History::default()
        },
        discovery: Vec::new(),
        addresses: vec!["192.0.2.7".to_owned()],
        mended: None,
        mended_at: None,
    }
}

fn doctor() -> api::Doctor {
    let last_heard = Some(api::time(1_795_356_300_123));
    let addresses = vec!["192.0.2.7".to_owned()];
    let interface = Interface { name: "eth0".to_owned(), addresses, sent: 3, heard: 2, refused: 1, last_heard };
    let at = api::time(1_795_356_300_123);
    api::Doctor {
        interfaces: vec![interface],
        ports: Ports { udp: 7666, tcp: 7667, web: None },
        dials: vec![FailedDial { address: "192.0.2.9:7666".to_owned(), at, error: "nobody answers there".to_owned() }],
        refused: [("forged".to_owned(), 4)].into(),
        heard_by: vec![Heard { id: OTHER.to_string(), of_me: false }],
        clock_error_ms: Some(-5),
        likely: "All is well.".to_owned(),
        discovery: Vec::new(),
        firewall: None,
        files: Files { open: Some(9), most: Some(1_024) },
        links: Links { open: 1, most: 1_024, is_full: false, from: Vec::new() },
        disk_free: Some(1),
    }
}

/// A server with its node.
pub(crate) struct Server {
    pub(crate) node: Arc<Mutex<Node>>,
    pub(crate) hub: Hub,
    pub(crate) keys: Keys,
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
        let doors = Doors::open(door::Port::Given(0), Some(socket)).await.expect("doors");
        let port = doors.port().expect("a port");
        let (asks, asked) = mpsc::channel(64);
        let (hub, keys, stop) = (Hub::new(), Keys::new(Token::random()), CancellationToken::new());
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

    /// Somebody else says something.
    pub(crate) fn hear(&self, text: &str) -> Line {
        let line = self.node().commit(text);
        self.hub.publish(Event::Line { line: line.clone(), said_by: None });
        line
    }
}

async fn answer(node: Arc<Mutex<Node>>, hub: Hub, keys: Keys, mut asked: mpsc::Receiver<Ask>) {
    while let Some(ask) = asked.recv().await {
        let mut node = node.lock().expect("the fake node");
        // Who asked may be gone already.
        let _ = match ask {
            Ask::Say { source, say, answer } => {
                let reference = say.reference.clone();
                let said = node.say(say);
                if let Ok(Said { line, new: true }) = &said {
                    hub.publish(Event::Line { line: line.clone(), said_by: source.zip(reference) });
                }
                answer.send(said).is_ok()
            }
            Ask::RefUsed { reference, answer } => answer.send(node.refs.contains_key(&reference)).is_ok(),
            Ask::Rename { name, answer } => {
                node.renamed = Some(name);
                answer.send(Ok(())).is_ok()
            }
            Ask::MarkRead { conversation, arrival, answer } => {
                hub.publish(Event::Read { conversation, arrival });
                answer.send(Ok(())).is_ok()
            }
            Ask::SetItem { key, value, answer } => {
                _ = match value {
                    Some(value) => node.storage.insert(key, value),
                    None => node.storage.remove(&key),
                };
                answer.send(node.refuse.take().map_or(Ok(()), Err)).is_ok()
            }
            Ask::Exit { answer } => {
                node.exited = true;
                // Both are on their way to the page; the worse order for the answer.
                hub.publish(Event::Stopping);
                answer.send(()).is_ok()
            }
            Ask::RotateToken { answer } => {
                keys.rotate(Token::random());
                hub.publish(Event::TokenRotated);
                answer.send(Ok(())).is_ok()
            }
            Ask::Members { answer } => answer.send(vec![member()]).is_ok(),
            Ask::Info { answer } => answer.send(info()).is_ok(),
            Ask::Doctor { answer } => answer.send(doctor()).is_ok(),
            Ask::Page { query, answer } => answer.send(node.page(query)).is_ok(),
            Ask::Mark { member: id, change, answer } => {
                let marked = Member { id, own: false, marks: change.apply(Default::default()), ..member() };
                let result = match id {
                    OTHER => Ok(marked),
                    OWN => Err(SayError::BadTarget),
                    _ => Err(SayError::NoSuchMember),
                };
                answer.send(result).is_ok()
            }
            Ask::Search { query, answer } => {
                let hit = |line: &Line| Some(Hit { ranges: query.wanted.find(&line.text)?, line: line.clone() });
                let hits = node.lines.iter().rev().filter_map(hit).take(query.limit).collect();
                answer.send(Found { hits, before: None }).is_ok()
            }
            Ask::Holders { id, answer } => {
                let holders = || api::Holders { held: Vec::new(), missing: vec![OTHER.to_string()] };
                let is_own = |line: &Line| line.id == id && line.order.author == OWN;
                answer.send(node.lines.iter().any(is_own).then(holders)).is_ok()
            }
            Ask::AddPeer { address, answer } => {
                answer.send(if address.contains(' ') { Err("a host has no spaces") } else { Ok(()) }).is_ok()
            }
            Ask::Export { answer, .. } => answer.send(Export { lines: node.lines.clone(), after: None }).is_ok(),
            Ask::Welcome { resume, answer } => {
                let welcome = node.welcome(resume.as_ref());
                for index in 0..std::mem::take(&mut node.commit_during_welcome) {
                    let line = node.commit(&format!("during the welcome {index}"));
                    hub.publish(Event::Line { line, said_by: None });
                }
                answer.send(welcome).is_ok()
            }
        };
    }
}
