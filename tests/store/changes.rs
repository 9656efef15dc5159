//! Messages that change: edits, deletions, reactions, topics and mentions, in any order of
//! arrival, and what pages, search
//! and export show of them.

use roomful::proto::entries::batch::Verified;
use roomful::proto::entries::body::Body;
use roomful::proto::entries::mention::{Mention, Mentions};
use roomful::proto::entries::timeline::{Conversation, Message};
use roomful::proto::entries::tokenizer::SearchTerms;
use roomful::proto::history::{ExportQuery, PagePosition, SearchQuery};
use roomful::proto::ids::{EntryId, Hash, NodeId};
use roomful::proto::replication::store_api::{Append, IdempotencyKey, OwnBatch, Write, WriteResult};
use roomful::store::Location;

use crate::fixtures::{Author, Bed, NOON, budget, me, say, texts};
use crate::search::indexed;

fn edit(entry: EntryId, text: &str) -> Body {
    Body::Edit { entry, text: text.to_owned(), mentions: Mentions::default() }
}

fn react(entry: EntryId, emoji: &str, off: bool) -> Body {
    Body::React { entry, emoji: emoji.to_owned(), off }
}

async fn only(bed: &Bed) -> Message {
    bed.page(PagePosition::Newest, 9).await.lines.remove(0)
}

/// A message with changes: of its author, of another member, and such as count for nothing.
fn story() -> (Author, Vec<Verified>) {
    let (mut ana, mut bo) = (Author::new(2), Author::new(3));
    let said = ana.say("first");
    let id = said.entry_id(0);
    let mut batches = vec![said];
    batches.push(ana.batch(&[edit(id, "second")], None));
    batches.push(bo.batch(&[edit(id, "not theirs"), Body::delete(id), react(id, "👍", false)], None));
    batches.push(ana.batch(&[react(id, "👍", false), edit(id, "third")], None));
    batches.push(bo.batch(&[react(id, "🎉", false), react(id, "🎉", true)], None));
    (ana, batches)
}

#[tokio::test]
async fn a_message_looks_the_same_for_any_order_of_arrival() {
    let (_, batches) = story();
    let mut seen = Vec::new();
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1], [3, 1, 2, 4, 0]] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bed = Bed::at(&dir);
        for index in order {
            bed.append(&[&batches[index]]).await;
        }
        let line = only(&bed).await;
        assert_eq!(line.text, "third");
        bed.store.close().await;
        // The check at the start compares every row.
        let bed = Bed::open(roomful::store::Location::in_dir(dir.path(), &crate::fixtures::room()), NOON);
        assert_eq!(bed.store.mended_now(), None);
        let again = only(&bed).await;
        assert_eq!((&again.text, &again.changes), (&line.text, &line.changes));
        seen.push((line.id, line.order, line.changes));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    let (_, _, changes) = seen.remove(0);
    let (ana, bo) = (Author::new(2).id(), Author::new(3).id());
    let reactions: Vec<_> = changes.reactions.iter().map(|kind| (kind.emoji.as_str(), kind.by.clone())).collect();
    assert_eq!(reactions, [("👍", vec![ana, bo])]);
    assert!(changes.edited.is_some() && !changes.deleted);
}

#[tokio::test]
async fn a_change_comes_again_with_its_own_number() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said = ana.say("a slip");
    bed.append(&[&said]).await;
    let run = bed.opened.run.clone();
    let (lines, moved) = bed.append(&[&ana.batch(&[edit(said.entry_id(0), "no slip")], None)]).await;
    assert!(lines.is_empty());
    assert_eq!(texts(&moved), ["no slip"]);

    let missed = bed.store.resume(run, 1, 9, budget(1_000)).await.expect("readable").expect("resumed");
    assert_eq!((texts(&missed.moved), missed.arrival), (vec!["no slip".to_owned()], 2));
    let polled = bed.page(PagePosition::Since(1), 9).await;
    assert_eq!((texts(&polled.lines), polled.arrival), (vec!["no slip".to_owned()], 2));
    assert!(bed.page(PagePosition::Since(2), 9).await.lines.is_empty());
}

#[tokio::test]
async fn polling_page_by_page_misses_no_change() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said: Vec<_> = (0..6).map(|n| ana.say(&format!("message {n}"))).collect();
    bed.append(&said.iter().collect::<Vec<_>>()).await;
    for (n, batch) in said.iter().enumerate().rev() {
        bed.append(&[&ana.batch(&[edit(batch.entry_id(0), &format!("edited {n}"))], None)]).await;
        bed.append(&[&ana.say(&format!("between {n}"))]).await;
    }
    let (mut after, mut seen) = (6, Vec::new());
    loop {
        let page = bed.page(PagePosition::Since(after), 1).await;
        if page.lines.is_empty() {
            break;
        }
        assert!(page.arrival > after, "it goes on");
        after = page.arrival;
        seen.extend(page.lines.into_iter().map(|line| line.text));
    }
    let expected = (0..6).rev().flat_map(|n| [format!("edited {n}"), format!("between {n}")]);
    assert_eq!(seen, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_deleted_message_stays_without_its_content() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut bo) = (Author::new(2), Author::new(3));
    let said = ana.say("rare word");
    let id = said.entry_id(0);
    let answer = bo.batch(&[Body::say("what?".to_owned(), None, Some(id))], Some(id));
    bed.append(&[&said, &answer, &bo.batch(&[react(id, "👍", false)], None)]).await;
    let quoted = bed.page(PagePosition::Newest, 9).await.lines.remove(1).reply.expect("it is here");
    assert_eq!((quoted.text.as_str(), quoted.deleted), ("rare word", false));

    bed.append(&[&ana.batch(&[Body::delete(id)], None)]).await;
    bed.append(&[&ana.batch(&[edit(id, "back again")], None)]).await;
    let page = bed.page(PagePosition::Newest, 9).await;
    assert_eq!(texts(&page.lines), ["", "what?"]);
    let changes = &page.lines[0].changes;
    assert!(changes.deleted && changes.edited.is_none() && changes.reactions.is_empty());
    let quoted = page.lines[1].reply.as_ref().expect("it is here");
    assert_eq!((quoted.text.as_str(), quoted.deleted), ("", true));
    let versions = bed.store.versions(id, None).await.expect("readable").expect("known");
    assert!(versions.versions.is_empty(), "nothing of it is read any more");
}

#[tokio::test]
async fn search_and_export_show_the_current_text() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let (slip, gone) = (ana.say("a typpo here"), ana.say("a secret here"));
    bed.append(&[&slip, &gone]).await;
    indexed(dir.path()).await;
    let changes =
        [ana.batch(&[edit(slip.entry_id(0), "a typo here")], None), ana.batch(&[Body::delete(gone.entry_id(0))], None)];
    bed.append(&changes.iter().collect::<Vec<_>>()).await;
    indexed(dir.path()).await;
    for (word, found) in [("typo", 1), ("typpo", 0), ("secret", 0), ("here", 1)] {
        let wanted = SearchTerms::new(word).expect("a word");
        let query = SearchQuery { wanted, conversation: None, from: None, before: None, after: None, limit: 9 };
        let hits = bed.store.search(query, budget(1_000)).await.expect("readable").hits;
        assert_eq!(hits.len(), found, "{word}");
    }
    let query = ExportQuery { after: None, direct: true, limit: 9 };
    let exported = bed.store.export(query, budget(1_000)).await.expect("readable").lines;
    assert_eq!(texts(&exported), ["a typo here", ""]);
}

#[tokio::test]
async fn versions_are_paged_oldest_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let said = ana.say("0");
    let id = said.entry_id(0);
    bed.append(&[&said]).await;
    let edits: Vec<_> = (1..=150).map(|n| edit(id, &n.to_string())).collect();
    for part in edits.chunks(64) {
        bed.append(&[&ana.batch(part, None)]).await;
    }
    let newest = bed.store.versions(id, None).await.expect("readable").expect("known");
    assert_eq!((newest.versions.len(), newest.versions[0].text.as_str()), (100, "51"));
    assert_eq!(newest.versions.last().map(|version| version.text.as_str()), Some("150"));
    let rest = bed.store.versions(id, newest.before).await.expect("readable").expect("known");
    assert_eq!((rest.versions.len(), rest.versions[0].text.as_str(), rest.before), (51, "0", None));
    assert_eq!(rest.versions.last().map(|version| version.text.as_str()), Some("50"));
}

async fn counted(bed: &Bed) -> (u64, u64) {
    let read = bed.store.conversations().await.expect("readable").remove(0);
    (read.unread, read.mentions)
}

#[tokio::test]
async fn mentions_are_counted_apart_from_unread_messages() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let mention = |text: &str, id: NodeId| Body::Say {
        text: text.to_owned(),
        channel: None,
        reply_to: None,
        files: Default::default(),
        mentions: Mentions(vec![Mention::new(id, &(0..3))]),
    };
    let own = me().id();
    let said =
        ana.batch(&[mention("@Me hi", own), mention("no at", own), mention("@Bo hi", ana.id()), say("hi")], None);
    bed.append(&[&said]).await;
    // What an edit adds does not count.
    let added = Body::Edit {
        entry: said.entry_id(3),
        text: "@Me hi".to_owned(),
        mentions: Mentions(vec![Mention::new(own, &(0..3))]),
    };
    bed.append(&[&ana.batch(&[added], None)]).await;
    assert_eq!(counted(&bed).await, (4, 1));
    bed.store.write(Write::Read { conversation: Conversation::general(), arrival: 1 });
    let WriteResult::Read(marker) = bed.answer().await else { panic!("a marker") };
    assert_eq!((marker.unread, marker.mentions, counted(&bed).await), (3, 0, (3, 0)));
}

#[tokio::test]
async fn the_last_topic_in_order_counts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let topic = |text: &str| Body::Topic { channel: "general".to_owned(), text: text.to_owned() };
    let (mut ana, mut bo) = (Author::new(2), Author::new(3));
    bo.at_ms = 60_000;
    let later = bo.batch(&[say("x"), topic("later")], None);
    bed.append(&[&later]).await;
    bed.append(&[&ana.batch(&[topic("earlier")], None)]).await;
    let sizes = crate::fixtures::SIZES;
    let welcome = bed.store.welcome(None, sizes).await.expect("readable");
    assert_eq!(welcome.topics.get(&Conversation::general()).map(String::as_str), Some("later"));
    ana.at_ms = 90_000;
    bed.append(&[&ana.batch(&[topic("")], None)]).await;
    let welcome = bed.store.welcome(None, sizes).await.expect("readable");
    assert!(welcome.topics.is_empty(), "taken back");
}

#[tokio::test]
async fn a_ref_of_a_change_gives_its_entry() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut own = me();
    let said = own.say("hello");
    bed.append_own(&said, OwnBatch::default()).await;
    let reference = IdempotencyKey { name: "r".to_owned(), content: roomful::proto::ids::Hash([1; 32]) };
    let change = own.batch(&[edit(said.entry_id(0), "hello!")], None);
    let id = change.entry_id(0);
    let beside = OwnBatch { refs: vec![Some(reference.clone())], ..OwnBatch::default() };
    bed.append_all(vec![Append { batch: change, own: Some(beside) }]).await.expect("there is room");
    let found = async |bed: &Bed| bed.store.by_ref("r".to_owned()).await.expect("readable");
    assert_eq!(found(&bed).await, Some((reference.clone(), id)));
    // Without its body it is still the entry that the request made.
    bed.append(&[&own.batch(&[Body::delete(id)], None)]).await;
    assert_eq!(found(&bed).await, Some((reference.clone(), id)));
    assert_eq!(bed.store.mended_now(), None);
    bed.store.close().await;
    let Location::File(file) = Location::in_dir(dir.path(), &crate::fixtures::room()) else { panic!("a file") };
    let db = rusqlite::Connection::open(file).expect("opens");
    db.execute("UPDATE entry SET place = place + 1 WHERE arrival = 1", []).expect("changed");
    drop(db);
    let bed = Bed::at(&dir);
    assert!(bed.store.mended_now().is_some(), "the tables are rebuilt");
    assert_eq!(found(&bed).await, Some((reference, id)));
}

#[tokio::test]
async fn a_flood_of_changes_is_read_by_what_counts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut bo) = (Author::new(2), Author::new(3));
    let said = ana.say("0");
    let id = said.entry_id(0);
    bed.append(&[&said]).await;
    for round in 0..40 {
        let edits: Vec<_> = (0..64).map(|n| edit(id, &format!("{round} {n}"))).collect();
        let reactions: Vec<_> = (0..64).map(|n| react(id, &format!("e{}", round * 64 + n), false)).collect();
        bed.append(&[&ana.batch(&edits, None), &bo.batch(&reactions, None)]).await;
    }
    let line = only(&bed).await;
    assert_eq!(line.text, "39 63");
    let kinds: Vec<_> = line.changes.reactions.iter().map(|kind| kind.emoji.as_str()).collect();
    assert_eq!(kinds, ["e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "e9"]);
}

#[tokio::test]
async fn files_are_found_by_their_content() {
    use roomful::proto::files::attachment::{Attachment, Attachments};
    use roomful::proto::files::naming::Naming;
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let file = |content: u8| Attachment {
        content: Hash([content; 32]),
        name: "a.txt".to_owned(),
        size: 3,
        media_type: "text/plain".to_owned(),
        width: None,
        height: None,
        preview: None,
    };
    let with = |files: &[u8]| Body::Say {
        text: String::new(),
        channel: None,
        reply_to: None,
        files: Attachments(files.iter().map(|content| file(*content)).collect()),
        mentions: Mentions::default(),
    };
    let said = ana.batch(&[with(&[1, 2]), with(&[2]), say("none")], None);
    bed.append(&[&said]).await;
    let naming = |content: u8| bed.store.with_files(Some(Hash([content; 32])), 10);
    let ids = |lines: Vec<Message>| lines.iter().map(|line| line.id).collect::<Vec<_>>();
    assert_eq!(ids(naming(1).await.expect("readable")), [said.entry_id(0)]);
    assert_eq!(ids(naming(2).await.expect("readable")), [said.entry_id(1), said.entry_id(0)]);
    assert_eq!(bed.store.with_files(None, 1).await.expect("readable")[0].changes.files, [file(2)]);

    let deletion = ana.batch(&[Body::Delete { entry: said.entry_id(0), channel: None }], None);
    bed.append(&[&deletion]).await;
    assert_eq!(bed.released, [Hash([1; 32]), Hash([2; 32])]);
    let naming = |content: u8| bed.store.with_files(Some(Hash([content; 32])), 10);
    assert_eq!(ids(naming(1).await.expect("readable")), []);
    assert_eq!(ids(naming(2).await.expect("readable")), [said.entry_id(1)]);

    let mut direct = Author::new(3).to(me().id());
    let written = direct.batch(&vec![with(&[2, 4]); 64], None);
    bed.append(&[&written]).await;
    let namings = |content: u8| bed.store.namings_of(Hash([content; 32]));
    let room = Naming { audience: None, author: ana.id() };
    let of_direct = Naming { audience: Some(direct.id()), author: direct.id() };
    assert_eq!(namings(1).await.expect("readable"), [].into());
    assert_eq!(namings(2).await.expect("readable"), [room, of_direct].into());
    assert_eq!(namings(4).await.expect("readable"), [of_direct].into());
    let first = async |content: u8| bed.store.first_naming(Hash([content; 32])).await.expect("readable");
    assert_eq!(first(2).await.map(|message| message.id), Some(said.entry_id(1)));
    assert_eq!(first(1).await, None);
}
