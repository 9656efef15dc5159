//! Decides whether other people work on this machine. If so, the page gets a new token and a new
//! origin at each start, and its port takes connections of this user only.
//!
//! The rule is a pure function of `/etc/passwd` and the owners of the running processes. Users of a
//! directory service that are not logged in are in neither: their machines need `--shared yes`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::config::SharedMode;

/// The uids that systems give to people: below are services, above are the unprivileged user
/// and dynamic users of systemd.
const PEOPLE: RangeInclusive<u32> = 1_000..=59_999;

/// The other people that a machine of root may have without being shared: root itself is also one
/// of them.
const OTHERS_OF_ROOT_MAX: usize = 1;

/// The programs that stand as shell of an account without a login.
const NO_LOGIN: [&str; 4] = ["false", "nologin", "null", "true"];

/// Returns true if other people work on this machine, as the user says or as the system looks at
/// this moment.
pub(super) fn is_shared(mode: SharedMode) -> bool {
    match mode {
        SharedMode::Yes => true,
        SharedMode::No => false,
        SharedMode::Auto => {
            let own = rustix::process::geteuid().as_raw();
            looks_shared(own, fs::read("/etc/passwd"), process_owners(Path::new("/proc")))
        }
    }
}

/// Returns true if other people work on this machine, or if the system does not show that.
///
/// A machine that is wrongly counted as shared costs its user a new link at each start. The
/// opposite mistake opens the page to other users.
fn looks_shared(own: u32, passwd: io::Result<Vec<u8>>, process_owners: io::Result<BTreeSet<u32>>) -> bool {
    let (Ok(passwd), Ok(process_owners)) = (passwd, process_owners) else { return true };
    // Names of people may be in another encoding. The fields that count are ASCII.
    has_other_people(own, &String::from_utf8_lossy(&passwd), &process_owners)
}

/// Returns true if people other than user `own` have a login or run a process.
///
/// A node of an ordinary user has company with one other login, a node of root with two: root is
/// most often also one ordinary user. A process counts in both cases, also of a user that `passwd`
/// does not list.
fn has_other_people(own: u32, passwd: &str, process_owners: &BTreeSet<u32>) -> bool {
    let is_other_person = |uid: &u32| *uid != own && PEOPLE.contains(uid);
    let accounts: Vec<(u32, bool)> = passwd.lines().filter_map(account).collect();
    let logins: BTreeSet<u32> =
        accounts.iter().filter(|(uid, has_login)| *has_login && is_other_person(uid)).map(|(uid, _)| *uid).collect();
    let logins_max = if own == 0 { OTHERS_OF_ROOT_MAX } else { 0 };
    let is_service = |uid: &u32| !logins.contains(uid) && accounts.iter().any(|(listed, _)| listed == uid);
    logins.len() > logins_max || process_owners.iter().any(|uid| is_other_person(uid) && !is_service(uid))
}

/// The uid on a line of a `passwd` file, and whether the account has a login shell.
fn account(line: &str) -> Option<(u32, bool)> {
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok()?;
    // An empty field stands for /bin/sh.
    let shell = fields.nth(3)?.trim();
    Some((uid, !NO_LOGIN.contains(&shell.rsplit('/').next()?)))
}

/// The users that run processes now, by the directory `proc`; an error if it hides those of others.
///
/// Process 1 is most often of another user. With the mount option `hidepid` its status is hidden.
#[cfg(target_os = "linux")]
fn process_owners(proc: &Path) -> io::Result<BTreeSet<u32>> {
    fs::read(proc.join("1/status"))?;
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let processes = fs::read_dir(proc)?.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_process));
    // A process that has ended meanwhile counts no more.
    let statuses = processes.filter_map(|process| fs::read(process.path().join("status")).ok());
    // A process may have any bytes as its name.
    Ok(statuses.filter_map(|status| process_owner(&String::from_utf8_lossy(&status))).collect())
}

/// Other systems have no such directory: there the logins alone decide.
#[cfg(not(target_os = "linux"))]
fn process_owners(_: &Path) -> io::Result<BTreeSet<u32>> {
    Ok(BTreeSet::new())
}

/// The real uid in the text of `/proc/PID/status`; none for a process of a container.
///
/// A container numbers its users by itself: its uid 1000 is no person of this machine.
fn process_owner(status: &str) -> Option<u32> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let is_in_container = field("NSpid:").is_some_and(|pids| pids.split_whitespace().count() > 1);
    if is_in_container { None } else { field("Uid:")?.split_whitespace().next()?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "root:x:0:0:root:/root:/bin/bash";
    const ANA: &str = "ana:x:1000:1000::/home/ana:/bin/bash";
    const BEN: &str = "ben:x:1001:1001::/home/ben:/usr/bin/zsh";
    const EVE: &str = "eve:x:59999:59999::/home/eve:";
    const GAMES: &str = "games:x:1002:1002::/srv/games:/usr/sbin/nologin";
    const BACKUP: &str = "backup:x:1003:1003::/srv:/bin/false";
    const SERVICE: &str = "postgres:x:999:999::/var/lib:/bin/bash";
    const NOBODY: &str = "nobody:x:65534:65534::/:/bin/sh";

    #[test]
    fn other_people_make_a_machine_shared() {
        #[rustfmt::skip]
        let table: &[(u32, &[&str], &[u32], bool)] = &[
            // A node of an ordinary user: one other login is enough.
            (1000, &[ROOT, ANA], &[0, 1000], false),
            (1000, &[ROOT, ANA, BEN], &[], true),
            (1000, &[ROOT, ANA, EVE], &[], true),
            (1000, &[ROOT, ANA, GAMES, BACKUP], &[0, 1000], false),
            (1000, &[ROOT, ANA, SERVICE, NOBODY], &[999, 65_534], false),
            (999, &[ROOT, SERVICE, ANA], &[], true),
            // A node of root: two logins, since one is most often the same person.
            (0, &[ROOT], &[0], false),
            (0, &[ROOT, ANA], &[0], false),
            (0, &[ROOT, ANA, GAMES, SERVICE], &[0], false),
            (0, &[ROOT, ANA, BEN], &[0], true),
            (0, &[ROOT, ANA, "ana2:x:1000:1000::/:/bin/sh"], &[0], false),
            // Or a process of another person.
            (0, &[ROOT, ANA], &[0, 1000], true),
            (0, &[ROOT, GAMES], &[0, 1002], false),
            (1000, &[ROOT, ANA, GAMES], &[1002], false),
            // Of a directory service, too, which passwd does not list.
            (1000, &[ROOT, ANA], &[1000, 2000], true),
            (0, &[ROOT], &[59_999], true),
            (0, &[ROOT], &[999, 60_000, 65_534, 100_000], false),
            // Lines without a user.
            (1000, &["", "+::::::", "ben:x:abc:1:::/bin/sh", "ben:x:1001", "#ben:x:"], &[], false),
        ];
        for (own, passwd, owners, expected) in table {
            let is = has_other_people(*own, &passwd.join("\n"), &owners.iter().copied().collect());
            assert_eq!(is, *expected, "uid {own}, {passwd:?}, processes of {owners:?}");
        }
    }

    #[test]
    fn option_overrides_the_machine() {
        assert!(is_shared(SharedMode::Yes) && !is_shared(SharedMode::No));
    }

    #[test]
    fn containers_have_no_people() {
        let status = |pids| format!("Name:\tsh\nPid:\t70\nUid:\t1001\t0\t0\t0\nGid:\t1\t1\t1\t1\nNSpid:\t{pids}\n");
        assert_eq!(process_owner(&status("70")), Some(1001));
        assert_eq!(process_owner(&status("70\t1")), None);
        assert_eq!(process_owner("Name:\tsh\n"), None);
    }

    #[test]
    fn other_encodings_hide_no_login() {
        let passwd = [ANA.as_bytes(), b"ben:x:1001:1001:b\xe9n:/home/ben:/bin/sh"].join(&b'\n');
        assert!(looks_shared(1000, Ok(passwd), Ok(BTreeSet::new())));
    }

    #[test]
    fn machine_without_information_counts_as_shared() {
        let passwd = || Ok(ANA.as_bytes().to_vec());
        assert!(!looks_shared(1000, passwd(), Ok(BTreeSet::new())));
        assert!(looks_shared(1000, Err(io::ErrorKind::NotFound.into()), Ok(BTreeSet::new())));
        assert!(looks_shared(1000, passwd(), Err(io::ErrorKind::PermissionDenied.into())));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn process_names_do_not_confuse_the_parser() {
        let own = rustix::process::getuid().as_raw();
        assert!(process_owners(Path::new("/proc")).expect("/proc").contains(&own));

        let proc = tempfile::tempdir().expect("a directory");
        assert!(process_owners(proc.path()).is_err(), "process 1 is hidden");
        for (pid, status) in [("1", &b"Name:\tinit\nUid:\t0\t0\t0\t0\n"[..]), ("7", b"Name:\tb\xe9n\nUid:\t1001\t1\n")]
        {
            fs::create_dir(proc.path().join(pid)).expect("a process");
            fs::write(proc.path().join(pid).join("status"), status).expect("its status");
        }
        assert_eq!(process_owners(proc.path()).expect("readable"), BTreeSet::from([0, 1001]));
    }
}
