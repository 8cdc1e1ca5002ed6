//! What can be captured on.

use std::net::IpAddr;

use pcap::{Active, Capture};

use super::{ANY, explained, link_type, words};
use crate::capture::{CaptureError, LinkType};

/// An interface of this machine.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What the system says of it, if anything.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// It is switched on.
    pub is_up: bool,
    /// It is switched on and has something at its other end.
    pub is_running: bool,
    /// What its packets start with; or why it cannot be captured on.
    pub link: Result<LinkType, String>,
}

/// The interfaces of this machine that have to do with IP, each opened for a moment to see whether that may be done.
///
/// # Errors
/// If the system does not list them.
pub fn devices() -> Result<Vec<Device>, CaptureError> {
    let all = pcap::Device::list().map_err(|error| CaptureError::Interface {
        name: "any interface".to_owned(),
        reason: words(error),
    })?;
    let others = ["nflog", "nfqueue", "dbus-", "usbmon", "bluetooth"];
    let wanted = all.into_iter().filter(|device| !others.iter().any(|other| device.name.starts_with(other)));
    let device = |device: pcap::Device| Device {
        link: link(&device.name),
        addresses: device.addresses.iter().map(|address| address.addr).collect(),
        // All of them together are neither.
        is_up: device.flags.is_up() || device.name == ANY,
        is_running: device.flags.is_running() || device.name == ANY,
        description: device.desc,
        name: device.name,
    };
    Ok(wanted.map(device).collect())
}

fn link(name: &str) -> Result<LinkType, String> {
    let open = || -> Result<Capture<Active>, pcap::Error> { Capture::from_device(name)?.open() };
    let capture = open().map_err(|error| explained(&words(error)))?;
    Ok(if name == ANY { LinkType::LINUX_SLL2 } else { link_type(capture.get_datalink()) })
}
