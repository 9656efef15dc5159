//! What can be said without a node.

use std::os::unix::net::UnixListener;

use super::{Ended, roomful, run};

#[test]
fn help_and_version_go_to_standard_output() {
    let help = run(&["--help"]);
    assert_eq!((help.status, help.err.as_str()), (0, ""));
    for part in [
        "You and the room:",
        "Network:",
        "Page:",
        "Everywhere:",
        "Examples:",
        "ROOMFUL_WEB_PORT",
        "--peer <HOST[:PORT]>",
    ] {
        assert!(help.out.contains(part), "{part}: {}", help.out);
    }
    assert!(run(&["send", "--help"]).out.contains("--timeout <SECONDS>"));
    let version = format!("roomful {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]), Ended { status: 0, out: version, err: String::new() });
}

#[test]
fn wrong_usage_is_status_2_and_two_lines() {
    for line in [
        &["--nope"][..],
        &["--port", "1023"],
        &["--name", "\u{200b}"],
        &["--port=7000", "stop"],
        &["export", "--format", "pdf"],
        &["search"],
        &["dance"],
        &["tail", "-n", "x"],
    ] {
        let ended = run(line);
        assert_eq!(
            (ended.status, ended.out.as_str(), ended.err.lines().count()),
            (2, "", 2),
            "{line:?}: {}",
            ended.err
        );
        assert!(ended.err.starts_with("roomful: "), "{}", ended.err);
    }
    let hostile = run(&["--\u{1b}]0;x\u{7}"]).err;
    assert!(!hostile.contains(['\u{1b}', '\u{7}']), "{hostile:?}");
    let variable = roomful(&["--ephemeral"]).env("ROOMFUL_PORT", "80").output().unwrap();
    assert_eq!(Ended::from(variable).status, 2);
}

#[test]
fn commands_without_a_node_say_how_to_start_one() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("none").display().to_string();
    let commands = [
        &["url"][..],
        &["send", "x"],
        &["tail"],
        &["tail", "--follow"],
        &["members"],
        &["search", "x"],
        &["export"],
        &["stop"],
    ];
    let expected = format!("roomful: no node is running on {here}; start one with: roomful --data-dir {here}\n");
    for command in commands {
        let ended = roomful(command).env("ROOMFUL_DATA_DIR", &here).output().unwrap();
        assert_eq!(Ended::from(ended), Ended { status: 1, out: String::new(), err: expected.clone() }, "{command:?}");
    }
    assert!(!dir.path().join("none").exists(), "asking makes nothing");

    let home = roomful(&["members"]).env("XDG_DATA_HOME", dir.path()).output().unwrap();
    assert!(Ended::from(home).err.contains(&format!("{}/roomful;", dir.path().display())));
}

#[test]
fn what_a_crashed_node_left_is_no_node() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("page.sock");
    drop(UnixListener::bind(&socket).unwrap());
    std::fs::write(dir.path().join("token"), "ab".repeat(32)).unwrap();
    for web in [Some("http://127.0.0.1:7680/"), None] {
        let run_json = serde_json::json!({"pid": 1, "socket": socket, "web": web, "started": ""});
        std::fs::write(dir.path().join("run.json"), run_json.to_string()).unwrap();
        for command in ["url", "send", "tail", "members", "stop"] {
            let ended = run(&[command, "--data-dir", dir.path().to_str().unwrap()]);
            assert_eq!((ended.status, ended.out.as_str()), (1, ""), "{command}");
            assert!(ended.err.contains("no node is running"), "{command}: {}", ended.err);
        }
    }
    std::fs::write(dir.path().join("run.json"), "{").unwrap();
    assert!(run(&["url", "--data-dir", dir.path().to_str().unwrap()]).err.contains("run.json is damaged"));
}
