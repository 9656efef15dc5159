//! Slots of a limited number: at the limit, a rule of the caller's picks the one to evict.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// A limited number of slots, each with a state of type `T`. Clones share them.
///
/// Eviction cancels the token of a slot. What the slot stands for ends by itself then, so it may
/// last a moment longer than it counts.
pub(crate) struct BoundedSlots<T> {
    most: usize,
    taken: Arc<Mutex<TakenSlots<T>>>,
}

struct TakenSlots<T> {
    next_number: u64,
    /// Oldest first, so numbers ascend.
    slots: Vec<TakenSlot<T>>,
}

struct TakenSlot<T> {
    number: u64,
    state: T,
    evicted: CancellationToken,
}

/// A slot, released when this is dropped.
pub(crate) struct Slot<T> {
    of: BoundedSlots<T>,
    number: u64,
    evicted: CancellationToken,
}

impl<T> Clone for BoundedSlots<T> {
    fn clone(&self) -> Self {
        Self { most: self.most, taken: self.taken.clone() }
    }
}

impl<T> BoundedSlots<T> {
    /// Allows `most` slots, at least one.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), taken: Arc::new(Mutex::new(TakenSlots { next_number: 0, slots: Vec::new() })) }
    }

    /// Takes a slot with a state. `evicted` is cancelled when the slot is evicted.
    ///
    /// At the limit, `pick_victim` receives the states of all slots, oldest first and the new one
    /// last, and returns the index of the one to evict. A rule that refuses newcomers picks the
    /// last: the slot is evicted when it is returned.
    pub(crate) fn take(
        &self,
        state: T,
        evicted: CancellationToken,
        pick_victim: impl FnOnce(&[&T]) -> usize,
    ) -> Slot<T> {
        let mut taken = self.lock();
        let number = taken.next_number;
        taken.next_number += 1;
        taken.slots.push(TakenSlot { number, state, evicted: evicted.clone() });
        if taken.slots.len() > self.most {
            let states: Vec<&T> = taken.slots.iter().map(|slot| &slot.state).collect();
            let victim = pick_victim(&states);
            taken.slots.remove(victim).evicted.cancel();
        }
        drop(taken);
        Slot { of: self.clone(), number, evicted }
    }

    /// Evicts all slots.
    pub(crate) fn evict_all(&self) {
        self.lock().slots.drain(..).for_each(|slot| slot.evicted.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, TakenSlots<T>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Slot<T> {
    /// Changes the state, unless the slot was evicted.
    pub(crate) fn update(&self, change: impl FnOnce(&mut T)) {
        let mut taken = self.of.lock();
        if let Ok(index) = taken.slots.binary_search_by_key(&self.number, |slot| slot.number) {
            change(&mut taken.slots[index].state);
        }
    }

    /// Returns true if the slot was evicted.
    pub(crate) fn is_evicted(&self) -> bool {
        self.evicted.is_cancelled()
    }

    /// Resolves when the slot is evicted.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Runs a future until it completes or the slot is evicted.
    pub(crate) async fn run_until_evicted<R>(&self, future: impl Future<Output = R>) -> Option<R> {
        self.evicted.run_until_cancelled(future).await
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        let mut taken = self.of.lock();
        if let Ok(index) = taken.slots.binary_search_by_key(&self.number, |slot| slot.number) {
            taken.slots.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(slots: &BoundedSlots<u32>, state: u32, victim: usize) -> Slot<u32> {
        slots.take(state, CancellationToken::new(), |_| victim)
    }

    #[test]
    fn victim_is_picked_among_all_states() {
        let slots = BoundedSlots::new(2);
        let first = take(&slots, 1, 0);
        let second = take(&slots, 2, 0);
        second.update(|state| *state = 20);
        let third = slots.take(3, CancellationToken::new(), |states| {
            assert_eq!(states, [&1, &20, &3]);
            1
        });
        assert!(!first.is_evicted() && second.is_evicted() && !third.is_evicted());
    }

    #[test]
    fn newcomer_is_refused_if_it_is_the_victim() {
        let slots = BoundedSlots::new(1);
        let first = take(&slots, 1, 0);
        assert!(take(&slots, 2, 1).is_evicted() && !first.is_evicted());
    }

    #[test]
    fn dropped_and_evicted_slots_do_not_count() {
        let slots = BoundedSlots::new(2);
        let first = take(&slots, 1, 0);
        drop(take(&slots, 2, 0));
        let third = take(&slots, 3, 0);
        assert!(!first.is_evicted() && !third.is_evicted());
        slots.evict_all();
        assert!(first.is_evicted() && third.is_evicted());
        let next = (take(&slots, 4, 0), take(&slots, 5, 0));
        drop((first, third));
        assert!(!next.0.is_evicted() && !next.1.is_evicted());
    }
}
