//! The environment as if it had been typed: `ROOMFUL_WEB_PORT=none` is `--web-port=none`, where that was not.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches};

use super::Refusal;

/// The options that take a value or are switches: all but help and version.
pub(super) fn options(parser: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    parser
        .get_arguments()
        .filter(|arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append | ArgAction::SetTrue))
}

/// The arguments that the environment adds to those `typed`, and the options they belong to.
pub(super) fn arguments(
    parser: &clap::Command,
    typed: &ArgMatches,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<(Vec<OsString>, Vec<String>), Refusal> {
    let mut added = Vec::new();
    let mut from_environment = Vec::new();
    for option in options(parser).filter(|arg| arg.is_global_set() || typed.subcommand_name().is_none()) {
        let Some(long) = option.get_long() else { continue };
        if typed.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine) {
            continue;
        }
        // An empty variable is how shells and service files say "not set".
        let Some(value) = variable(&variable_name(long)).filter(|value| !value.is_empty()) else { continue };
        let with_value = |value: OsString| {
            let mut argument = OsString::from(format!("--{long}="));
            argument.push(value);
            argument
        };
        match option.get_action() {
            ArgAction::Append => {
                let items = value.to_string_lossy();
                // A comma too many, as scripts that join lists leave behind, names nobody.
                let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
                added.extend(items.map(|item| with_value(item.into())));
            }
            ArgAction::SetTrue if value == "1" => added.push(format!("--{long}").into()),
            ArgAction::SetTrue if value == "0" => {}
            ArgAction::SetTrue => {
                return Err(Refusal::Wrong(format!("{} is a switch: set it to 1 or 0", variable_name(long))));
            }
            _ => added.push(with_value(value)),
        }
        from_environment.push(long.to_owned());
    }
    Ok((added, from_environment))
}

pub(super) fn variable_name(long: &str) -> String {
    format!("ROOMFUL_{}", long.to_uppercase().replace('-', "_"))
}
