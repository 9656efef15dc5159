//! What this node says while the disk is full.

use std::collections::BTreeSet;

use super::*;
use crate::proto::record::{WriteError, Written};

#[test]
fn a_log_that_could_not_be_stored_is_never_written_to_again() {
    let mut engine = engine();
    let say = |engine: &mut Engine, asker: u64| {
        let (channel, text) = (Name::lossy("general", "?"), "hi".to_owned());
        let say = Say { to: None, channel, text, reply_to: None, hooray: false, reference: None };
        let actions = engine.handle(at(asker), Input::Say { asker: AskId(asker), say });
        let append = |action: &Action| match action {
            Action::Write(WriteAction(Write::Append { token, batches })) => Some((*token, batches[0].batch.clone())),
            _ => None,
        };
        actions.iter().find_map(append).expect("a write")
    };
    let places: Vec<_> = (0..3)
        .map(|asker| {
            let (token, batch) = say(&mut engine, asker);
            let failed = Written::Failed { token, error: WriteError::DiskFull };
            engine.handle(at(asker), Input::Written(failed));
            (batch.header().log, batch.header().first_seq)
        })
        .collect();
    let logs: BTreeSet<_> = places.iter().map(|(log, _)| log.0).collect();
    assert_eq!(logs.len(), 3, "a place is signed twice: {places:?}");
}
