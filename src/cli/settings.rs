//! The settings in force, each with the source of its value: what `roomful config` prints.

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches};

use super::environment::options;
use super::{Added, Origin};
use crate::config::{self, Setting, SettingSource};

/// Returns a setting for each option. `typed` has what stood on the command line, `matches` the
/// merged values.
pub(super) fn settings(
    parser: &clap::Command,
    typed: &ArgMatches,
    matches: &ArgMatches,
    added: &Added,
    rust_log: Option<String>,
) -> Vec<Setting> {
    let setting = |arg: &clap::Arg| {
        let (id, long) = (arg.get_id().as_str(), arg.get_long()?);
        let source = match added.origins.get(long) {
            _ if typed.value_source(id) == Some(ValueSource::CommandLine) => SettingSource::Option,
            Some(Origin::Environment) => SettingSource::Environment,
            Some(Origin::File { .. }) => SettingSource::File,
            None => SettingSource::Default,
        };
        let value = match arg.get_action() {
            ArgAction::SetTrue => Some(matches.get_flag(id).to_string()),
            _ => matches.get_raw(id).map(|values| {
                let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                values.join(",")
            }),
        };
        let (value, source) = match (value, long, &rust_log) {
            (Some(value), ..) => (value, source),
            (None, "log", Some(level)) => (level.clone(), SettingSource::Environment),
            (None, long, _) => (default_of(long), source),
        };
        Some(Setting { name: long.to_owned(), value, source })
    };
    options(parser).filter_map(setting).collect()
}

/// Returns the default of an option that the parser leaves open.
fn default_of(long: &str) -> String {
    let none = || "(none)".to_owned();
    let path = |path: Option<std::path::PathBuf>| path.map_or_else(none, |path| path.display().to_string());
    match long {
        "name" => "(the last name, else the login name)".to_owned(),
        "host" => "(every usable interface)".to_owned(),
        "web-port" => "(7680, or the next free one)".to_owned(),
        "web-socket" => "(page.sock in the data directory)".to_owned(),
        "data-dir" => path(config::default_data_dir()),
        "log" => "warn".to_owned(),
        _ => none(),
    }
}
