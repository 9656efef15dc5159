//! The beacon's bytes. What is no beacon of version 1 is an error here; whether one matters is decided elsewhere.

use std::net::Ipv6Addr;

use minicbor::{Decoder, Encoder};

use super::{WireError, forms};
use crate::proto::frame::Beacon;
use crate::proto::limits::{BEACON_BYTES_MAX, PORT_MIN};
use crate::proto::name::Name;

/// What every beacon begins with, followed by one byte of version.
pub const MAGIC: &[u8; 7] = b"ROOMFUL";

/// The version of beacon that this program sends and hears.
pub const VERSION: u8 = 1;

/// The IPv6 group in which beacons are heard, one link wide.
///
/// `ff02::/16` is IANA's to give out; the `1` says that nobody did (RFC 4291, 2.7), the `2` that no router passes it on,
/// and a group number from `8000:0` on is free for all (RFC 3307, 4.3). 7666 is ROOM on a telephone keypad.
pub const GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0x8000, 0x7666);

/// The packet for a beacon, at most [`BEACON_BYTES_MAX`].
pub fn encode(beacon: &Beacon) -> Vec<u8> {
    let mut e = Encoder::new([MAGIC.as_slice(), &[VERSION]].concat());
    let form = forms::Beacon {
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

/// Reads a packet. Its name is cleaned, and where nothing is left of it replaced by the short id.
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
    let form: forms::Beacon<'_> = d.decode()?;
    if d.position() != fields.len() {
        return Err(WireError::Malformed("something follows the beacon"));
    }
    if form.port < PORT_MIN {
        return Err(WireError::Malformed("a port below 1024"));
    }
    let name = Name::lossy(form.name, &form.id.short());
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
    fn what_is_no_beacon_is_refused() {
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
    fn a_name_from_elsewhere_is_cleaned() {
        let form = |name| {
            let beacon = beacon("x");
            let form = forms::Beacon { room: beacon.room, id: beacon.id, instance: beacon.instance, port: 7666, name };
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
