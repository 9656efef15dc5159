//! What may be written, and what it comes to.

use super::*;
use crate::config::PeerAddress;

fn parse_in(line: &[&str], environment: &[(&str, &str)]) -> Result<Invocation, Refusal> {
    let arguments = ["roomful"].iter().chain(line).map(OsString::from);
    let lookup = |key: &str| environment.iter().find(|(name, _)| *name == key).map(|(_, value)| value.into());
    parse(arguments, lookup)
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
        Err(Refusal::Wrong(text)) => text,
        other => panic!("{line:?} is not refused: {other:?}"),
    }
}

#[test]
fn the_parser_itself_is_sound() {
    Line::command().debug_assert();
}

#[test]
fn help_can_be_read_at_80_columns() {
    let help = Line::command().term_width(80).render_long_help().to_string();
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(help.ends_with(&format!("{EXAMPLES}\n")), "the examples are broken: {help}");
}

#[test]
fn defaults_are_those_of_the_contract() {
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
        data_dir: Some("/d".into()),
        quota: 256 * 1024 * 1024,
        ephemeral: false,
        json: false,
    };
    assert_eq!(config, expected);
    assert_eq!(node(&["--ephemeral"], &[]).data_dir, None);
}

#[test]
fn environment_beats_default_and_option_beats_environment() {
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
        ("ROOMFUL_QUOTA", "64"),
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
        data_dir: Some("/d".into()),
        quota: 64 * 1024 * 1024,
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
fn a_room_key_in_the_environment_is_words_that_hold() {
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
    // A command has no use for it.
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
fn options_of_the_node_have_no_place_with_a_command() {
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
    ] {
        assert!(wrong(&[option, "members"], &[]).contains("option of the node"), "{option}");
        wrong(&["members", option], &[]);
    }
    // A variable that is wrong for the node, or right, is none of a command's business.
    let url = parse_in(&["url", "--port", "9"], &[("ROOMFUL_PORT", "x"), ("ROOMFUL_EPHEMERAL", "1")]).unwrap().task;
    assert!(matches!(url, Task::Command { command: Command::Url { port: Some(9), rotate: false }, .. }), "{url:?}");
}

#[test]
fn wrong_usage_is_told_in_two_lines() {
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
        &["open", "x"],
        &["key", "--name", "x"],
        &["send", "--to", "a", "--channel", "b", "x"],
        &["send", "--timeout", "0", "x"],
        &["tail", "-n", "-1"],
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
fn a_wrong_variable_is_called_by_its_name() {
    assert!(wrong(&[], &[("ROOMFUL_PORT", "80")]).contains("for ROOMFUL_PORT: 80 is not in"));
    assert!(wrong(&[], &[("ROOMFUL_NAME", "\u{7}")]).contains("ROOMFUL_NAME"));
    assert!(wrong(&[], &[("ROOMFUL_JSON", "yes")]).contains("ROOMFUL_JSON"));
    assert!(wrong(&[], &[("ROOMFUL_SHARED", "maybe")]).contains("for ROOMFUL_SHARED: auto, yes or no"));
    assert!(wrong(&["members"], &[("ROOMFUL_LOG", "loud")]).contains("ROOMFUL_LOG"));
}

#[test]
fn text_may_begin_with_anything_after_two_dashes() {
    let task = parse_in(&["send", "--", "--json"], &[]).unwrap().task;
    assert!(
        matches!(task, Task::Command { json: false, command: Command::Send { text: Some(ref text), .. }, .. } if text == "--json")
    );
    let task = parse_in(&["send", "-"], &[]).unwrap().task;
    assert!(matches!(task, Task::Command { command: Command::Send { text: Some(ref text), .. }, .. } if text == "-"));
}
