//! What a printed page shows, and what an installed one is called.

use crate::{notes, open};
use support::fake_node::FakeNode;
use support::wait::until;
use support::{Result, ensure, json};

#[tokio::test]
async fn print_has_messages_with_names_and_full_times() -> Result<()> {
    let node = FakeNode::open(notes(60)).await?;
    let page = open(&node).await?;
    let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
    page.devtools("Emulation.setEmulatedMedia", json!({ "media": "screen", "features": features })).await?;
    let dark = "return getComputedStyle(document.body).backgroundColor;";
    until("the page is dark", async || {
        let color = page.run(dark, vec![]).await?;
        ensure!(color != json!("rgb(255, 255, 255)"), "{color}");
        Ok(())
    })
    .await?;

    page.devtools("Emulation.setEmulatedMedia", json!({ "media": "print", "features": features })).await?;
    let printed =
        "const seen = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility());
        const style = getComputedStyle(document.querySelector('.message__body'));
        const time = seen('.message--head .message__time')[0];
        return {
          chrome: seen('nav, aside, textarea, button, .pills').map((one) => one.id || one.className),
          names: seen('.message__author').length > 0,
          time: time.innerText.includes('2026'),
          ink: [style.color, getComputedStyle(document.querySelector('.timeline__scroller')).backgroundColor],
          isWhole: document.documentElement.scrollHeight > innerHeight,
        };";
    let printed = page.run(printed, vec![]).await?;
    let expected = json!({
        "chrome": [], "names": true, "time": true, "ink": ["rgb(0, 0, 0)", "rgb(255, 255, 255)"], "isWhole": true,
    });
    ensure!(printed == expected, "{printed}");
    page.close().await
}

#[tokio::test]
async fn browsers_find_what_they_need_to_install() -> Result<()> {
    let node = FakeNode::open(notes(1)).await?;
    let page = open(&node).await?;
    let script = "return (async () => {
        const { href } = document.querySelector('link[rel=manifest]');
        const manifest = await (await fetch(href)).json();
        const sizes = await Promise.all(manifest.icons.filter(({ type }) => type === 'image/png').map(async ({ src }) => {
          const { width, height } = await createImageBitmap(await (await fetch(new URL(src, href))).blob());
          return `${width}x${height}`;
        }));
        return [manifest.name, manifest.display, new URL(manifest.start_url, href).pathname, ...sizes];
      })();";
    let found = page.run(script, vec![]).await?;
    ensure!(found == json!(["Roomful", "standalone", "/", "192x192", "512x512"]), "{found}");
    page.close().await
}
