//! Typing: which peers are told, how often, and what is shown of what they tell.

use super::*;
use crate::proto::entries::timeline::Conversation;
use crate::proto::limits::{TYPING_ACCEPTED_EVERY_MS, TYPING_EVERY_MS};

const REX: NodeId = NodeId([0xfd; 32]);
const RIA: NodeId = NodeId([0xfe; 32]);
const MIA: NodeId = NodeId([0xff; 32]);

/// An engine that is linked with Rex and Ria.
fn linked() -> Engine {
    let mut engine = engine();
    up(&mut engine, 0, 1, peer(REX, 5, true));
    up(&mut engine, 0, 2, peer(RIA, 5, true));
    engine
}

fn lunch() -> Name {
    Name::from_lossy("lunch", "?")
}

/// The links on which peers are told, and in which channel.
fn told(actions: &[Action]) -> Vec<(Vec<u64>, Option<Name>)> {
    let typing = |action: &Action| match action {
        Action::Send { links, frame: Frame::Typing { channel } } => {
            Some((links.iter().map(|link| link.0).collect(), channel.clone()))
        }
        _ => None,
    };
    actions.iter().filter_map(typing).collect()
}

fn shown(actions: &[Action]) -> Vec<(NodeId, Conversation)> {
    let typing = |action: &Action| match action {
        Action::Show(UiEvent::Typing { member, conversation }) => Some((*member, conversation.clone())),
        _ => None,
    };
    actions.iter().filter_map(typing).collect()
}

#[test]
fn typing_goes_to_those_who_can_read_it() {
    let mut engine = linked();
    let mut types = |conversation| told(&engine.handle(at(1), Input::Typing(conversation)));
    assert_eq!(types(Conversation::Channel(lunch())), [(vec![1, 2], Some(lunch()))]);
    assert_eq!(types(Conversation::Direct(RIA)), [(vec![2], None)]);
    assert_eq!(types(Conversation::Direct(MIA)), [], "never through another member");
}

#[test]
fn typing_is_sent_every_3_s_in_a_conversation() {
    let mut engine = linked();
    let mut types = |mono_ms, name| {
        let conversation = Conversation::Channel(Name::from_lossy(name, "?"));
        told(&engine.handle(at(mono_ms), Input::Typing(conversation))).len()
    };
    assert_eq!((types(1, "lunch"), types(2, "lunch"), types(3, "tea")), (1, 0, 1));
    assert_eq!((types(TYPING_EVERY_MS, "lunch"), types(TYPING_EVERY_MS + 1, "lunch")), (0, 1));
}

#[test]
fn typing_of_a_peer_is_shown_and_not_passed_on() {
    let mut engine = linked();
    let actions = tell(&mut engine, 1, 1, Frame::Typing { channel: Some(lunch()) });
    assert_eq!(shown(&actions), [(REX, Conversation::Channel(lunch()))]);
    assert!(!actions.iter().any(|action| matches!(action, Action::Send { .. } | Action::Write(_))), "{actions:?}");
    let actions = tell(&mut engine, 1, 2, Frame::Typing { channel: None });
    assert_eq!(shown(&actions), [(RIA, Conversation::Direct(RIA))]);
}

#[test]
fn a_flood_of_typing_is_shown_twice_a_second() {
    let mut engine = linked();
    let flood = (0..1_000).flat_map(|ms| {
        let channel = Some(Name::from_lossy(&format!("made up {ms}"), "?"));
        tell(&mut engine, ms, 1, Frame::Typing { channel })
    });
    let actions: Vec<Action> = flood.collect();
    assert_eq!(shown(&actions).len() as u64, 1_000 / TYPING_ACCEPTED_EVERY_MS);
}
