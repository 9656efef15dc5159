//! What a node's user thinks of others. Nothing here leaves the node.

/// What a node's user thinks of a member; kept by this node, told to nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Their safety words were compared.
    pub verified: bool,
    /// They make no sound.
    pub muted: bool,
    /// Nothing of what they say is shown. It is stored and relayed all the same: others may want it.
    pub blocked: bool,
}

/// Marks to set or to take away; none: as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarkChange {
    /// See [`Marks`].
    pub verified: Option<bool>,
    /// See [`Marks`].
    pub muted: Option<bool>,
    /// See [`Marks`].
    pub blocked: Option<bool>,
}

impl MarkChange {
    /// What becomes of these marks.
    pub fn apply(self, marks: Marks) -> Marks {
        Marks {
            verified: self.verified.unwrap_or(marks.verified),
            muted: self.muted.unwrap_or(marks.muted),
            blocked: self.blocked.unwrap_or(marks.blocked),
        }
    }
}
