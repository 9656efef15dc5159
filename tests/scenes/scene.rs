//! The scenes, each with its stage and what is done on it before the picture is taken.

use thirtyfour::Key;

use roomful::proto::roster::State;
use roomful::proto::timeline::NoticeKind;
use roomful::web::ask::SayError;

use crate::common::Result;
use crate::page::Page;
use crate::room::{busy, long_message, people, unread};
use crate::world::{Stage, World};

/// What is played. The letters are those by which they are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    FirstRun,
    Alone,
    AloneFailing,
    Busy,
    Long,
    Unread,
    Delivery,
    Completion,
    Switcher,
    Search,
    Members,
    Profile,
    Words,
    Cut,
    Stopped,
    NoKey,
    Help,
    Exit,
    Find,
    Large,
    NoScript,
}

impl Scene {
    /// All of them.
    pub(crate) const ALL: [Self; 21] = [
        Self::FirstRun,
        Self::Alone,
        Self::AloneFailing,
        Self::Busy,
        Self::Long,
        Self::Unread,
        Self::Delivery,
        Self::Completion,
        Self::Switcher,
        Self::Search,
        Self::Members,
        Self::Profile,
        Self::Words,
        Self::Cut,
        Self::Stopped,
        Self::NoKey,
        Self::Help,
        Self::Exit,
        Self::Find,
        Self::Large,
        Self::NoScript,
    ];

    /// What its pictures are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FirstRun => "a-first-run",
            Self::Alone => "b-alone",
            Self::AloneFailing => "b-alone-failing",
            Self::Busy => "c-busy",
            Self::Long => "c-long",
            Self::Unread => "d-unread",
            Self::Delivery => "e-delivery",
            Self::Completion => "g-completion",
            Self::Switcher => "h-switcher",
            Self::Search => "i-search",
            Self::Members => "j-members",
            Self::Profile => "j-profile",
            Self::Words => "j-words",
            Self::Cut => "k-cut",
            Self::Stopped => "k-stopped",
            Self::NoKey => "k-no-key",
            Self::Help => "l-help",
            Self::Exit => "l-exit",
            Self::Find => "l-find",
            Self::Large => "n-large",
            Self::NoScript => "o-no-script",
        }
    }

    /// Who is there and what was said before it begins.
    pub(crate) fn stage(self) -> Stage {
        let mut stage = match self {
            Self::FirstRun => people(),
            Self::Alone | Self::AloneFailing => Stage::empty(),
            Self::Unread => unread(),
            Self::Find => {
                let mut stage = Stage::empty();
                stage.member("ben", "Ben Okafor", |ben| ben.state = State::Left);
                stage.say("ben", 700, "I shut my machine down for the day, see you");
                stage.notice("ben", 690, NoticeKind::Left);
                stage.say("kai", 600, "is anybody else here?");
                stage.held(0, 0);
                stage.read_but(&[]);
                stage
            }
            _ => busy(),
        };
        match self {
            Self::FirstRun => {
                stage.say("ben", 200, "good morning");
                stage.say("ana", 100, "morning! coffee is ready");
                stage.read_but(&[]);
            }
            Self::AloneFailing => {
                let wlan = &mut stage.info.discovery[1];
                wlan.error = Some("Network is unreachable".to_owned());
                wlan.sent = None;
            }
            Self::Long => _ = stage.say("ben", 60, &long_message()),
            Self::Delivery => stage.held(2, 5),
            _ => {}
        }
        stage
    }

    /// Whether the browser runs no script, so that nothing can be asked of the page.
    pub(crate) fn is_without_script(self) -> bool {
        self == Self::NoScript
    }

    /// Opens the page and does what leads to the picture.
    pub(crate) async fn play(self, page: &Page, world: &World) -> Result<()> {
        let is_strange = matches!(self, Self::NoKey | Self::NoScript);
        let link = world.link();
        page.go(if is_strange { link.split('#').next().unwrap_or(&link) } else { &link }).await?;
        if is_strange {
            return Ok(());
        }
        page.wait_for_connection("saved on this machine").await?;
        if self != Self::FirstRun {
            page.run(
                "document.querySelector('.first')?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));",
                vec![],
            )
            .await?;
        }
        match self {
            Self::Unread => {
                page.wait_for("button", "Jump to newest").await?;
                world.hear_late("ben", 8000, "this one took a detour");
                world.hear("ana", "and this is the newest");
                page.run("document.getElementById('messages').scrollTop += 400;", vec![]).await?;
                page.wait_for_text("earlier message arrived").await?;
            }
            Self::Delivery => deliver(page, world).await?,
            Self::Completion => type_text(page, "/h").await?,
            Self::Switcher => {
                page.chord(&[Key::Control], "k").await?;
                page.wait_for("dialog", "Go to a conversation, a person or a command").await?;
                page.chord(&[], "an").await?;
            }
            Self::Search => {
                page.press("Search messages").await?;
                page.wait_for("dialog", "Search messages").await?;
                page.chord(&[], "the").await?;
                page.wait_for_text("newest first").await?;
            }
            Self::Members => {
                type_text(page, "/members").await?;
                page.chord(&[], Key::Enter).await?;
                page.wait_for_focus("complementary", "Members").await?;
            }
            Self::Profile | Self::Words => {
                type_text(page, "/msg Ben Okafor").await?;
                page.chord(&[], Key::Enter + Key::Enter).await?;
                page.wait_for_text("just between us").await?;
                page.press("About Ben Okafor").await?;
                page.wait_for("dialog", "Ben Okafor").await?;
                if self == Self::Words {
                    page.press("Compare safety words").await?;
                    page.wait_for("button", "They match").await?;
                }
            }
            Self::Cut => {
                type_text(page, "written while the node was away").await?;
                world.vanish();
                page.wait_for_connection("No connection to your node").await?;
                page.chord(&[], Key::Enter).await?;
                page.wait_for_text("Waiting for your node").await?;
            }
            Self::Stopped => {
                world.say_goodbye();
                page.wait_for_connection("stopped").await?;
            }
            Self::Help => {
                page.chord(&[Key::Control], "/").await?;
                page.wait_for("dialog", "Help").await?;
            }
            Self::Exit => {
                type_text(page, "/exit").await?;
                page.chord(&[], Key::Enter).await?;
                page.wait_for("dialog", "Leave the chat and stop your node?").await?;
            }
            Self::Find => page.press("Find others").await?,
            Self::Large => {
                _ = page.run("document.documentElement.style.setProperty('font-size', '200%');", vec![]).await?
            }
            _ => {}
        }
        Ok(())
    }
}

async fn type_text(page: &Page, text: &str) -> Result<()> {
    Ok(page.wait_for("textbox", "Message").await?.send_keys(text).await?)
}

/// Each state that a message of one's own can be in.
async fn deliver(page: &Page, world: &World) -> Result<()> {
    page.say("everybody has this").await?;
    page.wait_for_text("everybody has this").await?;
    world.stage().refuses = Some(SayError::DiskFull);
    page.say("this one was refused").await?;
    page.wait_for_text("Not sent").await?;
    world.stage().refuses = None;
    world.stage().is_mute = true;
    page.say("this one is on its way").await?;
    page.wait_for_text("Sending").await
}
