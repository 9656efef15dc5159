//! One node put together: opens and starts its parts, and stops them again. The only module that
//! knows all others.
//!
//! Everything that happens, on the network, on the disk, on a page, comes to the event loop
//! (`event_loop`) as an input of the engine. The engine's actions go to one driver each
//! (`dispatch`). Requests of pages are answered in `requests`; those that only read go to the
//! store, on a task of their own.
//!
//! The files know each other in one direction: `event_loop`, `dispatch`, then `requests`, `doctor`
//! and `warnings`, then `info`, `say` and the doctor's observations.

mod backpressure;
mod changes;
mod clock;
mod discovery;
mod dispatch;
mod doctor;
mod event_loop;
mod files;
mod free_space;
mod info;
mod listeners;
mod lookup;
mod measure;
mod message_hook;
mod reload;
mod requests;
mod service_manager;
mod shared_machine;
mod warnings;

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Loaded, Reload, RoomKeyFrom, default_data_dir, login_name};
use crate::identity::{self, DataDir, RunFile};
use crate::logging::LogControl;
use crate::net::{self, Net};
use crate::proto::engine::{Engine, EngineConfig};
use crate::proto::ids::{Instance, NodeId, RoomId, RoomTag};
use crate::proto::limits::{ASKS_WAITING_MAX, HISTORY_PAGES_WAITING_MAX, NET_EVENTS_WAITING_MAX};
use crate::proto::links::link_budget::LinkBudget;
use crate::proto::links::room_key::RoomKey;
use crate::proto::names::name::Name;
use crate::proto::replication::store_api::Write;
use crate::signals::stop_on_signal;
use crate::start_command::start_command;
use crate::startup_banner::{self, Banner};
use crate::store::{Location, Opened, Store, StoreError};
use crate::system::{io_error_text, raise_descriptor_limit};
use crate::web::{Credentials, Hub, Web};
use backpressure::PendingWriteBytes;
use clock::now;
use discovery::DiscoveryLog;
use dispatch::Drivers;
use doctor::Observations;
use event_loop::{EventLoop, Sources};
use files::{FileParts, FileService, FileSettings};
use info::NodeInfo;
use listeners::ListenersError;
use message_hook::MessageHook;
use reload::{Settings, settings_json};
use warnings::Warnings;

/// The time for all parts to end after the node was told to stop, in milliseconds.
const STOP_MS: u64 = 2_800;

/// The error that kept a node from starting, or stopped it: a sentence or two for its user, with
/// what to do.
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
    /// The directory of files.
    #[error("the files can't be opened: {}\ncheck the data directory and its disk", io_error_text(.0))]
    Content(std::io::Error),
    /// The page's port.
    #[error(transparent)]
    Doors(#[from] ListenersError),
    /// The system does not let the node catch signals.
    #[error("signals can't be caught: {}\ntry again; if that does not help, restart the machine", io_error_text(.0))]
    Signals(std::io::Error),
    /// No thread can be started for the user's program.
    #[error("no thread can be started for --on-message: {}\nlower the number of processes of this user", io_error_text(.0))]
    Hook(std::io::Error),
    /// The disk failed while the node was running. Acknowledged messages are kept.
    #[error("{0}")]
    Disk(String),
}

/// Runs a node until it is asked to stop, by a signal, a command or its page.
///
/// `reload` reads the settings again on SIGHUP, and `logging` sets the level of the log.
pub async fn run(loaded: Loaded, reload: Reload, logging: LogControl) -> Result<(), Error> {
    let config = loaded.config.clone();
    let budget = LinkBudget::new(raise_descriptor_limit());
    let stop = stop_on_signal().map_err(Error::Signals)?;
    let hangups = signal(SignalKind::hangup()).map_err(Error::Signals)?;
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
    let settings = net_config(&config, key.clone(), room_key, instance, budget);
    let net = Net::start(settings, name_receiver, net_sender, tasks.clone(), tracker.clone())?;

    let is_shared = shared_machine::is_shared(config.shared);
    let host = listeners::host(is_shared);
    let page = listeners::open(&mut directory, &config, own, is_shared.then_some(&*host)).await;
    // Also if the port can't be opened, since another user may have taken it.
    let (token, news) = listeners::token(&directory, is_shared)?;
    let (doors, socket, port) = page?;
    if let Some(port) = port {
        directory.keep_served_port(port)?;
    }
    let keys = Credentials::new(listeners::web_token(&token));
    let hub = Hub::new();
    let (ask_sender, asks) = mpsc::channel(ASKS_WAITING_MAX);
    let web = tokio::spawn(Web::new(ask_sender, hub.clone(), keys.clone(), tasks.clone()).serve(doors));

    let port_and_name = (net.tcp_port(), name.clone());
    let settings = engine_config(&config, key, room, instance, budget, port_and_name);
    let Opened { snapshot, run, answers, .. } = opened;
    let engine = Engine::new(now(), settings, snapshot);
    let parts = FileParts { directory: &directory, store: &store, hub: &hub, net: &net, room, own };
    let (files, file_events) = FileService::open(parts, file_settings(&config)).map_err(Error::Content)?;
    let about = NodeInfo {
        own,
        room: config.room.clone(),
        tag: RoomTag::new(config.room.as_str()),
        run,
        started_ms,
        web: port.map(|port| format!("http://{host}:{port}/")),
        web_port: port,
        socket,
        data_dir: directory.path().to_owned(),
        is_shared,
        command: start_command(&config, given_dir(&config).as_deref(), port),
    };
    let ready = Banner { news, host: host.clone(), ..ready(&config, &about, &net, name, &token) };
    let run_file = run_file(&about, host, settings_json(&loaded.settings));
    let settings = Settings::new(loaded, reload, logging, run_file);
    directory.announce(settings.run_file())?;
    print_banner(&ready, config.json);
    service_manager::ready();

    let (task_tx, task_rx) = mpsc::channel(HISTORY_PAGES_WAITING_MAX);
    let hook = config.on_message.clone().map(MessageHook::start).transpose().map_err(Error::Hook)?;
    let drivers = Drivers {
        net,
        store: store.clone(),
        hub,
        files,
        credentials: keys,
        directory,
        info: about,
        discovery: DiscoveryLog::default(),
        observations: Observations::default(),
        warnings: Warnings::default(),
        pending_writes: PendingWriteBytes::default(),
        hook,
        shown: HashMap::new(),
        name: name_sender,
        task_tx,
    };
    let sources =
        Sources { files: file_events, net: net_events, written: answers, requests: asks, tasks: task_rx, hangups };
    let (directory, ended) = EventLoop::new(engine, drivers, settings, stop).run(sources).await;
    end(tasks, tracker, web, store.clone()).await;
    // The last commits are made while the node stops: they may fail as well.
    let ended = ended.or_else(|| store.failed().now_or_never());
    drop(directory);
    if config.json {
        print(startup_banner::stopped_json());
    }
    ended.map_or(Ok(()), |why| Err(Error::Disk(why)))
}

/// Stops all parts, and closes the database. Waits no longer than [`STOP_MS`].
async fn end(tasks: CancellationToken, tracker: TaskTracker, web: tokio::task::JoinHandle<()>, store: Store) {
    tasks.cancel();
    tracker.close();
    let all = async {
        tracker.wait().await;
        // A panic of the page's server was logged when it happened.
        _ = web.await;
    };
    if tokio::time::timeout(Duration::from_millis(STOP_MS), all).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    store.close().await;
}

/// The first name: the configured one, which is kept from now on, else the last one of this room,
/// else that of another room, else the login name.
fn own_name(config: &Config, opened: &Opened, store: &Store, directory: &DataDir) -> Result<Name, identity::Error> {
    if let Some(name) = &config.name {
        store.write(Write::OwnName(name.clone()));
        directory.keep_name(name)?;
        return Ok(name.clone());
    }
    Ok(opened.own_name.clone().or_else(|| directory.name()).unwrap_or_else(login_name))
}

fn net_config(
    config: &Config,
    key: SigningKey,
    room_key: Option<RoomKey>,
    instance: Instance,
    budget: LinkBudget,
) -> net::NetConfig {
    net::NetConfig {
        host: config.host,
        port: config.port,
        announce_to: config.announce_to.iter().map(|to| (to.host.clone(), to.port)).collect(),
        room: config.room.clone(),
        room_key,
        key,
        instance,
        budget,
    }
}

fn engine_config(
    config: &Config,
    key: SigningKey,
    room: RoomId,
    instance: Instance,
    budget: LinkBudget,
    (port, name): (u16, Name),
) -> EngineConfig {
    EngineConfig {
        key,
        room,
        tag: RoomTag::new(config.room.as_str()),
        instance,
        name,
        port,
        addresses: Vec::new(),
        peers: config.peers.iter().map(Into::into).collect(),
        quota: config.quota,
        budget,
        seed: rand::random(),
    }
}

/// The user's limits for files.
fn file_settings(config: &Config) -> FileSettings {
    FileSettings { auto_fetch_bytes: config.auto_fetch, quota_bytes: config.files_quota }
}

/// The file by which commands find this node.
fn run_file(info: &NodeInfo, host: String, settings: serde_json::Value) -> RunFile {
    RunFile {
        pid: std::process::id(),
        socket: info.socket.clone(),
        web: info.web.clone(),
        host,
        started: crate::api::time(info.started_ms),
        settings,
    }
}

/// The data directory, if the command has to name it.
fn given_dir(config: &Config) -> Option<PathBuf> {
    config.data_dir.clone().filter(|dir| default_data_dir().as_ref() != Some(dir))
}

/// The room's key, from the option or the file that the user named.
fn room_key(config: &Config) -> Result<Option<RoomKey>, identity::Error> {
    match &config.room_key {
        Some(RoomKeyFrom::Given(key)) => Ok(Some(key.clone())),
        Some(RoomKeyFrom::File(path)) => identity::room_key(path).map(Some),
        None => Ok(None),
    }
}

/// The banner, which is printed once the page can be opened and the mesh listens.
fn ready(config: &Config, about: &NodeInfo, net: &Net, name: Name, token: &identity::Token) -> Banner {
    let connection = std::env::var("SSH_CONNECTION").ok();
    Banner {
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
        ssh: connection.and_then(|is| startup_banner::Ssh::from_connection(&is, login_name().as_str())),
    }
}

/// Prints what the node is, for people or for programs.
fn print_banner(ready: &Banner, json: bool) {
    if json {
        print(&ready.json());
    } else {
        print(startup_banner::greeting(ready).trim_end());
    }
}

/// Prints a line. A closed standard output is no reason to stop.
fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
