//! Nodes with each other: discovery, links, goodbyes, errors.

use super::*;
use crate::wire::frame::encode;

#[tokio::test]
async fn nodes_meet_by_beacon_and_talk() {
    let mut a = node(1, 0);
    let mut b = node(2, a.net.udp_port());
    a.net.announce(a.beacon());
    let (source, beacon) = b
        .next(|event| match event {
            NetEvent::Beacon { source, beacon } => Some((source, beacon)),
            _ => None,
        })
        .await;
    assert_eq!(beacon, a.beacon());
    assert_eq!(source.ip(), IpAddr::from([127, 0, 0, 1]), "the source is the address to dial");

    b.net.dial(dial(3, SocketAddr::new(source.ip(), beacon.port), Some(beacon.id)));
    let (b_link, peer) = b.up().await;
    assert!(peer.dialled && peer.id == a.id && peer.instance == a.instance);
    assert_eq!(peer.intro.name, name("node 1"));
    assert_eq!(peer.intro.listens, [a.address()]);
    let (a_link, peer) = a.up().await;
    assert!(!peer.dialled && peer.id == b.id && peer.address == IpAddr::from([127, 0, 0, 2]));

    b.net.send(b_link, encode(&Frame::Ping { wall_ms: 5 }));
    assert_eq!(a.frame().await, Frame::Ping { wall_ms: 5 });
    let push = Frame::Push(vec![batch("hello"), batch(&"long ".repeat(6000))]);
    a.net.send(a_link, encode(&push));
    assert_eq!(b.frame().await, push);
}

#[tokio::test]
async fn an_announcement_is_reported_and_counted() {
    let mut a = node(1, 0);
    let mut b = node(2, a.net.udp_port());
    let addresses = a
        .next(|event| match event {
            NetEvent::Network { addresses } => Some(addresses),
            _ => None,
        })
        .await;
    assert_eq!(addresses, [IpAddr::from([127, 0, 0, 1])]);
    a.net.announce(a.beacon());
    let sent = a
        .next(|event| match event {
            NetEvent::Announced(sent) => Some(sent),
            NetEvent::Beacon { .. } => panic!("an echo of the own beacon"),
            _ => None,
        })
        .await;
    let target = SocketAddr::from(([127, 255, 255, 255], a.net.udp_port()));
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].source, sent[0].target, &sent[0].error), (IpAddr::from([127, 0, 0, 1]), target, &None));
    b.next(|event| matches!(event, NetEvent::Beacon { .. }).then_some(())).await;
    assert_eq!(counted(&b), (0, 1, 0));
    assert_eq!(a.net.counters()["lo"].sent, 1);

    // Invalid packets are counted; the valid one after them shows that they were processed.
    let socket = tokio::net::UdpSocket::bind("127.0.0.3:0").await.expect("a socket");
    socket.set_broadcast(true).expect("allowed");
    for packet in [&b"ROOMFUL\x02"[..], b"", &[7; 1400]] {
        socket.send_to(packet, target).await.expect("sent");
    }
    a.net.announce(a.beacon());
    b.next(|event| matches!(event, NetEvent::Beacon { .. }).then_some(())).await;
    assert_eq!(counted(&b), (0, 2, 3));
    b.has_refused(&[(DropReason::NoBeacon, 2), (DropReason::BeaconVersion, 1)]).await;
}

/// Beacons sent, received and refused on loopback.
fn counted(node: &NetNode) -> (u64, u64, u64) {
    let counts = node.net.counters()["lo"];
    (counts.sent, counts.heard, counts.refused)
}

#[tokio::test]
async fn goodbye_arrives_after_queued_frames() {
    let (mut a, a_link, mut b, _) = linked().await;
    for wall_ms in 0..500 {
        a.net.send(a_link, encode(&Frame::Ping { wall_ms }));
    }
    a.net.close(a_link, CloseReason::Duplicate);
    for wall_ms in 0..500 {
        assert_eq!(b.frame().await, Frame::Ping { wall_ms });
    }
    assert_eq!(b.down().await, Some(CloseReason::Duplicate));
    assert_eq!(a.down().await, None);
}

#[tokio::test]
async fn stop_sends_goodbye_and_ends_every_task() {
    let (a, _, mut b, _) = linked().await;
    a.stop.cancel();
    assert_eq!(b.down().await, Some(CloseReason::Stopping));
    a.tracker.close();
    timeout(PATIENCE, a.tracker.wait()).await.expect("all tasks end");
}

#[tokio::test]
async fn only_members_of_the_room_get_in() {
    let mut a = node_in(1, 0, "lobby", room_key(1));
    for (room, key) in [("lobby", None), ("lobby", room_key(2)), ("other", room_key(1))] {
        let mut b = node_in(2, 0, room, key);
        let (a_address, b_address) = (a.address(), b.address());
        let error = b.refused(a_address, None).await;
        let wrong = if room == "lobby" { "a different room key" } else { "another room" };
        assert!(error.contains(wrong), "{room}: {error}");
        let error = a.refused(b_address, None).await;
        assert!(error.contains(wrong), "{room}: {error}");
    }
    let mut c = node_in(3, 0, "lobby", room_key(1));
    c.net.dial(dial(1, a.address(), None));
    c.up().await;
    a.up().await;
}

#[tokio::test]
async fn the_id_must_be_the_expected_one() {
    let (a, mut b) = (node(1, 0), node(2, 0));
    let error = b.refused(a.address(), Some(id(9))).await;
    assert!(error.contains("another node answers there"), "{error}");
}

#[tokio::test]
async fn a_node_does_not_link_with_itself() {
    let mut a = node(1, 0);
    let error = a.refused(a.address(), None).await;
    assert!(error.contains("your own node"), "{error}");
    let copy = try_node(1, Some(IpAddr::from([127, 0, 0, 9])), 0, "lobby", None).expect("a network side");
    let error = a.refused(copy.address(), None).await;
    assert!(error.contains("the same identity"), "{error}");
}

#[tokio::test]
async fn host_name_is_resolved() {
    let (mut a, b) = (node(1, 0), node(2, 0));
    let target = DialTarget::Host("127.0.0.2".to_owned(), b.net.tcp_port());
    a.net.dial(Dial { dial: DialId(1), target, expected: Some(b.id), is_given: true });
    a.up().await;
}

#[tokio::test]
async fn dial_without_listener_reports_no_answer() {
    let mut a = node(1, 0);
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let error = a.refused(free, None).await;
    assert!(error.contains("no answer") && !error.contains("os error"), "{error}");
}

#[tokio::test]
async fn start_error_says_what_to_do() {
    let foreign = IpAddr::from([192, 0, 2, 1]);
    let error = try_node(1, Some(foreign), 0, "lobby", None).err().expect("not our address").to_string();
    assert!(error.contains("192.0.2.1 is not an address of this machine") && error.contains("127.0.0.1"), "{error}");
    let taken = std::net::UdpSocket::bind("0.0.0.0:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let error = try_node(1, Some(IpAddr::from([127, 0, 0, 1])), port, "lobby", None).err().expect("taken").to_string();
    assert!(error.contains(&port.to_string()) && error.contains("--port"), "{error}");
}

#[tokio::test]
async fn a_taken_tcp_port_is_replaced() {
    let a = node(1, 0);
    let again =
        try_node(2, Some(IpAddr::from([127, 0, 0, 1])), a.net.udp_port(), "lobby", None).expect("a network side");
    assert_eq!(again.net.udp_port(), a.net.udp_port());
    assert_ne!(again.net.tcp_port(), a.net.tcp_port());
}

#[tokio::test]
async fn node_without_host_is_dialled_at_any_address() {
    let mut a = try_node(1, None, 0, "lobby", None).expect("a network side");
    let mut b = node(2, 0);
    let all = a.net.tcp_addresses();
    let loopback = SocketAddr::from(([127, 0, 0, 1], a.net.tcp_port()));
    assert_eq!(all.last(), Some(&loopback.to_string()), "loopback last");
    b.net.dial(dial(1, loopback, Some(a.id)));
    let (_, peer) = b.up().await;
    assert_eq!(peer.intro.listens.len(), all.len(), "who is on loopback is told of loopback too");
    let (_, peer) = a.up().await;
    assert_eq!(peer.address, IpAddr::from([127, 0, 0, 2]), "dialled from its own host");
}

#[tokio::test]
async fn both_sides_may_dial_at_once() {
    let (mut a, mut b) = (node(1, 0), node(2, 0));
    a.net.dial(dial(1, b.address(), Some(b.id)));
    b.net.dial(dial(1, a.address(), Some(a.id)));
    // Two links; the engines decide which one survives.
    for node in [&mut a, &mut b] {
        let (first, second) = (node.up().await, node.up().await);
        assert_ne!(first.0, second.0);
        assert_ne!(first.1.dialled, second.1.dialled);
    }
}
