//! Looks of a scene: window size, system preferences, and other conditions of a page.

use support::page::Page;
use support::{Result, Value, json};

/// Makes every word of the page, and none of its users, as long as in a language with long words.
const LONGER: &str = include_str!("longer.js");

/// What WCAG 1.4.12 lets users do to any page.
const SPACED: &str = "const sheet = new CSSStyleSheet();
    sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
      p { margin-block-end: 2em !important; }`);
    document.adoptedStyleSheets.push(sheet);
    dispatchEvent(new Event('resize'));";

/// The page from right to left, as for a reader of Arabic or Hebrew.
const MIRRORED: &str = "document.documentElement.dir = 'rtl';";

type Wish = (&'static str, &'static str);

const LIGHT: Wish = ("prefers-color-scheme", "light");
const DARK: Wish = ("prefers-color-scheme", "dark");

/// A window, and what the user wants.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// What its pictures are called.
    pub(crate) name: &'static str,
    width: u32,
    height: u32,
    wishes: &'static [Wish],
    /// What happens to the page before it is looked at.
    dress: &'static str,
}

const fn look(name: &'static str, width: u32, height: u32, wishes: &'static [Wish]) -> Look {
    Look { name, width, height, wishes, dress: "" }
}

/// From which width on there is room for more than one pane.
const PANES_FROM: u32 = 768;

/// How each scene is looked at.
const ALL: [Look; 4] = [
    look("1280-light", 1280, 800, &[LIGHT]),
    look("1280-dark", 1280, 800, &[DARK]),
    look("480-light", 480, 900, &[LIGHT]),
    look("480-dark", 480, 900, &[DARK]),
];

/// How the scenes are looked at as well in which most can go wrong.
const MORE: [Look; 13] = [
    look("320", 320, 640, &[LIGHT]),
    look("zoomed", 320, 256, &[DARK]), // a window of 1280 by 1024 at 400 %
    look("768", 768, 900, &[LIGHT]),
    look("1024", 1024, 768, &[DARK]),
    Look { dress: MIRRORED, ..look("1280-rtl", 1280, 800, &[LIGHT]) },
    Look { dress: MIRRORED, ..look("480-rtl", 480, 900, &[DARK]) },
    look("1280-forced", 1280, 800, &[("forced-colors", "active")]),
    look("1280-contrast", 1280, 800, &[LIGHT, ("prefers-contrast", "more")]),
    look("480-contrast", 480, 900, &[DARK, ("prefers-contrast", "more")]),
    look("1280-still", 1280, 800, &[("prefers-reduced-motion", "reduce")]),
    Look { dress: LONGER, ..look("1280-longer", 1280, 800, &[LIGHT]) },
    Look { dress: LONGER, ..look("480-longer", 480, 900, &[DARK]) },
    Look { dress: SPACED, ..look("480-spaced", 480, 900, &[LIGHT]) },
];

/// The looks for a scene of this name; either all, or a wide light one and a narrow dark one.
pub(crate) fn looks_of(scene: &str, all: bool) -> impl Iterator<Item = Look> {
    let has_more = all && ["c-", "d-", "e-", "k-"].iter().any(|letter| scene.starts_with(letter));
    let is_for_one_pane = scene == "c-list";
    let looks = ALL.into_iter().filter(move |look| all || ["1280-light", "480-dark"].contains(&look.name));
    let looks = looks.chain(MORE.into_iter().filter(move |_| has_more));
    looks.filter(move |look| !is_for_one_pane || look.width < PANES_FROM)
}

impl Look {
    /// Gives the browser this window and these wishes.
    pub(crate) async fn set(&self, page: &Page) -> Result<()> {
        page.resize(self.width, self.height).await?;
        let features: Vec<Value> =
            self.wishes.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        page.devtools("Emulation.setEmulatedMedia", json!({ "media": "", "features": features })).await?;
        Ok(())
    }

    /// Does to the page what is done to it before it is looked at.
    pub(crate) async fn dress(&self, page: &Page) -> Result<()> {
        if self.dress.is_empty() { Ok(()) } else { page.run(self.dress, vec![]).await.map(drop) }
    }
}
