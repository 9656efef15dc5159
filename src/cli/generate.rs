//! Completions of shells and manual pages, from the same definitions as `--help`.

use std::io;

use clap::{CommandFactory as _, ValueEnum};
use clap_mangen::Man;

use super::CommandLine;

/// A shell with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the words say it")]
pub enum CompletionShell {
    Bash,
    Zsh,
    Fish,
}

/// Returns the completions for a shell.
pub fn completions(shell: CompletionShell) -> Vec<u8> {
    use clap_complete::Shell::{Bash, Fish, Zsh};
    let shell = match shell {
        CompletionShell::Bash => Bash,
        CompletionShell::Zsh => Zsh,
        CompletionShell::Fish => Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "roomful", &mut text);
    text
}

/// Returns the manual pages with their file names, that of the program itself first.
pub fn man_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut program = CommandLine::command();
    program.build();
    let mut pages = vec![page("roomful.1".to_owned(), program.clone())?];
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        // The parser calls it by both names, as the page does.
        pages.push(page(format!("roomful-{}.1", command.get_name()), command.clone())?);
    }
    Ok(pages)
}

fn page(file: String, command: clap::Command) -> io::Result<(String, Vec<u8>)> {
    let mut text = Vec::new();
    Man::new(command).manual("Roomful").render(&mut text)?;
    Ok((file, text))
}
