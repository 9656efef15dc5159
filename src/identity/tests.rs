//! Tests of identities on a real file system.

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};

use tempfile::TempDir;

use super::*;
use crate::proto::names::name::Name;

/// Returns a directory that is closed to others, like those that nodes create.
fn tempdir() -> std::io::Result<TempDir> {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn open(dir: &TempDir) -> DataDir {
    DataDir::open(Some(dir.path()), false).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn new_directory_and_files_are_private() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("a/b");
    let mut dir = DataDir::open(Some(&path), false).unwrap();
    dir.key().unwrap();
    dir.token().unwrap();
    let (_listener, socket) = dir.listen(None, "abcdefgh").unwrap();
    let run = RunFile {
        pid: 7,
        socket,
        web: None,
        host: "127.0.0.1".to_owned(),
        started: "2026-11-22T14:05:00.123Z".to_owned(),
        settings: serde_json::json!([]),
    };
    dir.announce(&run).unwrap();

    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
    assert_eq!(names(&path), ["key", "lock", "page.sock", "run.json", "token"]);
    for name in names(&path) {
        assert_eq!(mode(&path.join(&name)) & 0o177, 0, "{name}");
    }
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path.join("run.json")).unwrap()).unwrap();
    let socket = path.join("page.sock");
    assert_eq!(
        json,
        serde_json::json!({"pid": 7, "socket": socket, "web": null, "host": "127.0.0.1", "started": "2026-11-22T14:05:00.123Z", "settings": []})
    );

    drop(dir);
    assert_eq!(names(&path), ["key", "lock", "token"], "what stays after a stop");
}

#[test]
fn key_and_token_persist_as_64_hex_digits() {
    let parent = tempdir().unwrap();
    let key = open(&parent).key().unwrap();
    let token = open(&parent).token().unwrap();
    assert_eq!(open(&parent).key().unwrap().to_bytes(), key.to_bytes());
    assert_eq!(open(&parent).token().unwrap().bytes(), token.bytes());
    let text = fs::read_to_string(parent.path().join("key")).unwrap();
    assert_eq!(text, format!("{}\n", HEXLOWER.encode(&key.to_bytes())));
    assert_eq!(fs::read_to_string(parent.path().join("token")).unwrap(), format!("{}\n", *token.to_hex()));

    let new = open(&parent).rotate_token().unwrap();
    assert_ne!(new.bytes(), token.bytes());
    assert_eq!(open(&parent).token().unwrap().bytes(), new.bytes());
    assert_eq!(format!("{new:?}"), "Token(…)");
}

#[test]
fn a_damaged_key_is_refused_and_never_touched() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("key");
    let digits = "ab".repeat(32);
    for damaged in ["", "\n", &digits[1..], &format!("{digits}0"), &format!("g{}", &digits[1..]), &"0".repeat(5000)] {
        fs::write(&path, damaged).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(open(&parent).key(), Err(Error::KeyDamaged(_))), "{damaged:.70}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
    fs::write(&path, digits.to_uppercase()).unwrap();
    assert_eq!(open(&parent).key().unwrap().to_bytes(), [0xab; 32], "a lost newline is no damage");
}

#[test]
fn exposed_or_unreadable_key_is_refused() {
    let parent = tempdir().unwrap();
    open(&parent).key().unwrap();
    let path = parent.path().join("key");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(open(&parent).key(), Err(Error::KeyOpen(_))));

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    assert!(matches!(open(&parent).key(), Err(Error::KeyUnreadable { .. })));
    fs::remove_dir(&path).unwrap();
    symlink(&path, &path).unwrap();
    assert!(matches!(open(&parent).key(), Err(Error::KeyUnreadable { .. })), "a link to nowhere is no missing key");
}

#[test]
fn damaged_or_exposed_token_is_replaced() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("token");
    let first = open(&parent).token().unwrap();
    fs::write(&path, "nonsense").unwrap();
    let second = open(&parent).token().unwrap();
    assert_ne!(first.bytes(), second.bytes());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let third = open(&parent).token().unwrap();
    assert_ne!(second.bytes(), third.bytes());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn directory_serves_one_node_at_a_time() {
    let parent = tempdir().unwrap();
    let held = open(&parent);
    let error = DataDir::open(Some(parent.path()), false).unwrap_err();
    assert!(error.to_string().contains(&format!("in use by process {}", std::process::id())), "{error}");
    assert!(matches!(DataDir::open(Some(parent.path()), true), Err(Error::InUse { .. })));
    drop(held);
    open(&parent);
}

#[test]
fn leftovers_of_a_crash_do_not_prevent_a_start() {
    let parent = tempdir().unwrap();
    fs::write(parent.path().join("lock"), "1\n").unwrap();
    fs::write(parent.path().join("run.json"), "{}").unwrap();
    fs::write(parent.path().join("key.part"), "half").unwrap();
    drop(UnixListener::bind(parent.path().join("page.sock")).unwrap());
    let mut dir = open(&parent);
    assert!(!parent.path().join("run.json").exists());
    dir.key().unwrap();
    let (_listener, path) = dir.listen(None, "abcdefgh").unwrap();
    UnixStream::connect(path).unwrap();
    assert_eq!(fs::read_to_string(parent.path().join("lock")).unwrap(), format!("{}\n", std::process::id()));
}

#[test]
fn unusable_data_directory_is_refused() {
    let parent = tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(DataDir::open(Some(&file), false), Err(Error::NotADirectory(_))));
    assert!(matches!(DataDir::open(Some(&file.join("below")), false), Err(Error::NotADirectory(_))));
    assert!(matches!(DataDir::open(None, false), Err(Error::NoPlace)));
    let no_text = parent.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    assert!(matches!(DataDir::open(Some(&no_text), false), Err(Error::NotText(_))));
    assert!(!no_text.exists());
    let error = DataDir::open(Some(Path::new("/proc/roomful")), false).unwrap_err();
    assert!(matches!(error, Error::Unusable { .. }), "{error:?}");
    assert_eq!(error.to_string().lines().count(), 2);
}

#[test]
fn permissions_change_on_own_directories_only() {
    let parent = tempdir().unwrap();
    fs::set_permissions(parent.path(), Permissions::from_mode(0o755)).unwrap();
    open(&parent);
    assert_eq!(mode(parent.path()), 0o700, "an empty one");
    fs::set_permissions(parent.path(), Permissions::from_mode(0o755)).unwrap();
    open(&parent);
    assert_eq!(mode(parent.path()), 0o700, "one that was ours before");

    let home = tempdir().unwrap();
    fs::write(home.path().join("letter"), "").unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(DataDir::open(Some(home.path()), false), Err(Error::OpenToOthers(_))));
    assert_eq!(mode(home.path()), 0o755);
}

#[test]
fn directory_writable_by_others_is_refused() {
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        let parent = tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(mode)).unwrap();
        for ephemeral in [false, true] {
            let error = DataDir::open(Some(parent.path()), ephemeral).unwrap_err();
            assert!(error.to_string().contains(&format!("chmod 700 {}", parent.path().display())), "{error}");
        }
        assert_eq!((mode & 0o777, names(parent.path()).len()), (self::mode(parent.path()), 0));
    }
}

#[test]
fn lock_that_leads_elsewhere_is_refused() {
    let outside = tempdir().unwrap();
    let victim = outside.path().join("letter");
    fs::write(&victim, "dear").unwrap();
    type Make<'a> = &'a dyn Fn(&Path);
    let makes: [(&str, Make<'_>); 5] = [
        ("symbolic link", &|lock| symlink(&victim, lock).unwrap()),
        ("symbolic link", &|lock| symlink(outside.path().join("not there"), lock).unwrap()),
        ("hard link", &|lock| fs::hard_link(&victim, lock).unwrap()),
        ("directory", &|lock| fs::create_dir(lock).unwrap()),
        ("regular file", &|lock| drop(UnixListener::bind(lock).unwrap())),
    ];
    for (reason, make) in makes {
        let parent = tempdir().unwrap();
        make(&parent.path().join("lock"));
        let error = DataDir::open(Some(parent.path()), false).unwrap_err();
        assert!(error.to_string().contains(reason), "{reason}: {error}");
        assert_eq!(error.to_string().lines().count(), 2);
    }
    assert_eq!(
        (names(outside.path()), fs::read_to_string(&victim).unwrap()),
        (vec!["letter".to_owned()], "dear".into())
    );
}

#[test]
fn links_are_replaced_and_not_followed() {
    let outside = tempdir().unwrap();
    let parent = tempdir().unwrap();
    let digits = format!("{}\n", "ab".repeat(32));
    for name in ["key", "token", "port", "name"] {
        let target = outside.path().join(name);
        fs::write(&target, &digits).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
        symlink(target, parent.path().join(name)).unwrap();
    }
    let dir = open(&parent);
    assert!(matches!(dir.key(), Err(Error::KeyUnreadable { .. })), "a key is never replaced");
    assert_ne!(*dir.token().unwrap().to_hex(), digits.trim());
    dir.keep_served_port(7680).unwrap();
    dir.keep_name(&Name::new("Ana").unwrap()).unwrap();
    assert_eq!((dir.served_port(), dir.name()), (Some(7680), Name::new("Ana").ok()));
    for name in names(outside.path()) {
        assert_eq!(fs::read_to_string(outside.path().join(name)).unwrap(), digits);
    }
}

#[test]
fn ephemeral_identity_is_removed() {
    let mut dir = DataDir::open(None, true).unwrap();
    let path = dir.path().to_owned();
    assert_eq!(mode(&path), 0o700);
    assert_ne!(dir.key().unwrap().to_bytes(), dir.key().unwrap().to_bytes());
    dir.token().unwrap();
    dir.keep_served_port(7680).unwrap();
    let _listener = dir.listen(None, "abcdefgh").unwrap();
    assert_eq!(names(&path), ["lock", "page.sock", "token"]);
    drop(dir);
    assert!(!path.exists());
}

#[test]
fn ephemeral_node_keeps_foreign_files() {
    let parent = tempdir().unwrap();
    let kept = open(&parent).key().unwrap();
    open(&parent).keep_served_port(7680).unwrap();
    open(&parent).keep_name(&Name::new("Ana").unwrap()).unwrap();
    let read = || ["key", "port", "name"].map(|name| fs::read(parent.path().join(name)).unwrap());
    let before = read();
    let dir = DataDir::open(Some(parent.path()), true).unwrap();
    assert_ne!(dir.key().unwrap().to_bytes(), kept.to_bytes());
    assert_eq!(dir.name(), None, "it is somebody else");
    dir.keep_served_port(7681).unwrap();
    dir.keep_name(&Name::new("Bo").unwrap()).unwrap();
    drop(dir);
    assert_eq!(read(), before);
}

#[test]
fn socket_with_too_long_a_path_is_moved() {
    let parent = tempdir().unwrap();
    let long = parent.path().join("x".repeat(120));
    let place = |runtime: Option<&Path>| socket::SocketPath::usual(&long, runtime, "abcdefgh").unwrap();
    assert_eq!(place(Some(parent.path())).path(), parent.path().join("roomful-abcdefgh.sock"));

    let elsewhere = place(None);
    let directory = elsewhere.path().parent().unwrap().to_owned();
    assert_eq!(mode(&directory), 0o700);
    drop(elsewhere);
    assert!(!directory.exists());

    fs::set_permissions(parent.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(!place(Some(parent.path())).path().starts_with(parent.path()), "others could put a socket there");

    let mut dir = DataDir::open(Some(&long), false).unwrap();
    let (_listener, path) = dir.listen(None, "abcdefgh").unwrap();
    UnixStream::connect(&path).unwrap();
    drop(dir);
    assert!(!path.exists());
}

#[test]
fn live_socket_and_other_files_are_not_replaced() {
    let parent = tempdir().unwrap();
    let taken = parent.path().join("taken.sock");
    let _theirs = UnixListener::bind(&taken).unwrap();
    let mut dir = open(&parent);
    assert!(matches!(dir.listen(Some(&taken), "abcdefgh"), Err(Error::SocketTaken(_))));
    let file = parent.path().join("letter");
    fs::write(&file, "dear").unwrap();
    assert!(matches!(dir.listen(Some(&file), "abcdefgh"), Err(Error::Socket { .. })));
    drop(dir);
    assert_eq!(fs::read_to_string(&file).unwrap(), "dear");
    UnixStream::connect(&taken).unwrap();
}

#[test]
fn last_page_port_survives_a_restart() {
    let parent = tempdir().unwrap();
    let dir = open(&parent);
    assert_eq!(dir.served_port(), None);
    dir.keep_served_port(7680).unwrap();
    dir.keep_served_port(7681).unwrap();
    drop(dir);
    let dir = open(&parent);
    assert_eq!(dir.served_port(), Some(7681));
    assert_eq!(mode(&parent.path().join("port")), 0o600);
    fs::write(parent.path().join("port"), "none of it").unwrap();
    assert_eq!(dir.served_port(), None, "a damaged one is none");
}

#[test]
fn last_name_survives_a_restart() {
    let parent = tempdir().unwrap();
    let name = Name::new("Zo\u{eb} \u{1f469}\u{200d}\u{1f4bb}").unwrap();
    assert_eq!(open(&parent).name(), None);
    open(&parent).keep_name(&name).unwrap();
    assert_eq!(open(&parent).name(), Some(name));
    assert_eq!(mode(&parent.path().join("name")), 0o600);
    fs::write(parent.path().join("name"), b"\xff").unwrap();
    assert_eq!(open(&parent).name(), None, "a damaged one is none");
}

#[cfg(target_os = "linux")]
#[test]
fn network_file_systems_are_known() {
    assert_eq!(directory::network(0x6969), Some("NFS"));
    assert_eq!(directory::network(0xff53_4d42_u32 as i32 as u32), Some("CIFS"));
    assert_eq!(directory::network(0xef53), None, "ext4");
    assert_eq!(directory::network(0x0102_1994), None, "tmpfs");
    let error = Error::NetworkFileSystem { dir: "/srv".into(), kind: "NFS" }.to_string();
    assert!(error.contains("--data-dir"), "{error}");
}
