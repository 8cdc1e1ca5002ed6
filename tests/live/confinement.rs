//! Confinement where the kernel lacks what it needs.

use super::*;

impl Stage {
    /// A command as on a kernel without Landlock.
    fn without_landlock(&self, arguments: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/without_landlock.py");
        let mut command = self.namespace.command("python3");
        command.arg(script).arg(env!("CARGO_BIN_EXE_wsinspect")).args(arguments);
        command
    }
}

#[test]
fn strict_confinement_refuses_where_there_is_no_landlock() {
    let Some(stage) = Stage::new("strict") else { return };
    let captured = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/chat/proxy-any.pcap");
    for what in [&["live", "-i", "lo"][..], &["read", captured.to_str().unwrap()]] {
        let output = stage.without_landlock(&[what, &["--sandbox", "strict"]].concat()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
        let reason = "cannot confine the program: Landlock: the kernel has none";
        assert_eq!(error, format!("wsinspect: {reason} (--sandbox auto goes on without)\n"));
    }
    // Where it is, strict confinement is no obstacle.
    let mut live = stage.live(&["-i", "lo", "--sandbox", "strict"]);
    stage.talk("8080", &["/ws"]);
    live.until(2, "\"handshake\"");
    assert_eq!(live.interrupt().1, 0);
}

#[test]
fn confinement_as_far_as_can_be_says_how_far() {
    let Some(stage) = Stage::new("auto") else { return };
    let mut live = stage.namespace.start(&mut stage.without_landlock(&["live", "-i", "lo"]));
    let start = parse(&live.until(1, "\"start\"")).pop().unwrap();
    let confinement = start["confinement"].to_string();
    assert!(confinement.contains("no capabilities") && !confinement.contains("Landlock"), "{start}");
    stage.talk("8080", &["/ws"]);
    live.until(2, "\"handshake\"");
    assert_eq!(live.interrupt().1, 0);
}
