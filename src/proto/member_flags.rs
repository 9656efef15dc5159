//! The local user's flags for other members: verified, muted, blocked. They are never sent to other
//! nodes.

/// The flags of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberFlags {
    /// The user compared the safety words.
    pub verified: bool,
    /// Messages of the member make no sound.
    pub muted: bool,
    /// Messages of the member are not shown. They are stored and relayed all the same, since other
    /// nodes may need them.
    pub blocked: bool,
}

/// A change of flags. `None` leaves a flag as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlagChange {
    /// See [`MemberFlags::verified`].
    pub verified: Option<bool>,
    /// See [`MemberFlags::muted`].
    pub muted: Option<bool>,
    /// See [`MemberFlags::blocked`].
    pub blocked: Option<bool>,
}

impl FlagChange {
    /// Applies the change.
    pub fn apply(self, flags: MemberFlags) -> MemberFlags {
        MemberFlags {
            verified: self.verified.unwrap_or(flags.verified),
            muted: self.muted.unwrap_or(flags.muted),
            blocked: self.blocked.unwrap_or(flags.blocked),
        }
    }
}
