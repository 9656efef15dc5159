//! The user's flags for members persist. Messages of blocked members are hidden, but stored,
//! exported and shown again later.

use roomful::proto::entries::body::Body;
use roomful::proto::entries::deletion::strip;
use roomful::proto::history::{ExportQuery, PagePosition};
use roomful::proto::member_flags::{FlagChange, MemberFlags};
use roomful::proto::replication::store_api::{FlagWriteResult, Write, WriteResult};

use crate::fixtures::{Author, Bed, NOON, SIZES, budget, texts};

const BLOCK: FlagChange = FlagChange { verified: None, muted: None, blocked: Some(true) };

async fn mark(bed: &mut Bed, author: &Author, change: FlagChange) -> FlagWriteResult {
    bed.store.write(Write::Mark { member: author.id(), change });
    match bed.answer().await {
        WriteResult::Marked(marked) => marked,
        other => panic!("not expected here: {other:?}"),
    }
}

#[tokio::test]
async fn marks_are_kept_and_changed_one_by_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (ana, ben) = (Author::new(2), Author::new(3));
    bed.notice(NOON, ana.id()).await;
    let verify = FlagChange { verified: Some(true), ..FlagChange::default() };
    assert_eq!(mark(&mut bed, &ana, verify).await.run, None);
    let marked = mark(&mut bed, &ana, FlagChange { muted: Some(true), ..BLOCK }).await;
    let all = MemberFlags { verified: true, muted: true, blocked: true };
    assert_eq!((marked.marks, marked.run.is_some()), (all, true));
    mark(&mut bed, &ben, verify).await;
    mark(&mut bed, &ben, FlagChange { verified: Some(false), ..FlagChange::default() }).await;
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert_eq!(bed.opened.snapshot.marks, [(ana.id(), all)]);
}

#[tokio::test]
async fn blocked_member_is_hidden_and_shown_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut ben) = (Author::new(2), Author::new(3));
    bed.append(&[&ben.say("ben first"), &ana.say("ana one"), &ben.say("ben two")]).await;
    let old_run = bed.opened.run.clone();
    let run = mark(&mut bed, &ben, BLOCK).await.run.expect("other messages are shown");
    let (lines, _) = bed.append(&[&ben.say("ben three"), &ana.say("ana two")]).await;
    assert_eq!(lines.len(), 2, "the engine has to know of all");

    assert_eq!(bed.texts().await, ["ana one", "ana two"]);
    assert_eq!(texts(&bed.page(PagePosition::Since(0), 100).await.lines), ["ana one", "ana two"]);
    let page = bed.page(PagePosition::Newest, 2).await;
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

    mark(&mut bed, &ben, FlagChange { blocked: Some(false), ..FlagChange::default() }).await;
    assert_eq!(bed.texts().await.len(), 5);
    crate::search::finds(&bed, "ben", &["ben three", "ben two", "ben first"]).await;
    assert_eq!(bed.store.conversations().await.expect("readable")[0].unread, 5);
    assert!(bed.store.welcome(Some((run, 3)), SIZES).await.expect("readable").reset);
}

#[tokio::test]
async fn blocked_member_is_hidden_in_live_messages() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut ben) = (Author::new(2), Author::new(3));
    let (said, theirs) = (ana.say("ana"), ben.say("ben"));
    bed.append(&[&said, &theirs]).await;
    mark(&mut bed, &ben, BLOCK).await;
    let react = Body::React { entry: said.entry_id(0), emoji: "👍".to_owned(), off: false };
    let (_, changed) = bed.append(&[&ben.batch(&[react], None)]).await;
    assert_eq!(changed.iter().map(|line| line.changes.reactions.len()).collect::<Vec<_>>(), [0]);
    let answer = Body::say("re".to_owned(), None, Some(theirs.entry_id(0)));
    let (lines, _) = bed.append(&[&ana.batch(&[answer], Some(theirs.entry_id(0)))]).await;
    assert_eq!(lines, bed.page(PagePosition::Newest, 1).await.lines);
    assert_eq!(lines[0].reply, None);
}

#[tokio::test]
async fn message_that_came_deleted_is_never_unread() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    let (mut ana, mut ben) = (Author::new(2), Author::new(3));
    let said = ana.say_all(&["regretted", "kept"]);
    let channel = Some("general".to_owned());
    let deletion = ana.batch(&[Body::Delete { entry: said.entry_id(0), channel }], None);
    let stripped = strip(&said, 0, &deletion).expect("of the same author");
    bed.append(&[&stripped, &ben.say("ben")]).await;
    let unread = async |bed: &Bed| bed.store.conversations().await.expect("readable")[0].unread;
    assert_eq!(unread(&bed).await, 2);
    mark(&mut bed, &ben, BLOCK).await;
    assert_eq!(unread(&bed).await, 1);
    bed.append(&[&deletion]).await;
    assert_eq!(unread(&bed).await, 1);
    mark(&mut bed, &ben, FlagChange { blocked: Some(false), ..FlagChange::default() }).await;
    assert_eq!(unread(&bed).await, 2);
}
