//! Environment variables as arguments: `ROOMFUL_WEB_PORT=none` is `--web-port=none`, unless that
//! option was given.

use std::ffi::OsString;

use clap::ArgAction;

use super::{Added, CliExit, Origin};

/// Returns the options that take a value or are switches, that is all but help and version.
pub(super) fn options(parser: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    parser
        .get_arguments()
        .filter(|arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append | ArgAction::SetTrue))
}

/// Returns the arguments that the environment adds, of options for which `is_free` is true.
pub(super) fn arguments(
    parser: &clap::Command,
    variable: impl Fn(&str) -> Option<OsString>,
    is_free: impl Fn(&clap::Arg) -> bool,
) -> Result<Added, CliExit> {
    let mut added = Added::default();
    for option in options(parser).filter(|arg| is_free(arg)) {
        let Some(long) = option.get_long() else { continue };
        // Shells and service files express "not set" as an empty variable.
        let Some(value) = variable(&variable_name(long)).filter(|value| !value.is_empty()) else { continue };
        let with_value = |value: OsString| {
            let mut argument = OsString::from(format!("--{long}="));
            argument.push(value);
            argument
        };
        match option.get_action() {
            ArgAction::Append => {
                let items = value.to_string_lossy();
                // Scripts that join lists leave surplus commas behind.
                let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
                added.arguments.extend(items.map(|item| with_value(item.into())));
            }
            ArgAction::SetTrue if value == "1" => added.arguments.push(format!("--{long}").into()),
            ArgAction::SetTrue if value == "0" => {}
            ArgAction::SetTrue => {
                return Err(CliExit::Wrong(format!("{} is a switch: set it to 1 or 0", variable_name(long))));
            }
            _ => added.arguments.push(with_value(value)),
        }
        added.origins.insert(long.to_owned(), Origin::Environment);
    }
    Ok(added)
}

pub(super) fn variable_name(long: &str) -> String {
    format!("ROOMFUL_{}", long.to_uppercase().replace('-', "_"))
}
