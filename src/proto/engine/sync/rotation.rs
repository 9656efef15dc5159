//! Selects the peers of a round: one of each address first, then a second one of each, each time
//! going on behind the one that was selected last.
//!
//! An address with many identities gets no more of a round than any other, as long as others wait.

use std::collections::BTreeMap;

use crate::proto::ids::NodeId;
use crate::proto::links::address_group::AddressGroup;

/// The position that the rounds have come to.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    group: Option<AddressGroup>,
    /// The peer selected last at each address that still has peers.
    peers: BTreeMap<AddressGroup, NodeId>,
}

impl Rotation {
    /// Selects at most `most` of the peers, each once.
    pub(crate) fn select(&mut self, peers: &BTreeMap<AddressGroup, Vec<NodeId>>, most: usize) -> Vec<NodeId> {
        self.peers.retain(|group, _| peers.contains_key(group));
        let groups: Vec<AddressGroup> = peers.keys().copied().collect();
        let mut left: Vec<(AddressGroup, Vec<NodeId>)> = behind(&groups, self.group.as_ref())
            .into_iter()
            .map(|group| (group, behind(&peers[&group], self.peers.get(&group)).into_iter().rev().collect()))
            .collect();
        let mut selected = Vec::new();
        while selected.len() < most && !left.is_empty() {
            for (group, peers) in &mut left {
                if selected.len() == most {
                    break;
                }
                let Some(peer) = peers.pop() else { continue };
                selected.push(peer);
                self.group = Some(*group);
                self.peers.insert(*group, peer);
            }
            left.retain(|(_, peers)| !peers.is_empty());
        }
        selected
    }
}

/// The ascending `all`, beginning behind `last`.
fn behind<T: Ord + Copy>(all: &[T], last: Option<&T>) -> Vec<T> {
    let (before, after) = all.split_at(all.partition_point(|one| last.is_some_and(|last| one <= last)));
    [after, before].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(many: &[u8]) -> BTreeMap<AddressGroup, Vec<NodeId>> {
        let at = |address: u8, many: u8| {
            let ids = (0..many).map(|number| NodeId([address * 10 + number; 32])).collect();
            (AddressGroup::of([192, 0, 2, address].into()), ids)
        };
        (1..).zip(many).map(|(address, many)| at(address, *many)).collect()
    }

    #[track_caller]
    fn check(rotation: &mut Rotation, many: &[u8], most: usize, expected: &[u8]) {
        let selected: Vec<u8> = rotation.select(&peers(many), most).iter().map(|peer| peer.0[0]).collect();
        assert_eq!(selected, expected);
    }

    #[test]
    fn each_address_has_one_peer_selected_before_a_second() {
        let mut rotation = Rotation::default();
        check(&mut rotation, &[3, 1, 2], 5, &[10, 20, 30, 11, 31]);
        check(&mut rotation, &[3, 1, 2], 9, &[12, 20, 30, 10, 31, 11]);
    }

    #[test]
    fn all_peers_are_selected_in_the_end() {
        let mut rotation = Rotation::default();
        for expected in [10, 20, 30, 11, 20, 31, 12, 20, 30, 10] {
            check(&mut rotation, &[3, 1, 2], 1, &[expected]);
        }
        check(&mut rotation, &[0, 2], 1, &[21]);
        check(&mut rotation, &[], 1, &[]);
        assert!(rotation.peers.is_empty());
    }
}
