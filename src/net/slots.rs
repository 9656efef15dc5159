//! The sockets of links: so many and no more.
//!
//! A link that ends says why, which may take a second or two. If another connection needs its slot
//! meanwhile, the goodbye that has lasted longest is cut short.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// All slots.
#[derive(Clone)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    closing: Arc<Mutex<Closing>>,
}

/// Links that say goodbye, in the order in which they began.
#[derive(Default)]
struct Closing {
    next: u64,
    tokens: BTreeMap<u64, CancellationToken>,
    /// Connections that wait for a slot.
    waiting: usize,
}

/// A slot that is in use. It is free again when all clones are dropped.
#[derive(Clone)]
pub(super) struct Slot {
    slots: Slots,
    _permit: Arc<OwnedSemaphorePermit>,
}

/// A goodbye that is being said.
pub(super) struct Goodbye {
    slots: Slots,
    number: u64,
    cut_short: CancellationToken,
}

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), closing: Arc::default() }
    }

    /// Takes a slot. If there is none, cuts a goodbye short, and waits.
    pub(super) async fn take(&self) -> Option<Slot> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::new(self);
                // The semaphore is never closed.
                self.free.clone().acquire_owned().await.ok()?
            }
        };
        Some(Slot { slots: self.clone(), _permit: Arc::new(permit) })
    }

    fn lock(&self) -> MutexGuard<'_, Closing> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that waits for a slot.
struct Waiting<'a>(&'a Slots);

impl<'a> Waiting<'a> {
    fn new(slots: &'a Slots) -> Self {
        let mut closing = slots.lock();
        closing.waiting += 1;
        closing.tokens.pop_first().inspect(|(_, token)| token.cancel());
        Self(slots)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

impl Slot {
    /// The link in this slot begins to say goodbye.
    pub(super) fn closing(&self) -> Goodbye {
        let cut_short = CancellationToken::new();
        let mut closing = self.slots.lock();
        let number = closing.next;
        closing.next += 1;
        if closing.waiting > 0 {
            cut_short.cancel();
        } else {
            closing.tokens.insert(number, cut_short.clone());
        }
        drop(closing);
        Goodbye { slots: self.slots.clone(), number, cut_short }
    }
}

impl Goodbye {
    /// Does `work`, unless the slot is needed. Returns `None` if it was cut short.
    pub(super) async fn unless_cut_short<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cut_short.run_until_cancelled(work).await
    }
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        self.slots.lock().tokens.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn goodbye_is_cut_short_if_its_slot_is_needed() {
        let slots = Slots::new(2);
        let (first, second) = (slots.take().await.expect("a slot"), slots.take().await.expect("a slot"));
        assert!(slots.take().now_or_never().is_none(), "no link says goodbye");
        let (older, newer) = (first.closing(), second.closing());
        let mut waits = std::pin::pin!(slots.take());
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(older.unless_cut_short(std::future::pending::<()>()).await, None);
        assert_eq!(newer.unless_cut_short(async { 5 }).await, Some(5));
        drop((older, first));
        let third = waits.await.expect("the slot of the older one");
        drop((newer, third));
        assert!(slots.take().await.is_some());
        // With one waiting, no goodbye begins at all.
        let third = slots.take().await.expect("a slot");
        let mut waits = std::pin::pin!(slots.take());
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(third.closing().unless_cut_short(async { 5 }).await, None);
        drop((second, third));
        assert!(slots.take().await.is_some());
    }
}
