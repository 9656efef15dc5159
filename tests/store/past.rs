//! A fully known history in files that can be damaged: what was signed, what a peer can provide,
//! and what a node has to show.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::entries::timeline::{Conversation, Message};
use roomful::proto::history::{ExportQuery, PagePosition, PageQuery};
use roomful::proto::ids::{EntryId, Hash};
use roomful::proto::names::name::Name;
use roomful::proto::replication::store_api::{Append, Appended, IdempotencyKey, OwnBatch, Write, WriteResult};
use roomful::store::{Location, Store, StoreError};
use tempfile::TempDir;

use crate::fixtures::{Author, Bed, NOON, budget, me, room, say, say_in};

/// Files by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The name of the database of the room.
pub(crate) fn database() -> String {
    path(Path::new("")).display().to_string()
}

/// The database of the room in a directory.
pub(crate) fn path(dir: &Path) -> PathBuf {
    match Location::in_dir(dir, &room()) {
        Location::File(path) => path,
        Location::Memory => panic!("a file"),
    }
}

/// Everything in a directory.
pub(crate) fn files(dir: &Path) -> Files {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).expect("readable")))
        .collect()
}

/// A new directory with these files.
pub(crate) fn placed(files: &Files) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    dir
}

/// The signed batches of a history, and what a node must show of them.
pub(crate) struct Past {
    pub(crate) batches: Vec<Verified>,
    /// Every message as it is shown when nothing is damaged.
    lines: BTreeMap<EntryId, Message>,
    /// The names that an export and a page show with each.
    names: Vec<(EntryId, Name)>,
    /// The files after a clean end.
    pub(crate) closed: Files,
    /// The files after a crash: a part stands in the database, a part in its log.
    pub(crate) killed: Files,
}

impl Past {
    /// Makes a history with about so many messages.
    pub(crate) async fn new(messages: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let [(mut ana, mut ben), (mut own, mut to_me)] =
            [(Author::new(2), Author::new(3)), (me(), Author::new(3).with_log(9).to(me().id()))];
        let mut batches = vec![ana.named("Ana"), ben.named("Ben"), own.named("Me")];
        let mut bed = Bed::at(&dir);
        bed.append(&batches.iter().collect::<Vec<_>>()).await;
        for number in 0..messages {
            if number == messages / 2 {
                bed.store.close().await;
                bed = Bed::at(&dir);
            }
            let text = format!("message {number} {}", "x".repeat(number * 37 % 900));
            let batch = match number % 7 {
                0 => own.say(&text),
                1 => ben.batch(&[say_in("news", &text)], None),
                2 => ana.say_all(&[&text, &format!("{text}, and more of it")]),
                3 => to_me.say(&text),
                4 if number % 3 == 0 => ana.say(&format!("{text} {}", "long ".repeat(3_000))),
                5 => {
                    let answered = batches.last().map(|batch: &Verified| batch.entry_id(0));
                    ana.batch(&[Body::say(text, None, answered)], answered)
                }
                _ => ben.batch(&[say(&text)], None),
            };
            append(&mut bed, &batch).await;
            batches.push(batch);
        }
        // The search index is filled in the background, and always the same once it is complete.
        crate::search::indexed(dir.path()).await;
        let killed = files(dir.path());
        let all = shown(&bed.store).await.expect("readable");
        let names = all.iter().cloned().chain(paged(&bed.store).await.expect("readable"));
        let names = names.map(|line| (line.id, line.name)).collect();
        let lines = all.into_iter().map(|line| (line.id, line)).collect();
        bed.store.close().await;
        Self { batches, lines, names, closed: files(dir.path()), killed }
    }

    /// The batches that stand in these files as they were signed, each in one piece.
    pub(crate) fn intact(&self, files: &[&[u8]]) -> Vec<&Verified> {
        let is_there = |batch: &&Verified| {
            let bytes = batch.bytes().as_ref();
            files.iter().any(|file| memchr(file, bytes))
        };
        self.batches.iter().filter(is_there).collect()
    }

    /// Complains of lines that are not as they were signed.
    pub(crate) fn check(&self, shown: &[Message]) -> Result<(), String> {
        for line in shown {
            let Some(signed) = self.lines.get(&line.id) else { return Err(format!("never signed: {line:?}")) };
            let said =
                |line: &Message| (line.time, line.conversation.clone(), line.to, line.reply_to, line.text.clone());
            if said(line) != said(signed) {
                return Err(format!("signed was {signed:?}, shown is {line:?}"));
            }
        }
        Ok(())
    }

    /// Complains unless exactly everything is shown.
    pub(crate) fn check_complete(&self, shown: &[Message]) -> Result<(), String> {
        self.check(shown)?;
        for line in shown {
            let Some(signed) = self.lines.get(&line.id) else { continue };
            if line.order != signed.order {
                return Err(format!("{:?} stood at {:?}, is at {:?}", line.id, signed.order, line.order));
            }
            if !self.names.contains(&(line.id, line.name.clone())) {
                return Err(format!("{:?} is shown as of {}", line.id, line.name));
            }
        }
        let lacking = self.lines.values().find(|line| !shown.iter().any(|shown| shown.id == line.id));
        match lacking {
            Some(line) => Err(format!("{} of {} are shown, not {:?}", shown.len(), self.lines.len(), brief(line))),
            None => Ok(()),
        }
    }

    /// Has a peer bring everything. False if the store stops.
    pub(crate) async fn brought(&self, bed: &mut Bed) -> bool {
        let batches = self.batches.iter().map(|batch| Append { batch: batch.clone(), own: None }).collect();
        bed.store.write(Write::Append { token: 77, batches });
        loop {
            match bed.opened.answers.recv().await.map(|committed| committed.result) {
                Some(WriteResult::Appended(Appended { token: 77, .. })) => return true,
                // What the disk changed was found.
                Some(WriteResult::Changed(_)) => {}
                _ => return false,
            }
        }
    }
}

fn brief(line: &Message) -> String {
    format!("{:?} {}", line.id, line.text.chars().take(20).collect::<String>())
}

async fn append(bed: &mut Bed, batch: &Verified) {
    if batch.header().author == me().id() {
        let name = format!("ref {}", batch.header().first_seq);
        let refs = vec![Some(IdempotencyKey { name, content: Hash([5; 32]) })];
        bed.append_own(batch, OwnBatch { refs, of: vec![Author::new(2).id()], ..OwnBatch::default() }).await;
    } else {
        bed.append(&[batch]).await;
    }
}

/// Everything that a page and an export show.
pub(crate) async fn shown(store: &Store) -> Result<Vec<Message>, StoreError> {
    let query = ExportQuery { after: None, direct: true, limit: 10_000 };
    let all = store.export(query, budget(usize::MAX)).await?.lines;
    store.page(PageQuery { at: PagePosition::Newest, conversation: None, limit: 10_000 }, budget(usize::MAX)).await?;
    Ok(all)
}

/// The same, by page, of each conversation.
pub(crate) async fn paged(store: &Store) -> Result<Vec<Message>, StoreError> {
    let mut lines = Vec::new();
    let news = Conversation::Channel(Name::from_lossy("news", "?"));
    for conversation in [Conversation::general(), news, Conversation::Direct(Author::new(3).id())] {
        let query = PageQuery { at: PagePosition::Newest, conversation: Some(conversation), limit: 10_000 };
        lines.extend(store.page(query, budget(usize::MAX)).await?.map(|page| page.lines).unwrap_or_default());
    }
    Ok(lines)
}

fn memchr(all: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.get(..8) else { return false };
    all.windows(8).enumerate().any(|(at, window)| window == first && all[at..].starts_with(part))
}

/// A later moment at each call: repairs that find nothing are made once an hour only.
pub(crate) fn later(count: &mut u64) -> u64 {
    *count += 1;
    NOON + *count * 2 * 60 * 60 * 1_000
}
