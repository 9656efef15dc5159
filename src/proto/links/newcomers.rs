//! Throttles members that were never seen before.
//!
//! Keys cost nothing, and each newcomer becomes a member that every page lists for ever. So
//! newcomers have a budget per address and a larger one per group of addresses:
//! [`NEWCOMERS_PER_ADDRESS`] and [`NEWCOMERS_PER_GROUP`].

use std::net::IpAddr;

use super::address_group::AddressGroup;
use super::token_bucket::{TokenBucket, TokenBuckets};
use crate::proto::limits::{
    NEWCOMERS_PER_ADDRESS, NEWCOMERS_PER_ADDRESS_REFILL_MS, NEWCOMERS_PER_GROUP, NEWCOMERS_PER_GROUP_REFILL_MS,
};

/// The budgets of newcomers; see the module.
#[derive(Debug, Default)]
pub struct Newcomers {
    addresses: TokenBuckets,
    groups: TokenBuckets<AddressGroup>,
}

impl Newcomers {
    /// Takes one token for a newcomer from `address`. Returns false if a budget is used up.
    pub fn admit(&mut self, address: IpAddr, mono_ms: u64) -> bool {
        let group = AddressGroup::of(address);
        // An address whose group has no token must not take the place of another address's bucket.
        if self.groups.remaining(group, mono_ms) == Some(0) {
            return false;
        }
        let per_address = TokenBucket::new(NEWCOMERS_PER_ADDRESS, NEWCOMERS_PER_ADDRESS_REFILL_MS);
        let per_group = TokenBucket::new(NEWCOMERS_PER_GROUP, NEWCOMERS_PER_GROUP_REFILL_MS);
        self.addresses.take(address, mono_ms, per_address) && self.groups.take(group, mono_ms, per_group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(last: u64) -> IpAddr {
        IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last as u16])
    }

    #[test]
    fn ipv6_network_admits_a_room_then_a_few() {
        let mut newcomers = Newcomers::default();
        assert!((0..NEWCOMERS_PER_GROUP).all(|number| newcomers.admit(v6(number), 1)));
        for number in 0..2 * crate::proto::limits::ADDRESSES_MAX as u64 {
            assert!(!newcomers.admit(v6(1_000 + number), 1));
        }
        assert!(newcomers.admit([192, 0, 2, 1].into(), 1), "another network has its own");
        assert!(newcomers.admit(v6(1_000), 1 + NEWCOMERS_PER_GROUP_REFILL_MS));
        assert!(!newcomers.admit(v6(1_001), 1 + NEWCOMERS_PER_GROUP_REFILL_MS));
    }

    #[test]
    fn one_address_does_not_use_up_its_network() {
        let mut newcomers = Newcomers::default();
        let admitted = (0..1_000).filter(|_| newcomers.admit(v6(1), 1)).count() as u64;
        assert_eq!(admitted, NEWCOMERS_PER_ADDRESS);
        assert!(newcomers.admit(v6(2), 1));
    }
}
