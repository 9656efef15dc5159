//! Another user of the same machine, with a server that takes the port of a stopped node, and what
//! it does in the browser that it serves.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

use support::lab::Lab;
use support::node::{Node, PROGRAM};
use support::wait::until;
use support::{Context, Result, ensure};

/// A user that owns nothing on this machine.
#[derive(Clone, Copy)]
pub(crate) struct User(pub(crate) u32);

/// The attacker, and a victim where root would not do: root may connect to every node.
pub(crate) const EVE: User = User(65_534);
pub(crate) const BEN: User = User(65_533);

impl User {
    /// What makes a program run as this user.
    pub(crate) fn words(self) -> Vec<String> {
        let id = self.0.to_string();
        ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"].map(str::to_owned).to_vec()
    }

    /// Whether this process can become the user; where it cannot, that is said.
    pub(crate) fn exists(self) -> Result<bool> {
        let words = self.words();
        let can_become = Command::new(&words[0]).args(&words[1..]).arg("true").status()?.success();
        if !can_become {
            ensure!(std::env::var_os("CI").is_none(), "no second user can be had here, which CI must have");
            println!("NOT TESTED: another user, since this one cannot become another");
        }
        Ok(can_become)
    }

    /// Requests data from a node as this user, with the node's own token. Returns the whole answer.
    pub(crate) fn asks(self, node: &Node) -> Result<String> {
        const ASK: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$0" && printf 'GET /api/v1/node HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n' "$1" "$0" "$2" >&3 && cat <&3"#;
        let (origin, token) = node.web()?.split_once("/#token=").context("a link with a token")?;
        let (name, port) = origin.trim_start_matches("http://").split_once(':').context("a port")?;
        let words = self.words();
        let mut command = Command::new(&words[0]);
        let told = command.args(&words[1..]).args(["bash", "-c", ASK, port, name, token]).output()?;
        Ok(String::from_utf8_lossy(&told.stdout).into_owned())
    }

    /// A directory of this user's in the lab.
    pub(crate) fn directory(self, lab: &Lab, name: &str) -> Result<PathBuf> {
        std::fs::set_permissions(lab.dir(), PermissionsExt::from_mode(0o755))?;
        let path = lab.dir().join(name);
        std::fs::create_dir(&path)?;
        chown(&path, Some(self.0), Some(self.0))?;
        Ok(path)
    }
}

/// A copy of the program that every user can start.
pub(crate) fn program_for_all(lab: &Lab) -> Result<PathBuf> {
    std::fs::set_permissions(lab.dir(), PermissionsExt::from_mode(0o755))?;
    let program = lab.dir().join("program");
    std::fs::copy(&*PROGRAM, &program)?;
    Ok(program)
}

/// A server of [`EVE`] on a port. Its page searches everything in its origin, and installs a
/// service worker that answers later visits.
pub(crate) struct Squatter(Child);

const SERVER: &str = r#"
const page = `<!doctype html><title>hostile</title><body>not your node<script>
  const key = () => new Promise((done) => {
    const opening = indexedDB.open('roomful', 1);
    opening.onupgradeneeded = () => opening.transaction.abort();
    opening.onerror = () => done(null);
    opening.onsuccess = () => {
      const asked = opening.result.transaction('keys').objectStore('keys').get('token');
      asked.onsuccess = () => done(asked.result ?? null);
    };
  });
  // The key cannot be read, but it signs whatever it is given.
  window.sign = async (hex) => {
    const bytes = Uint8Array.from(hex.match(/../g), (two) => parseInt(two, 16));
    const signature = new Uint8Array(await crypto.subtle.sign('HMAC', await key(), bytes));
    return Array.from(signature, (byte) => byte.toString(16).padStart(2, '0')).join('');
  };
  (async () => {
    await navigator.serviceWorker.register('/worker.js');
    await navigator.serviceWorker.ready;
    const storage = { ...localStorage, ...sessionStorage };
    window.collected = { href: location.href, storage, signs: (await key()) !== null };
  })();
</script>`;
const worker = `
  addEventListener('install', () => skipWaiting());
  addEventListener('activate', (event) => event.waitUntil(clients.claim()));
  addEventListener('fetch', (event) => {
    if (event.request.mode !== 'navigate') return;
    const body = '<!doctype html><title>hostile</title><body>the worker of another user';
    event.respondWith(new Response(body, { headers: { 'Content-Type': 'text/html' } }));
  });`;
const serve = (request, answer) => {
  const isWorker = request.url === '/worker.js';
  answer.setHeader('Content-Type', isWorker ? 'text/javascript' : 'text/html');
  answer.end(isWorker ? worker : page);
};
// Browsers look for names under .localhost at [::1] first, where the machine has it.
const server = (address) => require('node:http').createServer(serve).listen(Number(process.argv[1]), address);
server('::1').on('error', () => {});
server('127.0.0.1');
"#;

impl Squatter {
    /// Takes the port.
    pub(crate) async fn start(port: u16) -> Result<Self> {
        let words = EVE.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["node", "-e", SERVER, &port.to_string()]).stdin(Stdio::null());
        let squatter = Self(command.spawn().context("setpriv and node, which tests/run installs")?);
        until("another user has taken the port", async || {
            Ok(TcpStream::connect(("127.0.0.1", port)).await.map(drop)?)
        })
        .await?;
        Ok(squatter)
    }
}

impl Drop for Squatter {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
