//! Confinement: when everything is open that will be needed, the program gives up what it may do besides.
//!
//! It reads what anybody may send. If a parser of it were ever tricked, there should be nothing to be had: no right of
//! root, no file but its outputs, no connection to anywhere. Rights are those of the calling thread and of threads that
//! it starts later; so this comes before any other thread.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use caps::{CapSet, Capability, CapsHashSet};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, path_beneath_rules,
};
pub use nix::unistd::User;
use nix::unistd::{AccessFlags, Gid, Uid, eaccess, geteuid, setgroups, setresgid, setresuid};

/// How much confinement is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sandbox {
    /// As much as this system can do.
    #[default]
    Auto,
    /// All of it, or the program refuses to run.
    Strict,
    /// None.
    Off,
}

/// What is needed after the confinement.
#[derive(Debug, Default)]
pub struct Needs {
    /// The user to become, if root started the program; none to stay.
    pub user: Option<User>,
    /// Files, and folders with all that is in them, that are read.
    pub readable: Vec<PathBuf>,
    /// Folders in which files are created, written and removed.
    pub writable: Vec<PathBuf>,
    /// Folders in which files may be created, if the user that the program becomes may do that.
    pub wanted: Vec<PathBuf>,
    /// The terminal is opened by its name later, where standard input is none.
    pub terminal: bool,
    /// Files of other users are still to be read, and their folders written, if root started the program: it keeps that
    /// one capability. Landlock confines it to what is named here.
    pub as_root: bool,
}

/// Whether files can be created in a folder.
#[must_use]
pub fn is_writable(folder: &Path) -> bool {
    eaccess(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

/// The user to become: the one that is named, else who called sudo, else `nobody`. None if root did not start the
/// program.
///
/// # Errors
/// If somebody is named who does not exist, or by somebody who is not root.
pub fn unprivileged_user(named: Option<&str>) -> anyhow::Result<Option<User>> {
    if !geteuid().is_root() {
        return match named {
            Some(name) => Err(anyhow!("cannot become {name}: only root can (leave --user out)")),
            None => Ok(None),
        };
    }
    if let Some(name) = named {
        return match User::from_name(name) {
            Ok(Some(user)) => Ok(Some(user)),
            _ => Err(anyhow!("cannot become {name}: there is no such user")),
        };
    }
    let caller = std::env::var("SUDO_USER").ok().filter(|name| name != "root");
    let find = |name: &str| User::from_name(name).ok().flatten();
    Ok(caller.as_deref().and_then(find).or_else(|| find("nobody")))
}

/// Lets the user who will be become the owner of a file that root created.
///
/// # Errors
/// If the system refuses.
pub fn hand_over(path: &Path, user: Option<&User>) -> anyhow::Result<()> {
    let Some(user) = user else { return Ok(()) };
    chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .map_err(|error| anyhow!("cannot give {} to {}: {error}", path.display(), user.name))
}

/// Gives up everything that is not needed. Returns what was enforced, in words.
///
/// # Errors
/// If the user cannot be changed, if that user may not write where it has to, and with [`Sandbox::Strict`] if anything
/// else cannot be enforced.
pub fn confine(sandbox: Sandbox, needs: &Needs) -> anyhow::Result<Vec<String>> {
    if sandbox == Sandbox::Off {
        return Ok(Vec::new());
    }
    let mut enforced = Vec::new();
    let mut missing = Vec::new();
    if let Some(user) = &needs.user {
        become_user(user)?;
        enforced.push(format!("user {}", user.name));
    }
    for folder in &needs.writable {
        if !is_writable(folder) {
            let who = needs.user.as_ref().map_or_else(|| "you".to_owned(), |user| user.name.clone());
            bail!(
                "cannot write {}: {who} may not create files there (choose --user, another folder, or --sandbox off)",
                folder.display()
            );
        }
    }
    let wanted = needs.wanted.iter().filter(|folder| is_writable(folder));
    let writable: Vec<&PathBuf> = needs.writable.iter().chain(wanted).collect();
    match clear_capabilities(needs.as_root) {
        Ok(kept) if kept => enforced.push(format!("no capabilities but {FILES_OF_OTHERS}")),
        Ok(_) => enforced.push("no capabilities".to_owned()),
        Err(reason) => missing.push(format!("capabilities: {reason}")),
    }
    match restrict(needs, &writable) {
        Ok(restricted) => {
            enforced.extend(restricted.enforced);
            missing.extend(restricted.missing);
        }
        Err(reason) => missing.push(format!("Landlock: {reason}")),
    }
    if sandbox == Sandbox::Strict && !missing.is_empty() {
        bail!("cannot confine the program: {} (--sandbox auto goes on without)", missing.join("; "));
    }
    Ok(enforced)
}

/// In all threads: the C library sees to that.
fn become_user(user: &User) -> anyhow::Result<()> {
    let (uid, gid): (Uid, Gid) = (user.uid, user.gid);
    let become_it = || -> nix::Result<()> {
        setgroups(&[gid])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)
    };
    become_it().map_err(|error| anyhow!("cannot become {}: {}", user.name, error.desc()))
}

/// Whether the one that may be kept was there.
fn clear_capabilities(keeps_files: bool) -> Result<bool, caps::errors::CapsError> {
    let keeps_files = keeps_files && caps::has_cap(None, CapSet::Effective, FILES_OF_OTHERS)?;
    let kept: CapsHashSet = keeps_files.then_some(FILES_OF_OTHERS).into_iter().collect();
    // What is inherited and ambient first: later there is no right to do it.
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set)?;
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept)?;
    }
    Ok(keeps_files)
}

struct Restricted {
    enforced: Vec<String>,
    missing: Vec<String>,
}

fn restrict(needs: &Needs, writable: &[&PathBuf]) -> Result<Restricted, landlock::RulesetError> {
    let files = AccessFs::from_all(NEWEST);
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    let writes = reads | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
    let always = ALWAYS_READ.iter().map(PathBuf::from);
    let readable: Vec<PathBuf> = needs.readable.iter().cloned().chain(always).collect();
    let terminal = needs.terminal.then_some("/dev/tty");
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(files)?
        .handle_access(AccessNet::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(readable, reads))?
        .add_rules(path_beneath_rules(writable, writes))?
        .add_rules(path_beneath_rules(terminal, AccessFs::ReadFile | AccessFs::WriteFile))?
        .restrict_self()?;
    let mut restricted = Restricted { enforced: Vec::new(), missing: Vec::new() };
    if status.no_new_privs {
        restricted.enforced.push("no new privileges".to_owned());
    } else {
        restricted.missing.push("no new privileges: the kernel refuses".to_owned());
    }
    match status.ruleset {
        RulesetStatus::FullyEnforced => restricted.enforced.push("Landlock: files, TCP".to_owned()),
        RulesetStatus::PartiallyEnforced => {
            restricted.enforced.push("Landlock: files".to_owned());
            restricted.missing.push("Landlock: the kernel knows only a part of it".to_owned());
        }
        RulesetStatus::NotEnforced => restricted.missing.push("Landlock: the kernel has none".to_owned()),
    }
    Ok(restricted)
}

/// The right to read and write files whoever owns them.
const FILES_OF_OTHERS: Capability = Capability::CAP_DAC_OVERRIDE;

/// Files and TCP (Linux 6.7).
const NEWEST: ABI = ABI::V4;

/// Time zones; and what libpcap reads of interfaces to count their drops.
const ALWAYS_READ: [&str; 4] = ["/usr/share/zoneinfo", "/etc/localtime", "/sys/class/net", "/sys/devices"];
