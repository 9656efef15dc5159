//! What the fake node tells of itself and of its network, and the time of all scenes.

use roomful::api;
use roomful::api::doctor::{FailedDial, Files, Heard, InterfaceReport, LinksReport, PortsReport};
use roomful::proto::ids::NodeId;

/// When all scenes play, in milliseconds since 1970: Sunday 22 November 2026, 14:05 UTC.
pub const NOW_MS: u64 = 1_795_356_300_000;

/// A script that sets the page's clock to the scene's time, running or stopped. Must run before the
/// page.
pub fn clock(is_running: bool) -> String {
    let passed = if is_running { "performance.now() - begun" } else { "0" };
    format!(
        "{{ const begun = performance.now(), Real = Date;
            const now = () => Math.round({NOW_MS} + {passed});
            globalThis.Date = class extends Real {{
              constructor(...args) {{ if (args.length === 0) super(now()); else super(...args); }}
              static now() {{ return now(); }} }}; }}"
    )
}

/// The node of Kai, whose id is `own`.
pub fn info(own: NodeId) -> api::NodeJson {
    let beacon = |interface: &str, target: &str, ago_s: u64| api::DiscoveryTarget {
        interface: interface.to_owned(),
        target: target.to_owned(),
        sent: Some(api::time(NOW_MS - ago_s * 1000)),
        error: None,
    };
    api::NodeJson {
        id: own.to_string(),
        name: "Kai".to_owned(),
        room: "lobby".to_owned(),
        version: "0.1.0".to_owned(),
        page: roomful::web::parts().into_owned(),
        tcp: vec!["192.0.2.20:7666".to_owned(), "127.0.0.1:7666".to_owned()],
        udp: 7666,
        started: api::time(NOW_MS - 6 * 3_600_000),
        web: Some("http://127.0.0.1:7680/".to_owned()),
        socket: "/home/kai/.local/share/roomful/page.sock".to_owned(),
        data_dir: "/home/kai/.local/share/roomful".to_owned(),
        shared: false,
        history: api::History::default(),
        discovery: vec![beacon("eth0", "192.0.2.255:7666", 1), beacon("wlan0", "198.51.100.255:7666", 2)],
        addresses: vec!["192.0.2.20".to_owned()],
        command: "roomful".to_owned(),
        mended: None,
        mended_at: None,
        copies: Vec::new(),
    }
}

/// A diagnosis of a node that another one, `other`, does not receive.
pub fn doctor(other: NodeId) -> api::Doctor {
    let last_heard = Some(api::time(NOW_MS));
    let addresses = vec!["192.0.2.7".to_owned()];
    let interface = InterfaceReport { name: "eth0".to_owned(), addresses, sent: 3, heard: 2, refused: 1, last_heard };
    let at = api::time(NOW_MS);
    api::Doctor {
        interfaces: vec![interface],
        ports: PortsReport { udp: 7666, tcp: 7667, web: None },
        dials: vec![FailedDial { address: "192.0.2.9:7666".to_owned(), at, error: "no answer".to_owned() }],
        refused: [("forged".to_owned(), 4)].into(),
        heard_by: vec![Heard { id: other.to_string(), of_me: false }],
        clock_error_ms: Some(-5),
        likely: "Everything works.".to_owned(),
        discovery: Vec::new(),
        firewall: None,
        files: Files { open: Some(9), most: Some(1_024) },
        links: LinksReport { open: 1, most: 1_024, is_full: false, from: Vec::new() },
        disk_free: Some(1),
    }
}
