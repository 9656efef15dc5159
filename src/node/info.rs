//! What the node tells of itself, its history and its members: answers that only read.

use std::path::PathBuf;

use super::discovery::DiscoveryLog;
use crate::api;
use crate::net::Net;
use crate::proto::engine::Engine;
use crate::proto::history::{PageBudget, SizeEstimator};
use crate::proto::ids::{NodeId, RoomTag};
use crate::proto::limits::{HISTORY_BYTES_MAX, RESUME_HELD_MAX};
use crate::proto::members::member::Member;
use crate::proto::names::name::Name;
use crate::store::{HolderRows, Store, StoreError};
use crate::web::requests::{Responder, Resume, WelcomeReply};

/// Facts that do not change while the node runs, except for `run`.
#[derive(Debug)]
pub(super) struct NodeInfo {
    pub(super) own: NodeId,
    pub(super) room: Name,
    /// The room as beacons name it.
    pub(super) tag: RoomTag,
    /// The name of this run, for pages that come back.
    pub(super) run: String,
    pub(super) started_ms: u64,
    /// The page's address without the token.
    pub(super) web: Option<String>,
    /// The page's port on 127.0.0.1.
    pub(super) web_port: Option<u16>,
    pub(super) socket: PathBuf,
    pub(super) data_dir: PathBuf,
    /// True if other people work on this machine.
    pub(super) is_shared: bool,
    /// The command that starts this node again.
    pub(super) command: String,
}

/// Describes the node, without what is in the database.
pub(super) fn describe(
    info: &NodeInfo,
    engine: &Engine,
    net: &Net,
    store: &Store,
    log: &DiscoveryLog,
) -> api::NodeJson {
    let own = engine.members().find(|member| member.own);
    let addresses = own.map(|own| own.addresses.iter().map(ToString::to_string).collect()).unwrap_or_default();
    let (mended, mended_ms) = store.mended().unzip();
    api::NodeJson {
        id: info.own.to_string(),
        name: engine.name().to_string(),
        room: info.room.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        page: crate::web::parts().into_owned(),
        tcp: net.tcp_addresses(),
        udp: net.udp_port(),
        started: api::time(info.started_ms),
        web: info.web.clone(),
        socket: info.socket.display().to_string(),
        data_dir: info.data_dir.display().to_string(),
        shared: info.is_shared,
        history: api::History::default(),
        discovery: log.rows(),
        addresses,
        command: info.command.clone(),
        mended,
        mended_at: mended_ms.map(api::time),
        copies: Vec::new(),
    }
}

/// Adds the history and the copies to a description; none if the database can't be read.
pub(super) async fn with_history(store: &Store, info: api::NodeJson) -> Option<api::NodeJson> {
    let counts = report(store.counts().await)?;
    let lacking = |(id, entries): &(NodeId, u64)| api::AuthorGaps { id: id.to_string(), entries: *entries };
    let history = api::History {
        entries: counts.entries,
        missing: counts.missing,
        oldest: counts.oldest.map(|oldest| api::time(oldest.ms())),
        lacking: counts.lacking.iter().map(lacking).collect(),
    };
    let copies = report(store.retained_copies().list().await).unwrap_or_default();
    let copies = copies.into_iter().map(|copy| api::RetainedCopy { name: copy.name, bytes: copy.bytes }).collect();
    Some(api::NodeJson { history, copies, ..info })
}

/// Removes the retained copies of the database.
pub(super) async fn remove_copies(store: &Store) -> Result<api::RemovedCopies, StoreError> {
    let removed = store.retained_copies().remove().await?;
    let names = removed.iter().filter_map(|path| path.file_name());
    Ok(api::RemovedCopies { removed: names.map(|name| name.to_string_lossy().into_owned()).collect() })
}

/// Lists the members that hold a message, each with the time at which its receipt came, if that
/// was in this run.
pub(super) fn holders(found: HolderRows, since: &[(NodeId, u64)]) -> api::MessageHolders {
    let holder = |id: &NodeId| api::MessageHolder {
        id: id.to_string(),
        at: since.iter().find(|(member, _)| member == id).map(|(_, wall_ms)| api::time(*wall_ms)),
    };
    api::MessageHolders {
        held: found.held.iter().map(holder).collect(),
        missing: found.missing.iter().map(NodeId::to_string).collect(),
    }
}

/// Reads what a page needs that connects, or connects again.
pub(super) async fn welcome(
    store: &Store,
    info: api::NodeJson,
    members: Vec<Member>,
    run: String,
    resume: Option<Resume>,
) -> Result<WelcomeReply, StoreError> {
    let resumes = resume.is_some();
    let found = store.welcome(resume.map(|resume| (resume.run, resume.after)), api::PAGE_SIZES).await?;
    let mut held = Vec::new();
    if resumes && !found.reset {
        let own = store.own_newest(RESUME_HELD_MAX).await?;
        held = own.into_iter().filter_map(|line| Some((line.id, line.held?))).collect();
    }
    Ok(WelcomeReply {
        run,
        info,
        members,
        conversations: found.conversations,
        topics: found.topics,
        lines: found.lines,
        notices: found.notices,
        moved: found.moved,
        before: found.before,
        arrival: found.arrival,
        reset: found.reset,
        storage: found.storage,
        held,
    })
}

/// The budget of one answer that lists messages.
pub(super) fn page_of(sizes: SizeEstimator) -> PageBudget {
    PageBudget { bytes: HISTORY_BYTES_MAX, sizes }
}

/// Reads on a task of its own, and answers with what was read.
pub(super) fn reply<T: Send + 'static>(
    answer: Responder<T>,
    read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) {
    tokio::spawn(async move {
        if let Some(found) = report(read.await) {
            _ = answer.send(found);
        }
    });
}

/// Returns what was read. A failure goes to the log; the caller, which gets no answer, reports a
/// stopping node.
pub(super) fn report<T>(result: Result<T, StoreError>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!("the database can't be read: {error}")).ok()
}
