//! Rooms with a key: what the wire gives away, and how often one may try.

use tokio::io::AsyncWriteExt as _;

use super::strangers::{read_greeting, stranger};
use super::*;
use crate::proto::limits::WRONG_KEYS_MAX;
use crate::wire::frame::{Greeting, encode_hello, encode_proof};

#[tokio::test]
async fn a_beacon_of_a_room_with_a_key_names_nobody() {
    let a = node_in(1, 0, "lobby", room_key(1));
    let mut b = node_in(2, a.net.udp_port(), "lobby", None);
    a.net.announce(a.beacon());
    let heard = b.next(|event| if let Event::Beacon { beacon, .. } = event { Some(beacon) } else { None }).await;
    assert_eq!((heard.id, heard.name.as_str()), (a.id, a.id.short().as_str()));
}

#[tokio::test]
async fn who_tries_keys_gets_five_a_minute_and_holders_are_let_in_meanwhile() {
    let mut a = node_in(1, 0, "lobby", room_key(1));
    let hello = Hello { versions: PROTOCOL_VERSIONS, room: RoomTag::new("lobby"), instance: instance() };
    for _ in 0..WRONG_KEYS_MAX {
        let (mut stream, _) = stranger(3, a.address()).await;
        stream.write_all(&encode_hello(&hello)).await.expect("sent");
        let (_, _) = (read_greeting(&mut stream).await, read_greeting(&mut stream).await);
        stream.write_all(&encode_proof(&[0; 32])).await.expect("sent");
        stream.flush().await.expect("sent");
        let answer = read_greeting(&mut stream).await;
        assert!(matches!(answer, Greeting::Close(CloseReason::Room)), "{answer:?}");
    }
    let mut stream = tokio::net::TcpStream::connect(a.address()).await.expect("connected");
    let read = timeout(PATIENCE, tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1])).await.expect("at once");
    assert!(matches!(read, Ok(0) | Err(_)), "closed before a byte");
    a.has_refused(&[(Cause::WrongKey, WRONG_KEYS_MAX as u64 + 1)]).await;

    let mut holder = node_in(2, 0, "lobby", room_key(1));
    holder.net.dial(dial(1, a.address(), None));
    holder.up().await;
    a.up().await;
}
