//! The appearance of a message for any order of arrival, and for entries that may not change it.

use proptest::prelude::*;

use super::*;
use crate::proto::ids::{EntryId, LogId};

const TARGET: EntryId = EntryId { log: LogId(1), seq: 1, check: [7; 16] };
const ANA: NodeId = NodeId([1; 32]);
const BO: NodeId = NodeId([2; 32]);

fn at(author: NodeId, place: u64, seq: u64) -> Order {
    Order { place, author, log: LogId(u64::from(author.0[0])), seq }
}

fn edit(text: &str) -> Body {
    Body::Edit { entry: TARGET, text: text.to_owned(), mentions: Mentions::default() }
}

fn react(emoji: &str, off: bool) -> Body {
    Body::React { entry: TARGET, emoji: emoji.to_owned(), off }
}

fn state(audience: Option<NodeId>, entries: &[(Order, Option<NodeId>, Body)]) -> MessageState {
    let mut state = MessageState::new(Readers { author: ANA, audience });
    for (order, audience, body) in entries {
        state.apply(*order, Stamp(order.place), *audience, body);
    }
    state
}

fn current(state: &MessageState) -> (String, Appearance) {
    state.current("as said".to_owned(), &Mentions::default())
}

fn entries() -> impl Strategy<Value = Vec<(Order, Option<NodeId>, Body)>> {
    let body = prop_oneof![
        4 => (0..9_u8).prop_map(|text| edit(&text.to_string())),
        1 => Just(Body::delete(TARGET)),
        8 => (0..40_u8, any::<bool>()).prop_map(|(emoji, off)| react(&format!("e{emoji}"), off)),
    ];
    let entry = (1..4_u8, 0..20_u64, prop_oneof![9 => Just(None), 1 => Just(Some(BO))], body);
    prop::collection::vec(entry, 0..120).prop_map(|drafts| {
        let numbered = drafts.into_iter().enumerate();
        let entry = |(seq, (author, place, audience, body))| {
            let order = at(NodeId([author; 32]), place, seq as u64);
            (order, audience, body)
        };
        numbered.map(entry).collect()
    })
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_the_same_appearance(
        (straight, shuffled) in entries().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        audience in prop_oneof![Just(None), Just(Some(BO))],
    ) {
        let (one, mut other) = (state(audience, &straight), state(audience, &shuffled));
        prop_assert_eq!(&one, &other);
        // Held twice is held once.
        straight.iter().for_each(|(order, audience, body)| other.apply(*order, Stamp(order.place), *audience, body));
        prop_assert_eq!(&one, &other);
        let reactions = one.reactions();
        prop_assert!(reactions.len() <= REACTION_KINDS_MAX);
        for author in 1..4 {
            let of_author = reactions.iter().filter(|kind| kind.by.contains(&NodeId([author; 32])));
            prop_assert!(of_author.count() <= REACTIONS_OF_AUTHOR_MAX);
        }
    }
}

#[test]
fn the_last_edit_in_order_counts() {
    let entries = [(at(ANA, 5, 2), None, edit("second")), (at(ANA, 3, 9), None, edit("first"))];
    let (text, appearance) = current(&state(None, &entries));
    assert_eq!((text.as_str(), appearance.edited), ("second", Some(Stamp(5))));
}

#[test]
fn edits_and_deletions_of_others_are_ignored() {
    let others = [
        (at(BO, 9, 1), None, edit("not mine")),
        (at(BO, 9, 2), None, Body::delete(TARGET)),
        // The author, to other readers.
        (at(ANA, 9, 3), Some(BO), edit("elsewhere")),
        (at(ANA, 9, 4), Some(BO), Body::delete(TARGET)),
    ];
    assert_eq!(state(None, &others), state(None, &[]));
}

#[test]
fn a_deletion_beats_a_later_edit() {
    let deleted = state(None, &[(at(ANA, 1, 1), None, Body::delete(TARGET)), (at(ANA, 9, 2), None, edit("x"))]);
    assert_eq!(current(&deleted), (String::new(), Appearance { deleted: true, ..Appearance::default() }));
}

#[test]
fn the_last_reaction_of_an_author_and_emoji_counts() {
    let entries = [
        (at(BO, 1, 1), None, react("👍", false)),
        (at(BO, 2, 2), None, react("👍", true)),
        (at(ANA, 3, 3), None, react("👍", false)),
        (at(BO, 4, 4), None, react("👍", false)),
        (at(BO, 5, 5), None, react("🎉", false)),
    ];
    let all = state(None, &entries).reactions();
    assert_eq!(all[0], Reaction { emoji: "👍".to_owned(), by: vec![ANA, BO] });
    assert_eq!(all[1], Reaction { emoji: "🎉".to_owned(), by: vec![BO] });
    let taken_back = state(None, &entries[..2]).reactions();
    assert_eq!(taken_back, []);
}

#[test]
fn the_first_ten_of_an_author_and_32_kinds_count() {
    let of_author = |author: u8, count: u64| {
        (0..count).map(move |n| {
            let place = u64::from(author) * 100 + n;
            (at(NodeId([author; 32]), place, place), None, react(&format!("{author}-{n}"), false))
        })
    };
    let one = state(None, &of_author(1, 15).collect::<Vec<_>>()).reactions();
    let kinds: Vec<_> = one.iter().map(|kind| kind.emoji.as_str()).collect();
    assert_eq!(kinds, ["1-0", "1-1", "1-2", "1-3", "1-4", "1-5", "1-6", "1-7", "1-8", "1-9"]);

    let mut crowd: Vec<_> = (1..6).flat_map(|author| of_author(author, 8)).collect();
    // A kind that counts takes further members.
    crowd.push((at(NodeId([9; 32]), 900, 900), None, react("1-0", false)));
    let crowd = state(None, &crowd).reactions();
    assert_eq!((crowd.len(), crowd[0].by.len(), crowd[31].emoji.as_str()), (REACTION_KINDS_MAX, 2, "4-7"));
}

#[test]
fn reactions_count_among_the_same_readers() {
    let cleo = NodeId([3; 32]);
    let entries = [
        (at(BO, 1, 1), Some(ANA), react("👍", false)),
        (at(ANA, 2, 2), Some(BO), react("👍", false)),
        (at(cleo, 3, 3), Some(ANA), react("👍", false)),
        (at(BO, 4, 4), Some(cleo), react("👍", false)),
        (at(BO, 5, 5), None, react("🎉", false)),
    ];
    let direct = state(Some(BO), &entries).reactions();
    assert_eq!(direct, [Reaction { emoji: "👍".to_owned(), by: vec![BO, ANA] }]);
    let room = state(None, &entries).reactions();
    assert_eq!(room, [Reaction { emoji: "🎉".to_owned(), by: vec![BO] }]);
}
