//! What the store had to mend in this run, for its user: said on the page until the next start.

use std::sync::{Arc, Mutex, PoisonError};

/// Sentences for people, shared by the store and its writer, which finds more while it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Mended(Arc<Mutex<Option<String>>>);

impl Mended {
    /// Has a sentence told as well; each is told once.
    pub(super) fn add(&self, sentence: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *told {
            Some(told) if told.contains(sentence) => {}
            Some(told) => *told = format!("{told} {sentence}"),
            none => *none = Some(sentence.to_owned()),
        }
    }

    /// True if a sentence is told.
    pub(super) fn has(&self, sentence: &str) -> bool {
        self.told().is_some_and(|told| told.contains(sentence))
    }

    /// All that was mended so far.
    pub(super) fn told(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
