//! How much of some content is here, as the user sees it.

/// The state of some content on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileState {
    /// Not all of it is here, and it is not being fetched.
    #[default]
    Remote,
    /// It is to be fetched, and no reachable member sends any of it now.
    Waiting,
    /// It is being fetched.
    Fetching,
    /// All of it is here.
    Here,
    /// The last attempt to fetch it failed.
    Failed,
    /// It was here, and no reachable member holds it any more.
    Gone,
}

impl FileState {
    /// The state's name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Waiting => "waiting",
            Self::Fetching => "fetching",
            Self::Here => "here",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

/// The state of some content, with its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// The state.
    pub state: FileState,
    /// The bytes that are here and verified.
    pub have: u64,
    /// The other reachable members that hold all of it; none if they were not asked.
    pub holders: Option<u64>,
    /// True if the user keeps it.
    pub pinned: bool,
}
