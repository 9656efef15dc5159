//! Labels of members in plain text: the name, with the short id where the name alone does not
//! identify the member.

use super::{MemberJson, short};
use crate::proto::ids::NodeId;
use crate::proto::names::name_index::NameIndex;

/// The names seen so far, from which labels are made.
#[derive(Clone, Debug, Default)]
pub struct Labels(NameIndex);

impl Labels {
    /// Adds a name of the member with this full id. Anything that is no id is ignored.
    pub fn insert(&mut self, id: &str, name: &str) {
        if let Some(id) = NodeId::from_hex(id) {
            self.0.insert(id, name);
        }
    }

    /// Returns the label of the member with this full id and name: `Ana`, or `Ana (vov2xk5l)`.
    pub fn label(&self, id: &str, name: &str) -> String {
        if self.0.is_ambiguous(name) { format!("{name} ({})", short(id)) } else { name.to_owned() }
    }
}

impl<'a> FromIterator<&'a MemberJson> for Labels {
    fn from_iter<T: IntoIterator<Item = &'a MemberJson>>(members: T) -> Self {
        let mut labels = Self::default();
        members.into_iter().for_each(|member| labels.insert(&member.id, &member.name));
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_has_the_id_only_of_an_ambiguous_name() {
        let (ana, other) = ("ab".repeat(32), "cd".repeat(32));
        let mut labels = Labels::default();
        labels.insert(&ana, "Ana");
        labels.insert("no id", "Ana");
        assert_eq!(labels.label(&ana, "Ana"), "Ana");
        labels.insert(&other, "ana");
        assert_eq!(labels.label(&ana, "Ana"), "Ana (vov2xk5l)");
        assert_eq!(labels.label(&other, "ana"), "ana (zxg43ton)");
        assert_eq!(labels.label(&other, "Bo"), "Bo");
    }
}
