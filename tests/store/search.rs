//! Search, with the index and before messages are indexed.

use std::path::Path;
use std::time::Duration;

use roomful::proto::entries::timeline::Conversation;
use roomful::proto::entries::tokenizer::SearchTerms;
use roomful::proto::history::{HitRow, SearchQuery};
use roomful::store::Location;

use crate::fixtures::{Author, Bed, NOON, budget, me, room, say_in};

pub(crate) fn for_words(text: &str) -> SearchQuery {
    let wanted = SearchTerms::new(text).expect("words");
    SearchQuery { wanted, conversation: None, from: None, before: None, after: None, limit: 50 }
}

async fn hits(bed: &Bed, search: SearchQuery) -> Vec<HitRow> {
    bed.store.search(search, budget(usize::MAX)).await.expect("readable").hits
}

fn texts(hits: &[HitRow]) -> Vec<&str> {
    hits.iter().map(|hit| hit.line.text.as_str()).collect()
}

pub(crate) async fn finds(bed: &Bed, words: &str, expected: &[&str]) {
    assert_eq!(texts(&hits(bed, for_words(words)).await), expected, "{words}");
}

/// Waits until everything in the database of a directory is in the index.
pub(crate) async fn indexed(dir: &Path) {
    let Location::File(path) = Location::in_dir(dir, &crate::fixtures::room()) else { panic!("a file") };
    let db = rusqlite::Connection::open(path).expect("opens");
    let sql = "SELECT coalesce((SELECT max(arrival) FROM entry), 0) <= (SELECT indexed FROM node)";
    for _ in 0..2_000 {
        if db.query_row(sql, [], |row| row.get(0)).expect("readable") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the index stands still");
}

#[tokio::test]
async fn words_are_found_at_once_and_from_the_index() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut direct) = (Author::new(2), Author::new(2).with_log(5).to(me().id()));
    let batches = [
        ana.named("Ana"),
        ana.say_all(&["The quick brown fox", "Déjà vu, twice: déjà", "東京都に行きます"]),
        ana.batch(&[say_in("news", "the fox is quick")], None),
        direct.say("a quick word, psst"),
        ana.say("NEAR(fox) OR \"quick\" AND col:x -y *"),
    ];
    bed.append(&batches.iter().collect::<Vec<_>>()).await;
    for _ in 0..2 {
        finds(&bed, "deja", &["Déjà vu, twice: déjà"]).await;
        finds(&bed, "quick BROWN", &["The quick brown fox"]).await;
        let all =
            ["NEAR(fox) OR \"quick\" AND col:x -y *", "the fox is quick", "The quick brown fox", "a quick word, psst"];
        finds(&bed, "qui", &all).await;
        finds(&bed, "qui fox", &[]).await;
        finds(&bed, "京都", &["東京都に行きます"]).await;
        // What would mean something in a query language means itself.
        for words in ["near(fox)", "OR", "col:x", "\"quick\" \"and\"", "-y", "y*"] {
            finds(&bed, words, &["NEAR(fox) OR \"quick\" AND col:x -y *"]).await;
        }
        finds(&bed, "words : quick", &[]).await;
        finds(&bed, "Ana", &[]).await;

        let found = hits(&bed, for_words("deja")).await;
        assert_eq!(found[0].ranges, [0..6, 18..24]);
        let news = Conversation::Channel(roomful::proto::names::name::Name::from_lossy("news", "?"));
        let in_news = hits(&bed, SearchQuery { conversation: Some(news), ..for_words("quick") }).await;
        assert_eq!(texts(&in_news), ["the fox is quick"]);
        let nowhere = Conversation::Direct(Author::new(9).id());
        assert!(hits(&bed, SearchQuery { conversation: Some(nowhere), ..for_words("quick") }).await.is_empty());
        for (author, count) in [(2, 4), (3, 0)] {
            let from = Some(Author::new(author).id());
            assert_eq!(hits(&bed, SearchQuery { from, ..for_words("quick") }).await.len(), count);
        }
        indexed(dir.path()).await;
    }
    bed.store.close().await;
    let bed = Bed::at(&dir);
    finds(&bed, "brown", &["The quick brown fox"]).await;
    bed.store.close().await;
}

#[tokio::test]
async fn pages_of_hits_continue_at_equal_places() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut batches = Vec::new();
    for log in [1, u64::MAX, 1 << 63, 5] {
        let mut author = Author::new(2).with_log(log);
        batches.extend((0..7).map(|number| author.say(&format!("word {log}:{number}"))));
    }
    let (mut lines, _) = bed.append(&batches.iter().rev().collect::<Vec<_>>()).await;
    lines.sort_by_key(|line| std::cmp::Reverse(line.order));
    indexed(dir.path()).await;
    for limit in [1, 3, 10, 28] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = hits(&bed, SearchQuery { before, limit, ..for_words("wor") }).await;
            let Some(last) = page.last() else { break };
            before = Some(last.line.order);
            found.extend(page.into_iter().map(|hit| hit.line));
        }
        assert_eq!(found, lines, "by {limit}");
    }
    let (newer, older) = (lines[3].order, lines[9].order);
    let between = hits(&bed, SearchQuery { before: Some(newer), after: Some(older), ..for_words("word") }).await;
    assert_eq!(between.into_iter().map(|hit| hit.line).collect::<Vec<_>>(), lines[4..9]);
}

#[tokio::test]
async fn pages_of_hits_end_at_their_bytes() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let mut ana = Author::new(2);
    for number in 0..9 {
        bed.append(&[&ana.say(&format!("found {number} {}", "x".repeat(1_000)))]).await;
    }
    let (mut before, mut found, mut pages) = (None, Vec::new(), 0);
    loop {
        let search = SearchQuery { before, ..for_words("found") };
        let page = bed.store.search(search, budget(2_500)).await.expect("readable");
        assert!(page.hits.len() <= 2);
        found.extend(page.hits.iter().map(|hit| hit.line.arrival));
        pages += 1;
        before = page.before;
        if before.is_none() {
            break;
        }
    }
    assert_eq!((found, pages), ((1..=9).rev().collect::<Vec<_>>(), 5));
    let one = bed.store.search(for_words("found"), budget(1)).await.expect("readable");
    assert_eq!(one.hits.len(), 1, "one always comes");
}

#[tokio::test]
async fn search_works_in_memory_and_with_index_backlog() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let mut ana = Author::new(2);
    for hundred in 0..30 {
        let texts: Vec<_> = (0..50).map(|number| format!("number{} of many", hundred * 50 + number)).collect();
        bed.append(&[&ana.say_all(&texts.iter().map(String::as_str).collect::<Vec<_>>())]).await;
    }
    for _ in 0..2_000 {
        if !hits(&bed, for_words("number0")).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    finds(&bed, "many number1499", &["number1499 of many"]).await;
    finds(&bed, "many number0", &["number0 of many"]).await;
    assert_eq!(hits(&bed, SearchQuery { limit: 500, ..for_words("many") }).await.len(), 500);
}

#[tokio::test]
async fn large_history_is_searched_newest_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut lines = Vec::new();
    // The second author's messages arrive after all of the first one's, and stand between them.
    for number in [2, 3] {
        let mut author = Author::new(number);
        for batch in 0..84 {
            let age = if batch < 70 { "old" } else { "new" };
            let texts: Vec<_> = (0..64).map(|index| format!("common {age} number{}", batch * 64 + index)).collect();
            let batch = author.say_all(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            lines.extend(bed.append(&[&batch]).await.0);
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.order));
    indexed(dir.path()).await;
    // The first is found by reading, the second on the way down, the third by looking up.
    for words in ["common", "old", "number77"] {
        for from in [None, Some(Author::new(3).id())] {
            for conversation in [None, Some(Conversation::general())] {
                let mut expected = lines.iter().filter(|line| line.text.contains(words));
                let (mut before, mut pages) = (None, 0);
                while pages < 3 {
                    let search = SearchQuery { before, from, conversation: conversation.clone(), ..for_words(words) };
                    let page = bed.store.search(search, budget(usize::MAX)).await.expect("readable");
                    for hit in &page.hits {
                        let next = expected.find(|line| from.is_none_or(|from| line.order.author == from));
                        assert_eq!(Some(&hit.line), next, "{words}, page {pages}");
                    }
                    (before, pages) = (page.before, pages + 1);
                    if before.is_none() {
                        assert_eq!(expected.find(|line| from.is_none_or(|from| line.order.author == from)), None);
                        break;
                    }
                    assert_eq!(page.hits.len(), 50);
                }
            }
        }
    }
    bed.store.close().await;
}

#[tokio::test]
async fn damaged_index_is_rebuilt() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    bed.append(&[&ana.say("before the damage")]).await;
    indexed(dir.path()).await;
    bed.store.close().await;
    let Location::File(path) = Location::in_dir(dir.path(), &crate::fixtures::room()) else { panic!("a file") };
    let db = rusqlite::Connection::open(path).expect("opens");
    db.execute("UPDATE search_data SET block = x'0123456789'", []).expect("damaged");
    drop(db);
    let mut bed = Bed::at(&dir);
    bed.append(&[&ana.say("after the damage")]).await;
    finds(&bed, "the dama", &["after the damage", "before the damage"]).await;
    indexed(dir.path()).await;
    finds(&bed, "damage", &["after the damage", "before the damage"]).await;
    bed.store.close().await;
}

#[tokio::test]
async fn index_of_illegible_messages_is_rebuilt_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let mut ana = Author::new(2);
    let batches: Vec<_> = (0..1_500).map(|number| ana.say(&format!("message {number:04}"))).collect();
    bed.append(&batches.iter().collect::<Vec<_>>()).await;
    bed.store.close().await;
    let Location::File(path) = Location::in_dir(dir.path(), &room()) else { panic!("a file") };
    let db = rusqlite::Connection::open(&path).expect("opens");
    db.execute_batch("PRAGMA journal_mode = DELETE; UPDATE node SET indexed = 0").expect("changed");
    drop(db);
    // The page with an old message: a start that finds a database closed well does not read it.
    let mut bytes = std::fs::read(&path).expect("readable");
    let text = b"message 0100";
    let at = bytes.windows(text.len()).position(|part| part == text).expect("stored");
    bytes[at / 4096 * 4096..][..8].fill(0);
    std::fs::write(&path, bytes).expect("written");
    let bed = Bed::at(&dir);
    let failed = tokio::time::timeout(Duration::from_secs(60), bed.store.failed());
    assert!(failed.await.expect("it does not try for ever").contains("damaged"));
}
