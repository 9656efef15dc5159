//! Encodes and decodes beacons. A packet that is not a beacon of version 1 is an error here; the
//! engine decides whether a beacon matters.

use std::net::Ipv6Addr;

use minicbor::{Decoder, Encoder};

use super::{WireError, forms};
use crate::proto::limits::{BEACON_BYTES_MAX, PORT_MIN};
use crate::proto::names::name::Name;
use crate::proto::replication::frame::Beacon;

/// The first bytes of every beacon, followed by one version byte.
pub const MAGIC: &[u8; 7] = b"ROOMFUL";

/// The beacon version that this program sends and accepts.
pub const VERSION: u8 = 1;

/// The IPv6 multicast group of beacons, with link-local scope.
///
/// `ff02::/16` is reserved for groups assigned by IANA. In `ff12`, the `1` marks an unassigned
/// group (RFC 4291, 2.7), and the `2` that no router forwards it. Group numbers from `8000:0` on
/// are free for any use (RFC 3307, 4.3). 7666 is ROOM on a telephone keypad.
pub const GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0x8000, 0x7666);

/// Encodes a beacon in at most [`BEACON_BYTES_MAX`] bytes.
pub fn encode(beacon: &Beacon) -> Vec<u8> {
    let mut e = Encoder::new([MAGIC.as_slice(), &[VERSION]].concat());
    let form = forms::BeaconForm {
        room: beacon.room,
        id: beacon.id,
        instance: beacon.instance,
        port: beacon.port,
        name: beacon.name.as_str(),
    };
    e.encode(&form).expect("a Vec takes everything");
    let packet = e.into_writer();
    debug_assert!(packet.len() <= BEACON_BYTES_MAX, "a name has at most 64 bytes");
    packet
}

/// Decodes a packet. The name is normalised; an empty one is replaced by the short id.
pub fn decode(packet: &[u8]) -> Result<Beacon, WireError> {
    if packet.len() > BEACON_BYTES_MAX {
        return Err(WireError::TooLong);
    }
    let rest = packet.strip_prefix(MAGIC).ok_or(WireError::Malformed("not a beacon"))?;
    let (version, fields) = rest.split_first().ok_or(WireError::Malformed("not a beacon"))?;
    if *version != VERSION {
        return Err(WireError::Version);
    }
    let mut d = Decoder::new(fields);
    let form: forms::BeaconForm<'_> = d.decode()?;
    if d.position() != fields.len() {
        return Err(WireError::Malformed("something follows the beacon"));
    }
    if form.port < PORT_MIN {
        return Err(WireError::Malformed("a port below 1024"));
    }
    let name = Name::from_lossy(form.name, &form.id.short());
    Ok(Beacon { room: form.room, id: form.id, instance: form.instance, port: form.port, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::{Instance, NodeId, RoomTag};
    use proptest::prelude::*;

    fn beacon(name: &str) -> Beacon {
        Beacon {
            room: RoomTag::new("lobby"),
            id: NodeId([7; 32]),
            instance: Instance(u64::MAX),
            port: 65535,
            name: Name::new(name).expect("a name"),
        }
    }

    #[test]
    fn a_beacon_survives_its_bytes() {
        for name in ["Ana", &"x".repeat(32), &"界".repeat(21)] {
            let packet = encode(&beacon(name));
            assert!(packet.len() <= BEACON_BYTES_MAX);
            assert_eq!(decode(&packet).expect("our own"), beacon(name));
        }
    }

    #[test]
    fn low_ports_are_refused() {
        for port in [0, 22, 80, 1023] {
            assert!(decode(&encode(&Beacon { port, ..beacon("Ana") })).is_err(), "{port}");
        }
        assert!(decode(&encode(&Beacon { port: 1024, ..beacon("Ana") })).is_ok());
    }

    #[test]
    fn other_packets_are_refused() {
        let packet = encode(&beacon("Ana"));
        let mut other_version = packet.clone();
        other_version[7] = 2;
        assert_eq!(decode(&other_version), Err(WireError::Version));
        assert_eq!(decode(&[packet.as_slice(), &[0; BEACON_BYTES_MAX]].concat()), Err(WireError::TooLong));
        assert!(decode(&[packet.as_slice(), &[0]].concat()).is_err());
        for cut in 0..packet.len() {
            assert!(decode(&packet[..cut]).is_err(), "{cut} bytes");
        }
    }

    #[test]
    fn received_name_is_normalised() {
        let form = |name| {
            let beacon = beacon("x");
            let form =
                forms::BeaconForm { room: beacon.room, id: beacon.id, instance: beacon.instance, port: 7666, name };
            let mut packet = b"ROOMFUL\x01".to_vec();
            minicbor::encode(&form, &mut packet).expect("a Vec takes everything");
            decode(&packet).expect("a beacon").name.as_str().to_owned()
        };
        assert_eq!(form(" A\u{202e}na "), "Ana");
        assert_eq!(form("\u{200b}"), NodeId([7; 32]).short());
        assert_eq!(form(&"x".repeat(300)), "x".repeat(32));
    }

    proptest! {
        #[test]
        fn no_packet_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode(&bytes);
            let _ = decode(&[b"ROOMFUL\x01".as_slice(), &bytes].concat());
        }
    }
}
