//! Properties that hold for every interleaving: of the batches of a log, of what two nodes hold, of
//! times and names.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use roomful::proto::clock::{Now, Stamp, next_stamp};
use roomful::proto::entries::batch::{HEADER_VERSION, Header, Verified, sign, slot};
use roomful::proto::entries::body::{Body, SALT_BYTES};
use roomful::proto::ids::{EntryId, LogId, NodeId, RoomId};
use roomful::proto::limits::{AUTHOR_BYTES_MAX, CLOCK_AHEAD_MS_MAX, NAME_MARKS_MAX};
use roomful::proto::members::member::Member;
use roomful::proto::members::roster::{MemberOnline, Roster};
use roomful::proto::names::name::Name;
use roomful::proto::replication::frontier::Frontier;
use roomful::proto::replication::log::Fit;
use roomful::proto::replication::store_api::{Append, MemberRecord, Write};
use support::model::store::Disk;
use unicode_segmentation::UnicodeSegmentation as _;

const WALL_MS: u64 = 1_800_000_000_000;

const OWN: NodeId = NodeId([9; 32]);
const PEER: NodeId = NodeId([8; 32]);

/// One batch of a room: its author, number of entries, clock error, and whether it refers to the
/// last entry seen.
#[derive(Clone, Debug)]
struct Draft {
    author: u8,
    entries: usize,
    clock_ms: u64,
    names_last: bool,
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let draft = (0..4_u8, 1..4_usize, 0..200_000_u64, any::<bool>());
    let draft =
        draft.prop_map(|(author, entries, clock_ms, names_last)| Draft { author, entries, clock_ms, names_last });
    prop::collection::vec(draft, 1..24)
}

/// Signs the drafts as their authors would, one log each.
fn write(drafts: &[Draft]) -> Vec<Verified> {
    let mut batches: Vec<Verified> = Vec::new();
    for draft in drafts {
        let key = SigningKey::from_bytes(&[draft.author + 1; 32]);
        let author = NodeId(key.verifying_key().to_bytes());
        let before = batches.iter().rev().find(|batch| batch.header().author == author);
        let last = before.map_or(0, |batch| batch.header().last_time().0 + 1);
        let first = Stamp::from_ms(WALL_MS + draft.clock_ms).0.max(last);
        let bodies: Vec<Vec<u8>> =
            (0..draft.entries).map(|n| Body::say(format!("entry {n}"), None, None).encode([0; SALT_BYTES])).collect();
        let entries = bodies.iter().enumerate().map(|(n, body)| slot(Stamp(first + n as u64), body)).collect();
        let header = Header {
            version: HEADER_VERSION,
            room: RoomId::new("lobby", b""),
            author,
            audience: None,
            log: LogId(u64::from(draft.author)),
            first_seq: before.map_or(1, |batch| batch.header().last_seq() + 1),
            prev: before.map(Verified::hash),
            after: batches.last().filter(|_| draft.names_last).map(|batch| batch.entry_id(0)),
            entries,
        };
        batches.push(sign(&key, header, &bodies));
    }
    batches
}

/// A written room and an order in which its batches come.
fn shuffled() -> impl Strategy<Value = (Vec<Verified>, Vec<Verified>)> {
    drafts()
        .prop_map(|drafts| write(&drafts))
        .prop_flat_map(|batches| (Just(batches.clone()), Just(batches).prop_shuffle()))
}

/// Takes batches as an engine does: what does not fit yet is offered again, as a peer would.
fn take(batches: &[Verified]) -> (Frontier, Disk) {
    let (mut frontier, mut disk) = (Frontier::new(OWN, Vec::new(), AUTHOR_BYTES_MAX), Disk::new(OWN));
    let mut rest: Vec<Verified> = batches.to_vec();
    while !rest.is_empty() {
        let before = rest.len();
        rest.retain(|batch| match frontier.classify(batch) {
            Fit::Fits => {
                frontier.commit(batch);
                disk.write(Write::Append { token: 0, batches: vec![Append { batch: batch.clone(), own: None }] });
                false
            }
            Fit::TooManyGaps => true,
            fit @ (Fit::Held | Fit::Overlaps | Fit::Conflicts | Fit::Refused | Fit::Closed(_)) => {
                panic!("an honest batch is {fit:?}")
            }
        });
        assert!(rest.len() < before, "something always fits");
    }
    (frontier, disk)
}

fn timeline(disk: &Disk) -> Vec<(EntryId, u64)> {
    disk.lines().into_iter().map(|line| (line.id, line.order.place)).collect()
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_the_same_state((written, shuffled) in shuffled()) {
        let (mut straight, disk) = take(&written);
        let (mut crooked, other) = take(&shuffled);
        prop_assert_eq!(straight.hash(PEER), crooked.hash(PEER));
        prop_assert_eq!(timeline(&disk), timeline(&other));
        for batch in &written {
            prop_assert!(matches!(crooked.classify(batch), Fit::Held | Fit::Overlaps));
        }
    }

    #[test]
    fn entry_follows_its_log_and_references((_, shuffled) in shuffled()) {
        let (_, disk) = take(&shuffled);
        let places: std::collections::BTreeMap<EntryId, u64> = timeline(&disk).into_iter().collect();
        for batch in &shuffled {
            for index in 1..batch.header().entries.len() {
                prop_assert!(places[&batch.entry_id(index - 1)] < places[&batch.entry_id(index)]);
            }
            if let Some(after) = batch.header().after {
                prop_assert!(places[&after] < places[&batch.entry_id(0)]);
            }
        }
    }

    #[test]
    fn comparison_finds_exactly_the_missing_entries((written, shuffled) in shuffled(), held in 0..24_usize) {
        let (mut theirs, _) = take(&written);
        let mut ours = Frontier::new(OWN, Vec::new(), AUTHOR_BYTES_MAX);
        for batch in shuffled.iter().take(held) {
            if ours.classify(batch) == Fit::Fits {
                ours.commit(batch);
            }
        }
        let (authors, more) = theirs.authors_page(OWN, None);
        prop_assert!(!more);
        let mut lacking = std::collections::BTreeSet::new();
        for author in ours.differing_authors(PEER, &authors) {
            for holding in theirs.logs_page(OWN, author, None).0 {
                for lack in ours.missing_ranges(PEER, author, &holding) {
                    lacking.extend((lack.first..=lack.last).map(|seq| (author, seq)));
                }
            }
        }
        for batch in &written {
            let header = batch.header();
            for seq in header.first_seq..=header.last_seq() {
                prop_assert_eq!(lacking.contains(&(header.author, seq)), !ours.contains(header.key(), seq));
            }
        }
    }

    #[test]
    fn a_clock_grows_and_never_runs_a_minute_ahead(walls in prop::collection::vec(0..400_000_u64, 1..50), seen in 0..400_000_u64) {
        let mut last = None;
        for wall_ms in walls.into_iter().map(|ms| WALL_MS + ms) {
            match next_stamp(wall_ms, last, Stamp::from_ms(WALL_MS + seen)) {
                Some(next) => {
                    prop_assert!(last.is_none_or(|last| last < next));
                    prop_assert!(next.ms() <= wall_ms + CLOCK_AHEAD_MS_MAX);
                    last = Some(next);
                }
                // The clock was set back too far for this log: a new one begins.
                None => last = None,
            }
        }
    }

    #[test]
    fn a_clean_name_stays_as_it_is(text in any::<String>()) {
        if let Ok(name) = Name::new(&text) {
            prop_assert_eq!(Name::new(name.as_str()), Ok(name.clone()));
            prop_assert!(!name.as_str().chars().any(char::is_control));
        }
        prop_assert!(Name::new(Name::from_lossy(&text, "?").as_str()).is_ok());
    }

    #[test]
    fn a_clean_name_has_four_marks_on_a_letter(
        parts in prop::collection::vec(
            prop::sample::select(&[
                "a", "e", "o", " ", "\u{301}", "\u{323}", "\u{31b}", "\u{20dd}", "\u{fe0f}", "\u{200d}", "\u{200c}", "👩", "❤",
                "🇪", "\u{915}", "\u{94d}", "\u{937}", "\u{93f}", "\u{1100}", "\u{1161}", "\u{11a8}", "\u{e35}", "\u{600}", "\r", "\u{1f3fb}",
            ][..]),
            0..40,
        )
    ) {
        let text = parts.concat();
        let name = Name::from_lossy(&text, "?");
        prop_assert_eq!(Name::new(name.as_str()), Ok(name.clone()));
        for grapheme in name.as_str().graphemes(true) {
            let marks = grapheme.chars().filter(|c| unicode_normalization::char::is_combining_mark(*c)).count();
            prop_assert!(marks <= NAME_MARKS_MAX, "{marks} marks in {name:?} of {text:?}");
        }
        if let Ok(whole) = Name::new(&text) {
            prop_assert_eq!(whole, name);
        }
    }

    #[test]
    fn presence_matches_online_and_offline_events(steps in prop::collection::vec((0..4_u8, 0..3_u8), 1..60)) {
        let now = |ms| Now { mono_ms: ms, wall_ms: WALL_MS + ms };
        let name = Name::from_lossy("Ana", "?");
        let own = Member::own(OWN, name.clone(), Vec::new(), 0);
        let mut roster = Roster::new(now(0), own, Vec::<MemberRecord>::new());
        let mut here = std::collections::BTreeSet::new();
        for (at, (who, what)) in steps.into_iter().enumerate() {
            let (id, now) = (NodeId([who; 32]), now(at as u64));
            let notices = match what {
                0 => {
                    here.insert(id);
                    let (name, addresses) = (name.clone(), Vec::new());
                    let wall_ms = Some(now.wall_ms);
                    roster.on_online(now, MemberOnline { id, name, addresses, port: 1, uptime_ms: 0, wall_ms, via: None }).notices
                }
                gone => {
                    let was_here = here.remove(&id);
                    let notices = roster.on_offline(now, id, gone == 1).notices;
                    prop_assert_eq!(notices.len(), usize::from(was_here));
                    notices
                }
            };
            prop_assert!(notices.iter().all(|(_, member, _)| *member == id));
            prop_assert_eq!(roster.reachable(), here.iter().copied().collect::<Vec<_>>());
        }
    }
}
