//! Tests of the command line.

use super::*;
use crate::config::PeerAddress;

fn parse_in(line: &[&str], environment: &[(&str, &str)]) -> Result<Invocation, CliExit> {
    let arguments = ["roomful"].iter().chain(line).map(OsString::from);
    let lookup = |key: &str| environment.iter().find(|(name, _)| *name == key).map(|(_, value)| value.into());
    parse(arguments, lookup, None)
}

#[track_caller]
fn node(line: &[&str], environment: &[(&str, &str)]) -> Config {
    match parse_in(line, environment) {
        Ok(Invocation { task: Task::Node(config), .. }) => config,
        other => panic!("{line:?} runs no node: {other:?}"),
    }
}

#[track_caller]
fn wrong(line: &[&str], environment: &[(&str, &str)]) -> String {
    match parse_in(line, environment) {
        Err(CliExit::Wrong(text)) => text,
        other => panic!("{line:?} is not refused: {other:?}"),
    }
}

#[test]
fn clap_accepts_the_parser() {
    CommandLine::command().debug_assert();
}

#[test]
fn help_can_be_read_at_80_columns() {
    let help = CommandLine::command().term_width(80).render_long_help().to_string();
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(help.ends_with(&format!("{EXAMPLES}\n")), "the examples are broken: {help}");
}

#[test]
fn defaults_match_the_contract() {
    let config = node(&["--data-dir", "/d"], &[]);
    let expected = Config {
        name: None,
        host: None,
        port: 7666,
        peers: Vec::new(),
        announce_to: Vec::new(),
        room: Name::new("lobby").unwrap(),
        room_key: None,
        web_port: WebPort::Usual,
        web_socket: None,
        shared: SharedMode::Auto,
        on_message: None,
        data_dir: Some("/d".into()),
        quota: 256 * 1024 * 1024,
        auto_fetch: 8 * 1024 * 1024,
        files_quota: 4 * 1024 * 1024 * 1024,
        ephemeral: false,
        json: false,
    };
    assert_eq!(config, expected);
    assert_eq!(node(&["--ephemeral"], &[]).data_dir, None);
}

#[test]
fn options_override_environment_and_defaults() {
    let all = [
        ("ROOMFUL_NAME", "  Ana "),
        ("ROOMFUL_HOST", "127.0.0.2"),
        ("ROOMFUL_PORT", "7000"),
        ("ROOMFUL_PEER", "a, b:1,,[::1]:2,"),
        ("ROOMFUL_ANNOUNCE_TO", "192.0.2.255,far:1"),
        ("ROOMFUL_ROOM", "attic"),
        ("ROOMFUL_ROOM_KEY_FILE", "/k"),
        ("ROOMFUL_WEB_PORT", "none"),
        ("ROOMFUL_WEB_SOCKET", "/s"),
        ("ROOMFUL_SHARED", "yes"),
        ("ROOMFUL_DATA_DIR", "/d"),
        ("ROOMFUL_ON_MESSAGE", "./bot"),
        ("ROOMFUL_QUOTA", "64"),
        ("ROOMFUL_AUTO_FETCH", "0"),
        ("ROOMFUL_FILES_QUOTA", "1"),
        ("ROOMFUL_EPHEMERAL", "1"),
        ("ROOMFUL_JSON", "1"),
        ("ROOMFUL_LOG", "debug"),
    ];
    let peer = |host: &str, port| PeerAddress { host: host.to_owned(), port };
    let from_environment = Config {
        name: Some(Name::new("Ana").unwrap()),
        host: Some([127, 0, 0, 2].into()),
        port: 7000,
        peers: vec![peer("a", 7000), peer("b", 1), peer("::1", 2)],
        announce_to: vec![peer("192.0.2.255", 7000), peer("far", 1)],
        room: Name::new("attic").unwrap(),
        room_key: Some(RoomKeyFrom::File("/k".into())),
        web_port: WebPort::None,
        web_socket: Some("/s".into()),
        shared: SharedMode::Yes,
        on_message: Some(std::path::absolute("./bot").unwrap()),
        data_dir: Some("/d".into()),
        quota: 64 * 1024 * 1024,
        auto_fetch: 0,
        files_quota: 1024 * 1024 * 1024,
        ephemeral: true,
        json: true,
    };
    assert_eq!(node(&[], &all), from_environment);
    assert_eq!(parse_in(&[], &all).unwrap().log, Some(LogLevel::Debug));

    let typed = node(&["-n", "Bo", "--port=7001", "--peer", "c", "--web-port", "0", "--data-dir=/e"], &all);
    assert_eq!(typed.name, Some(Name::new("Bo").unwrap()));
    assert_eq!((typed.port, typed.web_port, typed.peers), (7001, WebPort::Any, vec![peer("c", 7001)]));
    assert_eq!((typed.data_dir, typed.host), (Some("/e".into()), from_environment.host));

    assert_eq!(node(&["--shared", "no"], &all).shared, SharedMode::No);

    let off = node(&[], &[("ROOMFUL_EPHEMERAL", "0"), ("ROOMFUL_JSON", "0"), ("ROOMFUL_PORT", "")]);
    assert_eq!((off.ephemeral, off.json, off.port), (false, false, 7666));
}

#[test]
fn room_key_in_the_environment_is_validated() {
    const WORDS: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    let given = Some(RoomKeyFrom::Given(RoomKey::from_bytes([0x7f; 16])));
    assert_eq!(node(&[], &[("ROOMFUL_ROOM_KEY", WORDS)]).room_key, given);
    let file = Some(RoomKeyFrom::File("/k".into()));
    assert_eq!(node(&["--room-key-file", "/k"], &[("ROOMFUL_ROOM_KEY", WORDS)]).room_key, file);
    assert_eq!(node(&["--room-key-file", "/k"], &[("ROOMFUL_ROOM_KEY_FILE", "/other")]).room_key, file);
    for words in ["secret", "correct horse battery staple", &WORDS.replace("yellow", "year")] {
        let told = wrong(&[], &[("ROOMFUL_ROOM_KEY", words)]);
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(told.contains("`roomful key`") && !told.contains("horse"), "{told}");
    }
    assert!(wrong(&[], &[("ROOMFUL_ROOM_KEY", WORDS), ("ROOMFUL_ROOM_KEY_FILE", "/k")]).contains("both"));
    // A command does not use the variable.
    assert!(parse_in(&["members"], &[("ROOMFUL_ROOM_KEY", "secret")]).is_ok());
}

#[test]
fn common_options_stand_before_or_after_the_command() {
    for line in [["--data-dir", "/d", "--json", "members"], ["members", "--json", "--data-dir", "/d"]] {
        let expected = Task::Command { data_dir: Some("/d".into()), json: true, command: Command::Members };
        assert_eq!(parse_in(&line, &[]).unwrap().task, expected, "{line:?}");
    }
    let task = parse_in(&["members"], &[("ROOMFUL_DATA_DIR", "/d"), ("ROOMFUL_JSON", "1")]).unwrap().task;
    assert_eq!(task, Task::Command { data_dir: Some("/d".into()), json: true, command: Command::Members });
}

#[test]
fn node_options_are_refused_with_a_command() {
    for option in [
        "--port=7000",
        "--name=a",
        "--ephemeral",
        "--peer=a",
        "--room=a",
        "--host=::1",
        "--web-port=0",
        "--web-socket=/s",
        "--shared=no",
        "--on-message=x",
        "--config=/c",
    ] {
        assert!(wrong(&[option, "members"], &[]).contains("is a node option"), "{option}");
        wrong(&["members", option], &[]);
    }
    // A command ignores variables of the node, valid or not.
    let url = parse_in(&["url", "--port", "9"], &[("ROOMFUL_PORT", "x"), ("ROOMFUL_EPHEMERAL", "1")]).unwrap().task;
    assert!(matches!(url, Task::Command { command: Command::Url { port: Some(9), rotate: false }, .. }), "{url:?}");
}

#[test]
fn wrong_usage_prints_two_lines() {
    let lines: &[&[&str]] = &[
        &["--nope"],
        &["--port", "80"],
        &["--port", "65536"],
        &["--port"],
        &["--port", "7000", "--port", "7001"],
        &["--name", " \u{202e} "],
        &["--name", "x23456789012345678901234567890123"],
        &["--room", ""],
        &["--host", "localhost"],
        &["--peer", "a:b:c"],
        &["--web-port", "many"],
        &["--data-dir", ""],
        &["--log", "loud"],
        &["--announce-to", "192.0.2.255:0"],
        &["--room-key-file", ""],
        &["doctor", "--fix"],
        &["doctor", "--remove-copies=yes"],
        &["open", "x"],
        &["key", "--name", "x"],
        &["send", "--to", "a", "--channel", "b", "x"],
        &["send", "--timeout", "0", "x"],
        &["tail", "-n", "-1"],
        &["edit", "1234567", "x"],
        &["react", "last"],
        &["ssh"],
        &["ssh", "-oProxyCommand=x"],
        &["ssh", "--", "-oProxyCommand=x"],
        &["ssh", "ana@-box"],
        &["ssh", "a b"],
        &["ssh", "--port", "0", "box"],
        &["service"],
        &["service", "install", "--port", "7000"],
        &["service", "install", "--", "--prot", "7000"],
        &["service", "install", "--", "--help"],
        &["service", "install", "--", "stop"],
        &["completions", "tcsh"],
        &["url", "--port", "0"],
    ];
    for line in lines {
        let told = wrong(line, &[]);
        assert_eq!(told.lines().count(), 2, "{line:?}: {told}");
        assert!(!told.contains("Usage"), "{told}");
    }
    let long = format!("--web-socket=/{}", "x".repeat(107));
    assert!(wrong(&[&long], &[]).contains("107 bytes"));
}

#[test]
fn wrong_variable_is_named_in_the_error() {
    assert!(wrong(&[], &[("ROOMFUL_PORT", "80")]).contains("for ROOMFUL_PORT: 80 is not in"));
    assert!(wrong(&[], &[("ROOMFUL_NAME", "\u{7}")]).contains("ROOMFUL_NAME"));
    assert!(wrong(&[], &[("ROOMFUL_JSON", "yes")]).contains("ROOMFUL_JSON"));
    assert!(wrong(&[], &[("ROOMFUL_SHARED", "maybe")]).contains("for ROOMFUL_SHARED: auto, yes or no"));
    assert!(wrong(&["members"], &[("ROOMFUL_LOG", "loud")]).contains("ROOMFUL_LOG"));
}

#[test]
fn text_after_two_dashes_may_begin_with_a_dash() {
    let task = parse_in(&["send", "--", "--json"], &[]).unwrap().task;
    assert!(
        matches!(task, Task::Command { json: false, command: Command::Send { text: Some(ref text), .. }, .. } if text == "--json")
    );
    let task = parse_in(&["send", "-"], &[]).unwrap().task;
    assert!(matches!(task, Task::Command { command: Command::Send { text: Some(ref text), .. }, .. } if text == "-"));
}

fn with_file(text: &str, line: &[&str], environment: &[(&str, &str)]) -> Result<Invocation, CliExit> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let arguments = ["roomful"].iter().chain(line).map(OsString::from);
    let lookup = |key: &str| environment.iter().find(|(name, _)| *name == key).map(|(_, value)| value.into());
    parse(arguments, lookup, Some(&path))
}

const FILE: &str = "
# a node of its own
name = \"Ana\"
port = 7_000
web-port = \"none\"
peer = [\"a\", \"b:1\"]
announce-to = \"192.0.2.255\"
ephemeral = true
json = false
quota = 64
";

#[test]
fn file_is_below_environment_and_options() {
    let line = &["--port", "7001", "--data-dir", "/d"];
    let invocation = with_file(FILE, line, &[("ROOMFUL_PEER", "c"), ("ROOMFUL_JSON", "1")]).unwrap();
    let setting = |name: &str| {
        let found = invocation.settings.iter().find(|setting| setting.name == name).unwrap();
        (found.value.as_str(), found.source)
    };
    assert_eq!(setting("port"), ("7001", SettingSource::Option));
    assert_eq!(setting("peer"), ("c", SettingSource::Environment));
    assert_eq!(setting("web-port"), ("none", SettingSource::File));
    assert_eq!(setting("ephemeral"), ("true", SettingSource::File));
    assert_eq!(setting("json"), ("true", SettingSource::Environment));
    assert_eq!(setting("room"), ("lobby", SettingSource::Default));
    assert_eq!(setting("log"), ("warn", SettingSource::Default));
    let Task::Node(config) = invocation.task else { panic!("no node") };
    let peer = |host: &str, port| PeerAddress { host: host.to_owned(), port };
    assert_eq!((config.port, config.peers), (7001, vec![peer("c", 7001)]));
    assert_eq!(config.announce_to, [peer("192.0.2.255", 7001)]);
    assert_eq!((config.web_port, config.ephemeral, config.json), (WebPort::None, true, true));
    assert_eq!(config.name, Some(Name::new("Ana").unwrap()));

    let Task::Node(config) = with_file("peer = [\"a\"]\nroom-key-file = \"/k\"", &[], &[]).unwrap().task else {
        panic!("no node")
    };
    assert_eq!((config.peers, config.room_key), (vec![peer("a", 7666)], Some(RoomKeyFrom::File("/k".into()))));
}

#[test]
fn wrong_file_is_refused_with_its_line() {
    for (text, line, part) in [
        ("name = \"Ana\"\nprot = 7000\n", 2, "there is no setting 'prot'"),
        ("\n\nport = 80", 3, "for port: 80 is not in"),
        ("port = [7000, 7001]", 1, "another type"),
        ("ephemeral = 1", 1, "true or false"),
        ("port = 7000\nport = 7001", 2, "duplicate key"),
        ("name = Ana", 1, ""),
        ("[node]\nname = \"x\"", 1, "there is no setting 'node'"),
        ("config = \"/other\"", 1, "there is no setting 'config'"),
        ("room = \"\"", 1, "for room"),
    ] {
        let Err(CliExit::Wrong(told)) = with_file(text, &[], &[]) else { panic!("{text} is taken") };
        assert!(told.contains(&format!("config.toml, line {line}: ")) && told.contains(part), "{text}: {told}");
        assert_eq!(told.lines().count(), 2, "{told}");
    }
    // A command uses few of them, but a wrong name may be a misspelt one of these.
    assert!(with_file("port = 80", &["members"], &[]).is_ok());
    assert!(with_file("data-dri = \"/d\"", &["members"], &[]).is_err());
    let Task::Command { data_dir, .. } = with_file("data-dir = \"/d\"", &["members"], &[]).unwrap().task else {
        panic!("no command")
    };
    assert_eq!(data_dir, Some("/d".into()));
}

#[test]
fn named_file_must_be_readable() {
    for (line, environment) in [(&["--config", "/none"][..], &[][..]), (&[], &[("ROOMFUL_CONFIG", "/none")])] {
        let Err(CliExit::Failed(told)) = with_file(FILE, line, environment) else { panic!("{line:?} is taken") };
        assert!(told.starts_with("/none: ") && told.lines().count() == 2, "{told}");
    }
}

#[test]
fn config_takes_the_options_of_the_node() {
    let invocation = with_file(FILE, &["--room", "attic", "config"], &[]).unwrap();
    assert_eq!(invocation.task, Task::Config { running_on: None, json: false });
    let room = invocation.settings.iter().find(|setting| setting.name == "room").unwrap();
    assert_eq!((room.value.as_str(), room.source), ("attic", SettingSource::Option));
    let task = with_file(FILE, &["config", "--data-dir", "/d"], &[]).unwrap().task;
    assert_eq!(task, Task::Config { running_on: Some("/d".into()), json: false });
}

#[test]
fn ssh_options_stand_after_two_dashes() {
    let task = parse_in(&["ssh", "--start", "--port", "9000", "ana@box", "--", "-p", "2222"], &[]).unwrap().task;
    let Task::Command { command: Command::Ssh { start, no_open, port, host, options }, .. } = task else {
        panic!("{task:?}")
    };
    assert_eq!((start, no_open, port, host.as_str()), (true, false, Some(9000), "ana@box"));
    assert_eq!(options, ["-p", "2222"]);
}

#[test]
fn manual_pages_describe_every_command() {
    let pages = man_pages().unwrap();
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[0], "roomful.1");
    for command in CommandLine::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("roomful-{}.1", command.get_name());
        assert!(names.contains(&name.as_str()), "{name} is not in {names:?}");
    }
    let text = |name: &str| {
        let (_, text) = pages.iter().find(|(found, _)| found == name).unwrap();
        String::from_utf8(text.clone()).unwrap()
    };
    assert!(text("roomful.1").contains(".TH roomful 1") && text("roomful.1").contains("web\\-port"), "the options");
    assert!(
        text("roomful-send.1").contains("roomful\\-send") && text("roomful-send.1").contains("reply"),
        "the command"
    );
    for (shell, part) in [
        (CompletionShell::Bash, "complete -F"),
        (CompletionShell::Zsh, "#compdef roomful"),
        (CompletionShell::Fish, "complete -c roomful"),
    ] {
        let text = String::from_utf8(completions(shell)).unwrap();
        assert!(text.contains(part) && text.contains("web-port") && !text.contains("tunnel --"), "{shell:?}");
    }
}
