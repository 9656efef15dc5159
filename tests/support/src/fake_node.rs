//! A fake node behind the program's real web server. The scene sets members and messages, and the
//! node answers pages as a real one would. Nothing is stored, sent to other nodes or random.

use std::sync::{Arc, Mutex, MutexGuard};

use roomful::api;
use roomful::proto::clock::Stamp;
use roomful::proto::commands::SayCommand;
use roomful::proto::entries::timeline::{Conversation, Delivery, Message, MessageKind, Notice, NoticeKind, Order};
use roomful::proto::files::attachment::Attachment;
use roomful::proto::files::status::FileStatus;
use roomful::proto::history::{HitRow, PagePosition, PageQuery, ReadMarker, SearchResult, TimelinePage};
use roomful::proto::ids::{Arrival, EntryId, Hash, LogId, NodeId};
use roomful::proto::member_flags::FlagChange;
use roomful::proto::members::roster::{Member, Presence};
use roomful::proto::names::name::Name;
use roomful::web::file_requests::FileRequest;
use roomful::web::requests::{RequestError, SayResult, WelcomeReply};
use roomful::web::{BroadcastEvent, Credentials, Hub, Listeners, NodeRequest, PageToken, Web, listeners};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Context, Result};

/// When all scenes play, in milliseconds since 1970: Sunday 22 November 2026, 14:05 UTC.
pub const NOW_MS: u64 = 1_795_356_300_000;

/// A script that sets the page's clock to the scene's time, running or stopped. Must run before the
/// page.
pub fn clock(is_running: bool) -> String {
    let passed = if is_running { "performance.now() - begun" } else { "0" };
    format!(
        "{{ const begun = performance.now(), Real = Date;
            const now = () => Math.round({NOW_MS} + {passed});
            globalThis.Date = class extends Real {{
              constructor(...args) {{ if (args.length === 0) super(now()); else super(...args); }}
              static now() {{ return now(); }} }}; }}"
    )
}

/// How many messages a welcome brings.
const WELCOME: usize = 80;

/// What the invented node holds, and how it behaves.
pub struct Stage {
    /// All members, the own one first.
    pub members: Vec<Member>,
    /// What was said, in the order of the room.
    pub lines: Vec<Message>,
    /// What was noticed.
    pub notices: Vec<Notice>,
    /// How far each conversation was read.
    pub readings: Vec<ReadMarker>,
    /// What it tells of itself.
    pub info: api::NodeJson,
    /// Why it takes nothing that is said, if it does not.
    pub refuses: Option<RequestError>,
    /// Whether what is said stays unanswered.
    pub is_mute: bool,
    /// Where the user typed.
    pub typed: Vec<Conversation>,
    arrival: Arrival,
}

/// The id of a member: always the same for the same word.
pub fn id_of(word: &str) -> NodeId {
    NodeId(*blake3::hash(word.as_bytes()).as_bytes())
}

fn name(text: &str) -> Name {
    Name::from_lossy(text, "?")
}

/// A channel.
pub fn channel(text: &str) -> Conversation {
    Conversation::Channel(name(text))
}

/// The direct conversation with a member.
pub fn direct(word: &str) -> Conversation {
    Conversation::Direct(id_of(word))
}

impl Stage {
    /// An empty room of Kai's node.
    pub fn empty() -> Self {
        let mut stage = Self {
            members: Vec::new(),
            lines: Vec::new(),
            notices: Vec::new(),
            readings: vec![],
            info: info(),
            refuses: None,
            is_mute: false,
            typed: Vec::new(),
            arrival: 0,
        };
        stage.member("kai", "Kai", |kai| kai.own = true);
        stage
    }

    /// Adds a member who is in reach since this morning; `change` makes it another one.
    pub fn member(&mut self, word: &str, called: &str, change: impl FnOnce(&mut Member)) {
        let number = u8::try_from(self.members.len()).unwrap_or(u8::MAX);
        let mut member = Member {
            id: id_of(word),
            name: name(called),
            state: Presence::Online,
            own: false,
            addresses: vec![[192, 0, 2, 20 + number].into()],
            since_ms: NOW_MS - 6 * 3_600_000,
            direct: true,
            via: None,
            clock_error_ms: Some(3),
            marks: Default::default(),
            forked: false,
            status: None,
            bytes: 0,
            closed: None,
        };
        change(&mut member);
        self.members.push(member);
    }

    /// Adds a message to the room, `ago_s` seconds old.
    pub fn say(&mut self, word: &str, ago_s: u64, text: &str) -> Message {
        self.say_in(&Conversation::general(), word, ago_s, text)
    }

    /// The same elsewhere.
    pub fn say_in(&mut self, place: &Conversation, word: &str, ago_s: u64, text: &str) -> Message {
        self.arrival += 1;
        let author = id_of(word);
        let own = self.members[0].id;
        let called = self.members.iter().find(|member| member.id == author).map(|member| member.name.clone());
        let others = self.members.iter().filter(|member| !member.own && member.state.is_here()).count();
        // What is said now is said one after the other.
        let later_ms = if ago_s == 0 { self.arrival } else { 0 };
        let time = Stamp::from_ms(NOW_MS - ago_s * 1000 + later_ms);
        let line = Message {
            id: EntryId { log: LogId(7), seq: self.arrival, check: [9; 16] },
            arrival: self.arrival,
            order: Order { place: time.0, author, log: LogId(7), seq: self.arrival },
            time,
            name: called.unwrap_or_else(|| name(word)),
            conversation: place.clone(),
            to: match place {
                Conversation::Direct(other) if author == own => Some(*other),
                Conversation::Direct(_) => Some(own),
                Conversation::Channel(_) => None,
            },
            kind: MessageKind::Say,
            text: text.to_owned(),
            reply_to: None,
            reply: None,
            changes: Box::default(),
            held: (author == own).then_some(Delivery { held_by: others, of: others }),
        };
        let at = self.lines.partition_point(|before| before.order < line.order);
        self.lines.insert(at, line.clone());
        line
    }

    /// Adds a notice about a member, `ago_s` seconds old.
    pub fn notice(&mut self, word: &str, ago_s: u64, kind: NoticeKind) -> Notice {
        self.arrival += 1;
        let member = id_of(word);
        let called = self.members.iter().find(|one| one.id == member).map(|one| one.name.clone());
        let name = called.unwrap_or_else(|| name(word));
        let notice = Notice { arrival: self.arrival, wall_ms: NOW_MS - ago_s * 1000, kind, member, name };
        self.notices.push(notice.clone());
        notice
    }

    /// Attaches a file to the message that was added last.
    pub fn attach(&mut self, file: Attachment) {
        let newest = self.arrival;
        if let Some(line) = self.lines.iter_mut().find(|line| line.arrival == newest) {
            line.changes.files.push(file);
        }
    }

    /// The files of a conversation, the newest first.
    fn files(&self, of: Option<&Conversation>) -> Vec<&Attachment> {
        let lines = self.lines.iter().rev().filter(|line| of.is_none_or(|of| line.conversation == *of));
        lines.flat_map(|line| &line.changes.files).collect()
    }

    /// How far the newest own message in the room has got.
    pub fn held(&mut self, held_by: usize, of: usize) {
        let (own, room) = (self.members[0].id, Conversation::general());
        let is_meant = |line: &&mut Message| line.order.author == own && line.conversation == room;
        if let Some(line) = self.lines.iter_mut().rev().find(is_meant) {
            line.held = Some(Delivery { held_by, of });
        }
    }

    /// Returns what is unread in a conversation that was read up to `read`.
    fn read_to(&self, conversation: Conversation, read: Arrival) -> ReadMarker {
        let own = self.members[0].id;
        let is_unread =
            |line: &&Message| line.conversation == conversation && line.order.author != own && line.arrival > read;
        let unread = self.lines.iter().filter(is_unread).count() as u64;
        ReadMarker { conversation, unread, mentions: 0, read }
    }

    /// Everything up to now was read, but for this many in each of these conversations.
    pub fn read_but(&mut self, unread: &[(Conversation, u64)]) {
        let mut places: Vec<Conversation> = self.lines.iter().map(|line| line.conversation.clone()).collect();
        places.sort();
        places.dedup();
        let own = self.members[0].id;
        let reading = |conversation: Conversation| {
            let left = unread.iter().find(|(one, _)| *one == conversation).map_or(0, |(_, count)| *count);
            let mut arrivals: Vec<Arrival> = self
                .lines
                .iter()
                .filter(|line| line.conversation == conversation && line.order.author != own)
                .map(|line| line.arrival)
                .collect();
            arrivals.sort_unstable();
            let skipped = usize::try_from(left).unwrap_or(usize::MAX);
            let read = arrivals.iter().rev().nth(skipped).copied().unwrap_or(0);
            ReadMarker { conversation, unread: left, mentions: 0, read: if left == 0 { self.arrival } else { read } }
        };
        self.readings = places.into_iter().map(reading).collect();
    }

    fn page(&self, query: &PageQuery) -> Option<TimelinePage> {
        let fits = |line: &&Message| query.conversation.as_ref().is_none_or(|wanted| line.conversation == *wanted);
        let lines: Vec<&Message> = self.lines.iter().filter(fits).collect();
        let (from, to) = match query.at {
            PagePosition::Newest | PagePosition::Since(_) => (lines.len().saturating_sub(query.limit), lines.len()),
            PagePosition::Before(order) => {
                let end = lines.partition_point(|line| line.order < order);
                (end.saturating_sub(query.limit), end)
            }
            PagePosition::After(order) => {
                let start = lines.partition_point(|line| line.order <= order);
                (start, (start + query.limit).min(lines.len()))
            }
            PagePosition::Around(id) => {
                let middle = lines.iter().position(|line| line.id == id)?;
                let start = middle.saturating_sub(query.limit / 2);
                (start, (start + query.limit).min(lines.len()))
            }
        };
        let chosen: Vec<Message> = lines[from..to].iter().map(|&line| line.clone()).collect();
        let before = if from == 0 { None } else { chosen.first().map(|line| line.order) };
        let after = chosen.last().or(self.lines.last()).map(|line| line.order)?;
        Some(TimelinePage { lines: chosen, notices: Vec::new(), before, after, arrival: 0 })
    }

    /// `after`: what a page that comes back has already.
    fn welcome(&self, after: Option<Arrival>) -> WelcomeReply {
        let mut missed: Vec<Message> =
            self.lines.iter().filter(|line| after.is_some_and(|after| line.arrival > after)).cloned().collect();
        missed.sort_unstable_by_key(|line| line.arrival);
        let from = self.lines.len().saturating_sub(WELCOME);
        WelcomeReply {
            run: "this run".to_owned(),
            info: self.info.clone(),
            members: self.members.clone(),
            conversations: self.readings.clone(),
            topics: Default::default(),
            lines: if after.is_some() { missed } else { self.lines[from..].to_vec() },
            notices: self.notices.clone(),
            moved: Vec::new(),
            before: if from == 0 { None } else { Some(self.lines[from].order) },
            arrival: self.arrival,
            reset: false,
            storage: Default::default(),
            held: Vec::new(),
        }
    }

    fn marked(&mut self, id: NodeId, change: FlagChange) -> Result<Member, RequestError> {
        let member = self.members.iter_mut().find(|member| member.id == id).ok_or(RequestError::NoSuchMember)?;
        member.marks = change.apply(member.marks);
        Ok(member.clone())
    }

    fn said(&mut self, say: SayCommand) -> Result<SayResult, RequestError> {
        if let Some(error) = self.refuses {
            return Err(error);
        }
        Ok(SayResult::New(Box::new(self.say_in(&say.conversation, "kai", 0, &say.text))))
    }
}

fn info() -> api::NodeJson {
    let beacon = |interface: &str, target: &str, ago_s: u64| api::DiscoveryTarget {
        interface: interface.to_owned(),
        target: target.to_owned(),
        sent: Some(api::time(NOW_MS - ago_s * 1000)),
        error: None,
    };
    api::NodeJson {
        id: id_of("kai").to_string(),
        name: "Kai".to_owned(),
        room: "lobby".to_owned(),
        version: "0.1.0".to_owned(),
        page: roomful::web::parts().into_owned(),
        tcp: vec!["192.0.2.20:7666".to_owned(), "127.0.0.1:7666".to_owned()],
        udp: 7666,
        started: api::time(NOW_MS - 6 * 3_600_000),
        web: Some("http://127.0.0.1:7680/".to_owned()),
        socket: "/home/kai/.local/share/roomful/page.sock".to_owned(),
        data_dir: "/home/kai/.local/share/roomful".to_owned(),
        shared: false,
        history: api::History::default(),
        discovery: vec![beacon("eth0", "192.0.2.255:7666", 1), beacon("wlan0", "198.51.100.255:7666", 2)],
        addresses: vec!["192.0.2.20".to_owned()],
        command: "roomful".to_owned(),
        mended: None,
        mended_at: None,
    }
}

/// The stage with the real server in front of it.
pub struct World {
    stage: Arc<Mutex<Stage>>,
    hub: Hub,
    keys: Credentials,
    port: u16,
    stop: CancellationToken,
    /// Where it runs, apart from the test: ended at once, it leaves its pages without a word.
    runtime: Mutex<Option<Runtime>>,
}

impl World {
    /// Opens the doors on a free port of loopback.
    pub async fn open(stage: Stage) -> Result<Self> {
        let runtime = Runtime::new()?;
        let doors = runtime.spawn(Listeners::open(listeners::PortSelection::Given(0), None)).await??;
        let port = doors.port().context("a port")?;
        let (asks, asked) = mpsc::channel(64);
        let (hub, keys, stop) = (Hub::new(), Credentials::new(PageToken::random()), CancellationToken::new());
        let stage = Arc::new(Mutex::new(stage));
        runtime.spawn(answer(stage.clone(), hub.clone(), asked));
        runtime.spawn(Web::new(asks, hub.clone(), keys.clone(), stop.clone()).serve(doors));
        Ok(Self { stage, hub, keys, port, stop, runtime: Mutex::new(Some(runtime)) })
    }

    /// The link to its page.
    pub fn link(&self) -> String {
        format!("http://127.0.0.1:{}/#token={}", self.port, self.keys.token().to_hex().as_str())
    }

    /// What is on the stage.
    pub fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().expect("no scene panics while it holds the stage")
    }

    /// Sets how much of some content is here.
    pub fn set_file(&self, content: Hash, status: FileStatus) {
        self.hub.file_statuses().set(content, status);
    }

    /// A member sends a message now.
    pub fn hear(&self, word: &str, text: &str) -> Message {
        let line = self.stage().say(word, 0, text);
        self.hub.publish(BroadcastEvent::NewMessage { message: line.clone(), sender: None });
        line
    }

    /// The same elsewhere, and perhaps of another kind.
    pub fn hear_in(&self, place: &Conversation, word: &str, text: &str, kind: MessageKind) -> Message {
        let line = Message { kind, ..self.stage().say_in(place, word, 0, text) };
        self.hub.publish(BroadcastEvent::NewMessage { message: line.clone(), sender: None });
        line
    }

    /// What was said long ago arrives only now.
    pub fn hear_late(&self, word: &str, ago_s: u64, text: &str) {
        let line = self.stage().say(word, ago_s, text);
        self.hub.publish(BroadcastEvent::NewMessage { message: line, sender: None });
    }

    /// A member is typing.
    pub fn types(&self, word: &str, place: &Conversation) {
        let (member, conversation) = (id_of(word), place.clone());
        self.hub.publish(BroadcastEvent::Typing { member, conversation });
    }

    /// A notice about a member, now.
    pub fn notice(&self, word: &str, kind: NoticeKind) {
        let notice = self.stage().notice(word, 0, kind);
        self.hub.publish(BroadcastEvent::Notice(notice));
    }

    /// More members hold the newest own message of the room.
    pub fn receipt(&self, held_by: usize, of: usize) {
        self.stage().held(held_by, of);
        let stage = self.stage();
        let own = stage.members[0].id;
        let newest = stage.lines.iter().rev().find(|line| line.order.author == own && line.held.is_some());
        if let Some((id, held)) = newest.and_then(|line| Some((line.id, line.held?))) {
            self.hub.publish(BroadcastEvent::Held { id, held });
        }
    }

    /// The node says that it stops, and does.
    pub fn say_goodbye(&self) {
        self.hub.publish(BroadcastEvent::Stopping);
        self.stop.cancel();
    }

    /// The node is gone without a word.
    pub fn vanish(&self) {
        if let Some(runtime) = self.runtime.lock().ok().and_then(|mut runtime| runtime.take()) {
            runtime.shutdown_background();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.vanish();
    }
}

async fn answer(stage: Arc<Mutex<Stage>>, hub: Hub, mut asked: mpsc::Receiver<NodeRequest>) {
    // Requests that will not be answered are kept, so that their clients keep waiting.
    let mut unanswered = Vec::new();
    while let Some(ask) = asked.recv().await {
        let mut stage = stage.lock().expect("no scene panics while it holds the stage");
        // Who asked may be gone already.
        let _ = match ask {
            NodeRequest::Say { answer, .. } if stage.is_mute => {
                unanswered.push(answer);
                true
            }
            NodeRequest::Say { source, say, answer } => {
                let sender = source.zip(say.reference.clone().map(|reference| reference.name));
                let said = stage.said(say);
                if let Ok(SayResult::New(line)) = &said {
                    hub.publish(BroadcastEvent::NewMessage { message: (**line).clone(), sender });
                }
                answer.send(said).is_ok()
            }
            NodeRequest::Change { answer, .. } => answer.send(Err(RequestError::NoSuchMessage)).is_ok(),
            NodeRequest::SetStatus { answer, .. } => answer.send(Ok(())).is_ok(),
            NodeRequest::Versions { answer, .. } => answer.send(None).is_ok(),
            NodeRequest::RefUsed { answer, .. } => answer.send(false).is_ok(),
            NodeRequest::Typing { conversation, answer } => {
                stage.typed.push(conversation);
                answer.send(Ok(())).is_ok()
            }
            NodeRequest::MarkRead { conversation, arrival, answer } => {
                hub.publish(BroadcastEvent::Read(stage.read_to(conversation, arrival)));
                answer.send(Ok(())).is_ok()
            }
            NodeRequest::Rename { answer, .. } => answer.send(Ok(())).is_ok(),
            NodeRequest::Members { answer } => answer.send(stage.members.clone()).is_ok(),
            NodeRequest::Info { answer } => answer.send(stage.info.clone()).is_ok(),
            NodeRequest::Page { query, answer } => answer.send(stage.page(&query)).is_ok(),
            NodeRequest::Search { query, answer } => {
                let hit = |line: &Message| Some(HitRow { ranges: query.wanted.find(&line.text)?, line: line.clone() });
                let hits = stage.lines.iter().rev().filter_map(hit).take(query.limit).collect();
                answer.send(SearchResult { hits, before: None }).is_ok()
            }
            NodeRequest::Files(FileRequest::List { conversation, answer }) => {
                let statuses = hub.file_statuses();
                let files = stage.files(conversation.as_ref()).into_iter().map(|file| statuses.file(file));
                answer.send(files.collect()).is_ok()
            }
            NodeRequest::Mark { member, change, answer } => answer.send(stage.marked(member, change)).is_ok(),
            NodeRequest::Welcome { resume, answer } => {
                answer.send(stage.welcome(resume.map(|resume| resume.after))).is_ok()
            }
            // What no scene asks for.
            _ => true,
        };
    }
}
