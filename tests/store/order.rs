//! Places: the same order for any order of arrival, and corrections are reported.

use proptest::prelude::*;
use roomful::proto::entries::batch::Verified;
use roomful::proto::history::PagePosition;
use roomful::proto::replication::store_api::Append;
use roomful::store::Location;

use crate::fixtures::{Author, Bed, NOON, budget, texts};

#[tokio::test]
async fn late_referenced_entry_moves_all_dependents() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    // Ana's clock is an hour ahead. Ben has seen her message and Cid has seen Ben's; both their
    // clocks are right.
    let (mut ana, mut ben, mut cid) = (Author::new(2), Author::new(3), Author::new(4));
    ana.at_ms = 3_600_000;
    let ahead = ana.say("from ahead");
    let ben_1 = ben.batch(&[crate::fixtures::say("ben"), crate::fixtures::say("ben again")], Some(ahead.entry_id(0)));
    let ben_2 = ben.say("ben once more");
    let cid_1 = cid.batch(&[crate::fixtures::say("cid")], Some(ben_2.entry_id(0)));
    let mut dan = Author::new(5);
    dan.at_ms = 60_000;
    let plain = dan.say("a minute later");

    bed.append(&[&cid_1, &ben_1, &plain, &ben_2]).await;
    assert_eq!(bed.texts().await, ["ben", "ben again", "ben once more", "cid", "a minute later"]);
    let seen = bed.store.arrival().await.expect("readable");

    let (lines, moved) = bed.append(&[&ahead]).await;
    assert_eq!(texts(&lines), ["from ahead"]);
    let mut corrected = texts(&moved);
    corrected.sort();
    assert_eq!(corrected, ["ben", "ben again", "ben once more", "cid"]);
    let page = bed.page(PagePosition::Newest, 100).await;
    assert_eq!(texts(&page.lines), ["a minute later", "from ahead", "ben", "ben again", "ben once more", "cid"]);
    for line in &moved {
        assert!(page.lines.contains(line), "what is told is what is stored");
    }
    // A tab that was away learns it too.
    let missed =
        bed.store.resume(bed.opened.run.clone(), seen, 100, budget(1 << 20)).await.expect("readable").expect("known");
    assert_eq!(texts(&missed.lines), ["from ahead"]);
    assert_eq!(missed.moved.len(), 4);
    let after = bed.store.resume(bed.opened.run.clone(), missed.arrival, 100, budget(1 << 20)).await.expect("readable");
    assert_eq!(after.expect("known").moved, []);
}

#[tokio::test]
async fn filled_gap_moves_the_entries_behind_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut ben) = (Author::new(2), Author::new(3));
    ana.at_ms = 3_600_000;
    let ahead = ana.say("from ahead");
    let first = ben.named("Ben");
    let second = ben.batch(&[crate::fixtures::say("stands on ahead")], Some(ahead.entry_id(0)));
    let third = ben.say("behind the gap");
    bed.append(&[&ahead, &third]).await;
    assert_eq!(bed.texts().await, ["behind the gap", "from ahead"]);
    let counts = bed.store.counts().await.expect("readable");
    assert_eq!((counts.entries, counts.missing), (2, 2));
    assert_eq!(counts.lacking, [(ben.id(), 2)]);
    assert_eq!(bed.page(PagePosition::Newest, 1).await.lines[0].name.as_str(), ana.id().short(), "no name has come");

    let (_, moved) = bed.append(&[&second]).await;
    assert_eq!(texts(&moved), ["behind the gap"]);
    bed.append(&[&first]).await;
    let page = bed.page(PagePosition::Newest, 100).await;
    assert_eq!(texts(&page.lines), ["from ahead", "stands on ahead", "behind the gap"]);
    assert_eq!(page.lines[2].name.as_str(), "Ben");
    let counts = bed.store.counts().await.expect("readable");
    assert_eq!((counts.entries, counts.missing), (4, 0));
    assert_eq!(counts.lacking, []);
    bed.store.close().await;
    let bed = Bed::at(&dir);
    let ranges = bed.opened.snapshot.logs.iter().map(|log| log.ranges.len()).collect::<Vec<_>>();
    assert_eq!(ranges, [1, 1], "what a filled gap connects is one range");
}

#[tokio::test]
async fn missing_entries_are_counted_by_author() {
    let mut bed = Bed::open(Location::Memory, NOON);
    // The last entry of a log of each author is held: the later the author, the more is missing
    // before it.
    let mut expected = Vec::new();
    for seed in 2..22_u8 {
        let mut author = Author::new(seed);
        let last = (0..=seed).map(|_| author.say("one of many")).last().expect("some");
        bed.append(&[&last]).await;
        expected.push((author.id(), u64::from(seed)));
    }
    // Another log of the first author adds to its missing entries. One without gaps adds to none.
    let mut more = Author::new(2).with_log(9);
    let last = (0..=50).map(|_| more.say("another log")).last().expect("some");
    bed.append(&[&last, &Author::new(30).say("all of it")]).await;
    expected[0].1 += 50;
    expected.sort_by_key(|(_, missing)| std::cmp::Reverse(*missing));

    let counts = bed.store.counts().await.expect("readable");
    assert_eq!(counts.missing, expected.iter().map(|(_, missing)| missing).sum::<u64>());
    assert_eq!(counts.lacking, expected[..16]);
}

#[tokio::test]
async fn repeated_corrections_are_reported_once() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let (mut ana, mut ben) = (Author::new(2), Author::new(3));
    ana.at_ms = 3_600_000;
    let ahead = ana.say("from ahead");
    let on_it = ben.batch(&[crate::fixtures::say("on it")], Some(ahead.entry_id(0)));
    let (lines, moved) = bed.append(&[&on_it, &ahead]).await;
    assert_eq!(moved, []);
    assert!(lines[0].order > lines[1].order, "a line is told as it stands at the end");
}

/// A room with some wrong clocks: each author writes in turn, having seen everything before or
/// nothing.
fn conversation(turns: &[(u8, bool, u64)]) -> Vec<Verified> {
    let mut authors: Vec<Author> = (2..6).map(Author::new).collect();
    for (index, author) in authors.iter_mut().enumerate() {
        author.at_ms = [0, 0, 600_000, 3_600_000][index];
    }
    let mut said: Vec<Verified> = Vec::new();
    for (number, (who, has_seen, pause_ms)) in turns.iter().enumerate() {
        let author = &mut authors[usize::from(who % 4)];
        author.at_ms += pause_ms;
        let after = said.last().filter(|_| *has_seen).map(|batch| batch.entry_id(0));
        let bodies: Vec<_> = (0..=number % 3).map(|part| crate::fixtures::say(&format!("{number}.{part}"))).collect();
        said.push(author.batch(&bodies, after));
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The final order is the same for any order of arrival and any division into requests.
    #[test]
    fn any_order_of_arrival_gives_one_order(
        (turns, shuffled, sizes) in prop::collection::vec((any::<u8>(), any::<bool>(), 0..5_000_u64), 1..20)
            .prop_flat_map(|turns| {
                let numbers: Vec<usize> = (0..turns.len()).collect();
                (Just(turns), Just(numbers).prop_shuffle(), prop::collection::vec(1..4_usize, 20))
            })
    ) {
        let batches = conversation(&turns);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (straight, mixed) = runtime.block_on(async {
            let mut straight = Bed::open(Location::Memory, NOON);
            straight.append(&batches.iter().collect::<Vec<_>>()).await;
            let mut mixed = Bed::open(Location::Memory, NOON);
            let mut rest = shuffled.iter().map(|index| &batches[*index]).collect::<Vec<_>>();
            let mut shown = std::collections::BTreeMap::new();
            for size in sizes {
                let part = rest.drain(..size.min(rest.len())).collect::<Vec<_>>();
                // Some of it comes twice.
                let twice = part.iter().chain(part.first()).copied().collect::<Vec<_>>();
                let (lines, moved) = mixed.append(&twice).await;
                for line in lines.into_iter().chain(moved) {
                    shown.insert(line.id, line.order);
                }
            }
            let requests = rest.iter().map(|batch| Append { batch: (*batch).clone(), own: None }).collect();
            for line in mixed.append_all(requests).await.map(|(lines, moved)| [lines, moved].concat()).expect("room") {
                shown.insert(line.id, line.order);
            }
            // What a tab was told, and nothing else, is what the timeline says.
            let end = mixed.page(PagePosition::Newest, 1_000).await;
            for line in &end.lines {
                assert_eq!(shown.get(&line.id), Some(&line.order), "{}", line.text);
            }
            (straight.page(PagePosition::Newest, 1_000).await.lines, end.lines)
        });
        prop_assert_eq!(texts(&straight), texts(&mixed));
        prop_assert!(straight.windows(2).all(|pair| pair[0].order < pair[1].order));
        let orders = |lines: &[roomful::proto::entries::timeline::Message]| lines.iter().map(|l| l.order).collect::<Vec<_>>();
        prop_assert_eq!(orders(&straight), orders(&mixed));
    }
}
