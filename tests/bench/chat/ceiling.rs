//! The ceiling: the fastest program with the guarantees of a node. It encrypts with TLS 1.3, chains
//! batches by hash, signs each batch of up to 64 entries once, verifies, and commits to SQLite with
//! `synchronous = FULL`. It has no discovery, no history, no receipts and no page.
//!
//! Threads and blocking sockets in one process: nothing waits for a runtime.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rusqlite::Connection;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use support::{Result, ensure};

use crate::text;

/// Entries under one signature.
const BATCH_ENTRIES: usize = 64;

/// Batches that are committed together at most.
const COMMIT_BATCHES: usize = 64;

/// Random bytes before each text, as in a node's entries.
const SALT_BYTES: usize = 16;

type Sealed = StreamOwned<ClientConnection, TcpStream>;
type Opened = StreamOwned<ServerConnection, TcpStream>;

/// Returns how long it takes until `receivers` have committed `count` messages each.
pub(crate) fn fan_out(receivers: usize, count: usize) -> Result<Duration> {
    let mut mesh = Mesh::new(receivers)?;
    let texts: Vec<String> = (0..count).map(text).collect();
    let begun = Instant::now();
    // A thread for each link, as a slow receiver must not delay the others.
    let mut links = Vec::new();
    for mut stream in mesh.links.drain(..) {
        let (batches, waiting) = channel::<Arc<Vec<u8>>>();
        let write = move || -> Result<Sealed> {
            for batch in waiting {
                stream.write_all(&batch)?;
            }
            Ok(stream)
        };
        links.push((batches, std::thread::spawn(write)));
    }
    for texts in texts.chunks(BATCH_ENTRIES) {
        let batch = Arc::new(mesh.author.sign(texts));
        for (batches, _) in &links {
            batches.send(batch.clone()).context("a link ended")?;
        }
    }
    mesh.wait(receivers * count)?;
    let took = begun.elapsed();
    for (batches, thread) in links {
        drop(batches);
        mesh.links.push(join(thread)?);
    }
    mesh.end()?;
    Ok(took)
}

/// Returns how long each of `count` messages takes: signed and committed by its author, then sent
/// to all receivers, verified and committed by the last of them.
pub(crate) fn latency(receivers: usize, count: usize) -> Result<Vec<Duration>> {
    let mut mesh = Mesh::new(receivers)?;
    let dir = tempfile::tempdir()?;
    let db = open(&dir.path().join("author.db"))?;
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        let text = [text(number)];
        let begun = Instant::now();
        let batch = mesh.author.sign(&text);
        commit(&db, std::slice::from_ref(&batch))?;
        for link in &mut mesh.links {
            link.write_all(&batch)?;
        }
        mesh.wait(receivers)?;
        took.push(begun.elapsed());
    }
    mesh.end()?;
    Ok(took)
}

/// An author, and receivers that commit what it sends.
struct Mesh {
    author: Author,
    links: Vec<Sealed>,
    committed: Receiver<usize>,
    receivers: Vec<JoinHandle<Result<()>>>,
    _dir: tempfile::TempDir,
}

impl Mesh {
    fn new(receivers: usize) -> Result<Self> {
        let author = Author { key: SigningKey::from_bytes(&[7; 32]), last: [0; 32] };
        let dir = tempfile::tempdir()?;
        let (commits, committed) = channel();
        let (client, server) = tls()?;
        let mut mesh = Self { author, links: Vec::new(), committed, receivers: Vec::new(), _dir: dir };
        for number in 0..receivers {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let near = TcpStream::connect(listener.local_addr()?)?;
            let (far, _) = listener.accept()?;
            near.set_nodelay(true)?;
            let name = ServerName::try_from("localhost")?;
            mesh.links.push(StreamOwned::new(ClientConnection::new(client.clone(), name)?, near));
            let far = StreamOwned::new(ServerConnection::new(server.clone())?, far);
            let db = open(&mesh._dir.path().join(format!("{number}.db")))?;
            let (key, commits) = (mesh.author.key.verifying_key(), commits.clone());
            let (batches, waiting) = channel();
            mesh.receivers.push(std::thread::spawn(move || read(far, &key, &batches)));
            mesh.receivers.push(std::thread::spawn(move || write(&db, &waiting, &commits)));
        }
        Ok(mesh)
    }

    /// Waits until so many more entries are committed, over all receivers.
    fn wait(&self, entries: usize) -> Result<()> {
        let mut done = 0;
        while done < entries {
            done += self.committed.recv().context("the receivers ended")?;
        }
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        for mut link in self.links.drain(..) {
            link.conn.send_close_notify();
            link.flush()?;
        }
        self.receivers.into_iter().try_for_each(join)
    }
}

fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?
}

/// The author of a log.
struct Author {
    key: SigningKey,
    /// The hash of the last header.
    last: [u8; 32],
}

impl Author {
    /// Signs a batch: its length, the header (the hash of the one before, then the length and hash
    /// of each entry), the signature, the entries.
    fn sign(&mut self, texts: &[String]) -> Vec<u8> {
        let mut header = self.last.to_vec();
        let mut entries = Vec::new();
        for text in texts {
            let mut entry = rand::random::<[u8; SALT_BYTES]>().to_vec();
            entry.extend_from_slice(text.as_bytes());
            header.extend_from_slice(&(entry.len() as u32).to_be_bytes());
            header.extend_from_slice(blake3::hash(&entry).as_bytes());
            entries.extend(entry);
        }
        self.last = *blake3::hash(&header).as_bytes();
        let length = 4 + header.len() + Signature::BYTE_SIZE + entries.len();
        let mut batch = Vec::with_capacity(4 + length);
        batch.extend_from_slice(&(length as u32).to_be_bytes());
        batch.extend_from_slice(&(header.len() as u32).to_be_bytes());
        batch.extend_from_slice(&header);
        batch.extend_from_slice(&self.key.sign(&header).to_bytes());
        batch.extend_from_slice(&entries);
        batch
    }
}

/// Reads and verifies batches until the other side ends.
fn read(stream: Opened, key: &VerifyingKey, batches: &Sender<(Vec<u8>, usize)>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut last = [0; 32];
    loop {
        let mut length = [0; 4];
        match stream.read_exact(&mut length) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut batch = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut batch)?;
        let entries = verify(&batch, key, &mut last).context("a batch does not verify")?;
        if batches.send((batch, entries)).is_err() {
            return Ok(());
        }
    }
}

/// Returns the number of entries of a batch that follows the one with the header hash `last`.
fn verify(batch: &[u8], key: &VerifyingKey, last: &mut [u8; 32]) -> Option<usize> {
    let (length, rest) = batch.split_first_chunk::<4>()?;
    let (header, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (signature, mut bodies) = rest.split_first_chunk::<{ Signature::BYTE_SIZE }>()?;
    key.verify_strict(header, &Signature::from_bytes(signature)).ok()?;
    let (prev, slots) = header.split_first_chunk::<32>()?;
    if prev != last {
        return None;
    }
    *last = *blake3::hash(header).as_bytes();
    for slot in slots.chunks_exact(4 + 32) {
        let (length, hash) = slot.split_first_chunk::<4>()?;
        let (body, rest) = bodies.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        if blake3::hash(body).as_bytes() != hash {
            return None;
        }
        bodies = rest;
    }
    Some(slots.len() / (4 + 32))
}

/// Commits what waits, and reports how many entries that were.
fn write(db: &Connection, waiting: &Receiver<(Vec<u8>, usize)>, commits: &Sender<usize>) -> Result<()> {
    while let Ok((first, mut entries)) = waiting.recv() {
        let mut group = vec![first];
        while group.len() < COMMIT_BATCHES
            && let Ok((batch, more)) = waiting.try_recv()
        {
            entries += more;
            group.push(batch);
        }
        commit(db, &group)?;
        if commits.send(entries).is_err() {
            break;
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<Connection> {
    let db = Connection::open(path)?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    ensure!(mode == "wal", "the journal is {mode}");
    db.execute_batch("PRAGMA synchronous = FULL; CREATE TABLE batch (batch INTEGER PRIMARY KEY, bytes BLOB)")?;
    Ok(db)
}

fn commit(db: &Connection, batches: &[Vec<u8>]) -> Result<()> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for batch in batches {
        db.prepare_cached("INSERT INTO batch (bytes) VALUES (?1)")?.execute([batch])?;
    }
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// The configurations of both sides. Only the receiver has a certificate.
fn tls() -> Result<(Arc<ClientConfig>, Arc<ServerConfig>)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())?;
    Ok((Arc::new(client), Arc::new(server)))
}
