//! Arrival numbers: resuming tabs, and what they receive.

use roomful::proto::entries::timeline::NoticeKind;
use roomful::proto::history::{PagePosition, PageQuery, TimelinePage};
use roomful::proto::limits::{NOTICES_CONFLICTS_KEPT, NOTICES_FORKS_KEPT, NOTICES_KEPT};
use roomful::store::{BEGINNING, Location};

use crate::fixtures::{Author, Bed, NOON, SIZES, budget, room, texts};

/// The numbers on a page, in the order of the two lists together.
fn numbers(page: &TimelinePage) -> Vec<u64> {
    let mut all: Vec<_> = page.lines.iter().map(|line| line.arrival).collect();
    all.extend(page.notices.iter().map(|notice| notice.arrival));
    all.sort_unstable();
    all
}

#[tokio::test]
async fn arrival_numbers_grow_over_restarts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ana = Author::new(2);
    let mut last = 0;
    for round in 0..4 {
        let mut bed = Bed::at(&dir);
        assert_eq!(bed.opened.arrival, last);
        let (lines, _) = bed.append(&[&ana.say("x"), &ana.say("y")]).await;
        let notice = bed.notice(NOON, ana.id()).await;
        let given: Vec<_> = lines.iter().map(|line| line.arrival).chain([notice.arrival]).collect();
        assert_eq!(given, [last + 1, last + 2, last + 3], "round {round}");
        last += 3;
        if round % 2 == 0 {
            bed.store.close().await;
        } else {
            // Dropped without a word, it is closed as well: its log is gone.
            drop(bed);
            let names =
                std::fs::read_dir(dir.path()).expect("a directory").map(|entry| entry.expect("an entry").file_name());
            assert_eq!(names.filter(|name| name.to_string_lossy().contains("-wal")).count(), 0);
        }
    }
}

#[tokio::test]
async fn polling_misses_nothing_and_gives_nothing_twice() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let mut ana = Author::new(2);
    bed.append(&[&ana.named("Ana"), &ana.say("2"), &ana.say("3")]).await;
    bed.notice(NOON, ana.id()).await;
    bed.notice(NOON, ana.id()).await;
    bed.append(&[&ana.say("6"), &ana.named("Anna"), &ana.say("8")]).await;
    bed.notice(NOON, ana.id()).await;
    for limit in [1, 2, 3, 4, 100] {
        let (mut seen, mut from) = (Vec::new(), 0);
        loop {
            let page = bed.page(PagePosition::Since(from), limit).await;
            let found = numbers(&page);
            assert!(found.len() <= limit);
            assert!(found.iter().all(|number| (from + 1..=page.arrival).contains(number)));
            if found.is_empty() {
                break;
            }
            seen.extend(found);
            from = page.arrival;
        }
        assert_eq!(seen, [2, 3, 4, 5, 6, 8, 9], "by {limit}");
    }
    let conversation = Some(roomful::proto::entries::timeline::Conversation::general());
    let query = PageQuery { at: PagePosition::Since(3), conversation, limit: 2 };
    let page = bed.store.page(query, budget(usize::MAX)).await.expect("readable").expect("found");
    assert_eq!((numbers(&page), page.arrival), (vec![4, 5], 5));
    let nothing_new = bed.page(PagePosition::Since(9), 100).await;
    assert_eq!((numbers(&nothing_new), nothing_new.arrival), (vec![], 9));
    let newest = bed.page(PagePosition::Newest, 1).await;
    assert_eq!(nothing_new.after, newest.after, "whoever goes on from there does not begin anew");
}

#[tokio::test]
async fn each_notice_is_on_exactly_one_page() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let mut ana = Author::new(2);
    for number in 0..10 {
        // Messages at whole seconds, notices between them, some before the first and after the
        // last.
        bed.notice(NOON + number * 1_700, ana.id()).await;
        bed.append(&[&ana.say("x")]).await;
    }
    for limit in [1, 3, 4, 20] {
        let mut page = bed.page(PagePosition::Newest, limit).await;
        let mut seen = numbers(&page);
        while let Some(cursor) = page.before {
            page = bed.page(PagePosition::Before(cursor), limit).await;
            seen.extend(numbers(&page));
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=20).collect::<Vec<_>>(), "by {limit}");
    }

    for limit in [1, 3, 4, 20] {
        let (mut seen, mut lines, mut cursor) = (Vec::new(), 0, BEGINNING);
        while lines < 10 {
            let page = bed.page(PagePosition::After(cursor), limit).await;
            seen.extend(numbers(&page));
            lines += page.lines.len();
            cursor = page.after;
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=20).collect::<Vec<_>>(), "forwards by {limit}");
    }
}

#[tokio::test]
async fn the_newest_notices_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let ana = Author::new(2).id();
    bed.notices(NoticeKind::Lost, ana, NOTICES_KEPT + 5).await;
    let page = bed.page(PagePosition::Newest, 10).await;
    assert_eq!(numbers(&page), (6..=NOTICES_KEPT + 5).collect::<Vec<_>>());
    let run = bed.opened.run.clone();
    let missed = bed.store.resume(run.clone(), 6, 10_000, budget(1 << 20)).await.expect("readable");
    assert_eq!(missed.expect("all are there").notices.len(), 999);
    assert!(
        bed.store.resume(run, 3, 10_000, budget(1 << 20)).await.expect("readable").is_none(),
        "some it missed are gone"
    );
}

#[tokio::test]
async fn flood_of_presence_evicts_no_conflict() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let (mallory, run) = (Author::new(2).id(), bed.opened.run.clone());
    bed.notices(NoticeKind::Forked, mallory, 1).await;
    bed.notices(NoticeKind::Conflict, mallory, 1).await;
    for kind in [NoticeKind::Joined, NoticeKind::Left, NoticeKind::Renamed] {
        bed.notices(kind, mallory, NOTICES_KEPT / 2).await;
    }
    let kept = bed.page(PagePosition::Newest, 10).await.notices;
    assert_eq!(kept.len() as u64, NOTICES_KEPT);
    assert_eq!([kept[0].kind, kept[1].kind], [NoticeKind::Forked, NoticeKind::Conflict]);
    // Presence from number 505 on is still there.
    for (after, is_resumed) in [(1, false), (503, false), (505, true), (1_500, true)] {
        let resumed = bed.store.resume(run.clone(), after, 10_000, budget(1 << 20)).await.expect("readable");
        assert_eq!(resumed.is_some(), is_resumed, "after {after}");
    }
}

#[tokio::test]
async fn flood_of_conflicts_evicts_no_more_than_its_share() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let mallory = Author::new(2).id();
    bed.notices(NoticeKind::Joined, mallory, 100).await;
    bed.notices(NoticeKind::Conflict, mallory, NOTICES_KEPT + 50).await;
    let count = async |bed: &Bed, kind| {
        bed.page(PagePosition::Newest, 10).await.notices.iter().filter(|notice| notice.kind == kind).count() as u64
    };
    assert_eq!(count(&bed, NoticeKind::Joined).await, 100);
    assert_eq!(count(&bed, NoticeKind::Conflict).await, NOTICES_KEPT - 100, "what presence does not use is lent");
    bed.notices(NoticeKind::Left, mallory, NOTICES_KEPT).await;
    assert_eq!(count(&bed, NoticeKind::Conflict).await, NOTICES_CONFLICTS_KEPT + NOTICES_FORKS_KEPT, "and taken back");
}

#[tokio::test]
async fn flood_of_conflicts_evicts_no_fork() {
    let mut bed = Bed::open(Location::Memory, NOON);
    let mallory = Author::new(2).id();
    bed.notices(NoticeKind::Forked, mallory, NOTICES_FORKS_KEPT).await;
    for kind in [NoticeKind::Conflict, NoticeKind::Joined, NoticeKind::Conflict] {
        bed.notices(kind, mallory, NOTICES_KEPT).await;
    }
    let kept = bed.page(PagePosition::Newest, 10).await.notices;
    let count = |kind| kept.iter().filter(|notice| notice.kind == kind).count() as u64;
    assert_eq!([count(NoticeKind::Forked), kept.len() as u64], [NOTICES_FORKS_KEPT, NOTICES_KEPT]);
    let presence = NOTICES_KEPT - NOTICES_CONFLICTS_KEPT - NOTICES_FORKS_KEPT;
    assert_eq!(count(NoticeKind::Joined), presence, "each class keeps its share");
}

#[tokio::test]
async fn tab_resumes_or_reloads() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ana = Author::new(2);
    let mut bed = Bed::at(&dir);
    bed.append(&[&ana.named("Ana"), &ana.say("2"), &ana.say("3")]).await;
    let first_run = bed.opened.run.clone();
    bed.store.close().await;
    let mut bed = Bed::at(&dir);
    bed.notice(NOON, ana.id()).await;
    bed.append(&[&ana.say("5")]).await;
    let run = bed.opened.run.clone();
    assert_ne!(run, first_run);

    let resume = async |run: &str, after, limit| {
        let missed = bed.store.resume(run.to_owned(), after, limit, budget(1 << 20)).await.expect("readable");
        missed.map(|missed| (texts(&missed.lines), missed.notices.len(), missed.arrival))
    };
    let check = |texts: &[&str], notices| Some((texts.iter().map(|t| (*t).to_owned()).collect(), notices, 5));
    assert_eq!(resume(&run, 0, 10).await, check(&["2", "3", "5"], 1));
    assert_eq!(resume(&first_run, 2, 10).await, check(&["3", "5"], 1));
    assert_eq!(resume(&first_run, 2, 3).await, check(&["3", "5"], 1));
    assert_eq!(resume(&first_run, 2, 2).await, None, "too much");
    assert_eq!(resume(&run, 5, 10).await, check(&[], 0));
    assert_eq!(resume(&run, 6, 10).await, None, "never given");
    assert_eq!(resume(&first_run, 4, 10).await, None, "not given in that run");
    assert_eq!(resume("0123456789abcdef", 2, 10).await, None, "no such run");

    let fresh = bed.store.welcome(None, SIZES).await.expect("readable");
    assert_eq!((fresh.reset, texts(&fresh.lines).len(), fresh.notices.len(), fresh.arrival), (false, 3, 1, 5));
    assert_eq!((fresh.conversations.len(), fresh.conversations[0].unread), (1, 3));
    let again = bed.store.welcome(Some((run, 4)), SIZES).await.expect("readable");
    assert_eq!((again.reset, texts(&again.lines)), (false, vec!["5".to_owned()]));
    let reset = bed.store.welcome(Some(("nonsense".to_owned(), 4)), SIZES).await.expect("readable");
    assert_eq!((reset.reset, texts(&reset.lines).len()), (true, 3));
}

#[tokio::test]
async fn restored_backup_makes_tabs_reload() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ana = Author::new(2);
    let path = Location::in_dir(dir.path(), &room());
    let Location::File(file) = path.clone() else { panic!("a file") };
    let mut bed = Bed::open(path.clone(), NOON);
    bed.append(&[&ana.say("1"), &ana.say("2")]).await;
    bed.store.close().await;

    // The backup is taken in the middle of a run (its log was just moved into the file).
    let mut bed = Bed::open(path.clone(), NOON);
    let run = bed.opened.run.clone();
    bed.append(&[&ana.say("3")]).await;
    let copy = rusqlite::Connection::open(&file).expect("a reader");
    let backup = dir.path().join("backup");
    copy.execute("VACUUM INTO ?1", [backup.to_string_lossy()]).expect("a copy");
    drop(copy);
    bed.append(&[&ana.say("4"), &ana.say("5")]).await;
    bed.store.close().await;

    std::fs::rename(&backup, &file).expect("put back");
    let mut other = Author::new(3);
    let mut bed = Bed::open(path, NOON);
    bed.append(&[&other.say("another 4"), &other.say("another 5"), &other.say("another 6")]).await;
    let resume = async |after| {
        let missed = bed.store.resume(run.clone(), after, 100, budget(1 << 20)).await.expect("readable");
        missed.map(|missed| texts(&missed.lines))
    };
    assert_eq!(resume(5).await, None, "4 and 5 were other messages then");
    assert_eq!(resume(3).await.map(|missed| missed.len()), Some(3), "up to 3 nothing has changed");
}
