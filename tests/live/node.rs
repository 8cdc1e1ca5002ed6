//! Traffic of Node's `ws`, beside that of the standard library of Python: permessage-deflate, fragments, pings.

use super::*;

/// The package `ws`: `npm install --prefix target/node ws`, which `.ci/run` does.
fn package() -> Option<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/node/node_modules/ws");
    if package.exists() {
        return Some(package);
    }
    namespace::not_tested("node", "the npm package ws is missing (npm install --prefix target/node ws)")
}

#[test]
fn node_is_captured_live_as_by_tcpdump() {
    let Some(stage) = Stage::with("node", &["node"]) else { return };
    let Some(package) = package() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/talk.js");
    let [script, package] = [script, package].map(|path| path.to_str().unwrap().to_owned());
    let mut serve = stage.namespace.command("node");
    let mut server = stage.namespace.start(serve.args([&script, &package, "serve", "9001"]));
    server.until(1, "ready");
    let dump = stage.path("tcpdump.pcap");
    let tcpdump = stage.tcpdump(&dump, "tcp");
    let mut live = stage.live(&["-i", "lo"]);
    for path in ["/node", "/node", "/plain"] {
        let said = stage.namespace.run("node", &[&script, &package, "client", "8080", path]);
        assert_eq!(said.trim(), if path == "/node" { "101 1000" } else { "404" });
    }
    let mut lines = live.until(6, "\"connection\",\"schema\"");
    let (rest, status) = live.interrupt();
    tcpdump.interrupt();
    assert_eq!(status, 0);
    lines.extend(rest);
    let (lines, read) = (parse(&lines), report(&dump));
    assert_eq!(connections(&lines), connections(&read));
    let [summary, read] = [lines.last().unwrap(), read.last().unwrap()];
    assert_eq!((&summary["attempts"], &summary["frames"]), (&read["attempts"], &read["frames"]));
    assert_eq!(summary["attempts"]["established"], 4);
    // Two sessions, each on two connections, and what is said comes back.
    assert_eq!((&summary["frames"]["ping"], &summary["frames"]["close"]), (&4.into(), &8.into()));
    assert!(summary["frames"]["continuation"].as_u64() > Some(0), "{summary}");
}
