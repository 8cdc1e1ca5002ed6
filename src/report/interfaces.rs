//! The list of interfaces.

use std::io;

use crate::capture::LinkType;
use crate::capture::live::{Device, rights_hint};
use crate::text;

/// Writes the list, and what right is missing to capture on them.
///
/// # Errors
/// What `out` says.
pub fn list(devices: &[Device], out: &mut dyn io::Write) -> io::Result<()> {
    let columns = |device: &Device| -> [String; 4] {
        let addresses: Vec<String> = device.addresses.iter().map(ToString::to_string).collect();
        let link = match &device.link {
            Ok(link) => link_name(*link),
            Err(reason) if *reason == rights_hint() => "?".to_owned(),
            Err(reason) => text::escape(reason).into_owned(),
        };
        [text::escape(&device.name).into_owned(), state(device).to_owned(), link, addresses.join(" ")]
    };
    let head = ["name", "state", "link type", "addresses"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(devices.iter().map(columns)).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| text::width(cell)).max();
    let widths: Vec<usize> = (0..4).map(|column| width(column).unwrap_or_default()).collect();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| text::pad(cell, *width)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    if devices.iter().any(|device| device.link.as_ref().is_err_and(|reason| *reason == rights_hint())) {
        writeln!(out, "\ncapturing needs a right that you lack: {}", rights_hint())?;
    }
    Ok(())
}

const fn state(device: &Device) -> &'static str {
    match (device.is_up, device.is_running) {
        (false, _) => "down",
        (true, false) => "up, no link",
        (true, true) => "up",
    }
}

pub(crate) fn link_name(link: LinkType) -> String {
    match link {
        LinkType::ETHERNET => "Ethernet".to_owned(),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => "raw IP".to_owned(),
        LinkType::LINUX_SLL => "Linux cooked".to_owned(),
        LinkType::LINUX_SLL2 => "Linux cooked 2".to_owned(),
        LinkType::NULL | LinkType::LOOP => "loopback".to_owned(),
        LinkType(other) => format!("{other} (not read)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, is_up: bool, link: Result<LinkType, String>) -> Device {
        Device {
            name: name.to_owned(),
            description: None,
            addresses: vec!["10.77.1.1".parse().unwrap(), "fe80::1".parse().unwrap()],
            is_up,
            is_running: is_up,
            link,
        }
    }

    #[test]
    fn interfaces_are_listed_with_what_is_missing() {
        let shown = |devices: &[Device]| {
            let mut out = Vec::new();
            list(devices, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let devices = [
            device("eth0", true, Ok(LinkType::ETHERNET)),
            device("wg0", false, Err("That device is not up".to_owned())),
        ];
        assert_eq!(
            shown(&devices),
            "name  state  link type              addresses\n\
             eth0  up     Ethernet               10.77.1.1 fe80::1\n\
             wg0   down   That device is not up  10.77.1.1 fe80::1\n"
        );
        let text = shown(&[device("eth0", true, Err(rights_hint()))]);
        assert!(text.contains("eth0  up     ?          10.77.1.1"), "{text}");
        assert!(
            text.contains("capturing needs a right that you lack: permission denied (use sudo"),
            "{text}"
        );
    }
}
