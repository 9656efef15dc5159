//! Rules for Rust code: pure modules stay pure, nothing unfinished is left, and functions and files
//! stay short.

use crate::source::{Source, block_length};
use crate::{Complaints, breaks, holds, keeps};

/// Longest function in lines. Beyond, it does two things.
const FUNCTION_LINES_MAX: usize = 100;

/// Longest file of the program in lines. Beyond, it is two ideas.
const FILE_LINES_MAX: usize = 450;

/// What would let a clock, a socket, a thread or chance into the rules of the protocol.
const IMPURE: &[&str] = &[
    "Instant",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "OsRng",
    "getrandom",
    "jiff",
    "rand::random",
    "rand::rng",
    "rusqlite",
    "socket2",
    "std::env",
    "std::fs",
    "std::io",
    "std::process",
    "std::thread",
    "thread_rng",
    "tokio",
    "HashMap",
    "HashSet",
];

/// What is not finished, or takes the program down.
const UNFINISHED: &[&str] = &[".unwrap()", "dbg!(", "todo!(", "unimplemented!("];

fn proto_is_pure(source: &Source) -> Complaints {
    if !source.is_in("src/proto") || !source.is_program() {
        return Complaints::new();
    }
    let why = "src/proto reads no clock, socket, file, thread or chance, and iterates in one order";
    source.find_words(&source.code_without_tests(), IMPURE, why)
}

fn nothing_is_unfinished(source: &Source) -> Complaints {
    let mut complaints = Complaints::new();
    if source.is_program() {
        complaints = source.find_words(&source.code_without_tests(), UNFINISHED, "not in the program");
    }
    // Written so that this line is no mark itself.
    let marks = ["TO-DO", "FIX-ME", "XX-X"].map(|mark| mark.replace('-', ""));
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    complaints.extend(source.find_words(&source.text, &marks, "do it, or say what is so and why"));
    complaints
}

fn functions_are_short(source: &Source) -> Complaints {
    if !source.is_a("rs") {
        return Complaints::new();
    }
    let code = source.code();
    let mut complaints = Complaints::new();
    for (at, _) in code.match_indices("fn ") {
        let follows_word = at > 0 && !code.as_bytes()[at - 1].is_ascii_whitespace();
        let rest = &code[at..];
        let Some(opening) = rest.find(['{', ';']).filter(|&opening| !follows_word && rest[opening..].starts_with('{'))
        else {
            continue;
        };
        let lines = rest[..opening + block_length(&rest[opening..])].lines().count();
        if lines > FUNCTION_LINES_MAX {
            complaints
                .push(source.complain(at, &format!("a function of {lines} lines (at most {FUNCTION_LINES_MAX})")));
        }
    }
    complaints
}

fn files_are_short(source: &Source) -> Complaints {
    let lines = source.text.lines().count();
    if !(source.is_in("src") || source.is_in("static")) || lines <= FILE_LINES_MAX {
        return Complaints::new();
    }
    vec![source.complain(0, &format!("{lines} lines (at most {FILE_LINES_MAX})"))]
}

fn modules_say_what_they_are(source: &Source) -> Complaints {
    if !source.is_a("rs") || source.text.starts_with("//!") {
        return Complaints::new();
    }
    vec![source.complain(0, "a module opens with `//!`: what it does and what it refuses to do")]
}

#[test]
fn the_protocol_is_pure() {
    holds(proto_is_pure);
    for text in
        ["use std::time::Instant;", "let n: u8 = rand::random();", "fn f(m: HashMap<u8, u8>) {}", "tokio::spawn(f)"]
    {
        breaks(proto_is_pure, "src/proto/engine.rs", text);
    }
    keeps(proto_is_pure, "src/proto/engine.rs", "/// An Instant cannot be written in a test.\nfn instants() {}");
    keeps(proto_is_pure, "src/proto/engine.rs", "#[cfg(test)]\nmod tests { use std::fs; }");
    keeps(proto_is_pure, "src/net/link.rs", "use tokio::net::TcpStream;");
}

#[test]
fn the_program_is_finished() {
    holds(nothing_is_unfinished);
    for text in ["let a = b.unwrap();", "dbg!(a);", "fn f() { todo!() }", &["// TO", "DO: later"].concat()] {
        breaks(nothing_is_unfinished, "src/net/link.rs", text);
    }
    breaks(nothing_is_unfinished, "static/js/main.js", &["// FIX", "ME"].concat());
    keeps(
        nothing_is_unfinished,
        "src/net/link.rs",
        "b.unwrap_or_default();\n#[cfg(test)]\nmod tests { fn f() { a.unwrap() } }",
    );
    keeps(nothing_is_unfinished, "tests/network/main.rs", "a.unwrap()");
}

#[test]
fn functions_and_files_are_short() {
    holds(functions_are_short);
    holds(files_are_short);
    let long = format!("pub fn long(a: u8) -> u8 {{\n{}}}\n", "    let _ = \"}\";\n".repeat(FUNCTION_LINES_MAX));
    breaks(functions_are_short, "src/net/link.rs", &long);
    keeps(functions_are_short, "src/net/link.rs", &"fn short() {\n}\n".repeat(FUNCTION_LINES_MAX));
    breaks(files_are_short, "static/js/main.js", &"\n".repeat(FILE_LINES_MAX + 1));
    keeps(files_are_short, "static/js/main.js", &"\n".repeat(FILE_LINES_MAX));
}

#[test]
fn every_module_has_a_doc_comment() {
    holds(modules_say_what_they_are);
    breaks(modules_say_what_they_are, "src/net/link.rs", "use std::io;");
    keeps(modules_say_what_they_are, "src/net/link.rs", "//! A link.");
}
