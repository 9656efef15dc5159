//! Takes a picture of every scene at 1280x800 and 480x900, light and dark, and more for scenes in
//! which most can go wrong. Checks overflow, truncated and colliding text, contrast, focus rings,
//! target sizes, and everything that axe finds.
//!
//! `cargo test --test page_visual -- --pictures` puts the pictures into `target/scenes`, with a
//! fixed clock and fixed members, and lists those that changed. Further words select pictures by
//! name. Without `--pictures`, as among all tests, each scene is only checked, once light and once
//! dark.
//!
//! axe-core checks accessibility; `tests/run` installs it, and it is never part of the page.

mod looks;
mod room;
mod scene;

use std::fmt;
use std::path::Path;

use data_encoding::BASE64;
use looks::{Look, looks_of};
use scene::Scene;
use support::driver::Browser;
use support::fake_node::FakeNode;
use support::fake_node::samples::clock;
use support::page::Page;
use support::{Context, Result, Value, ensure, json};

const TOP: &str = env!("CARGO_MANIFEST_DIR");
const CHECKS: &str = include_str!("checks.js");
const AXE: &str = "target/tools/node_modules/axe-core/axe.min.js";

/// A caret blinks, also on pictures.
const HIDE_CARET: &str = "{ const sheet = new CSSStyleSheet();
    sheet.replaceSync('* { caret-color: transparent !important; }');
    document.adoptedStyleSheets.push(sheet); }";

/// From how many percent of its pixels on a picture is worth a look.
const CHANGED_MIN: f64 = 0.1;

/// How many percent of the pixels of two pictures differ; all, if they are not of one size.
const DIFFERENCE: &str = "return (async (pictures) => {
    const pixels = await Promise.all(pictures.map(async (text) => {
      const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]));
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      return new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
    }));
    const [before, after] = pixels;
    if (before.length !== after.length) return 100;
    return after.reduce((count, pixel, i) => count + (pixel !== before[i]), 0) * 100 / after.length;
  })([arguments[0], arguments[1]]);";

#[tokio::main]
async fn main() -> Result<()> {
    let Wanted { names, has_pictures } = Wanted::by(std::env::args().skip(1));
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|word| name.contains(word.as_str()));
    let place = Path::new(TOP).join("target/scenes");
    std::fs::create_dir_all(&place)?;
    let mut studio = Studio::open().await?;
    let mut problems = 0;
    for (scene, called) in Scene::ALL {
        for look in looks_of(called, has_pictures) {
            let name = format!("{called}-{}", look.name);
            if !is_wanted(&name) {
                continue;
            }
            let file = has_pictures.then(|| place.join(format!("{name}.png")));
            let taken = studio.take(scene, look, file.as_deref()).await.context(name.clone())?;
            println!("{name}: {taken}");
            problems += taken.problems.len();
        }
    }
    studio.page.close().await?;
    ensure!(problems == 0, "{problems} problems");
    if has_pictures {
        println!("The pictures are in {}. Look at them.", place.display());
    }
    Ok(())
}

/// What was asked for on the command line, among what Cargo and its tests understand.
#[derive(Default)]
struct Wanted {
    names: Vec<String>,
    has_pictures: bool,
}

impl Wanted {
    fn by(mut args: impl Iterator<Item = String>) -> Self {
        let mut wanted = Self::default();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--pictures" => wanted.has_pictures = true,
                // The names of tests that are left out elsewhere.
                "--skip" => drop(args.next()),
                flag if flag.starts_with('-') => {}
                _ => wanted.names.push(arg),
            }
        }
        wanted
    }
}

/// What a picture turned out to be.
struct Taken {
    /// What a machine finds wrong on it.
    problems: Vec<String>,
    /// The share of pixels that differ from the picture before, in percent. `None` without a
    /// picture to compare with.
    changed: Option<f64>,
}

impl fmt::Display for Taken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = match self.changed {
            Some(percent) if percent > CHANGED_MIN => format!(", {percent:.1} % other than before"),
            _ => String::new(),
        };
        match self.problems.as_slice() {
            [] => write!(out, "fine{changed}"),
            problems => write!(out, "{problems:#?}{changed}"),
        }
    }
}

/// Where pictures are taken: one browser for all of them.
struct Studio {
    page: Page,
    axe: String,
    /// The clock's script, to be taken away for another one.
    clock: Option<Value>,
}

impl Studio {
    /// The same time zone and language on every machine, and the focus in the page.
    async fn open() -> Result<Self> {
        let axe = std::fs::read_to_string(Path::new(TOP).join(AXE)).context("axe-core, which tests/run installs")?;
        let page = Page::start(Browser::Chromium).await?;
        page.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": "UTC" })).await?;
        page.devtools("Emulation.setLocaleOverride", json!({ "locale": "en-GB" })).await?;
        let agent = page.run("return navigator.userAgent;", vec![]).await?;
        page.devtools("Emulation.setUserAgentOverride", json!({ "userAgent": agent, "acceptLanguage": "en-GB" }))
            .await?;
        page.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await?;
        Ok(Self { page, axe, clock: None })
    }

    /// A clock that stands still, unless the scene is one of waiting.
    async fn set_clock(&mut self, is_running: bool) -> Result<()> {
        if let Some(clock) = self.clock.take() {
            self.page.devtools("Page.removeScriptToEvaluateOnNewDocument", json!({ "identifier": clock })).await?;
        }
        let source = format!("{HIDE_CARET} {}", clock(is_running));
        let added = self.page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source })).await?;
        self.clock = Some(added["identifier"].clone());
        Ok(())
    }

    /// Plays a scene and looks at it; with a file, what is seen goes there.
    async fn take(&mut self, scene: Scene, look: Look, file: Option<&Path>) -> Result<Taken> {
        let node = FakeNode::open(scene.room()).await?;
        self.set_clock(scene.is_about_time()).await?;
        look.set(&self.page).await?;
        self.let_scripts_run(!scene.is_without_script()).await?;
        scene.play(&self.page, &node).await?;
        if scene.is_without_script() {
            // The driver's own questions are scripts too: a first picture waits for the lazy parts
            // by itself.
            self.page.devtools("Page.captureScreenshot", json!({})).await?;
        } else {
            look.dress(&self.page).await?;
            self.page.settle().await?;
        }
        let picture = self.page.devtools("Page.captureScreenshot", json!({ "format": "png" })).await?;
        self.let_scripts_run(true).await?;
        let changed = match file {
            Some(file) => self.keep(picture["data"].as_str().context("a picture")?, file).await?,
            None => None,
        };
        let problems = if scene.is_without_script() { Vec::new() } else { self.check().await? };
        Ok(Taken { problems, changed })
    }

    async fn let_scripts_run(&self, may_run: bool) -> Result<()> {
        let value = json!({ "value": !may_run });
        self.page.devtools("Emulation.setScriptExecutionDisabled", value).await.map(drop)
    }

    /// Writes a picture. Answers how much is other than on the one that was there.
    async fn keep(&self, picture: &str, file: &Path) -> Result<Option<f64>> {
        let before = std::fs::read(file).ok().map(|bytes| BASE64.encode(&bytes));
        std::fs::write(file, BASE64.decode(picture.as_bytes())?)?;
        let Some(before) = before else { return Ok(None) };
        if before == picture {
            return Ok(Some(0.0));
        }
        let percent = self.page.run(DIFFERENCE, vec![json!(before), json!(picture)]).await?;
        Ok(Some(percent.as_f64().context("a number")?))
    }

    /// What a machine finds wrong.
    async fn check(&self) -> Result<Vec<String>> {
        let mut problems: Vec<String> = serde_json::from_value(self.page.run(CHECKS, vec![]).await?)?;
        self.page.run(&format!("if (!window.axe) {{ {} }}", self.axe), vec![]).await?;
        let found = "return (async () => {
            const { violations } = await axe.run(document, { resultTypes: ['violations'] });
            // Code in a message is reached and scrolled by arrow keys: Tab leaves the list in one
            // step.
            const isByArrows = (id, html) => id === 'scrollable-region-focusable' && html.startsWith('<pre');
            return violations.flatMap(({ id, nodes }) => nodes.filter(({ html }) => !isByArrows(id, html))
              .map(({ html, any }) => `${id}: ${html.slice(0, 200)} ${any[0]?.message ?? ''}`));
          })();";
        problems.extend(serde_json::from_value::<Vec<String>>(self.page.run(found, vec![]).await?)?);
        Ok(problems)
    }
}
