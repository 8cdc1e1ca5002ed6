//! Several interfaces at once, and what becomes of interfaces.

use super::*;

#[test]
fn the_same_traffic_on_two_interfaces_is_told_once() {
    let Some(stage) = Stage::new("twice") else { return };
    let record = stage.path("both.pcapng");
    let mut live = stage.live(&["-i", "lo", "-i", "any", "-w", record.to_str().unwrap()]);
    // One of the two threads gets a processor only where nobody else wants one, and others do.
    live.hold_back("capture any");
    let busy: Vec<Running> = (0..2).map(|_| stage.namespace.start(&mut busy())).collect();
    stage.talk("9000", &["/ws"; 400]);
    drop(busy);
    live.until(400, "\"connection\",\"schema\"");
    let (lines, status) = live.interrupt();
    assert_eq!(status, 0);
    let summary = parse(&lines).pop().unwrap();
    assert_eq!(summary["connections"], 400);
    assert_eq!(summary["attempts"]["established"], 400);
    assert_eq!(summary["attempts"]["total"], 400);
    // Recorded is what was captured, in the same order.
    let read = report(&record).pop().unwrap();
    assert_eq!(read["packets"], summary["packets"]);
    assert_eq!(read["attempts"], summary["attempts"]);
}

#[test]
fn an_interface_that_goes_away_is_told() {
    let Some(stage) = Stage::new("gone") else { return };
    let ip = |arguments: &[&str]| stage.namespace.run("ip", arguments);
    ip(&["link", "add", "left", "type", "veth", "peer", "name", "right"]);
    ip(&["link", "set", "left", "up"]);
    ip(&["link", "set", "right", "up"]);
    // The other interface goes on.
    let mut both = stage.live(&["-i", "left", "-i", "lo"]);
    let alone = stage.live(&["-i", "right"]);
    ip(&["link", "del", "left"]);
    let (lines, status) = alone.end();
    assert_eq!(status, 2);
    assert!(lines.iter().any(|line| line.contains("the capture on right has ended: ")), "{lines:?}");
    both.until(1, "the capture on left has ended: ");
    stage.talk("8080", &["/ws"]);
    both.until(2, "\"handshake\"");
    both.interrupt();
}

/// A program that does nothing, as fast as it can.
fn busy() -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", "sh", "-c", "while :; do :; done"]);
    command
}

#[test]
fn an_interface_that_is_switched_off_and_on_is_told_and_goes_on() {
    let Some(stage) = Stage::new("switched") else { return };
    let ip = |arguments: &[&str]| stage.namespace.run("ip", arguments);
    ip(&["link", "add", "left", "type", "veth", "peer", "name", "right"]);
    for (name, address) in [("left", "10.99.0.1/24"), ("right", "10.99.0.2/24")] {
        ip(&["address", "add", address, "dev", name]);
        ip(&["link", "set", name, "up"]);
    }
    // Alone, where libpcap waits by itself, and as one of two.
    let mut both = [stage.live(&["-i", "left", "udp"]), stage.live(&["-i", "lo", "-i", "left", "udp"])];
    ip(&["link", "set", "left", "down"]);
    for live in &mut both {
        live.until(1, "left is switched off: nothing comes from there");
    }
    ip(&["link", "set", "left", "up"]);
    for live in &mut both {
        live.until(1, "left is on again");
    }
    // Nobody is there to be asked, but what is asked goes through `left`.
    let send = "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'left')
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
[s.sendto(b'x', ('10.99.0.255', 9)) for _ in range(5)]";
    stage.namespace.run("python3", &["-c", send]);
    for live in both {
        std::thread::sleep(std::time::Duration::from_millis(500));
        let (lines, status) = live.interrupt();
        assert_eq!(status, 0);
        let packets = parse(&lines).pop().unwrap()["packets"].as_u64().unwrap();
        assert!(packets >= 5, "{packets} packets after it was on again");
    }
}
