//! Appending, reading, order, cursors.

use roomful::proto::timeline::Conversation;
use roomful::store::{At, Filter, Location};

use crate::support::{Author, Bed, me, say_in, texts};

#[tokio::test]
async fn what_was_said_is_there_after_a_restart() {
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
    let page = bed.page(At::Newest, 100).await;
    assert_eq!(page.lines, lines, "a line is the same when it is read again");
    assert_eq!((page.before, page.arrival), (None, 4));
    assert_eq!(bed.opened.arrival, 4);
    let log = &bed.opened.snapshot.logs[0];
    assert_eq!((log.key, log.ranges.len(), log.ranges[0].first, log.ranges[0].last), (ana.log_key(), 1, 1, 4));
    bed.store.close().await;
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).expect("a directory").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(left.len(), 1, "a clean end leaves one file: {left:?}");
}

#[tokio::test]
async fn a_store_in_memory_does_the_same() {
    let mut bed = Bed::open(Location::Memory, crate::support::NOON);
    let mut ana = Author::new(2);
    let (lines, _) = bed.append(&[&ana.named("Ana"), &ana.say("hello")]).await;
    assert_eq!(bed.page(At::Newest, 100).await.lines, lines);
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
        let filter = Filter { conversation: Some(line.conversation.clone()) };
        let page = bed.store.page(filter, At::Newest, 10, usize::MAX).await.expect("readable").expect("found");
        assert_eq!(page.lines, [line.clone()]);
    }
    let nowhere = Filter { conversation: Some(Conversation::Direct(Author::new(9).id())) };
    let page = bed.store.page(nowhere, At::Newest, 10, usize::MAX).await.expect("readable").expect("found");
    assert!(page.lines.is_empty());
}
