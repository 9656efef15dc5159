//! The scenes: each with its room and the steps before its picture is taken.

use thirtyfour::Key;

use roomful::web::requests::RequestError;

use crate::room::{busy, files, left_alone, long_message, people, posed, unread};
use support::Result;
use support::fake_node::FakeNode;
use support::fake_node::room::FakeRoom;
use support::page::Page;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    FirstRun,
    Alone,
    AloneFailing,
    Busy,
    Long,
    List,
    Posed,
    Line,
    Unread,
    Delivery,
    HeldByAll,
    HeldByNone,
    Saved,
    Completion,
    Hint,
    Switcher,
    Search,
    Members,
    Profile,
    Words,
    Differ,
    Cut,
    Stopped,
    NoKey,
    Help,
    Settings,
    Exit,
    Find,
    Files,
    FileList,
    Picture,
    Large,
    NoScript,
}

impl Scene {
    /// All scenes with the names of their pictures.
    pub(crate) const ALL: [(Self, &str); 33] = [
        (Self::FirstRun, "a-first-run"),
        (Self::Alone, "b-alone"),
        (Self::AloneFailing, "b-alone-failing"),
        (Self::Busy, "c-busy"),
        (Self::Long, "c-long"),
        (Self::List, "c-list"),
        (Self::Posed, "c-posed"),
        (Self::Line, "d-line"),
        (Self::Unread, "d-unread"),
        (Self::Delivery, "e-delivery"),
        (Self::HeldByAll, "e-held-by-all"),
        (Self::HeldByNone, "e-held-by-none"),
        (Self::Saved, "e-saved"),
        (Self::Completion, "g-completion"),
        (Self::Hint, "g-hint"),
        (Self::Switcher, "h-switcher"),
        (Self::Search, "i-search"),
        (Self::Members, "j-members"),
        (Self::Profile, "j-profile"),
        (Self::Words, "j-words"),
        (Self::Differ, "j-differ"),
        (Self::Cut, "k-cut"),
        (Self::Stopped, "k-stopped"),
        (Self::NoKey, "k-no-key"),
        (Self::Help, "l-help"),
        (Self::Settings, "l-settings"),
        (Self::Exit, "l-exit"),
        (Self::Find, "l-find"),
        (Self::Files, "m-files"),
        (Self::FileList, "m-file-list"),
        (Self::Picture, "m-picture"),
        (Self::Large, "n-large"),
        (Self::NoScript, "o-no-script"),
    ];

    /// Who is there and what was said before it begins.
    pub(crate) fn room(self) -> FakeRoom {
        let mut room = match self {
            Self::FirstRun => people(),
            Self::Alone | Self::AloneFailing => FakeRoom::empty(),
            Self::Line | Self::Unread => unread(),
            Self::Saved | Self::Find => left_alone(),
            Self::Posed => posed(),
            _ => busy(),
        };
        match self {
            Self::FirstRun => {
                room.say("ben", 200, "good morning");
                room.say("ana", 100, "morning! coffee is ready");
                room.read_but(&[]);
            }
            Self::AloneFailing => {
                let wlan = &mut room.info.discovery[1];
                wlan.error = Some("Network is unreachable".to_owned());
                wlan.sent = None;
            }
            Self::Long => _ = room.say("ben", 60, &long_message()),
            Self::Files | Self::FileList | Self::Picture => {
                room.say("ben", 60, "all that you asked for");
                files().into_iter().for_each(|(file, _)| room.attach(file));
            }
            Self::Delivery => room.held(2, 5),
            Self::HeldByAll => room.held(5, 5),
            Self::HeldByNone => room.held(0, 5),
            _ => {}
        }
        room
    }

    /// Whether the browser runs no script, so that nothing can be asked of the page.
    pub(crate) fn is_without_script(self) -> bool {
        self == Self::NoScript
    }

    /// Whether its clock must run, because something is waited for.
    pub(crate) fn is_about_time(self) -> bool {
        matches!(self, Self::Delivery | Self::Cut | Self::Stopped)
    }

    /// Opens the page and does what leads to the picture.
    pub(crate) async fn play(self, page: &Page, node: &FakeNode) -> Result<()> {
        files().into_iter().for_each(|(file, status)| node.set_file(file.content, status));
        let is_strange = matches!(self, Self::NoKey | Self::NoScript);
        let link = node.link();
        page.go(if is_strange { link.split('#').next().unwrap_or(&link) } else { &link }).await?;
        match self {
            Self::NoScript => return Ok(()),
            Self::NoKey => return page.wait_for("button", "Copy").await.map(drop),
            _ => page.wait_for_connection("saved on this computer").await?,
        }
        if self != Self::FirstRun {
            page.run(
                "document.querySelector('.onboarding')?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));",
                vec![],
            )
            .await?;
        }
        match self {
            Self::Unread => {
                page.wait_for("button", "Jump to newest").await?;
                node.hear_late("ben", 8000, "this one took a detour");
                node.hear("ana", "and this is the newest");
                page.run("document.getElementById('messages').scrollTop += 300;", vec![]).await?;
                page.wait_for("button", "1 earlier message arrived").await?;
            }
            Self::Delivery => deliver(page, node).await?,
            Self::List => page.press("Back to conversations 3 unread").await?,
            Self::Completion => type_text(page, "/h").await?,
            Self::Hint => {
                page.say("/hoory").await?;
                page.wait_for_text("There is no command").await?;
            }
            Self::Switcher => {
                page.chord(&[Key::Control], "k").await?;
                page.wait_for("dialog", "Go to a conversation, a member or a command").await?;
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
            Self::Profile | Self::Words | Self::Differ => {
                type_text(page, "/msg Ben Okafor").await?;
                page.chord(&[], Key::Enter + Key::Enter).await?;
                page.wait_for_text("just between us").await?;
                page.press("Profile of Ben Okafor").await?;
                page.wait_for("dialog", "Ben Okafor").await?;
                if self != Self::Profile {
                    page.press("Compare safety words").await?;
                    page.wait_for("button", "They match").await?;
                }
                if self == Self::Differ {
                    page.press("They differ").await?;
                    page.wait_for_text("Don’t trust").await?;
                }
            }
            Self::Cut => {
                type_text(page, "written while the node was away").await?;
                node.vanish();
                page.wait_for_connection("No connection to your node").await?;
                page.chord(&[], Key::Enter).await?;
                page.wait_for_text("Waiting for your node").await?;
            }
            Self::Stopped => {
                node.say_goodbye();
                page.wait_for_connection("stopped").await?;
            }
            Self::Help => {
                page.chord(&[Key::Control], "/").await?;
                page.wait_for("dialog", "Help").await?;
            }
            Self::Settings => open_settings(page).await?,
            Self::Files => page.wait_for("button", "Pause fetching backup.tar.zst").await.map(drop)?,
            Self::FileList => list_files(page).await?,
            Self::Picture => {
                page.press("Open desk 3.png").await?;
                page.wait_for("dialog", "desk 3.png").await?;
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

async fn open_settings(page: &Page) -> Result<()> {
    page.run("document.getElementById('settings').click();", vec![]).await?;
    page.wait_for("dialog", "Settings").await.map(drop)
}

/// Opens the list of files by the menu of the open conversation.
async fn list_files(page: &Page) -> Result<()> {
    let open = "document.querySelector('.conversation[aria-current]')
        .dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));";
    page.run(open, vec![]).await?;
    page.wait_for("menuitem", "Files").await?;
    let choose =
        "[...document.querySelectorAll('[role=menuitem]')].find((one) => one.textContent === 'Files').click();";
    page.run(choose, vec![]).await?;
    page.wait_for_text("6 files").await
}

async fn type_text(page: &Page, text: &str) -> Result<()> {
    Ok(page.wait_for("textbox", "Message").await?.send_keys(text).await?)
}

/// Each state that a message of one's own can be in.
async fn deliver(page: &Page, node: &FakeNode) -> Result<()> {
    page.say("everybody has this").await?;
    // Not its text alone, which stands there before the node was asked.
    page.wait_for_text("Received").await?;
    node.room().refuses = Some(RequestError::DiskFull);
    page.say("this one was refused").await?;
    page.wait_for_text("Not sent").await?;
    node.room().refuses = None;
    node.room().is_mute = true;
    page.say("this one is on its way").await?;
    page.wait_for_text("Sending").await
}
