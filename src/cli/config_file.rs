//! The configuration file as arguments: `web-port = "none"` is `--web-port=none`, unless the option
//! was given or its variable is set.
//!
//! The names are those of the options, so the parser of the command line checks the values.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use clap::ArgAction;
use toml::de::{DeTable, DeValue};

use super::environment::options;
use super::{Added, CliExit, Origin};
use crate::config::CONFIG_BYTES_MAX;

/// The option that names the file, which the file itself cannot set.
const CONFIG: &str = "config";

/// Returns the arguments that the file at `path` adds. Only values of options for which `is_free`
/// is true count, but all names are checked.
pub(super) fn arguments(
    parser: &clap::Command,
    path: &Path,
    is_free: impl Fn(&clap::Arg) -> bool,
) -> Result<Added, CliExit> {
    let text = read(path)?;
    let wrong = |span: Range<usize>, problem: &str, hint: &str| {
        let line = 1 + text[..span.start.min(text.len())].matches('\n').count();
        CliExit::Wrong(format!("{}, line {line}: {problem}\n{hint}", path.display()))
    };
    let table = DeTable::parse(&text).map_err(|error| {
        let problem = error.message().replace('\n', ", ");
        wrong(error.span().unwrap_or_default(), &problem, "the file is in the TOML format, for example: name = \"Ana\"")
    })?;

    let mut added = Added::default();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        let option = options(parser).find(|arg| name != CONFIG && arg.get_long() == Some(name));
        let Some(option) = option else {
            let hint = "the names are those of the options, without --; `roomful --help` lists them";
            return Err(wrong(key.span(), &format!("there is no setting '{name}'"), hint));
        };
        let line = 1 + text[..key.span().start.min(text.len())].matches('\n').count();
        let values = values(option, value.get_ref())
            .map_err(|hint| wrong(value.span(), &format!("the value of '{name}' has another type"), hint))?;
        if is_free(option) {
            added.arguments.extend(values);
            added.origins.insert(name.to_owned(), Origin::File { path: path.to_owned(), line });
        }
    }
    Ok(added)
}

fn read(path: &Path) -> Result<String, CliExit> {
    let failed = |problem: String| {
        CliExit::Failed(format!("{}: {problem}\n--config names the configuration file", path.display()))
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text));
    read.map_err(|error| failed(format!("the configuration file cannot be read: {error}")))?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(failed(format!("a configuration file has at most {} KiB", CONFIG_BYTES_MAX / 1024)));
    }
    Ok(text)
}

/// Returns the arguments for a value, or the form that a value of the option has.
fn values(option: &clap::Arg, value: &DeValue<'_>) -> Result<Vec<OsString>, &'static str> {
    let long = option.get_long().unwrap_or_default();
    let with_value = |text: &str| OsString::from(format!("--{long}={text}"));
    let scalar = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Ok(with_value(text)),
        DeValue::Integer(number) if number.radix() == 10 => Ok(with_value(&number.as_str().replace('_', ""))),
        _ => Err("write a text in quotes, or a number"),
    };
    match (option.get_action(), value) {
        (ArgAction::SetTrue, DeValue::Boolean(true)) => Ok(vec![format!("--{long}").into()]),
        (ArgAction::SetTrue, DeValue::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, _) => Err("it is a switch: write true or false"),
        (ArgAction::Append, DeValue::Array(items)) => items.iter().map(|item| scalar(item.get_ref())).collect(),
        _ => scalar(value).map(|value| vec![value]),
    }
}
