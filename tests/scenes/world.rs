//! A node of pure invention behind the program's real web server: who is there and what was said is set by the scene, and it
//! answers pages as a node would. Nothing is kept, sent to others or left to chance.

use std::sync::{Arc, Mutex, MutexGuard};

use roomful::api;
use roomful::proto::clock::Stamp;
use roomful::proto::history::{At, Found, Hit, Page, PageQuery, Reading};
use roomful::proto::ids::{Arrival, EntryId, LogId, NodeId};
use roomful::proto::marks::MarkChange;
use roomful::proto::name::Name;
use roomful::proto::roster::{Member, State};
use roomful::proto::timeline::{Conversation, Held, Line, LineKind, Notice, NoticeKind, Order};
use roomful::web::ask::{Said, Say, SayError, Welcome};
use roomful::web::{Ask, Doors, Event, Hub, Keys, Token, Web, door};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::common::{Context, Result};

/// When all scenes play, in milliseconds since 1970: Sunday 22 November 2026, 14:05 UTC.
pub(crate) const NOW_MS: u64 = 1_795_356_300_000;

/// Sets the page's clock to the time of the scenes, from where it goes on or stands still: to be run before the page.
pub(crate) fn clock(is_running: bool) -> String {
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
pub(crate) struct Stage {
    /// Everybody, oneself first.
    pub(crate) members: Vec<Member>,
    /// What was said, in the order of the room.
    pub(crate) lines: Vec<Line>,
    /// What was noticed.
    pub(crate) notices: Vec<Notice>,
    /// How far each conversation was read.
    pub(crate) readings: Vec<Reading>,
    /// What it tells of itself.
    pub(crate) info: api::Node,
    /// Why it takes nothing that is said, if it does not.
    pub(crate) refuses: Option<SayError>,
    /// Whether what is said stays unanswered.
    pub(crate) is_mute: bool,
    arrival: Arrival,
}

/// Who somebody is: always the same for the same word.
pub(crate) fn id_of(word: &str) -> NodeId {
    NodeId(*blake3::hash(word.as_bytes()).as_bytes())
}

fn name(text: &str) -> Name {
    Name::lossy(text, "?")
}

/// A channel.
pub(crate) fn channel(text: &str) -> Conversation {
    Conversation::Channel(name(text))
}

/// The conversation with somebody.
pub(crate) fn direct(word: &str) -> Conversation {
    Conversation::Direct(id_of(word))
}

impl Stage {
    /// A room with nobody in it but Kai, whose node this is.
    pub(crate) fn empty() -> Self {
        let mut stage = Self {
            members: Vec::new(),
            lines: Vec::new(),
            notices: Vec::new(),
            readings: vec![],
            info: info(),
            refuses: None,
            is_mute: false,
            arrival: 0,
        };
        stage.member("kai", "Kai", |kai| kai.own = true);
        stage
    }

    /// Adds a member who is in reach since this morning; `change` makes it another one.
    pub(crate) fn member(&mut self, word: &str, called: &str, change: impl FnOnce(&mut Member)) {
        let number = u8::try_from(self.members.len()).unwrap_or(u8::MAX);
        let mut member = Member {
            id: id_of(word),
            name: name(called),
            state: State::Online,
            own: false,
            addresses: vec![[192, 0, 2, 20 + number].into()],
            since_ms: NOW_MS - 6 * 3_600_000,
            direct: true,
            via: None,
            clock_error_ms: Some(3),
            marks: Default::default(),
            forked: false,
            bytes: 0,
            closed: None,
        };
        change(&mut member);
        self.members.push(member);
    }

    /// Somebody says something in the room, so many seconds ago.
    pub(crate) fn say(&mut self, word: &str, ago_s: u64, text: &str) -> Line {
        self.say_in(&Conversation::general(), word, ago_s, text)
    }

    /// The same elsewhere.
    pub(crate) fn say_in(&mut self, place: &Conversation, word: &str, ago_s: u64, text: &str) -> Line {
        self.arrival += 1;
        let author = id_of(word);
        let own = self.members[0].id;
        let called = self.members.iter().find(|member| member.id == author).map(|member| member.name.clone());
        let others = self.members.iter().filter(|member| !member.own && member.state.is_here()).count();
        // What is said now is said one after the other.
        let later_ms = if ago_s == 0 { self.arrival } else { 0 };
        let time = Stamp::from_ms(NOW_MS - ago_s * 1000 + later_ms);
        let line = Line {
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
            kind: LineKind::Say,
            text: text.to_owned(),
            reply_to: None,
            held: (author == own).then_some(Held { held_by: others, of: others }),
        };
        let at = self.lines.partition_point(|before| before.order < line.order);
        self.lines.insert(at, line.clone());
        line
    }

    /// Something happened to somebody.
    pub(crate) fn notice(&mut self, word: &str, ago_s: u64, kind: NoticeKind) -> Notice {
        self.arrival += 1;
        let member = id_of(word);
        let called = self.members.iter().find(|one| one.id == member).map(|one| one.name.clone());
        let name = called.unwrap_or_else(|| name(word));
        let notice = Notice { arrival: self.arrival, wall_ms: NOW_MS - ago_s * 1000, kind, member, name };
        self.notices.push(notice.clone());
        notice
    }

    /// How far the newest own message in the room has got.
    pub(crate) fn held(&mut self, held_by: usize, of: usize) {
        let (own, room) = (self.members[0].id, Conversation::general());
        let is_meant = |line: &&mut Line| line.order.author == own && line.conversation == room;
        if let Some(line) = self.lines.iter_mut().rev().find(is_meant) {
            line.held = Some(Held { held_by, of });
        }
    }

    /// Everything up to now was read, but for this many in each of these conversations.
    pub(crate) fn read_but(&mut self, unread: &[(Conversation, u64)]) {
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
            Reading { conversation, unread: left, read: if left == 0 { self.arrival } else { read } }
        };
        self.readings = places.into_iter().map(reading).collect();
    }

    fn page(&self, query: &PageQuery) -> Option<Page> {
        let fits = |line: &&Line| query.conversation.as_ref().is_none_or(|wanted| line.conversation == *wanted);
        let lines: Vec<&Line> = self.lines.iter().filter(fits).collect();
        let (from, to) = match query.at {
            At::Newest | At::Since(_) => (lines.len().saturating_sub(query.limit), lines.len()),
            At::Before(order) => {
                let end = lines.partition_point(|line| line.order < order);
                (end.saturating_sub(query.limit), end)
            }
            At::After(order) => {
                let start = lines.partition_point(|line| line.order <= order);
                (start, (start + query.limit).min(lines.len()))
            }
            At::Around(id) => {
                let middle = lines.iter().position(|line| line.id == id)?;
                let start = middle.saturating_sub(query.limit / 2);
                (start, (start + query.limit).min(lines.len()))
            }
        };
        let chosen: Vec<Line> = lines[from..to].iter().map(|&line| line.clone()).collect();
        let before = if from == 0 { None } else { chosen.first().map(|line| line.order) };
        let after = chosen.last().or(self.lines.last()).map(|line| line.order)?;
        Some(Page { lines: chosen, notices: Vec::new(), before, after, arrival: 0 })
    }

    /// `after`: what a page that comes back has already.
    fn welcome(&self, after: Option<Arrival>) -> Welcome {
        let mut missed: Vec<Line> =
            self.lines.iter().filter(|line| after.is_some_and(|after| line.arrival > after)).cloned().collect();
        missed.sort_unstable_by_key(|line| line.arrival);
        let from = self.lines.len().saturating_sub(WELCOME);
        Welcome {
            run: "this run".to_owned(),
            info: self.info.clone(),
            members: self.members.clone(),
            conversations: self.readings.clone(),
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

    fn marked(&mut self, id: NodeId, change: MarkChange) -> Result<Member, SayError> {
        let member = self.members.iter_mut().find(|member| member.id == id).ok_or(SayError::NoSuchMember)?;
        member.marks = change.apply(member.marks);
        Ok(member.clone())
    }

    fn said(&mut self, say: Say) -> Result<Said, SayError> {
        if let Some(error) = self.refuses {
            return Err(error);
        }
        let place = match (say.to, say.channel) {
            (Some(to), _) => Conversation::Direct(to),
            (None, channel) => channel.map_or_else(Conversation::general, Conversation::Channel),
        };
        Ok(Said { line: self.say_in(&place, "kai", 0, &say.text), new: true })
    }
}

fn info() -> api::Node {
    let beacon = |interface: &str, target: &str, ago_s: u64| api::Discovery {
        interface: interface.to_owned(),
        target: target.to_owned(),
        sent: Some(api::time(NOW_MS - ago_s * 1000)),
        error: None,
    };
    api::Node {
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
        mended: None,
        mended_at: None,
    }
}

/// The stage with the real server in front of it.
pub(crate) struct World {
    stage: Arc<Mutex<Stage>>,
    hub: Hub,
    keys: Keys,
    port: u16,
    stop: CancellationToken,
    /// Where it runs, apart from the test: ended at once, it leaves its pages without a word.
    runtime: Mutex<Option<Runtime>>,
}

impl World {
    /// Opens the doors on a free port of loopback.
    pub(crate) async fn open(stage: Stage) -> Result<Self> {
        let runtime = Runtime::new()?;
        let doors = runtime.spawn(Doors::open(door::Port::Given(0), None)).await??;
        let port = doors.port().context("a port")?;
        let (asks, asked) = mpsc::channel(64);
        let (hub, keys, stop) = (Hub::new(), Keys::new(Token::random()), CancellationToken::new());
        let stage = Arc::new(Mutex::new(stage));
        runtime.spawn(answer(stage.clone(), hub.clone(), asked));
        runtime.spawn(Web::new(asks, hub.clone(), keys.clone(), stop.clone()).serve(doors));
        Ok(Self { stage, hub, keys, port, stop, runtime: Mutex::new(Some(runtime)) })
    }

    /// The link to its page.
    pub(crate) fn link(&self) -> String {
        format!("http://127.0.0.1:{}/#token={}", self.port, self.keys.token().to_hex().as_str())
    }

    /// What is on the stage.
    pub(crate) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().expect("no scene panics while it holds the stage")
    }

    /// Somebody says something now.
    pub(crate) fn hear(&self, word: &str, text: &str) -> Line {
        let line = self.stage().say(word, 0, text);
        self.hub.publish(Event::Line { line: line.clone(), said_by: None });
        line
    }

    /// The same elsewhere, and perhaps of another kind.
    #[allow(dead_code, reason = "for behaviour")]
    pub(crate) fn hear_in(&self, place: &Conversation, word: &str, text: &str, kind: LineKind) -> Line {
        let line = Line { kind, ..self.stage().say_in(place, word, 0, text) };
        self.hub.publish(Event::Line { line: line.clone(), said_by: None });
        line
    }

    /// What was said long ago arrives only now.
    pub(crate) fn hear_late(&self, word: &str, ago_s: u64, text: &str) {
        let line = self.stage().say(word, ago_s, text);
        self.hub.publish(Event::Line { line, said_by: None });
    }

    /// Something happens to somebody now.
    #[allow(dead_code, reason = "for behaviour")]
    pub(crate) fn notice(&self, word: &str, kind: NoticeKind) {
        let notice = self.stage().notice(word, 0, kind);
        self.hub.publish(Event::Notice(notice));
    }

    /// The node says that it stops, and does.
    pub(crate) fn say_goodbye(&self) {
        self.hub.publish(Event::Stopping);
        self.stop.cancel();
    }

    /// The node is gone without a word.
    pub(crate) fn vanish(&self) {
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

async fn answer(stage: Arc<Mutex<Stage>>, hub: Hub, mut asked: mpsc::Receiver<Ask>) {
    // An answer that nobody gives anymore is kept, so that whoever asked goes on waiting.
    let mut unanswered = Vec::new();
    while let Some(ask) = asked.recv().await {
        let mut stage = stage.lock().expect("no scene panics while it holds the stage");
        // Who asked may be gone already.
        let _ = match ask {
            Ask::Say { answer, .. } if stage.is_mute => {
                unanswered.push(answer);
                true
            }
            Ask::Say { source, say, answer } => {
                let reference = say.reference.clone();
                let said = stage.said(say);
                if let Ok(Said { line, .. }) = &said {
                    hub.publish(Event::Line { line: line.clone(), said_by: source.zip(reference) });
                }
                answer.send(said).is_ok()
            }
            Ask::RefUsed { answer, .. } => answer.send(false).is_ok(),
            Ask::MarkRead { conversation, arrival, answer } => {
                hub.publish(Event::Read { conversation, arrival });
                answer.send(Ok(())).is_ok()
            }
            Ask::Rename { answer, .. } => answer.send(Ok(())).is_ok(),
            Ask::Members { answer } => answer.send(stage.members.clone()).is_ok(),
            Ask::Info { answer } => answer.send(stage.info.clone()).is_ok(),
            Ask::Page { query, answer } => answer.send(stage.page(&query)).is_ok(),
            Ask::Search { query, answer } => {
                let hit = |line: &Line| Some(Hit { ranges: query.wanted.find(&line.text)?, line: line.clone() });
                let hits = stage.lines.iter().rev().filter_map(hit).take(query.limit).collect();
                answer.send(Found { hits, before: None }).is_ok()
            }
            Ask::Mark { member, change, answer } => answer.send(stage.marked(member, change)).is_ok(),
            Ask::Welcome { resume, answer } => answer.send(stage.welcome(resume.map(|resume| resume.after))).is_ok(),
            // What no scene asks for.
            _ => true,
        };
    }
}
