//! Appending, reading, order, cursors.

use roomful::proto::entries::timeline::Conversation;
use roomful::proto::history::{PagePosition, PageQuery};
use roomful::proto::limits::{CONVERSATIONS_LISTED_MAX, TOPS_MAX};
use roomful::proto::names::name::Name;
use roomful::proto::replication::frame::Fetch;
use roomful::proto::replication::store_api::{Write, WriteResult};
use roomful::store::{BEGINNING, Location};

use crate::fixtures::{Author, Bed, budget, me, say_in, texts};

#[tokio::test]
async fn messages_survive_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let (lines, moved) = bed.append(&[&ana.named("Ana"), &ana.say("hello"), &ana.say_all(&["two", "three"])]).await;
    assert_eq!(texts(&lines), ["hello", "two", "three"]);
    assert_eq!(lines.iter().map(|line| line.arrival).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(moved.is_empty());
    assert_eq!(lines[0].name.as_str(), "Ana");
    assert_eq!((lines[0].held, lines[0].to), (None, None));
    assert_eq!(lines[0].conversation, Conversation::general());
    bed.store.close().await;

    let bed = Bed::at(&dir);
    let page = bed.page(PagePosition::Newest, 100).await;
    assert_eq!(page.lines, lines, "a line is the same when it is read again");
    assert_eq!((page.before, page.arrival), (None, 4));
    assert_eq!(bed.opened.arrival, 4);
    let log = &bed.opened.snapshot.logs[0];
    assert_eq!((log.key, log.ranges.len(), log.ranges[0].first, log.ranges[0].last), (ana.log_key(), 1, 1, 4));
    bed.store.close().await;
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).expect("a directory").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(left.len(), 2, "a clean end leaves the database and its state: {left:?}");
}

#[tokio::test]
async fn store_in_memory_behaves_alike() {
    let mut bed = Bed::open(Location::Memory, crate::fixtures::NOON);
    let mut ana = Author::new(2);
    let (lines, _) = bed.append(&[&ana.named("Ana"), &ana.say("hello")]).await;
    assert_eq!(bed.page(PagePosition::Newest, 100).await.lines, lines);
    assert_eq!(bed.store.counts().await.expect("readable").entries, 2);
    bed.store.close().await;
    assert!(bed.store.counts().await.is_err());
}

#[tokio::test]
async fn conversations_are_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut direct, mut foreign) =
        (Author::new(2), Author::new(2).with_log(5).to(me().id()), Author::new(3).to(Author::new(4).id()));
    let batches =
        [ana.say("room"), ana.batch(&[say_in("news", "news")], None), direct.say("psst"), foreign.say("none")];
    let (lines, _) = bed.append(&batches.iter().collect::<Vec<_>>()).await;
    assert_eq!(texts(&lines), ["room", "news", "psst"], "what two others say to each other is nobody's business");
    assert_eq!(lines[2].to, Some(me().id()));
    for line in &lines {
        let conversation = Some(line.conversation.clone());
        let query = PageQuery { at: PagePosition::Newest, conversation, limit: 10 };
        let page = bed.store.page(query, budget(usize::MAX)).await.expect("readable").expect("found");
        assert_eq!(page.lines, std::slice::from_ref(line));
    }
    let conversation = Some(Conversation::Direct(Author::new(9).id()));
    let nowhere = PageQuery { at: PagePosition::Newest, conversation, limit: 10 };
    let page = bed.store.page(nowhere, budget(usize::MAX)).await.expect("readable").expect("found");
    assert!(page.lines.is_empty());
}

#[tokio::test]
async fn pages_continue_without_gaps_at_equal_places() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    // Five authors write at the same milliseconds, so every place is taken five times. Two log
    // numbers would sort the other way as signed integers.
    let mut batches = Vec::new();
    for log in [1, u64::MAX, 1 << 63, 5, (1 << 63) - 1] {
        let mut author = Author::new(2).with_log(log);
        batches.extend((0..7).map(|number| author.say(&format!("{log}:{number}"))));
    }
    let (mut lines, _) = bed.append(&batches.iter().rev().collect::<Vec<_>>()).await;
    lines.sort_by_key(|line| line.order);
    assert_eq!(bed.page(PagePosition::Newest, 100).await.lines, lines);

    for limit in [1, 2, 3, 5, 8, 35] {
        let (mut back, mut cursor) = (Vec::new(), Some(lines[34].order));
        back.push(lines[34].clone());
        while let Some(order) = cursor {
            let page = bed.page(PagePosition::Before(order), limit).await;
            assert!(page.lines.len() <= limit);
            back.splice(0..0, page.lines.clone());
            cursor = page.before;
        }
        assert_eq!(back, lines, "backwards by {limit}");

        let (mut there, mut cursor) = (Vec::new(), BEGINNING);
        loop {
            let page = bed.page(PagePosition::After(cursor), limit).await;
            if page.lines.is_empty() {
                assert_eq!(page.after, cursor, "a cursor stays where nothing follows");
                break;
            }
            there.extend(page.lines.clone());
            cursor = page.after;
        }
        assert_eq!(there, lines, "forwards by {limit}");
    }
    assert_eq!(bed.page(PagePosition::Newest, 3).await.lines, lines[32..]);
    assert_eq!(bed.page(PagePosition::Around(lines[10].id), 5).await.lines, lines[8..13]);
    assert_eq!(bed.page(PagePosition::Around(lines[10].id), 1).await.lines, lines[10..11]);
    assert_eq!(bed.page(PagePosition::Around(lines[0].id), 5).await.lines, lines[0..3]);
}

#[tokio::test]
async fn bytes_bound_a_page_but_one_message_always_comes() {
    let mut bed = Bed::open(Location::Memory, crate::fixtures::NOON);
    let mut ana = Author::new(2);
    let long = "x".repeat(30_000);
    let batches: Vec<_> = (0..4).map(|_| ana.say(&long)).collect();
    bed.append(&batches.iter().collect::<Vec<_>>()).await;
    for (bytes, expected) in [(0, 1), (59_999, 1), (60_000, 2), (usize::MAX, 4)] {
        let query = PageQuery { at: PagePosition::Newest, conversation: None, limit: 100 };
        let page = bed.store.page(query, budget(bytes)).await.expect("readable").expect("found");
        assert_eq!(page.lines.len(), expected, "{bytes} bytes");
        assert_eq!(page.before.is_some(), expected < 4);
    }
}

/// Ten messages of 10 bytes at whole seconds, each with a notice of 100 bytes behind it.
async fn messages_and_notices() -> Bed {
    let mut bed = Bed::open(Location::Memory, crate::fixtures::NOON);
    let mut ana = Author::new(2);
    for number in 0..10 {
        bed.append(&[&ana.say(&format!("number 0.{number}"))]).await;
        bed.notice(crate::fixtures::NOON + number * 1_000 + 500, ana.id()).await;
    }
    bed
}

#[tokio::test]
async fn pages_of_few_bytes_follow_each_other() {
    let bed = messages_and_notices().await;
    let all = bed.page(PagePosition::Newest, 100).await;
    for bytes in [1, 10, 110, 150, 330, 500, 1_100] {
        let read = async |at| {
            let query = PageQuery { at, conversation: None, limit: 100 };
            let page = bed.store.page(query, budget(bytes)).await.expect("readable").expect("found");
            let size = page.lines.len() * 10 + page.notices.len() * 100;
            assert!(size <= bytes || page.lines.len() == 1, "{size} bytes of {bytes}");
            page
        };
        let (mut lines, mut notices) = (Vec::new(), 0);
        let mut page = read(PagePosition::Newest).await;
        loop {
            notices += page.notices.len();
            lines.splice(0..0, page.lines);
            let Some(cursor) = page.before else { break };
            page = read(PagePosition::Before(cursor)).await;
        }
        assert_eq!((lines, notices), (all.lines.clone(), 10), "backwards by {bytes}");

        let (mut lines, mut notices, mut cursor) = (Vec::new(), 0, BEGINNING);
        while lines.len() < 10 {
            let page = read(PagePosition::After(cursor)).await;
            notices += page.notices.len();
            lines.extend(page.lines);
            cursor = page.after;
        }
        assert_eq!((lines, notices), (all.lines.clone(), 10), "forwards by {bytes}");

        let (mut lines, mut notices, mut arrival) = (Vec::new(), 0, 0);
        loop {
            let query = PageQuery { at: PagePosition::Since(arrival), conversation: None, limit: 100 };
            let page = bed.store.page(query, budget(bytes)).await.expect("readable").expect("found");
            let count = page.lines.len() + page.notices.len();
            assert!(page.lines.len() * 10 + page.notices.len() * 100 <= bytes || count == 1);
            if count == 0 {
                break;
            }
            notices += page.notices.len();
            lines.extend(page.lines);
            arrival = page.arrival;
        }
        assert_eq!((lines, notices), (all.lines.clone(), 10), "since by {bytes}");
    }
}

#[tokio::test]
async fn an_id_with_another_check_names_nothing() {
    let mut bed = Bed::open(Location::Memory, crate::fixtures::NOON);
    // Two authors may draw the same number for a log.
    let (mut ana, mut ben) = (Author::new(2).with_log(7), Author::new(3).with_log(7));
    let (lines, _) = bed.append(&[&ana.say_all(&["a", "b"]), &ben.say_all(&["c", "d"])]).await;
    for line in &lines {
        assert_eq!(bed.store.line(line.id).await.expect("readable").as_ref(), Some(line));
    }
    let mut wrong = lines[1].id;
    wrong.check[15] ^= 1;
    assert_eq!(bed.store.line(wrong).await.expect("readable"), None);
    wrong = lines[1].id;
    wrong.seq = u64::MAX;
    assert_eq!(bed.store.line(wrong).await.expect("readable"), None);
    let unknown = PageQuery { at: PagePosition::Around(wrong), conversation: None, limit: 5 };
    assert!(bed.store.page(unknown, budget(1_000)).await.expect("readable").is_none());
}

#[tokio::test]
async fn stored_batch_is_skipped() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let (first, second) = (ana.say_all(&["a", "b"]), ana.say("c"));
    bed.append(&[&first, &first]).await;
    let (lines, moved) = bed.append(&[&first, &second, &first]).await;
    assert_eq!((texts(&lines), moved.len()), (vec!["c".to_owned()], 0));
    assert_eq!(lines[0].arrival, 3);
    assert_eq!(bed.texts().await, ["a", "b", "c"]);
    assert!(bed.changed.logs.is_empty(), "nothing was refused");
}

#[tokio::test]
async fn history_is_contiguous_whole_batches() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let batches: Vec<_> = (0..6).map(|number| ana.say_all(&["x", &format!("{number}")])).collect();
    bed.append(&[&batches[0], &batches[1], &batches[2], &batches[4], &batches[5]]).await;
    let ask = |first, last, bytes| Fetch { key: ana.log_key(), first, last, bytes };
    let store = bed.store.clone();
    let check = async |fetch, expected: std::ops::Range<usize>| {
        let page = store.history(fetch).await.expect("readable");
        assert_eq!(page.batches, batches[expected], "{fetch:?}");
    };
    check(ask(1, 6, u64::MAX), 0..3).await;
    check(ask(4, 4, u64::MAX), 1..2).await;
    check(ask(1, 6, 1), 2..3).await;
    let two = (batches[1].bytes().len() + batches[2].bytes().len()) as u64;
    check(ask(1, 6, two), 1..3).await;
    check(ask(1, 6, two - 1), 2..3).await;
    // What is newest comes first, and nothing beyond the gap before it.
    check(ask(1, 12, u64::MAX), 4..6).await;
    check(ask(7, 8, u64::MAX), 0..0).await;
    check(ask(9, u64::MAX, u64::MAX), 4..6).await;
    check(ask(99, 100, u64::MAX), 0..0).await;
    check(Fetch { key: Author::new(9).log_key(), ..ask(1, 12, u64::MAX) }, 0..0).await;
}

#[tokio::test]
async fn history_ends_at_a_broken_chain() {
    let mut bed = Bed::open(Location::Memory, crate::fixtures::NOON);
    let mut skips = Author::new(2);
    let before = skips.say("a");
    skips.seq = 9;
    let after = skips.say("b");
    bed.append(&[&before, &after]).await;
    let fetch = Fetch { key: skips.log_key(), first: 1, last: 99, bytes: u64::MAX };
    assert_eq!(bed.store.history(fetch).await.expect("readable").batches, [after]);
}

#[tokio::test]
async fn late_name_updates_earlier_messages() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let (first, before, renamed) = (ana.named("Ana"), ana.say("a"), ana.named("Anna"));
    let (after, again, last) = (ana.say("b"), ana.named("Hannah"), ana.say("c"));
    bed.append(&[&first, &before, &after, &again, &last]).await;
    let (_, moved) = bed.append(&[&renamed]).await;
    let told: Vec<_> = moved.iter().map(|line| (line.text.as_str(), line.name.as_str())).collect();
    assert_eq!(told, [("b", "Anna")]);
}

#[tokio::test]
async fn only_relevant_conversations_are_listed() {
    const MANY: usize = CONVERSATIONS_LISTED_MAX + 200;
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut direct) = (Author::new(2), Author::new(2).with_log(5).to(me().id()));
    let channel = |number: usize| Conversation::Channel(Name::from_lossy(&format!("made up {number}"), "?"));
    bed.append(&[&direct.say("psst")]).await;
    let said: Vec<_> = (0..MANY).map(|number| say_in(&format!("made up {number}"), "x")).collect();
    let batches: Vec<_> = said.chunks(64).map(|some| ana.batch(some, None)).collect();
    let (lines, _) = bed.append(&batches.iter().collect::<Vec<_>>()).await;
    assert_eq!(lines.len(), MANY);
    bed.store.write(Write::Read { conversation: channel(7), arrival: lines[7].arrival });
    assert!(matches!(bed.answer().await, WriteResult::Read(_)));

    let listed = bed.store.conversations().await.expect("readable");
    let listed: Vec<_> = listed.into_iter().map(|state| state.conversation).collect();
    assert_eq!(listed.len(), CONVERSATIONS_LISTED_MAX);
    let newest = (MANY + 2 - CONVERSATIONS_LISTED_MAX..MANY).map(channel);
    let expected: Vec<_> = [Conversation::Direct(ana.id()), channel(7)].into_iter().chain(newest).collect();
    assert_eq!(listed, expected, "who writes to one, what one reads, and what is new");
    // What is not listed is there all the same.
    let query = PageQuery { at: PagePosition::Newest, conversation: Some(channel(0)), limit: 10 };
    let page = bed.store.page(query, budget(usize::MAX)).await.expect("readable").expect("found");
    assert_eq!(page.lines, lines[..1]);

    // Nor does a start remember where each of them ends.
    bed.store.close().await;
    let tops = Bed::at(&dir).opened.snapshot.tops;
    let places: Vec<_> = tops.iter().map(|(_, place, _)| *place).collect();
    assert!(tops.len() == TOPS_MAX + 1 && places.is_sorted_by(|one, next| one >= next), "{}", tops.len());
    assert_eq!(tops[0].0, channel(MANY - 1));
}
