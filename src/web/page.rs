//! The shell of the page. It says nothing about the node: whoever can open the port may read it.

use askama::Template;
use axum::response::Html;

use super::assets;

#[derive(Template)]
#[template(path = "shell.html")]
struct Shell<'a> {
    /// Where the page's parts are.
    parts: &'a str,
}

pub(super) async fn shell() -> Html<String> {
    let shell = Shell { parts: &assets::root() };
    Html(shell.render().expect("the template has one variable, and a String takes everything"))
}

pub(super) async fn healthz() -> &'static str {
    "ok"
}
