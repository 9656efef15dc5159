//! Limits the sockets of links.
//!
//! A link that ends says goodbye, which may take a second or two. If another connection needs its
//! slot meanwhile, the goodbye that has lasted longest is cut short.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// All slots.
#[derive(Clone)]
pub(super) struct LinkSlots {
    free: Arc<Semaphore>,
    closing: Arc<Mutex<Closing>>,
}

/// Links that are saying goodbye, oldest first.
#[derive(Default)]
struct Closing {
    next: u64,
    tokens: BTreeMap<u64, CancellationToken>,
    /// Number of connections that wait for a slot.
    waiting: usize,
}

/// A slot in use. It is released when all clones are dropped.
#[derive(Clone)]
pub(super) struct ConnectionSlot {
    slots: LinkSlots,
    _permit: Arc<OwnedSemaphorePermit>,
}

/// A goodbye in progress.
pub(super) struct GoodbyeGuard {
    slots: LinkSlots,
    number: u64,
    cut_short: CancellationToken,
}

impl LinkSlots {
    pub(super) fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), closing: Arc::default() }
    }

    /// Takes a slot. If none is free, cuts a goodbye short and waits.
    pub(super) async fn take(&self) -> Option<ConnectionSlot> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = SlotWait::new(self);
                // The semaphore is never closed.
                self.free.clone().acquire_owned().await.ok()?
            }
        };
        Some(ConnectionSlot { slots: self.clone(), _permit: Arc::new(permit) })
    }

    fn lock(&self) -> MutexGuard<'_, Closing> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection as waiting while it exists.
struct SlotWait<'a>(&'a LinkSlots);

impl<'a> SlotWait<'a> {
    fn new(slots: &'a LinkSlots) -> Self {
        let mut closing = slots.lock();
        closing.waiting += 1;
        closing.tokens.pop_first().inspect(|(_, token)| token.cancel());
        Self(slots)
    }
}

impl Drop for SlotWait<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

impl ConnectionSlot {
    /// Marks that the link in this slot is saying goodbye.
    pub(super) fn closing(&self) -> GoodbyeGuard {
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
        GoodbyeGuard { slots: self.slots.clone(), number, cut_short }
    }
}

impl GoodbyeGuard {
    /// Runs `work` until another connection needs the slot. Returns `None` if it was cut short.
    pub(super) async fn run_until_preempted<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cut_short.run_until_cancelled(work).await
    }
}

impl Drop for GoodbyeGuard {
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
        let slots = LinkSlots::new(2);
        let (first, second) = (slots.take().await.expect("a slot"), slots.take().await.expect("a slot"));
        assert!(slots.take().now_or_never().is_none(), "no link says goodbye");
        let (older, newer) = (first.closing(), second.closing());
        let mut waits = std::pin::pin!(slots.take());
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(older.run_until_preempted(std::future::pending::<()>()).await, None);
        assert_eq!(newer.run_until_preempted(async { 5 }).await, Some(5));
        drop((older, first));
        let third = waits.await.expect("the slot of the older one");
        drop((newer, third));
        assert!(slots.take().await.is_some());
        // While a connection waits, no goodbye begins.
        let third = slots.take().await.expect("a slot");
        let mut waits = std::pin::pin!(slots.take());
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(third.closing().run_until_preempted(async { 5 }).await, None);
        drop((second, third));
        assert!(slots.take().await.is_some());
    }
}
