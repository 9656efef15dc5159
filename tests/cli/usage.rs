//! Commands that need no running node.

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
fn leftovers_of_a_crash_are_no_running_node() {
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

#[test]
fn settings_are_printed_with_their_sources() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("roomful")).unwrap();
    std::fs::write(dir.path().join("roomful/config.toml"), "name = \"Ana\"\nquota = 9\n").unwrap();
    let mut command = roomful(&["--port", "7001", "config"]);
    let ended = command.env("XDG_CONFIG_HOME", dir.path()).env("ROOMFUL_QUOTA", "10").output().unwrap();
    let ended = Ended::from(ended);
    let fields = |name: &str| {
        let line = ended.out.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ended.status, 0, "{ended:?}");
    assert_eq!(fields("name"), ["name", "Ana", "file"]);
    assert_eq!(fields("port"), ["port", "7001", "option"]);
    assert_eq!(fields("quota"), ["quota", "10", "environment"]);
    assert_eq!(fields("room"), ["room", "lobby", "default"]);
    assert_eq!(fields("host").last().map(String::as_str), Some("default"));

    std::fs::write(dir.path().join("roomful/config.toml"), "name = \"Ana\"\n\nquotas = 9\n").unwrap();
    let wrong = Ended::from(roomful(&["members"]).env("XDG_CONFIG_HOME", dir.path()).output().unwrap());
    assert_eq!((wrong.status, wrong.err.lines().count()), (2, 2), "{wrong:?}");
    assert!(wrong.err.contains("config.toml, line 3: there is no setting 'quotas'"), "{wrong:?}");
}

#[test]
fn manual_and_completions_are_generated() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("man");
    assert_eq!(run(&["man", target.to_str().unwrap()]), Ended { status: 0, out: String::new(), err: String::new() });
    let page = std::fs::read_to_string(target.join("roomful.1")).unwrap();
    assert_eq!(run(&["man"]).out, page);
    assert!(target.join("roomful-send.1").exists() && !target.join("roomful-tunnel.1").exists());
    for shell in ["bash", "zsh", "fish"] {
        let printed = run(&["completions", shell]);
        assert!(printed.status == 0 && printed.out.contains("roomful"), "{printed:?}");
    }
}

#[test]
fn service_prints_its_unit_or_says_what_is_missing() {
    let unit = run(&["service", "install", "--print", "--", "--name", "Ana B"]);
    let start = format!("ExecStart={} --name \"Ana B\"", env!("CARGO_BIN_EXE_roomful"));
    assert!(unit.status == 0 && unit.out.lines().any(|line| line == start), "{unit:?}");
    for action in ["install", "remove", "status"] {
        let dir = tempfile::tempdir().unwrap();
        let mut command = roomful(&["service", action]);
        let ended = command.env("PATH", "/nowhere").env("XDG_CONFIG_HOME", dir.path()).output().unwrap();
        let ended = Ended::from(ended);
        assert_eq!((ended.status, ended.out.as_str(), ended.err.lines().count()), (1, "", 2), "{ended:?}");
        assert!(ended.err.contains("systemd"), "{ended:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was written");
    }
}
