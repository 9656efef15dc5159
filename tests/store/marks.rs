//! What the user thinks of a member: kept, and who is blocked is not shown, but stored, exported and shown again.

use roomful::proto::history::{At, ExportQuery};
use roomful::proto::marks::{MarkChange, Marks};
use roomful::proto::record::{Marked, Write, Written};

use crate::support::{Author, Bed, NOON, SIZES, budget, texts};

const BLOCK: MarkChange = MarkChange { verified: None, muted: None, blocked: Some(true) };

async fn mark(bed: &mut Bed, author: &Author, change: MarkChange) -> Marked {
    bed.store.write(Write::Mark { member: author.id(), change });
    match bed.answer().await {
        Written::Marked(marked) => marked,
        other => panic!("not expected here: {other:?}"),
    }
}

#[tokio::test]
async fn marks_are_kept_and_changed_one_by_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (ana, ben) = (Author::new(2), Author::new(3));
    bed.notice(NOON, ana.id()).await;
    let verify = MarkChange { verified: Some(true), ..MarkChange::default() };
    assert_eq!(mark(&mut bed, &ana, verify).await.run, None);
    let marked = mark(&mut bed, &ana, MarkChange { muted: Some(true), ..BLOCK }).await;
    let all = Marks { verified: true, muted: true, blocked: true };
    assert_eq!((marked.marks, marked.run.is_some()), (all, true));
    mark(&mut bed, &ben, verify).await;
    mark(&mut bed, &ben, MarkChange { verified: Some(false), ..MarkChange::default() }).await;
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert_eq!(bed.opened.snapshot.marks, [(ana.id(), all)]);
}

#[tokio::test]
async fn who_is_blocked_is_not_shown_and_later_is_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut ben) = (Author::new(2), Author::new(3));
    bed.append(&[&ben.say("ben first"), &ana.say("ana one"), &ben.say("ben two")]).await;
    let old_run = bed.opened.run.clone();
    let run = mark(&mut bed, &ben, BLOCK).await.run.expect("other messages are shown");
    let (lines, _) = bed.append(&[&ben.say("ben three"), &ana.say("ana two")]).await;
    assert_eq!(lines.len(), 2, "the engine has to know of all");

    assert_eq!(bed.texts().await, ["ana one", "ana two"]);
    assert_eq!(texts(&bed.page(At::Since(0), 100).await.lines), ["ana one", "ana two"]);
    let page = bed.page(At::Newest, 2).await;
    assert_eq!((texts(&page.lines), page.before), (vec!["ana one".to_owned(), "ana two".to_owned()], None));
    crate::search::finds(&bed, "ben", &[]).await;
    crate::search::indexed(dir.path()).await;
    crate::search::finds(&bed, "two", &["ana two"]).await;
    assert_eq!(bed.store.conversations().await.expect("readable")[0].unread, 2);
    let exported = bed
        .store
        .export(ExportQuery { after: None, direct: false, limit: 100 }, budget(usize::MAX))
        .await
        .expect("readable");
    assert_eq!(exported.lines.len(), 5, "an export holds what is held");

    // A tab from before can't go on: it shows what is not to be shown.
    assert!(bed.store.welcome(Some((old_run, 3)), SIZES).await.expect("readable").reset);
    let resumed = bed.store.welcome(Some((run.clone(), 3)), SIZES).await.expect("readable");
    assert_eq!((texts(&resumed.lines), resumed.reset), (vec!["ana two".to_owned()], false));

    mark(&mut bed, &ben, MarkChange { blocked: Some(false), ..MarkChange::default() }).await;
    assert_eq!(bed.texts().await.len(), 5);
    crate::search::finds(&bed, "ben", &["ben three", "ben two", "ben first"]).await;
    assert_eq!(bed.store.conversations().await.expect("readable")[0].unread, 5);
    assert!(bed.store.welcome(Some((run, 3)), SIZES).await.expect("readable").reset);
}
