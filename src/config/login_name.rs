//! The name of a user who gives none.

use crate::proto::names::name::{Name, NameError};

/// Returns a name for the user: from the environment, the user database or the machine, else a
/// placeholder.
pub fn login_name() -> Name {
    let environment = ["USER", "LOGNAME"].into_iter().filter_map(|key| std::env::var(key).ok());
    let database = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let candidates = environment.chain(passwd_name(&database, rustix::process::getuid().as_raw())).chain([machine]);
    first_name(candidates)
}

/// Returns the first of `candidates` that is valid as a name.
fn first_name(candidates: impl Iterator<Item = String>) -> Name {
    const FALLBACK: &str = "somebody";
    let mut visible = candidates.filter(|text| Name::new(text) != Err(NameError::Empty));
    Name::from_lossy(&visible.next().unwrap_or_default(), FALLBACK)
}

/// Returns the login name of user `uid` from the text of a `passwd` file.
fn passwd_name(database: &str, uid: u32) -> Option<String> {
    database.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_never_empty() {
        let names = |list: &[&str]| first_name(list.iter().map(|name| (*name).to_owned())).as_str().to_owned();
        assert_eq!(names(&["", "\u{202e}", "ana"]), "ana");
        assert_eq!(names(&[]), "somebody");
        assert_eq!(passwd_name("root:x:0:0::/:\nana:x:1000:1000::/home/ana:/bin/sh\n", 1000).as_deref(), Some("ana"));
        assert_eq!(passwd_name("broken\nana:x", 1000), None);
    }
}
