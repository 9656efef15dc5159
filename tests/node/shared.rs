//! A machine with other users: each start has a token and an origin of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use support::lab::Lab;
use support::node::Node;
use support::{Context, Result, ensure};

/// What a browser sends to open a socket, beside the Host.
const UPGRADE: &str = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The page of a running node, taken apart.
struct Page {
    host: String,
    port: u16,
    token: String,
}

impl Page {
    fn of(node: &Node) -> Result<Self> {
        let (place, token) = node.web()?.split_once("/#token=").context("a token")?;
        let (host, port) = place.strip_prefix("http://").and_then(|place| place.split_once(':')).context("a port")?;
        Ok(Self { host: host.to_owned(), port: port.parse()?, token: token.to_owned() })
    }

    /// The status of the answer to a GET over the port, and its JSON error, if it has one.
    fn get(&self, path: &str, host: &str, headers: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let end = if headers.contains("Upgrade") { "" } else { "Connection: close\r\n" };
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}{end}\r\n")?;
        let mut answer = String::new();
        if headers.contains("Upgrade") {
            // A socket that was opened stays open.
            let mut part = [0; 4096];
            let count = stream.read(&mut part)?;
            answer.push_str(&String::from_utf8_lossy(&part[..count]));
        } else {
            stream.read_to_string(&mut answer)?;
        }
        let status = answer.split(' ').nth(1).context("a status")?.parse()?;
        let error = answer.split_once("{\"error\":\"").and_then(|(_, rest)| rest.split('"').next());
        Ok((status, error.unwrap_or_default().to_owned()))
    }
}

#[tokio::test]
async fn starts_have_new_tokens_and_origins_if_shared() -> Result<()> {
    let lab = Lab::new()?;
    let launch = lab.node("anna").host("127.0.0.1");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let anna = launch.clone().option("--shared", "yes").start()?;
        let page = Page::of(&anna)?;
        let name = page.host.strip_suffix(".localhost").context("a name under .localhost")?;
        ensure!(name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", page.host);
        ensure!(anna.api.token() == page.token, "the link has another token than the file");
        check_links(&anna, &page).await?;
        seen.push((page.host, page.token));
        anna.stop()?;
    }
    ensure!(seen[0].0 != seen[1].0 && seen[0].1 != seen[1].1, "{seen:?}");

    // On a machine that is not shared a link works again after a restart.
    let first = launch.clone().option("--shared", "no").start()?;
    let page = Page::of(&first)?;
    ensure!(page.host == "127.0.0.1", "{}", page.host);
    check_links(&first, &page).await?;
    first.stop()?;
    let second = Page::of(&launch.option("--shared", "no").option("--web-port", &page.port.to_string()).start()?)?;
    ensure!((second.host, second.token) == (page.host, page.token), "a restart made another link");
    Ok(())
}

/// That all that names the page names its host.
async fn check_links(node: &Node, page: &Page) -> Result<()> {
    let Page { host, port, token } = page;
    let line = |args: &[&str]| anyhow::Ok(node.run(args)?.stdout.trim().to_owned());
    ensure!(line(&["url"])? == format!("http://{host}:{port}/#token={token}"), "{}", line(&["url"])?);
    let forwarded = line(&["url", "--port", "9"])?;
    ensure!(forwarded == format!("http://{host}:9/#token={token}"), "{forwarded}");
    let mut open = node.command(&["open"]);
    open.env("BROWSER", "true");
    ensure!(open.status()?.success(), "no browser");
    let redirect = std::fs::read_to_string(node.data_dir.join("open.html"))?;
    ensure!(redirect.contains(&format!("http://{host}:{port}/#token={token}")), "{redirect}");
    let run: support::Value = serde_json::from_slice(&std::fs::read(node.data_dir.join("run.json"))?)?;
    let told = node.api.get("/api/v1/node").await?;
    for web in [&run["web"], &told["web"]] {
        ensure!(*web == format!("http://{host}:{port}/"), "{web}");
    }
    ensure!(told["shared"] == (host != "127.0.0.1"), "{told}");
    Ok(())
}

#[tokio::test]
async fn shared_ports_answer_to_one_name() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").option("--shared", "yes").start()?;
    let page = Page::of(&anna)?;
    let name = page.host.as_str();
    let (loud, forwarded) = (name.to_ascii_uppercase(), format!("{name}:9000"));
    let below = format!("a.{name}");
    let right = format!("Authorization: Bearer {}\r\n", page.token);
    let wrong = format!("Authorization: Bearer {}\r\n", "0".repeat(64));
    let foreign = "Origin: http://evil.example\r\n";
    let worker = "Service-Worker: script\r\n";
    let (open, closed) = ((200, ""), (403, "bad_host"));
    for path in ["/", "/healthz"] {
        for host in [name, &loud, &forwarded] {
            check(&page, path, host, "", open)?;
        }
        for host in ["127.0.0.1", "localhost", "[::1]", "0123456789abcdef.localhost", &below] {
            check(&page, path, host, "", closed)?;
            check(&page, path, host, foreign, closed)?;
            check(&page, path, host, &right, open)?;
            check(&page, path, host, &wrong, (401, "unauthorized"))?;
            check(&page, path, host, worker, open)?;
        }
        check(&page, path, name, foreign, (403, "bad_origin"))?;
    }
    check(&page, "/static/0/x", "127.0.0.1", "", closed)?;
    check(&page, "/api/v1/node", "127.0.0.1", "", (401, "unauthorized"))?;
    check(&page, "/api/v1/node", "127.0.0.1", &right, open)?;
    check(&page, "/", "evil.example", worker, closed)?;
    check(&page, "/ws", name, UPGRADE, (101, ""))?;
    check(&page, "/ws", "127.0.0.1", UPGRADE, closed)?;
    check(&page, "/ws", "127.0.0.1", &format!("{UPGRADE}{right}"), (101, ""))?;
    check(&page, "/ws", "127.0.0.1", &format!("{UPGRADE}{wrong}"), (401, "unauthorized"))?;

    // The socket takes each name: only this user can open it.
    let mut request = anna.api.request(hyper::Method::GET, "/", None)?;
    request.headers_mut().remove(hyper::header::AUTHORIZATION);
    let answer = anna.api.send(request).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

fn check(page: &Page, path: &str, host: &str, headers: &str, expected: (u16, &str)) -> Result<()> {
    let answer = page.get(path, host, headers)?;
    ensure!(
        (answer.0, answer.1.as_str()) == expected,
        "{path} of {host} with {headers:?}: {answer:?}, not {expected:?}"
    );
    Ok(())
}
