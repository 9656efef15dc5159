//! An index of the current and earlier names of members. It finds names that do not identify their
//! member.
//!
//! Names are not unique. Plain text has no colour or picture beside a name, so a list of messages
//! adds the short id wherever the name alone could belong to another member.

use std::collections::{BTreeMap, BTreeSet};

use super::confusables::skeleton;
use crate::proto::ids::NodeId;
use crate::proto::limits::NAMES_INDEXED_MAX;

/// Members by the skeleton of their names, current and earlier.
#[derive(Clone, Debug, Default)]
pub struct NameIndex {
    members: BTreeMap<String, BTreeSet<NodeId>>,
    /// The skeletons of these members' short ids.
    short_ids: BTreeSet<String>,
    count: usize,
}

impl NameIndex {
    /// Adds a name of a member. Its earlier names stay: messages still show them.
    pub fn insert(&mut self, id: NodeId, name: &str) {
        if self.is_full() {
            return;
        }
        if self.members.entry(skeleton(name)).or_default().insert(id) {
            self.count += 1;
            self.short_ids.insert(skeleton(&id.short()));
        }
    }

    /// Returns true if the name does not identify its member: another member has one that looks the
    /// same, or the name contains a short id and could pass for another member's label.
    ///
    /// A full index does not know all names, so every name counts as ambiguous.
    pub fn is_ambiguous(&self, name: &str) -> bool {
        let name_skeleton = skeleton(name);
        let is_shared = self.members.get(&name_skeleton).is_some_and(|members| members.len() > 1);
        let mut words = name_skeleton.split(|c: char| !c.is_alphanumeric());
        self.is_full() || is_shared || words.any(|word| self.short_ids.contains(word))
    }

    fn is_full(&self) -> bool {
        self.count >= NAMES_INDEXED_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u32) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        NodeId(bytes)
    }

    fn index(names: &[(u32, &str)]) -> NameIndex {
        let mut index = NameIndex::default();
        names.iter().for_each(|(number, name)| index.insert(member(*number), name));
        index
    }

    #[test]
    fn name_of_two_members_is_ambiguous() {
        let index = index(&[(1, "Ana"), (1, "Ana"), (2, "Bo"), (3, "\u{410}na"), (4, "BO")]);
        for (name, expected) in [("Ana", true), ("\u{410}na", true), ("bo", true), ("Cleo", false), ("", false)] {
            assert_eq!(index.is_ambiguous(name), expected, "{name}");
        }
    }

    #[test]
    fn earlier_name_of_another_member_is_ambiguous() {
        let index = index(&[(1, "Ana"), (2, "Bo"), (2, "ana"), (2, "Bo again")]);
        assert!(index.is_ambiguous("Ana") && !index.is_ambiguous("Bo") && !index.is_ambiguous("Bo again"));
    }

    #[test]
    fn name_with_a_short_id_is_ambiguous() {
        let short = member(1).short();
        let labels = [format!("Ana ({short})"), format!("Ana ({})", short.to_uppercase()), short];
        let mut index = index(&[(1, "Ana")]);
        for (number, label) in (2..).zip(&labels) {
            index.insert(member(number), label);
            assert!(index.is_ambiguous(label), "{label}");
        }
        assert!(!index.is_ambiguous("Ana"));
    }

    #[test]
    fn every_name_is_ambiguous_in_a_full_index() {
        let mut index = index(&[(1, "Ana")]);
        (0..).take(NAMES_INDEXED_MAX - 2).for_each(|number| index.insert(member(2), &format!("name {number}")));
        assert!(!index.is_ambiguous("Ana"));
        index.insert(member(3), "Cleo");
        assert!(index.is_ambiguous("Ana") && index.is_ambiguous("never seen"));
    }
}
