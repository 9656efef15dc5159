//! Pages of other origins in the same browser: they can neither frame ours, nor keep a handle on
//! it, nor send requests to the node. A followed link sends no referrer.

use crate::other_site::Elsewhere;
use support::driver::Browser;
use support::lab::Lab;
use support::node::Node;
use support::page::Page;
use support::wait::until;
use support::{Context, Result, Value, ensure, json};

/// The text of a page in an empty room.
const ALONE: &str = "Nobody else is here right now";

fn alone(lab: &Lab) -> Result<Node> {
    lab.node("anna").host("127.0.0.1").start()
}

/// The node's origin, and the token, out of its link.
fn parts(node: &Node) -> Result<(&str, &str)> {
    node.web()?.split_once("/#token=").context("a link with a token")
}

#[tokio::test]
async fn foreign_page_cannot_frame_or_control_ours() -> Result<()> {
    let lab = Lab::new()?;
    let anna = alone(&lab)?;
    let frames = format!("<iframe src='{}/'></iframe><iframe src='/own'></iframe>", parts(&anna)?.0);
    let elsewhere = Elsewhere::serve(vec![("/frames", frames), ("/own", "may be framed".to_owned())]).await?;
    let mut page = Page::start(Browser::Chromium).await?;
    page.go(&elsewhere.at("/frames")).await?;
    let says = "return [location.href, document.body.innerText];";
    ensure!(page.in_frame(1, says).await? == json!([elsewhere.at("/own"), "may be framed"]), "frames work at all");
    let ours = page.in_frame(0, says).await?;
    ensure!(ours[0] == "chrome-error://chromewebdata/", "{ours}");
    let complaints = page.complaints().await?;
    ensure!(complaints.iter().any(|text| text.contains("frame-ancestors 'none'")), "{complaints:?}");

    let mut page = Page::open(&elsewhere.at("/own")).await?;
    let opens = "window.opened = open(arguments[0]); return opened !== null && !opened.closed;";
    ensure!(page.run(opens, vec![json!(anna.web()?)]).await? == true, "pages can be opened at all");
    let opener = page.enter_other_tab().await?;
    page.wait_for_text(ALONE).await?;
    ensure!(page.run("return window.opener === null;", vec![]).await? == true, "ours has an opener");
    page.enter_tab(opener).await?;
    ensure!(page.run("return opened.closed;", vec![]).await? == true, "the other page holds on to ours");
    let complaints = page.complaints().await?;
    ensure!(complaints.is_empty(), "{complaints:?}");
    page.close().await
}

/// Asks for one thing in one way, and tells what a page elsewhere learns of the answer.
const TRIES: &str = "
    const [origin, token] = arguments;
    const told = async (ask) => { try { return await ask(); } catch (error) { return error.name; } };
    const body = JSON.stringify({ text: 'from elsewhere' });
    const bearer = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    const ask = (path, options) => told(async () => {
        const answer = await fetch(origin + path, { credentials: 'include', ...options });
        return `${answer.type} ${answer.status}`;
    });
    const element = (tag, attribute, path) => new Promise((done) => {
        const one = document.createElement(tag);
        [one.onload, one.onerror] = [() => done('load'), () => done('error')];
        one[attribute] = origin + path;
        document.body.append(one);
    });
    const socket = () => new Promise((done) => {
        const one = new WebSocket(`${origin.replace('http', 'ws')}/ws`);
        [one.onopen, one.onclose] = [() => done('open'), (event) => done(`closed ${event.code}`)];
    });
    return (async () => ({
        simple: await Promise.all(['messages', 'stop', 'token/rotate', 'peers'].map((path) =>
            ask(`/api/v1/${path}`, { method: 'POST', mode: 'no-cors', body }))),
        beacon: navigator.sendBeacon(`${origin}/api/v1/stop`, body),
        knowing: await Promise.all([
            ask('/api/v1/node', { headers: bearer }),
            ask('/api/v1/messages', { method: 'POST', headers: bearer, body }),
            ask('/api/v1/stop', { method: 'POST', headers: bearer, body: '{}' }),
        ]),
        shell: [await ask('/', { mode: 'no-cors' }), await ask('/healthz', { mode: 'no-cors' }), await ask('/healthz', {})],
        script: await element('script', 'src', arguments[2]),
        image: await element('img', 'src', '/healthz'),
        socket: await socket(),
    }))();
";

#[tokio::test]
async fn foreign_page_can_neither_act_nor_read() -> Result<()> {
    let lab = Lab::new()?;
    let anna = alone(&lab)?;
    let (origin, token) = parts(&anna)?;
    let elsewhere = Elsewhere::serve(vec![("/", "<body></body>".to_owned())]).await?;
    // The browser knows the key: whatever it adds to requests by itself it has.
    let page = Page::open(anna.web()?).await?;
    page.wait_for_text(ALONE).await?;
    let script = page.run("return new URL(document.querySelector('script[src]').src).pathname;", vec![]).await?;
    page.go(&elsewhere.at("/")).await?;
    let learned = page.run(TRIES, vec![json!(origin), json!(token), script]).await?;
    let nothing = json!({
        "simple": ["TypeError", "TypeError", "TypeError", "TypeError"],
        "beacon": true,
        // Even with the token: no page elsewhere may show it.
        "knowing": ["TypeError", "TypeError", "TypeError"],
        "shell": ["TypeError", "TypeError", "TypeError"],
        "script": "error",
        "image": "error",
        "socket": "closed 1006",
    });
    ensure!(learned == nothing, "{learned:#}");

    for path in ["messages", "stop", "token/rotate"] {
        for form in ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded"] {
            let status = submits(&page, &elsewhere, &format!("{origin}/api/v1/{path}"), form).await?;
            ensure!(status == 403, "{path} as {form}: {status}");
        }
    }
    ensure!(anna.api.texts().await?.is_empty(), "something was said");
    // It runs, and the token is the same.
    anna.api.get("/api/v1/node").await?;
    page.go(&format!("{origin}/")).await?;
    page.wait_for_text(ALONE).await
}

/// Submits a form from another origin in the window itself, where the browser shows the answer.
/// Returns its status.
async fn submits(page: &Page, elsewhere: &Elsewhere, action: &str, form: &str) -> Result<Value> {
    page.go(&elsewhere.at("/")).await?;
    // As text, name and value make JSON together.
    let script = "const form = document.createElement('form');
        [form.method, form.action, form.enctype] = ['post', arguments[0], arguments[1]];
        const field = document.createElement('input');
        [field.name, field.value] = ['{\"text\":\"from elsewhere', '\"}'];
        form.append(field);
        document.body.append(form);
        form.submit();";
    page.run(script, vec![json!(action), json!(form)]).await?;
    until("the answer is there", async || {
        let script = "return [location.href, performance.getEntriesByType('navigation')[0].responseStatus];";
        let told = page.run(script, vec![]).await?;
        ensure!(told[0] == action, "{told}");
        Ok(told[1].clone())
    })
    .await
}

#[tokio::test]
async fn followed_link_sends_no_referrer() -> Result<()> {
    let lab = Lab::new()?;
    let anna = alone(&lab)?;
    let (origin, token) = parts(&anna)?;
    let elsewhere = Elsewhere::serve(vec![("/landing", "landed".to_owned())]).await?;
    let link = elsewhere.at("/landing");
    anna.api.say(&format!("look: {link}")).await?;
    let page = Page::open(anna.web()?).await?;
    page.wait_for_row(&["look:"]).await?;
    page.wait_for_like("link", &link).await?.click().await?;
    let ours = page.enter_other_tab().await?;
    page.wait_for_text("landed").await?;
    let told = page.run("return [document.referrer, opener === null];", vec![]).await?;
    ensure!(told == json!(["", true]), "{told}");
    let asked = elsewhere.asked();
    let landing = asked.first().context("it was asked for")?.to_lowercase();
    ensure!(landing.starts_with("get /landing ") && !landing.contains("\nreferer:"), "{landing}");
    ensure!(!asked.iter().any(|head| head.contains(token) || head.contains(origin)), "{asked:?}");

    // Nor is the token where one can go back to it.
    page.enter_tab(ours).await?;
    let history = page.devtools("Page.getNavigationHistory", json!({})).await?;
    let entries = history["entries"].as_array().context("entries")?;
    ensure!(entries.iter().any(|entry| entry["url"] == format!("{origin}/")), "{history}");
    ensure!(!entries.iter().any(|entry| entry["url"].as_str().is_some_and(|url| url.contains(token))), "{history}");
    let kept = page.run("return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href]);", vec![]);
    let kept = kept.await?;
    ensure!(!kept.to_string().contains(token), "{kept}");
    page.close().await
}

#[tokio::test]
async fn sign_in_link_works_until_rotated() -> Result<()> {
    let lab = Lab::new()?;
    let anna = alone(&lab)?;
    let pages = [Page::open(anna.web()?).await?, Page::open_in(Browser::Firefox, anna.web()?).await?];
    for page in &pages {
        page.wait_for_text(ALONE).await?;
    }
    let newer = anna.run(&["url", "--rotate"])?.stdout;
    for page in &pages {
        page.wait_for_text("Get the new sign-in link by running this where Roomful runs").await?;
    }
    for page in pages {
        page.go(newer.trim()).await?;
        page.wait_for_text(ALONE).await?;
        page.close().await?;
    }
    Ok(())
}
