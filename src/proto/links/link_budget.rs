//! Divides the file descriptors of the process between the mesh and the rest of the program.
//!
//! Each connection with another node costs a descriptor, from its first packet to the end of its
//! goodbye. Without a common limit, strangers could use up the descriptors that the page and the
//! database need.

use crate::proto::limits::{
    DESCRIPTORS_RESERVED, DIALS_MAX, HANDSHAKES_MAX, LINKS_CLOSING_MAX, LINKS_MAX, MESH_DESCRIPTORS_MIN,
};

/// The mesh's limits. Their sum is at most the descriptors of the process without
/// [`DESCRIPTORS_RESERVED`], or [`MESH_DESCRIPTORS_MIN`] if that is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkBudget {
    /// Links.
    pub links: usize,
    /// Incoming connections that have not finished their handshake.
    pub handshakes: usize,
    /// Dials.
    pub dials: usize,
    /// Links that are being refused or that are saying goodbye.
    pub closing: usize,
}

impl LinkBudget {
    /// The largest budget, however many descriptors there are.
    const LARGEST: Self =
        Self { links: LINKS_MAX, handshakes: HANDSHAKES_MAX, dials: DIALS_MAX, closing: LINKS_CLOSING_MAX };

    /// Divides `descriptors`, the limit of the process. `None`: no limit.
    pub fn new(descriptors: Option<u64>) -> Self {
        let all = descriptors.and_then(|all| usize::try_from(all).ok()).unwrap_or(usize::MAX);
        let all = all.saturating_sub(DESCRIPTORS_RESERVED).max(MESH_DESCRIPTORS_MIN);
        let handshakes = HANDSHAKES_MAX.min(all / 4);
        let dials = DIALS_MAX.min(all / 8);
        let closing = LINKS_CLOSING_MAX.min(all / 8);
        Self { links: LINKS_MAX.min(all - handshakes - dials - closing), handshakes, dials, closing }
    }

    /// The sum of all limits.
    pub fn total(self) -> usize {
        self.links + self.handshakes + self.dials + self.closing
    }
}

impl Default for LinkBudget {
    fn default() -> Self {
        Self::LARGEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_leave_the_reserve_alone() {
        for descriptors in [256, 300, 512, 1024, 4096, 1 << 20] {
            let budget = LinkBudget::new(Some(descriptors));
            assert!(budget.total() + DESCRIPTORS_RESERVED <= descriptors as usize, "{descriptors}: {budget:?}");
        }
        let small = LinkBudget { links: 28, handshakes: 14, dials: 7, closing: 7 };
        assert_eq!(LinkBudget::new(Some(256)), small);
        // The numbers in README.md.
        let links = [512, 1024, 1351, 1352].map(|descriptors| LinkBudget::new(Some(descriptors)).links);
        assert_eq!(links, [184, 696, 1023, 1024]);
        assert_eq!(LinkBudget::new(Some(1 << 20)), LinkBudget::default());
        assert_eq!(LinkBudget::new(None), LinkBudget::default());
    }

    #[test]
    fn tiny_limit_still_admits_some_links() {
        for descriptors in [0, 64, 200, 210] {
            let budget = LinkBudget::new(Some(descriptors));
            assert_eq!(budget, LinkBudget { links: 8, handshakes: 4, dials: 2, closing: 2 }, "{descriptors}");
        }
    }
}
