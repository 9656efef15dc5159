//! Takes a picture of every scene, at 1280x800 and 480x900, light and dark, and checks by machine what a machine can see: overflow,
//! cut text, targets that are too small, and whatever axe finds. `cargo test --test scenes` puts them into `target/scenes`, with
//! a fixed clock and the same people each time; a word after `--` chooses scenes by their name.
//!
//! It needs npm once, for axe-core; nothing of that is ever part of the page.

#[path = "../common/mod.rs"]
mod common;
#[path = "../browser/driver.rs"]
mod driver;
#[allow(dead_code, reason = "tests use what pictures do not")]
#[path = "../browser/page.rs"]
mod page;
mod room;
mod scene;
mod world;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Context, Result, Value, bail, ensure, json};
use data_encoding::BASE64;
use driver::Browser;
use page::Page;
use scene::Scene;
use world::{NOW_MS, World};

const TOP: &str = env!("CARGO_MANIFEST_DIR");
const CHECKS: &str = include_str!("checks.js");
const AXE: &str = "axe-core@4.14.1";

/// A window, a theme, and what else the user asked the system for.
#[derive(Clone, Copy)]
struct Look {
    name: &'static str,
    width: u32,
    height: u32,
    features: &'static [(&'static str, &'static str)],
    is_mirrored: bool,
    /// Whether only the machine looks at it.
    is_unseen: bool,
}

const fn look(name: &'static str, width: u32, height: u32, theme: &'static [(&'static str, &'static str)]) -> Look {
    Look { name, width, height, features: theme, is_mirrored: false, is_unseen: false }
}

const LIGHT: &[(&str, &str)] = &[("prefers-color-scheme", "light")];
const DARK: &[(&str, &str)] = &[("prefers-color-scheme", "dark")];

/// How each scene is looked at.
const LOOKS: [Look; 4] = [
    look("1280-light", 1280, 800, LIGHT),
    look("1280-dark", 1280, 800, DARK),
    look("480-light", 480, 900, LIGHT),
    look("480-dark", 480, 900, DARK),
];

/// How scenes C, D, E and K are looked at as well.
const MORE_LOOKS: [Look; 7] = [
    Look { is_unseen: true, ..look("320", 320, 640, LIGHT) },
    Look { is_unseen: true, ..look("768", 768, 900, LIGHT) },
    Look { is_unseen: true, ..look("1024", 1024, 768, LIGHT) },
    Look { is_mirrored: true, ..look("1280-rtl", 1280, 800, LIGHT) },
    look("1280-forced", 1280, 800, &[("forced-colors", "active")]),
    look("1280-contrast", 1280, 800, &[("prefers-contrast", "more")]),
    Look { is_unseen: true, ..look("1280-still", 1280, 800, &[("prefers-reduced-motion", "reduce")]) },
];

#[tokio::main]
async fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let place = Path::new(TOP).join("target/scenes");
    std::fs::create_dir_all(&place)?;
    let axe = std::fs::read_to_string(axe()?)?;
    let page = Page::start(Browser::Chromium).await?;
    prepare(&page).await?;
    let mut problems = Vec::new();
    for scene in Scene::ALL {
        if !wanted.is_empty() && !wanted.iter().any(|word| scene.name().contains(word.as_str())) {
            continue;
        }
        let has_more = ["c-", "d-", "e-", "k-"].iter().any(|letter| scene.name().starts_with(letter));
        for look in LOOKS.iter().chain(MORE_LOOKS.iter().filter(|_| has_more)) {
            let name = format!("{}-{}", scene.name(), look.name);
            let found =
                take(&page, scene, *look, &axe, &place.join(format!("{name}.png"))).await.context(name.clone())?;
            println!("{name}: {}", if found.is_empty() { "fine".to_owned() } else { format!("{found:#?}") });
            problems.extend(found);
        }
    }
    page.close().await?;
    ensure!(problems.is_empty(), "{} problems", problems.len());
    println!("The pictures are in {}. Look at them.", place.display());
    Ok(())
}

/// The same clock, zone and language on every machine.
async fn prepare(page: &Page) -> Result<()> {
    let clock = format!(
        "{{ const begun = performance.now(), Real = Date;
            const now = () => Math.round({NOW_MS} + performance.now() - begun);
            globalThis.Date = class extends Real {{
              constructor(...args) {{ if (args.length === 0) super(now()); else super(...args); }}
              static now() {{ return now(); }} }}; }}"
    );
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": clock })).await?;
    page.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": "UTC" })).await?;
    page.devtools("Emulation.setLocaleOverride", json!({ "locale": "en-GB" })).await?;
    let agent = page.run("return navigator.userAgent;", vec![]).await?;
    page.devtools("Emulation.setUserAgentOverride", json!({ "userAgent": agent, "acceptLanguage": "en-GB" })).await?;
    page.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await?;
    Ok(())
}

/// Takes one picture. Answers what a machine finds wrong on it.
async fn take(page: &Page, scene: Scene, look: Look, axe: &str, file: &Path) -> Result<Vec<String>> {
    let world = World::open(scene.stage()).await?;
    page.resize(look.width, look.height).await?;
    let features: Vec<Value> =
        look.features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    page.devtools("Emulation.setEmulatedMedia", json!({ "media": "", "features": features })).await?;
    let script = json!({ "value": scene.is_without_script() });
    page.devtools("Emulation.setScriptExecutionDisabled", script).await?;
    scene.play(page, &world).await?;
    if look.is_mirrored {
        page.run("document.documentElement.dir = 'rtl';", vec![]).await?;
    }
    let mut problems = Vec::new();
    if scene.is_without_script() {
        // The driver's own questions are scripts too: the picture waits for the parts by itself.
        page.devtools("Page.captureScreenshot", json!({})).await?;
    } else {
        page.settle().await?;
        problems = serde_json::from_value(page.run(CHECKS, vec![]).await?)?;
        page.run(&format!("if (!window.axe) {{ {axe} }}"), vec![]).await?;
        let found = "const { violations } = await axe.run(document, { resultTypes: ['violations'] });
            return violations.flatMap(({ id, nodes }) => nodes.map(({ html, any }) => `${id}: ${html.slice(0, 200)} ${any[0]?.message ?? ''}`));";
        let found = page.run(&format!("return (async () => {{ {found} }})();"), vec![]).await?;
        problems.extend(serde_json::from_value::<Vec<String>>(found)?);
    }
    if !look.is_unseen {
        let picture = page.devtools("Page.captureScreenshot", json!({ "format": "png" })).await?;
        std::fs::write(file, BASE64.decode(picture["data"].as_str().context("a picture")?.as_bytes())?)?;
    }
    Ok(problems)
}

/// Where axe is; brought by npm if it is not there yet.
fn axe() -> Result<PathBuf> {
    let tools = Path::new(TOP).join("target/tools");
    let file = tools.join("node_modules/axe-core/axe.min.js");
    if !file.exists() {
        std::fs::create_dir_all(&tools)?;
        let brought = Command::new("npm").args(["install", "--no-save", "--prefix"]).arg(&tools).arg(AXE).status();
        if !brought.context("npm, which brings axe-core")?.success() {
            bail!("npm did not bring {AXE}");
        }
    }
    Ok(file)
}
