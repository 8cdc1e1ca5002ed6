//! The confinement, proven from inside: what must fail is tried by a confined process. It needs root.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use namespace::not_tested;
use wsinspect::sandbox::{Needs, Sandbox, confine, unprivileged_user};

#[path = "support/namespace.rs"]
mod namespace;

/// Which folder the confined process may write to, and to which port it tries to connect.
const FOLDER: &str = "WSINSPECT_TEST_FOLDER";
const PORT: &str = "WSINSPECT_TEST_PORT";

#[test]
fn a_confined_process_can_do_nothing_else() {
    if !nix::unistd::geteuid().is_root() {
        return not_tested("confinement", "it needs root").unwrap_or_default();
    }
    let allowed = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    for folder in [&allowed, &other] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_a_confined_process_tries", "--ignored", "--nocapture"])
        .env(FOLDER, allowed.path())
        .env("WSINSPECT_TEST_OTHER", other.path())
        .env(PORT, listener.local_addr().unwrap().port().to_string())
        .env_remove("SUDO_USER")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("1 passed"), "{said}");
    assert!(allowed.path().join("written").exists());
}

#[test]
#[ignore = "it is the process that the other test starts"]
fn what_a_confined_process_tries() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let other = PathBuf::from(std::env::var_os("WSINSPECT_TEST_OTHER").unwrap());
    let port: u16 = std::env::var(PORT).unwrap().parse().unwrap();
    let user = unprivileged_user(None).unwrap();
    assert_eq!(user.as_ref().unwrap().name, "nobody");
    // All of this works before.
    File::create(other.join("before")).unwrap();
    File::open("/etc/passwd").unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(Command::new("/bin/true").status().unwrap().success());

    let needs = Needs { user, writable: vec![folder.clone()], ..Needs::default() };
    let enforced = confine(Sandbox::Auto, &needs).unwrap();
    assert!(enforced.contains(&"user nobody".to_owned()), "{enforced:?}");
    assert!(enforced.contains(&"no capabilities".to_owned()), "{enforced:?}");
    assert!(enforced.contains(&"no new privileges".to_owned()), "{enforced:?}");
    assert!(nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).is_err(), "root again");
    assert!(caps::read(None, caps::CapSet::Permitted).unwrap().is_empty());
    File::create(folder.join("written")).unwrap();
    if enforced.contains(&"Landlock: files, TCP".to_owned()) {
        let denied =
            |done: std::io::Result<()>| assert_eq!(done.unwrap_err().kind(), ErrorKind::PermissionDenied);
        denied(File::create(other.join("after")).map(drop));
        denied(fs::remove_file(other.join("before")));
        denied(File::open("/etc/passwd").map(drop));
        denied(TcpStream::connect(("127.0.0.1", port)).map(drop));
        denied(TcpListener::bind("127.0.0.1:0").map(drop));
        denied(Command::new("/bin/true").status().map(drop));
    } else {
        let missing: Option<()> = not_tested("files and TCP", "this kernel has no Landlock");
        assert!(missing.is_none());
        assert!(confine(Sandbox::Strict, &Needs::default()).is_err());
    }
}

#[test]
fn root_still_reads_what_belongs_to_others() {
    if !nix::unistd::geteuid().is_root() {
        return not_tested("confinement", "it needs root").unwrap_or_default();
    }
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("capture");
    File::create(&capture).unwrap();
    for (path, mode) in [(capture.as_path(), 0o600), (folder.path(), 0o700)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        chown(path, Some(12_345), Some(12_345)).unwrap();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_root_still_does", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "it is the process that the other test starts"]
fn what_root_still_does() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let capture = folder.join("capture");
    let needs = Needs {
        readable: vec![capture.clone()],
        writable: vec![folder.clone()],
        as_root: true,
        ..Needs::default()
    };
    let enforced = confine(Sandbox::Auto, &needs).unwrap();
    assert!(enforced.contains(&"no capabilities but CAP_DAC_OVERRIDE".to_owned()), "{enforced:?}");
    assert_eq!(caps::read(None, caps::CapSet::Permitted).unwrap().len(), 1);
    File::open(&capture).unwrap();
    File::create(folder.join("exported")).unwrap();
    if enforced.contains(&"Landlock: files, TCP".to_owned()) {
        assert_eq!(File::open("/etc/passwd").unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
