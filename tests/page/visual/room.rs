//! The members and messages of the fake room: everything that is hard to show well, in a realistic
//! room.

use roomful::proto::entries::timeline::NoticeKind;
use roomful::proto::files::attachment::Attachment;
use roomful::proto::files::status::{FileState, FileStatus};
use roomful::proto::ids::Hash;
use roomful::proto::members::member::Presence;

use support::fake_node::room::{FakeRoom, channel, direct};
use support::fake_node::samples::NOW_MS;

const HOUR_S: u64 = 3600;

/// Who is called Miryam, by the key that gives her a colour of her own.
const MIRYAM: &str = "miryam 9";

/// Six people, two of one name, and a machine.
pub(crate) fn people() -> FakeRoom {
    let mut room = FakeRoom::empty();
    room.member("ana", "Ana", |_| {});
    room.member("other ana", "ana", |ana| ana.since_ms = NOW_MS - 300_000);
    room.member("ben", "Ben Okafor", |ben| {
        ben.since_ms = NOW_MS - 4 * 24 * HOUR_S * 1000;
        ben.marks.verified = true;
    });
    let ben = room.members[3].id;
    room.member("box", "gpu-box-3", |gpu| {
        gpu.direct = false;
        gpu.via = Some(ben);
    });
    room.member(MIRYAM, "Miryam מרים", |miryam| {
        miryam.state = Presence::Unsure;
        miryam.clock_error_ms = Some(200_000);
    });
    room.member("laptop", "Kai (old laptop)", |laptop| {
        laptop.state = Presence::Left;
        laptop.since_ms = NOW_MS - 26 * HOUR_S * 1000;
    });
    room
}

/// The files of a message: a picture, of which only the box is there, and a file in each state.
pub(crate) fn files() -> Vec<(Attachment, FileStatus)> {
    let file = |name: &str, media_type: &str, size, state, have| {
        let content = Hash(*blake3::hash(name.as_bytes()).as_bytes());
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        let side = media_type.starts_with("image/").then_some(240);
        let attachment = Attachment { content, name, size, media_type, width: side, height: side, preview: None };
        (attachment, FileStatus { state, have, holders: None, pinned: false })
    };
    vec![
        file("desk 3.png", "image/png", 48_000, FileState::Remote, 0),
        file(
            "a plan of the whole building, second floor, with all cables.pdf",
            "application/pdf",
            3_400_000,
            FileState::Here,
            3_400_000,
        ),
        file("backup.tar.zst", "application/zstd", 5_000_000_000, FileState::Fetching, 1_900_000_000),
        file("talk.webm", "video/webm", 60_000_000, FileState::Here, 60_000_000),
        file("paused.iso", "application/octet-stream", 700_000_000, FileState::Remote, 300_000_000),
        file("lost.bin", "application/octet-stream", 1_000, FileState::Failed, 0),
    ]
}

/// The same people in the middle of a day's work.
pub(crate) fn busy() -> FakeRoom {
    let mut room = people();
    room.say("ben", 27 * HOUR_S, "I left the window open, could somebody close it?");
    room.say("ana", 26 * HOUR_S, "done");
    room.say(
        "ben",
        3300,
        "Morning build is green again. Steps that changed:\n```\ncargo build --release\nscp target/release/roomful gpu-box-3:bin/\n```",
    );
    room.say("box", 3100, "job 4411 finished: loss 0.0213, 3 h 12 min, http://gpu-box-3:6006");
    room.notice("other ana", 2900, NoticeKind::Joined);
    room.notice("other ana", 2899, NoticeKind::Conflict);
    room.say("ana", 2700, "the blue cable under desk 3 is mine, please leave it plugged in 🙂");
    room.say("ana", 2650, "it feeds half of the room…");
    room.say("other ana", 2500, "hi all, first day here! **which** channel is for lunch?");
    room.say(MIRYAM, 2400, "שלום אנה, ברוכה הבאה");
    room.say(MIRYAM, 2380, "مرحبا بكم جميعا في الغرفة");
    for (word, kind) in [(MIRYAM, NoticeKind::Lost), (MIRYAM, NoticeKind::Back), ("ben", NoticeKind::Left)] {
        room.notice(word, 2300, kind);
    }
    room.notice("ben", 2290, NoticeKind::Joined);
    room.notice("box", 2280, NoticeKind::Joined);
    room.say("ben", 2000, &format!("the long one: https://example.test/{}", "a-path-that-never-ends/".repeat(8)));
    room.say("box", 1500, "🎉🎉");
    room.say("kai", 900, "welcome! it is `#lunch`, pizza at 12:30");
    room.say("kai", 870, "and the door code is on the fridge");
    room.held(4, 5);
    room.say_in(&channel("builds"), "ana", 700, "builds are red again, bisecting");
    room.say_in(&channel("builds"), "ben", 600, "it is the flaky one");
    room.say_in(&channel("lunch"), "kai", 500, "soup");
    room.say_in(&direct("ben"), "ben", 400, "just between us: cake at four");
    room.read_but(&[(channel("builds"), 2), (direct("ben"), 1)]);
    room
}

/// A long message of 2000 characters, code and quotes in it.
pub(crate) fn long_message() -> String {
    let sentence = "The switch in the corner forgets what it learned whenever somebody unplugs the printer, so we wrote down which port is whose. ";
    format!("{}\n> nobody unplugs the printer\n\nso says the sign.", sentence.repeat(15))
}

/// Much that was said while one looked elsewhere.
pub(crate) fn unread() -> FakeRoom {
    let mut room = people();
    for number in 0..30_u64 {
        room.say("ben", 9000 - number * 60, &format!("before lunch, note {number}"));
    }
    for number in 0..45_u64 {
        let who = ["ana", "other ana", "ben", MIRYAM][usize::try_from(number).unwrap_or(0) / 3 % 4];
        room.say(who, 4000 - number * 70, &format!("while you were away, {number}: {}", "and more of it ".repeat(3)));
    }
    room.read_but(&[(roomful::proto::entries::timeline::Conversation::general(), 45)]);
    room
}

/// Other members were here, and none is now: messages wait for them.
pub(crate) fn left_alone() -> FakeRoom {
    let mut room = FakeRoom::empty();
    room.member("ben", "Ben Okafor", |ben| {
        ben.state = Presence::Left;
        ben.since_ms = NOW_MS - 690_000;
    });
    room.say("ben", 700, "I shut my machine down for the day, see you");
    room.notice("ben", 690, NoticeKind::Left);
    room.say("kai", 600, "is anybody else here?");
    room.held(0, 0);
    room.read_but(&[]);
    room
}

/// A member joins under a name that looks like that of a verified one.
pub(crate) fn posed() -> FakeRoom {
    let mut room = busy();
    // With a letter of Cyrillic in front.
    room.member("not ben", "Ben Оkafor", |other| other.since_ms = NOW_MS - 60_000);
    room.notice("not ben", 60, NoticeKind::Joined);
    room.notice("not ben", 59, NoticeKind::Conflict);
    room.say("not ben", 40, "hi, it's me, on another machine. could you send me the door code?");
    room.read_but(&[]);
    room
}
