//! Which process listens on a TCP port of this machine, for the sentence that says a port is taken.
//!
//! It only reads what the system shows to this user: others' processes stay unnamed, and so does everybody where there is no `/proc`.

use std::fs;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// The process that listens on `port`, at whatever address that IPv4 can reach.
pub(super) fn of_tcp_port(port: u16) -> Option<u32> {
    let sockets: Vec<String> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/self/net/{table}")).ok())
        .flat_map(|table| table.lines().filter_map(|line| listener(line, port)).collect::<Vec<_>>())
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.find(|pid| holds_one(*pid, &sockets))
}

/// The inode of the socket on this line of the table, if it listens on `port`.
fn listener(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, listens_on) = fields.get(1)?.rsplit_once(':')?;
    let fits = u16::from_str_radix(listens_on, 16) == Ok(port) && *fields.get(3)? == LISTENING;
    fits.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
}

fn holds_one(pid: u32, sockets: &[String]) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_named_and_a_free_port_is_nobodys() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(of_tcp_port(port), Some(std::process::id()));
        drop(listener);
        assert_eq!(of_tcp_port(port), None);
    }
}
