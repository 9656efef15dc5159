//! Questions of one peer that wait for their answers, in order, and each content once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::proto::ids::Hash;

/// A question which parts of some content are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaitingQuestion {
    pub(super) content: Hash,
    /// True if the peer asked; false if there is more to tell.
    pub(super) is_asked: bool,
}

/// The two ends of the queue: the event loop asks, and a task answers. The caller bounds the
/// content that a peer may ask about.
pub(super) struct Questions(Arc<QuestionQueue>);

#[derive(Default)]
struct QuestionQueue {
    waiting: Mutex<VecDeque<WaitingQuestion>>,
    changed: Notify,
    is_closed: AtomicBool,
}

impl Questions {
    /// Makes an empty queue. Returns its ends.
    pub(super) fn new() -> (Self, Self) {
        let inner: Arc<QuestionQueue> = Arc::default();
        (Self(inner.clone()), Self(inner))
    }

    /// Adds a question behind the others, unless it waits already.
    pub(super) fn ask(&self, question: WaitingQuestion) {
        let mut waiting = self.lock();
        match waiting.iter_mut().find(|other| other.content == question.content) {
            Some(other) => other.is_asked |= question.is_asked,
            None => waiting.push_back(question),
        }
        self.0.changed.notify_one();
    }

    /// Forgets the question about some content.
    pub(super) fn forget(&self, content: &Hash) {
        self.lock().retain(|question| question.content != *content);
    }

    /// Waits for the oldest question. Returns none when the other end was dropped.
    pub(super) async fn next(&mut self) -> Option<WaitingQuestion> {
        loop {
            if self.0.is_closed.load(Ordering::Acquire) {
                return None;
            }
            let oldest = self.lock().pop_front();
            if oldest.is_some() {
                return oldest;
            }
            self.0.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<WaitingQuestion>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::Release);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(content: u8, is_asked: bool) -> WaitingQuestion {
        WaitingQuestion { content: Hash([content; 32]), is_asked }
    }

    #[tokio::test]
    async fn each_content_waits_once_and_in_order() {
        let (asker, mut answerer) = Questions::new();
        for question in [about(2, false), about(1, true), about(2, true), about(3, true), about(1, false)] {
            asker.ask(question);
        }
        asker.forget(&Hash([3; 32]));
        assert_eq!(answerer.next().await, Some(about(2, true)));
        assert_eq!(answerer.next().await, Some(about(1, true)));
        asker.ask(about(1, false));
        assert_eq!(answerer.next().await, Some(about(1, false)), "it can be asked again");
        drop(asker);
        assert_eq!(answerer.next().await, None);
    }
}
