//! Other users of the machine: a user who takes the port of a stopped node gets nothing that opens
//! the next one, and each user reaches only the own node.

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::neighbour::{BEN, EVE, Squatter, program_for_all};
use crate::shared::{ALONE, anna};
use support::lab::{Lab, free_port};
use support::node::Node;
use support::page::Page;
use support::wait::until;
use support::{Context, Result, Value, bail, ensure, json};

/// Signs a page's proof with the key in the origin of the tab, wherever that tab comes from.
const SIGN: &str = "
    const bytes = Uint8Array.from(arguments[0].match(/../g), (two) => parseInt(two, 16));
    return new Promise((done) => {
        const opening = indexedDB.open('roomful', 1);
        opening.onsuccess = async () => {
            const asked = opening.result.transaction('keys').objectStore('keys').get('token');
            asked.onsuccess = async () => {
                const signature = new Uint8Array(await crypto.subtle.sign('HMAC', asked.result, bytes));
                done(Array.from(signature, (byte) => byte.toString(16).padStart(2, '0')).join(''));
            };
        };
    });
";

/// The node's origin, and the token, out of its link.
fn parts(node: &Node) -> Result<(&str, &str)> {
    node.web()?.split_once("/#token=").context("a link with a token")
}

/// Opens a WebSocket as the node's page does, and has a tab sign the proof. Returns the node's last
/// frame type or close code.
async fn enter_with_key_of(tab: &Page, node: &Node) -> Result<String> {
    let (origin, _) = parts(node)?;
    let host = origin.strip_prefix("http://").context("an origin")?;
    let port: u16 = host.rsplit_once(':').context("a port")?.1.parse()?;
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut socket, _) = client_async(format!("ws://{host}/ws"), stream).await?;
    let ours = "07".repeat(32);
    socket.send(Message::text(json!({"type": "hello", "nonce": ours}).to_string())).await?;
    let challenge: Value = serde_json::from_str(socket.next().await.context("a challenge")??.to_text()?)?;
    let theirs = challenge["nonce"].as_str().context("a nonce")?;
    let statement = format!("{}{ours}{theirs}", data_encoding::HEXLOWER.encode(b"page"));
    let proof = tab.run(SIGN, vec![json!(statement)]).await?;
    socket.send(Message::text(json!({"type": "proof", "proof": proof}).to_string())).await?;
    match socket.next().await.context("an answer")?? {
        Message::Text(text) => Ok(serde_json::from_str::<Value>(&text)?["type"].to_string()),
        Message::Close(Some(close)) => Ok(close.code.to_string()),
        other => bail!("{other:?}"),
    }
}

/// What a tab of an earlier origin gets from the node.
const TRY_NODE: &str = "
    const [origin] = arguments;
    const ask = (url) => fetch(url).then((answer) => answer.status, (error) => error.name);
    const socket = (host) => new Promise((done) => {
        const one = new WebSocket(`ws://${host}/ws`);
        [one.onopen, one.onclose] = [() => done('open'), (event) => done(event.code)];
    });
    return (async () => [
        await ask('/api/v1/node'), await socket(location.host),
        await ask(`${origin}/api/v1/node`), await socket(new URL(origin).host),
    ])();
";

#[tokio::test]
async fn hostile_origin_gets_no_token_of_the_next_start() -> Result<()> {
    if !EVE.exists()? {
        return Ok(());
    }
    let (lab, port) = (Lab::new()?, free_port()?);
    let node = anna(&lab, port, "yes").start()?;
    let (old_origin, old_token) = parts(&node).map(|(origin, token)| (origin.to_owned(), token.to_owned()))?;
    let tab = Page::open(node.web()?).await?;
    tab.wait_for_text(ALONE).await?;
    let launch = node.stop()?;

    let squatter = Squatter::start(port).await?;
    tab.reload().await?;
    until("the tab is taken over", async || {
        let collected = tab.run("return window.collected ?? null;", vec![]).await?;
        ensure!(collected["signs"] == true && collected["href"] == format!("{old_origin}/"), "{collected}");
        ensure!(!collected.to_string().contains(&old_token), "{collected}");
        Ok(())
    })
    .await?;
    drop(squatter);

    let node = launch.start()?;
    let (origin, token) = parts(&node)?;
    ensure!(origin != old_origin && token != old_token, "{origin} again");
    let tried = tab.run(TRY_NODE, vec![json!(origin)]).await?;
    ensure!(tried == json!([401, 1006, "TypeError", 1006]), "{tried}");
    let word = enter_with_key_of(&tab, &node).await?;
    ensure!(word == "4401", "the key of the earlier start: {word}");

    // The worker stays where it is.
    let old_tab = tab.open_tab(node.web()?).await?;
    tab.wait_for_text(ALONE).await?;
    let workers = "return navigator.serviceWorker.getRegistrations().then((all) =>
        [navigator.serviceWorker.controller === null, all.length]);";
    let found = tab.run(workers, vec![]).await?;
    ensure!(found == json!([true, 0]), "{found}");
    let word = enter_with_key_of(&tab, &node).await?;
    ensure!(word == "\"welcome\"", "the key of the page itself: {word}");
    tab.enter_tab(old_tab).await?;
    let kept = tab.run("return location.origin;", vec![]).await?;
    ensure!(kept == old_origin, "the other tab is at {kept}");
    Ok(())
}

#[tokio::test]
async fn leftover_worker_is_removed_and_tabs_return() -> Result<()> {
    if !EVE.exists()? {
        return Ok(());
    }
    let (lab, port) = (Lab::new()?, free_port()?);
    let squatter = Squatter::start(port).await?;
    let mut tab = Page::open(&format!("http://127.0.0.1:{port}/")).await?;
    until("a worker of another user is there", async || {
        let collected = tab.run("return window.collected ?? null;", vec![]).await?;
        ensure!(collected["signs"] == false, "{collected}");
        Ok(())
    })
    .await?;
    drop(squatter);
    let node = anna(&lab, port, "no").start()?;
    ensure!(node.web()?.starts_with(&format!("http://127.0.0.1:{port}/#token=")), "{}", node.web()?);
    // A tab of its own: in the one that is open the link would change the fragment alone.
    tab.open_tab(node.web()?).await?;
    tab.wait_for_text(ALONE).await?;
    let workers = "return navigator.serviceWorker.getRegistrations().then((all) => all.length);";
    until("the worker is gone", async || {
        let left = tab.run(workers, vec![]).await?;
        ensure!(left == 0, "{left} workers");
        Ok(())
    })
    .await?;

    let node = node.stop()?.start()?;
    tab.wait_for_connection("Nobody in reach").await?;
    tab.say("after the restart").await?;
    until("the node has it", async || {
        let texts = node.api.texts().await?;
        ensure!(texts == ["after the restart"], "{texts:?}");
        Ok(())
    })
    .await?;
    tab.complaints().await.map(drop)
}

#[tokio::test]
async fn users_reach_only_their_own_node() -> Result<()> {
    if !EVE.exists()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let program = program_for_all(&lab)?;
    let mut nodes = Vec::new();
    for (user, name, host) in [(EVE, "eve", "127.0.0.3"), (BEN, "ben", "127.0.0.4")] {
        let words = user.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let data_dir = user.directory(&lab, &format!("{name}-data"))?.display().to_string();
        let launch = lab.node(name).host(host).option("--data-dir", &data_dir).option("--shared", "yes");
        nodes.push((user, launch.program(&program).through(&words).start()?));
    }
    for (user, node) in &nodes {
        for (_, other) in &nodes {
            let told = user.asks(other)?;
            ensure!(told.starts_with("HTTP/1.1 200") == (other.id() == node.id()), "{}: {told}", node.name());
            ensure!(other.id() == node.id() || told.is_empty(), "{}: {told}", node.name());
        }
        let page = Page::start_as(user.0).await?;
        for (_, other) in &nodes {
            // An error if the other side closes the connection: then the browser shows a page of
            // its own.
            let opened = page.go(other.web()?).await;
            let shown = page.run("return [location.href, document.body.innerText];", vec![]).await;
            let is_in = opened.is_ok()
                && shown.as_ref().is_ok_and(|shown| shown[0].as_str().is_some_and(|at| at.starts_with("http")));
            ensure!(is_in == (other.id() == node.id()), "{} at {}: {opened:?} {shown:?}", node.name(), other.name());
        }
        page.go(node.web()?).await?;
        page.wait_for_connection("1 in reach").await?;
        page.close().await?;
    }
    Ok(())
}
