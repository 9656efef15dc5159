//! What this node says while the disk is full.

use std::collections::BTreeSet;

use super::*;
use crate::proto::entries::body::Body;
use crate::proto::ids::EntryId;
use crate::proto::limits::COMPARE_EVERY_MS;
use crate::proto::replication::store_api::{Append, UndeletedEdit, UnpublishedEntry, WriteError, WriteResult};

/// The own batches that are written: the number of each write, and what is said.
fn writes(actions: &[Action]) -> Vec<(u64, Vec<Body>)> {
    let bodies = |batches: &[Append]| {
        let mut said = Vec::new();
        for Append { batch, .. } in batches {
            let bodies = (0..batch.header().entries.len()).filter_map(|at| batch.body(at));
            said.extend(bodies.filter(|body| !matches!(body, Body::Profile { .. })));
        }
        said
    };
    let write = |action: &Action| match action {
        Action::Write(WriteAction(Write::Append { token, batches })) => Some((*token, bodies(batches))),
        _ => None,
    };
    actions.iter().filter_map(write).collect()
}

fn fails(engine: &mut Engine, mono_ms: u64, token: u64) -> Vec<Action> {
    engine.handle(at(mono_ms), Input::Written(WriteResult::Failed { token, error: WriteError::DiskFull }))
}

#[test]
fn log_with_a_failed_write_is_retired() {
    let mut engine = engine();
    let say = |engine: &mut Engine, asker: u64| {
        let actions = engine.handle(at(asker), Input::Say { asker: AskId(asker), say: hi() });
        let append = |action: &Action| match action {
            Action::Write(WriteAction(Write::Append { token, batches })) => Some((*token, batches[0].batch.clone())),
            _ => None,
        };
        actions.iter().find_map(append).expect("a write")
    };
    let places: Vec<_> = (0..3)
        .map(|asker| {
            let (token, batch) = say(&mut engine, asker);
            let failed = WriteResult::Failed { token, error: WriteError::DiskFull };
            engine.handle(at(asker), Input::Written(failed));
            (batch.header().log, batch.header().first_seq)
        })
        .collect();
    let logs: BTreeSet<_> = places.iter().map(|(log, _)| log.0).collect();
    assert_eq!(logs.len(), 3, "a place is signed twice: {places:?}");
}

#[test]
fn deletion_of_an_edit_that_failed_is_repeated() {
    let id = EntryId { log: LogId(1), seq: 2, check: [3; 16] };
    let to_delete = vec![UndeletedEdit { id, audience: None }];
    let mut engine = started(Snapshot { to_delete, ..Snapshot::default() });
    let mut now_ms = 0;
    for _ in 0..3 {
        let written = writes(&pass(&mut engine, now_ms, now_ms + 2 * COMPARE_EVERY_MS));
        now_ms += 2 * COMPARE_EVERY_MS;
        assert_eq!(written.len(), 1, "{written:?}");
        assert_eq!(written[0].1, [Body::delete(id)]);
        fails(&mut engine, now_ms, written[0].0);
    }
}

#[test]
fn ref_of_an_entry_to_be_said_again_is_taken() {
    let reference = IdempotencyKey { name: "r".to_owned(), content: Hash([1; 32]) };
    let body = Body::say("lost".to_owned(), None, None);
    let lost = UnpublishedEntry { number: 1, audience: None, body: body.clone(), reference: Some(reference.clone()) };
    let mut engine = started(Snapshot { fallen: vec![lost], ..Snapshot::default() });
    let repeat = |engine: &mut Engine, asker: u64, mono_ms: u64| {
        let say = SayCommand { reference: Some(reference.clone()), ..hi() };
        engine.handle(at(mono_ms), Input::Say { asker: AskId(asker), say })
    };
    let answers = |actions: &[Action], asker: u64| {
        let is_answer = |action: &&Action| matches!(action, Action::Answer { asker: to, .. } if *to == AskId(asker));
        actions.iter().filter(is_answer).count()
    };
    let mut actions = repeat(&mut engine, 1, 0);
    let mut now_ms = 0;
    for asker in 1..4 {
        actions.extend(pass(&mut engine, now_ms, now_ms + 2 * COMPARE_EVERY_MS));
        now_ms += 2 * COMPARE_EVERY_MS;
        let written = writes(&actions);
        assert_eq!(written.iter().map(|(_, bodies)| bodies.as_slice()).collect::<Vec<_>>(), [[body.clone()]]);
        assert_eq!(answers(&actions, asker), 0);
        let failed = fails(&mut engine, now_ms, written[0].0);
        assert_eq!(answers(&failed, asker), 1);
        actions = repeat(&mut engine, asker + 1, now_ms);
    }
}
