//! A simulated node: its key, its disk, its engine while it runs, and its faults.

use ed25519_dalek::SigningKey;
use roomful::proto::engine::Engine;
use roomful::proto::ids::{EntryId, Instance, NodeId};
use roomful::proto::limits::AUTHOR_BYTES_MAX;

use crate::page::Page;
use support::model::store::Disk;

/// The end of a process in the middle of its work with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// So many commits are made before.
    pub commits: u32,
    /// Whether the next one is made, and only the word of it is lost.
    pub is_made: bool,
}

impl Death {
    /// The next commit is not made.
    pub const BEFORE: Self = Self { commits: 0, is_made: false };

    /// Whether the process dies at this commit; counts it.
    pub fn now(dies: &mut Option<Self>) -> Option<Self> {
        match dies {
            Some(death) if death.commits > 0 => {
                death.commits -= 1;
                None
            }
            _ => dies.take(),
        }
    }
}

pub struct Node {
    pub key: SigningKey,
    pub id: NodeId,
    pub disk: Disk,
    pub backup: Option<Box<Disk>>,
    pub engine: Option<Engine>,
    pub instance: Instance,
    /// Starts so far.
    pub life: u64,
    pub started_ms: u64,
    /// When it ended last.
    pub died_ms: u64,
    /// Its wall clock minus the world's, in milliseconds.
    pub clock_ms: i64,
    /// Whom its user named.
    pub peers: Vec<usize>,
    /// Most bytes that the logs of one other author may take.
    pub quota: u64,
    pub woken_ms: u64,
    /// When the last commit ends: the disk does one thing after the other.
    pub disk_ms: u64,
    /// Until when the disk takes nothing.
    pub full_until_ms: u64,
    /// Until when the process does nothing, as if it were stopped.
    pub frozen_until_ms: u64,
    pub dies: Option<Death>,
    /// Links so far.
    pub links: u64,
    pub page: Page,
    pub acknowledged: Vec<EntryId>,
    /// Of whose disk this one was a copy, with the same key.
    pub twin_of: Option<usize>,
}

impl Node {
    pub fn new(secret: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&secret);
        let id = NodeId(key.verifying_key().to_bytes());
        Self {
            key,
            id,
            disk: Disk::new(id),
            backup: None,
            engine: None,
            instance: Instance(0),
            life: 0,
            started_ms: 0,
            died_ms: 0,
            clock_ms: 0,
            peers: Vec::new(),
            quota: AUTHOR_BYTES_MAX,
            woken_ms: u64::MAX,
            disk_ms: 0,
            full_until_ms: 0,
            frozen_until_ms: 0,
            dies: None,
            links: 0,
            page: Page::default(),
            acknowledged: Vec::new(),
            twin_of: None,
        }
    }

    /// Another machine with a copy of this disk; this node has number `number`.
    pub fn twin(&self, number: usize) -> Self {
        Self {
            disk: self.disk.clone(),
            clock_ms: self.clock_ms,
            twin_of: Some(number),
            ..Self::new(self.key.to_bytes())
        }
    }
}
