//! Time to read a message that a flood of edits and reactions changed, compared with one that
//! nothing changed. `cargo bench --bench changes`, or `-- --quick` for a tenth of it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use roomful::proto::clock::Stamp;
use roomful::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use roomful::proto::entries::body::{Body, SALT_BYTES};
use roomful::proto::entries::mention::Mentions;
use roomful::proto::history::{PageBudget, PagePosition, PageQuery, SizeEstimator};
use roomful::proto::ids::{EntryId, LogId, NodeId, RoomId};
use roomful::proto::limits::BATCH_ENTRIES_MAX;
use roomful::proto::replication::store_api::{Append, Write, WriteResult};
use roomful::store::{Location, Opened, Store};

/// 2026-11-22, about noon, in milliseconds.
const NOON: u64 = 1_795_348_800_000;

/// Members that react: a flood by one, and the busiest message of a large room.
const REACTING: [usize; 2] = [1, 250];

/// Reads of one message; the middle one counts.
const READS: usize = 21;

/// The author of one log.
struct Author {
    key: SigningKey,
    last: Option<Verified>,
    time: u64,
}

impl Author {
    fn new(number: usize) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
        Self { key: SigningKey::from_bytes(&seed), last: None, time: Stamp::from_ms(NOON).0 }
    }

    fn sign(&mut self, bodies: &[Body]) -> Verified {
        let bodies: Vec<_> = bodies.iter().map(|body| body.encode([7; SALT_BYTES])).collect();
        let header = Header {
            version: HEADER_VERSION,
            room: room(),
            author: NodeId(self.key.verifying_key().to_bytes()),
            audience: None,
            log: LogId(1),
            first_seq: self.last.as_ref().map_or(1, |last| last.header().last_seq() + 1),
            prev: self.last.as_ref().map(Verified::hash),
            after: None,
            entries: bodies.iter().zip(self.time..).map(|(body, time)| slot(Stamp(time), body)).collect(),
        };
        self.time += bodies.len() as u64;
        self.last.insert(sign(&self.key, header, &bodies)).clone()
    }
}

fn room() -> RoomId {
    RoomId::new("bench", b"")
}

fn say(text: &str) -> Body {
    Body::say(text.to_owned(), None, None)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let many = if std::env::args().any(|arg| arg == "--quick") { 10_000 } else { 100_000 };
    println!("{:46} {:>12} {:>12} {:>8}", "", "changed", "unchanged", "ratio");
    for members in REACTING {
        let dir = tempfile::tempdir()?;
        let own = Author::new(100_000);
        let own = NodeId(own.key.verifying_key().to_bytes());
        let (store, mut opened) = Store::open(Location::in_dir(dir.path(), &room()), room(), own, NOON)?;
        let mut author = Author::new(0);
        let said = author.sign(&[say("changed"), say("unchanged")]);
        let (id, other) = (said.entry_id(0), said.entry_id(1));
        append(&store, &mut opened, vec![said]).await?;
        flood(&store, &mut opened, &mut author, (id, members), many).await?;
        let (changed, unchanged) = (read(&store, id).await?, read(&store, other).await?);
        let what = format!("ms to read, {many} edits and reactions, {members} members");
        let ms = |took: Duration| took.as_secs_f64() * 1e3;
        let ratio = ms(changed) / ms(unchanged);
        println!("{what:46} {:12.2} {:12.2} {ratio:8.1}", ms(changed), ms(unchanged));
        store.close().await;
    }
    Ok(())
}

/// Edits a message and reacts to it so many times each.
async fn flood(
    store: &Store,
    opened: &mut Opened,
    author: &mut Author,
    (id, members): (EntryId, usize),
    many: usize,
) -> anyhow::Result<()> {
    let mut members: Vec<_> = (1..=members).map(Author::new).collect();
    for from in (0..many).step_by(BATCH_ENTRIES_MAX) {
        let numbers = from..many.min(from + BATCH_ENTRIES_MAX);
        let edit = |n: usize| Body::Edit { entry: id, text: format!("edit {n}"), mentions: Mentions::default() };
        let react = |n: usize| Body::React { entry: id, emoji: format!("e{n}"), off: false };
        let which = from / BATCH_ENTRIES_MAX % members.len();
        let edits = author.sign(&numbers.clone().map(edit).collect::<Vec<_>>());
        let reactions = members[which].sign(&numbers.map(react).collect::<Vec<_>>());
        append(store, opened, vec![edits, reactions]).await?;
    }
    Ok(())
}

async fn append(store: &Store, opened: &mut Opened, batches: Vec<Verified>) -> anyhow::Result<()> {
    let batches = batches.into_iter().map(|batch| Append { batch, own: None }).collect();
    store.write(Write::Append { token: 1, batches });
    match opened.answers.recv().await.context("the writer lives")?.result {
        WriteResult::Appended(_) => Ok(()),
        other => anyhow::bail!("not stored: {other:?}"),
    }
}

/// The time to read one message: the middle one of several.
async fn read(store: &Store, id: EntryId) -> anyhow::Result<Duration> {
    let mut took = Vec::new();
    for _ in 0..READS {
        let query = PageQuery { at: PagePosition::Around(id), conversation: None, limit: 1 };
        let sizes = SizeEstimator { line: |line| line.text.len(), notice: |_| 100 };
        let begun = Instant::now();
        let page = store.page(query, PageBudget { bytes: 1 << 20, sizes }).await?.context("it is here")?;
        took.push(begun.elapsed());
        anyhow::ensure!(page.lines.iter().any(|line| line.id == id), "the message is on its page");
    }
    took.sort_unstable();
    Ok(took[READS / 2])
}
