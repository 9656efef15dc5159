//! How much of one author is fetched automatically a day, so that a member cannot fill the disks
//! of a room.

use std::collections::BTreeMap;

use crate::proto::ids::NodeId;
use crate::proto::limits::{AUTO_FETCH_DAY_BYTES_MAX, AUTO_FETCH_DAY_FILES_MAX};

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What was fetched of each author today.
#[derive(Clone, Debug, Default)]
pub struct DayBudget {
    day: u64,
    used: BTreeMap<NodeId, (u64, u64)>,
}

impl DayBudget {
    /// Takes a file out of the budget of its author. Returns false, without a change, if it does
    /// not fit.
    pub fn take(&mut self, wall_ms: u64, author: NodeId, size: u64) -> bool {
        let day = wall_ms / DAY_MS;
        if day != self.day {
            (self.day, self.used) = (day, BTreeMap::new());
        }
        let (bytes, files) = self.used.entry(author).or_default();
        if bytes.saturating_add(size) > AUTO_FETCH_DAY_BYTES_MAX || *files >= AUTO_FETCH_DAY_FILES_MAX {
            return false;
        }
        (*bytes, *files) = (*bytes + size, *files + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_author_has_a_budget_a_day() {
        let (ana, ben) = (NodeId([1; 32]), NodeId([2; 32]));
        let mut budget = DayBudget::default();
        assert!(budget.take(0, ana, AUTO_FETCH_DAY_BYTES_MAX - 1));
        assert!(!budget.take(1, ana, 2));
        assert!(budget.take(2, ana, 1));
        assert!(!budget.take(3, ana, 1));
        assert!(budget.take(3, ben, 1));
        assert!(budget.take(DAY_MS, ana, 1), "the next day");
    }

    #[test]
    fn empty_files_are_counted() {
        let ana = NodeId([1; 32]);
        let mut budget = DayBudget::default();
        assert!((0..AUTO_FETCH_DAY_FILES_MAX).all(|_| budget.take(0, ana, 0)));
        assert!(!budget.take(0, ana, 0));
    }
}
