//! One node put together: it opens what is needed, starts what runs, and stops it all again. The only module that
//! knows all others.
//!
//! Everything that happens, on the network, on the disk, on a page, comes to one loop (`turn`) as an input of the
//! engine; everything that the engine wants done goes from there to exactly one driver. Nothing else changes anything.
//! What pages ask is answered in `asks`; what only reads goes to the store beside the loop.

mod asks;
mod discovery;
mod disk;
mod doctor;
mod doors;
mod likely;
mod shared_machine;
mod turn;
mod unwritten;

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, PeerAddress, RoomKeyFrom, default_data_dir, login_name};
use crate::greeting::{self, Ready};
use crate::identity::{self, DataDir, Run};
use crate::net::{self, Net};
use crate::proto::book::Target;
use crate::proto::clock::Now;
use crate::proto::engine::{Engine, Settings};
use crate::proto::ids::{Instance, NodeId, RoomId, RoomTag};
use crate::proto::limits::{ASKS_WAITING_MAX, NET_EVENTS_WAITING_MAX};
use crate::proto::link_budget::LinkBudget;
use crate::proto::name::Name;
use crate::proto::record::Write;
use crate::proto::room_key::RoomKey;
use crate::signals::stop_on_signal;
use crate::store::{Location, Opened, Store, StoreError};
use crate::system::{raise_descriptors, said};
use crate::web::{Hub, Keys, Web};
use doors::DoorsError;
use turn::Turns;

/// How long everything has to end in after a stop was asked for, in milliseconds.
const STOP_MS: u64 = 2_800;

/// Why a node could not start or had to stop. Each is a sentence or two for its user, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory, the key or the socket.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network.
    #[error(transparent)]
    Net(#[from] net::NetError),
    /// The page's port.
    #[error(transparent)]
    Doors(#[from] DoorsError),
    /// The system does not let it listen for signals.
    #[error("signals can't be caught: {}\ntry again; if that does not help, restart the machine", said(.0))]
    Signals(std::io::Error),
    /// The disk failed while the node was running; what was acknowledged is kept.
    #[error("{0}")]
    Disk(String),
}

/// Runs a node until it is asked to stop, by a signal, a command or its page.
pub async fn run(config: Config) -> Result<(), Error> {
    let budget = LinkBudget::new(raise_descriptors());
    let stop = stop_on_signal().map_err(Error::Signals)?;
    let mut directory = DataDir::open(config.data_dir.as_deref(), config.ephemeral)?;
    let key = directory.key()?;
    let own = NodeId(key.verifying_key().to_bytes());
    let room_key = room_key(&config)?;
    let room = RoomId::new(config.room.as_str(), room_key.as_ref().map_or(&[], |key| key.bytes()));
    let started_ms = now().wall_ms;

    let location = if directory.is_ephemeral() { Location::Memory } else { Location::in_dir(directory.path(), &room) };
    let (store, opened) = Store::open(location, room, own, started_ms)?;
    if let Some(mended) = store.mended_now() {
        tracing::warn!("{mended}");
    }
    let name = own_name(&config, &opened, &store, &directory)?;

    let (tracker, tasks) = (TaskTracker::new(), CancellationToken::new());
    let (net_sender, net_events) = mpsc::channel(NET_EVENTS_WAITING_MAX);
    let (name_sender, name_receiver) = watch::channel(name.clone());
    let instance = Instance(rand::random());
    let settings = net::Settings {
        host: config.host,
        port: config.port,
        announce_to: config.announce_to.iter().map(|to| (to.host.clone(), to.port)).collect(),
        room: config.room.clone(),
        room_key,
        key: key.clone(),
        instance,
        budget,
    };
    let net = Net::start(settings, name_receiver, net_sender, tasks.clone(), tracker.clone())?;

    let is_shared = shared_machine::is_shared(config.shared);
    let host = doors::host(is_shared);
    let page = doors::open(&mut directory, &config, own, is_shared.then_some(&*host)).await;
    // Also where the doors stay closed because somebody took the port that was asked for.
    let (token, news) = doors::token(&directory, is_shared)?;
    let (doors, socket, port) = page?;
    if let Some(port) = port {
        directory.keep_served_port(port)?;
    }
    let address = port.map(|port| format!("http://{host}:{port}/"));
    let keys = Keys::new(doors::web_token(&token));
    let hub = Hub::new();
    let (ask_sender, asks) = mpsc::channel(ASKS_WAITING_MAX);
    let web = tokio::spawn(Web::new(ask_sender, hub.clone(), keys.clone(), tasks.clone()).serve(doors));

    let settings = Settings {
        key,
        room,
        tag: RoomTag::new(config.room.as_str()),
        instance,
        name: name.clone(),
        port: net.tcp_port(),
        addresses: Vec::new(),
        peers: config.peers.iter().map(target).collect(),
        quota: config.quota,
        budget,
        seed: rand::random(),
    };
    let Opened { snapshot, run, answers, .. } = opened;
    let engine = Engine::new(now(), settings, snapshot);
    let about = asks::About {
        own,
        room: config.room.clone(),
        tag: RoomTag::new(config.room.as_str()),
        run,
        started_ms,
        web: address.clone(),
        web_port: port,
        socket: socket.clone(),
        data_dir: directory.path().to_owned(),
        is_shared,
    };
    let ready = Ready { news, host: host.clone(), ..ready(&config, &about, &net, name, &token) };
    directory.announce(&Run {
        pid: std::process::id(),
        socket,
        web: address,
        host: host.clone(),
        started: crate::api::time(started_ms),
    })?;
    if config.json {
        print(&ready.json())
    } else {
        print(greeting::greeting(&ready).trim_end())
    }

    let turns = Turns::new(engine, net, store.clone(), hub, name_sender, keys, directory, about);
    let (directory, ended) = turns.run(net_events, answers, asks, stop).await;
    end(tasks, tracker, web, store.clone()).await;
    // The last commits are made while it stops: they may fail as well.
    let ended = ended.or_else(|| store.failed().now_or_never());
    drop(directory);
    if config.json {
        print(greeting::stopped_json());
    }
    ended.map_or(Ok(()), |why| Err(Error::Disk(why)))
}

/// Stops everything that still runs, and closes the database; gives up waiting before anybody loses patience.
async fn end(tasks: CancellationToken, tracker: TaskTracker, web: tokio::task::JoinHandle<()>, store: Store) {
    tasks.cancel();
    tracker.close();
    let all = async {
        tracker.wait().await;
        // A panic of the page's server was reported when it happened.
        _ = web.await;
    };
    if tokio::time::timeout(Duration::from_millis(STOP_MS), all).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    store.close().await;
}

/// The name to begin with: the one asked for, kept from now on, else the one used last in this room, else in another one,
/// else the login name.
fn own_name(config: &Config, opened: &Opened, store: &Store, directory: &DataDir) -> Result<Name, identity::Error> {
    if let Some(name) = &config.name {
        store.write(Write::OwnName(name.clone()));
        directory.keep_name(name)?;
        return Ok(name.clone());
    }
    Ok(opened.own_name.clone().or_else(|| directory.name()).unwrap_or_else(login_name))
}

/// Somebody whom the user names, to be dialled.
fn target(peer: &PeerAddress) -> Target {
    match peer.host.parse() {
        Ok(ip) => Target::Address(std::net::SocketAddr::new(ip, peer.port)),
        Err(_) => Target::Host(peer.host.clone(), peer.port),
    }
}

/// The room's key, from where the user put it.
fn room_key(config: &Config) -> Result<Option<RoomKey>, identity::Error> {
    match &config.room_key {
        Some(RoomKeyFrom::Given(key)) => Ok(Some(key.clone())),
        Some(RoomKeyFrom::File(path)) => identity::room_key(path).map(Some),
        None => Ok(None),
    }
}

/// What is said once the page can be opened and the mesh listens.
fn ready(config: &Config, about: &asks::About, net: &Net, name: Name, token: &identity::Token) -> Ready {
    let connection = std::env::var("SSH_CONNECTION").ok();
    Ready {
        id: about.own,
        name,
        room: config.room.clone(),
        data_dir: about.data_dir.clone(),
        is_usual_dir: default_data_dir().as_ref() == Some(&about.data_dir),
        socket: about.socket.clone(),
        host: String::new(),
        is_shared: about.is_shared,
        web: about.web.clone(),
        token: token.to_hex().to_string(),
        tcp: net.tcp_addresses(),
        udp: net.udp_port(),
        news: None,
        ssh: connection.and_then(|is| greeting::Ssh::from_connection(&is, login_name().as_str())),
    }
}

/// Prints a line; that nobody reads it is no reason to stop.
fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// What time it is. The monotonic clock is the one that goes on while the machine sleeps, so that a sleep is seen.
fn now() -> Now {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let mono_ms = since_boot.tv_sec.unsigned_abs() * 1_000 + since_boot.tv_nsec.unsigned_abs() / 1_000_000;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono_ms, wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) }
}
