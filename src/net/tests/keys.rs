//! Rooms with a key: what beacons reveal, and the limit of wrong keys.

use tokio::io::AsyncWriteExt as _;

use super::strangers::{read_greeting, stranger};
use super::*;
use crate::proto::limits::WRONG_KEYS_MAX;
use crate::proto::links::version_range::PROTOCOL_VERSIONS;
use crate::wire::frame::{Greeting, encode_hello, encode_proof};

#[tokio::test]
async fn beacon_of_a_room_with_a_key_has_no_name() {
    let a = node_in(1, 0, "lobby", room_key(1));
    let mut b = node_in(2, a.net.udp_port(), "lobby", None);
    a.net.announce(a.beacon());
    let heard = b.next(|event| if let NetEvent::Beacon { beacon, .. } = event { Some(beacon) } else { None }).await;
    assert_eq!((heard.id, heard.name.as_str()), (a.id, a.id.short().as_str()));
}

#[tokio::test]
async fn wrong_keys_are_limited_and_holders_admitted() {
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
    a.has_refused(&[(DropReason::WrongKey, WRONG_KEYS_MAX as u64 + 1)]).await;

    let mut holder = node_in(2, 0, "lobby", room_key(1));
    holder.net.dial(dial(1, a.address(), None));
    holder.up().await;
    a.up().await;
}
