//! Live capture of real traffic, in a network namespace of its own: nginx, an upstream, clients, tcpdump beside it.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]
#![allow(clippy::disallowed_methods, reason = "threads that wait for the lines of other programs")]

use std::path::{Path, PathBuf};
use std::process::Command;

use namespace::{Namespace, Running};
use nix::sys::signal::Signal;
use serde_json::Value;

#[path = "live/confinement.rs"]
mod confinement;
#[path = "live/failures.rs"]
mod failures;
#[path = "live/interfaces.rs"]
mod interfaces;
#[path = "live/metrics.rs"]
mod metrics;
#[path = "support/namespace.rs"]
mod namespace;
#[path = "live/node.rs"]
mod node;
#[path = "live/screen.rs"]
mod screen;
#[path = "support/terminal.rs"]
mod terminal;

const NEEDED: [&str; 4] = ["ip", "python3", "nginx", "tcpdump"];

/// nginx on 8080 that knows of WebSockets at /ws, and at /node for port 9001, and forgets to at /plain, and the upstream on 9000.
struct Stage {
    /// Dropped before the namespace is.
    _programs: [Running; 2],
    folder: tempfile::TempDir,
    namespace: Namespace,
}

impl Stage {
    fn new(test: &str) -> Option<Self> {
        Self::with(test, &[])
    }

    /// The same where other programs are needed too.
    fn with(test: &str, programs: &[&str]) -> Option<Self> {
        let namespace = Namespace::new(test, &[&NEEDED, programs].concat())?;
        let folder = tempfile::tempdir().unwrap();
        let mut upstream = namespace.start(namespace.command("python3").arg(talk()).args(["serve", "9000"]));
        upstream.until(1, "ready");
        let configuration = folder.path().join("nginx.conf");
        std::fs::write(&configuration, NGINX.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        // Workers of nginx are somebody else, and so is the program under test.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), everybody).unwrap();
        let nginx = namespace.start(namespace.command("nginx").arg("-c").arg(&configuration));
        let stage = Self { _programs: [upstream, nginx], folder, namespace };
        stage.wait_for_nginx();
        Some(stage)
    }

    /// Nothing of this is captured: nobody captures yet.
    fn wait_for_nginx(&self) {
        for _ in 0..600 {
            let asked =
                self.namespace.command("python3").arg(talk()).args(["client", "8080", "/ws"]).output();
            if asked.unwrap().status.success() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("nginx does not start");
    }

    /// One connection a path, one after the other.
    fn talk(&self, port: &str, paths: &[&str]) -> String {
        let script = talk();
        self.namespace.run("python3", &[&[script.to_str().unwrap(), "client", port], paths].concat())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Captures with tcpdump; it has begun when this returns.
    fn tcpdump(&self, file: &Path, filter: &str) -> Running {
        let mut shell = self.namespace.command("sh");
        let command = format!(
            "exec tcpdump -i lo -U -Z root --time-stamp-precision=nano -w '{}' '{filter}' 2>&1",
            file.display()
        );
        let mut tcpdump = self.namespace.start(shell.args(["-c", &command]));
        tcpdump.until(1, "listening on");
        tcpdump
    }

    /// Captures; it has begun when this returns.
    fn live(&self, arguments: &[&str]) -> Running {
        let mut live = self.namespace.live(arguments);
        live.until(1, "\"start\"");
        live
    }
}

#[test]
fn what_is_captured_live_is_what_tcpdump_captures() {
    let Some(stage) = Stage::new("same") else { return };
    let (dump, record) = (stage.path("tcpdump.pcap"), stage.path("live.pcapng"));
    let tcpdump = stage.tcpdump(&dump, "tcp");
    let mut live = stage.live(&["-i", "lo", "-w", record.to_str().unwrap()]);
    assert_eq!(stage.talk("8080", &["/ws", "/plain", "/missing"]), "/ws 101\n/plain 404\n/missing 404\n");
    let mut lines = live.until(6, "\"connection\",\"schema\"");
    let (rest, status) = live.interrupt();
    tcpdump.interrupt();
    assert_eq!(status, 0);
    lines.extend(rest);
    let lines = parse(&lines);
    let read = report(&dump);
    assert_eq!(connections(&lines), connections(&read));
    assert_eq!(connections(&read), connections(&report(&record)));
    let attempts = |lines: &[Value]| lines.last().unwrap()["attempts"].clone();
    assert_eq!(attempts(&lines), attempts(&read));
    assert_eq!(attempts(&lines)["established"], 2);
    // Each packet counts once, though the kernel shows those of the loopback twice.
    let summary = lines.last().unwrap();
    assert_eq!(summary["dropped"]["received"], summary["packets"]);
    // Each attempt is told once when it is decided, and each finding.
    assert_eq!(of_type(&lines, "handshake").len(), 6);
    let mut told: Vec<String> = of_type(&lines, "finding").iter().map(|line| finding(line)).collect();
    let all = read.iter().flat_map(|line| line["findings"].as_array().into_iter().flatten());
    let mut found: Vec<String> = all.map(finding).collect();
    told.sort();
    found.sort();
    assert_eq!(told, found);
    assert!(found.iter().any(|finding| finding.starts_with("upgrade-stripped")), "{found:?}");
}

#[test]
fn the_filter_leaves_out_what_does_not_match() {
    let Some(stage) = Stage::new("filter") else { return };
    let mut live = stage.live(&["-i", "lo", "port", "9000"]);
    stage.talk("8080", &["/ws"]);
    let ended = live.until(1, "\"connection\",\"schema\"");
    let (rest, status) = live.interrupt();
    assert_eq!(status, 0);
    let lines = parse(&[ended, rest].concat());
    let ended = of_type(&lines, "connection");
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["server"], "127.0.0.1:9000");
}

#[test]
fn it_stops_by_itself_when_it_is_told_to() {
    let Some(stage) = Stage::new("stop") else { return };
    for stop in [&["--stop-when", "upgrade-stripped"][..], &["--stop-when", "1"], &["--count", "5"]] {
        let live = stage.live(&[&["-i", "lo"], stop].concat());
        stage.talk("8080", &["/plain"]);
        let (lines, status) = live.end();
        assert_eq!(status, 0);
        let lines = parse(&lines);
        let summary = lines.last().unwrap();
        assert_eq!(summary["type"], "summary");
        match stop[1] {
            "5" => assert_eq!(summary["packets"], 5),
            "1" => assert_ne!(summary["attempts"]["refused"], 0),
            rule => assert!(of_type(&lines, "finding").iter().any(|line| line["rule"] == rule)),
        }
    }
    let live = stage.live(&["-i", "lo", "--stop-when", "upgrade-stripped", "--fail-on", "error"]);
    stage.talk("8080", &["/plain"]);
    assert_eq!(live.end().1, 1);
}

#[test]
fn signals_ask_for_a_summary_and_for_the_end() {
    let Some(stage) = Stage::new("signals") else { return };
    let mut live = stage.live(&["-i", "lo"]);
    stage.talk("8080", &["/ws"]);
    live.until(2, "\"handshake\"");
    live.signal(Signal::SIGUSR1);
    let summary = live.until(1, "\"summary\"");
    let summary = parse(&summary);
    assert_eq!(summary.last().unwrap()["attempts"]["established"], 2);
    live.signal(Signal::SIGTERM);
    let (lines, status) = live.end();
    assert_eq!(status, 0);
    let summary = parse(&lines);
    assert_eq!(summary.last().unwrap()["attempts"]["established"], 2);
    assert_eq!(summary.last().unwrap()["dropped"]["by_program"], 0);
}

#[test]
fn records_rotate_and_are_whole() {
    let Some(stage) = Stage::new("rotation") else { return };
    let record = stage.path("ring.pcapng");
    let arguments = ["--rotate-size", "2k", "--rotate-keep", "2", "-w", record.to_str().unwrap()];
    let mut live = stage.live(&[&["-i", "lo"], &arguments[..]].concat());
    stage.talk("8080", &["/ws"; 8]);
    live.until(16, "\"connection\",\"schema\"");
    let (_, status) = live.interrupt();
    assert_eq!(status, 0);
    let names = std::fs::read_dir(stage.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let rings: Vec<PathBuf> = names.filter(|path| path.to_str().unwrap().contains("ring_")).collect();
    assert_eq!(rings.len(), 2, "{rings:?}");
    for ring in rings {
        let read = report(&ring);
        assert_eq!(read.last().unwrap()["warnings"], Value::Array(Vec::new()));
    }
}

#[test]
fn a_record_can_be_read_after_a_kill() {
    let Some(stage) = Stage::new("kill") else { return };
    let record = stage.path("killed.pcapng");
    let mut live = stage.live(&["-i", "lo", "-w", record.to_str().unwrap()]);
    stage.talk("8080", &["/ws", "/plain"]);
    live.until(4, "\"handshake\"");
    live.signal(Signal::SIGKILL);
    live.end();
    let read = report(&record);
    assert_eq!(read.last().unwrap()["attempts"]["total"], 4);
    assert_eq!(read.last().unwrap()["warnings"], Value::Array(Vec::new()));
}

#[test]
fn interfaces_are_listed() {
    let Some(namespace) = Namespace::new("interfaces", &["ip"]) else { return };
    let listed = namespace.run(env!("CARGO_BIN_EXE_wsinspect"), &["interfaces"]);
    assert!(listed.lines().any(|line| line.starts_with("lo    up     Ethernet")), "{listed}");
    assert!(listed.contains("127.0.0.1"), "{listed}");
    assert!(!listed.contains("lack"), "{listed}");
}

#[test]
fn what_cannot_be_done_is_told_in_one_line() {
    let Some(namespace) = Namespace::new("wrong", &["ip", "setpriv"]) else { return };
    let complaint = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
        String::from_utf8(output.stderr).unwrap()
    };
    let live = |arguments: &[&str]| {
        complaint(namespace.command(env!("CARGO_BIN_EXE_wsinspect")).arg("live").args(arguments))
    };
    assert_eq!(
        live(&["-i", "eth9"]),
        "wsinspect: cannot capture on eth9: there is no such interface (wsinspect interfaces lists them)\n"
    );
    let text = live(&["-i", "lo", "tcp", "prot", "80"]);
    assert!(text.starts_with("wsinspect: cannot use the filter \"tcp prot 80\": "), "{text}");
    let text = live(&["-i", "lo", "-w", "/no/such/file"]);
    assert_eq!(text, "wsinspect: cannot write /no/such/file: no such directory\n");
    let text = live(&["-i", "lo", "--user", "no-such-user"]);
    assert_eq!(text, "wsinspect: cannot become no-such-user: there is no such user\n");
    let text = live(&["-i", "lo", "-w", "/root-only/x", "--rotate-size", "1M"]);
    assert!(text.starts_with("wsinspect: cannot write /root-only/x"), "{text}");
    // Somebody without any right.
    let mut nobody = namespace.command("setpriv");
    nobody.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ]);
    let text = complaint(nobody.arg(env!("CARGO_BIN_EXE_wsinspect")).args(["live", "-i", "lo"]));
    assert!(
        text.starts_with("wsinspect: cannot capture on lo: permission denied (use sudo, or once: "),
        "{text}"
    );
    assert!(text.contains("setcap cap_net_raw=ep /"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

/// What `read` says of a file.
fn report(path: &Path) -> Vec<Value> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_wsinspect"));
    let output = program.args(["read", "--format", "json"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    parse(&lines)
}

fn parse(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_type<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == name).collect()
}

/// Connections in the order of their first packets, without what two captures of the same packets do not share:
/// times, which each takes for itself; and findings, which stand elsewhere.
fn connections(lines: &[Value]) -> Vec<Value> {
    let mut connections: Vec<Value> = of_type(lines, "connection").into_iter().cloned().collect();
    connections.sort_by_key(|connection| connection["id"].as_u64());
    for connection in &mut connections {
        connection.as_object_mut().unwrap().remove("findings");
        without_times(connection);
    }
    connections
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let is_time =
                    ["time", "start", "end"].contains(&name.as_str()) && value.to_string().contains('T');
                !is_time && !name.ends_with("_ms")
            });
            fields.values_mut().for_each(without_times);
        }
        Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}

fn finding(finding: &Value) -> String {
    format!("{} {}", finding["rule"].as_str().unwrap(), finding["packets"])
}

fn talk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/talk.py")
}

const NGINX: &str = "
daemon off;
pid FOLDER/nginx.pid;
error_log FOLDER/error.log;
worker_processes 1;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    server {
        listen 127.0.0.1:8080;
        location / {
            proxy_pass http://127.0.0.1:9000;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $host;
        }
        location /node {
            proxy_pass http://127.0.0.1:9001;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $host;
        }
        location /plain {
            proxy_pass http://127.0.0.1:9000;
        }
    }
}
";
