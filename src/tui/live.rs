//! How a capture that goes on is: how fast packets come, what was dropped, whether it still lives. Its texts are escaped.

use crate::report::count::{bytes, count, number};

/// A live capture at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Packets a second, lately.
    pub packets_per_second: u64,
    /// Bytes a second, lately, as they were on the wire.
    pub bytes_per_second: u64,
    /// Packets so far.
    pub packets: u64,
    /// The interfaces.
    pub interfaces: Vec<InterfacePulse>,
    /// The filter.
    pub filter: String,
    /// Where it is recorded; none if it is not.
    pub recording: Option<String>,
    /// Bytes of the latest packets that are remembered; none if payloads are read from the recording.
    pub remembered_bytes: Option<usize>,
    /// What is given up, in words.
    pub confinement: Vec<String>,
    /// Nothing more comes, for this reason.
    pub ended: Option<String>,
    /// What is shown are the latest attempts only: so many connections that ended are left out.
    pub unlisted: u64,
    /// The same of those that are open.
    pub unlisted_open: u64,
}

/// One of its interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfacePulse {
    /// Its name.
    pub name: String,
    /// Packets that the filter let through, dropped ones included.
    pub received: u64,
    /// Dropped by the kernel, since this program was too slow.
    pub by_kernel: u64,
    /// Dropped by the interface or its driver.
    pub by_interface: u64,
    /// Why it was lost.
    pub lost: Option<String>,
    /// It is switched off.
    pub is_down: bool,
}

impl Pulse {
    /// Whether more may come.
    #[must_use]
    pub const fn goes_on(&self) -> bool {
        self.ended.is_none()
    }

    /// How fast packets come, or that none will.
    #[must_use]
    pub fn speed(&self) -> String {
        if self.ended.is_some() {
            return format!("ended, {}", count(self.packets, "packet"));
        }
        format!("{} packets/s, {}/s", number(self.packets_per_second), bytes(self.bytes_per_second))
    }

    /// What was dropped, by whom.
    #[must_use]
    pub fn dropped(&self) -> String {
        let sum =
            |of: fn(&InterfacePulse) -> u64| self.interfaces.iter().map(of).fold(0, u64::saturating_add);
        match (sum(|interface| interface.by_kernel), sum(|interface| interface.by_interface)) {
            (0, 0) => "no drops".to_owned(),
            (kernel, 0) => format!("dropped: kernel {}", number(kernel)),
            (0, interface) => format!("dropped: interface {}", number(interface)),
            (kernel, interface) => {
                format!("dropped: kernel {}, interface {}", number(kernel), number(interface))
            }
        }
    }

    /// Whether something was dropped.
    #[must_use]
    pub fn has_drops(&self) -> bool {
        self.interfaces.iter().any(|interface| interface.by_kernel > 0 || interface.by_interface > 0)
    }

    /// That something of it has died, in a line; none if all is well.
    #[must_use]
    pub fn died(&self) -> Option<String> {
        let lost: Vec<String> = self
            .interfaces
            .iter()
            .filter_map(|interface| Some(format!("{} ({})", interface.name, interface.lost.as_ref()?)))
            .collect();
        match lost.len() {
            0 => {
                let down = self.interfaces.iter().filter(|interface| interface.is_down);
                let down: Vec<&str> = down.map(|interface| interface.name.as_str()).collect();
                let words = "nothing comes from there until it is on again";
                (!down.is_empty()).then(|| format!("switched off: {}; {words}", down.join(", ")))
            }
            some if some == self.interfaces.len() => Some(format!(
                "the capture has ended: {}; what is shown is not live any more",
                lost.join(", ")
            )),
            _ => Some(format!("no longer captured: {}; the other interfaces go on", lost.join(", "))),
        }
    }
}
