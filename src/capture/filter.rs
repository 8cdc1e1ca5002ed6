//! Filters in tcpdump's language, compiled by libpcap, so that they mean what tcpdump means by them.

use pcap::{BpfProgram, Capture, Linktype};

use crate::capture::{CaptureError, LinkType};
use crate::limits;

/// A filter such as `tcp port 80`.
///
/// A program is compiled for each link type that occurs. The filter sees captured bytes only: `len`,
/// `less` and `greater` are about them, and not about what the packet had on the wire.
pub struct Filter {
    expression: String,
    /// In order of their first packet; `None` if the filter cannot be compiled for that link type.
    programs: Vec<(LinkType, Option<BpfProgram>)>,
    /// Whether a packet came for whose link type no more programs are kept.
    full: bool,
    warnings: Vec<String>,
}

impl Filter {
    /// Checks a filter. It is compiled for its packets' link type when the first of them comes.
    ///
    /// # Errors
    /// If libpcap can compile it for no usual link type: some filters make sense for one only, as
    /// `ether host` and `wlan host` do.
    pub fn new(expression: &str) -> Result<Self, CaptureError> {
        let mut reasons = USUAL.iter().map(|&link| compile(expression, link).err());
        // What it says about Ethernet is what the user most likely means.
        if let Some(Some(reason)) = reasons.next()
            && reasons.all(|reason| reason.is_some())
        {
            return Err(CaptureError::Filter { filter: expression.to_owned(), reason });
        }
        let expression = expression.to_owned();
        Ok(Self { expression, programs: Vec::new(), full: false, warnings: Vec::new() })
    }

    /// Whether a packet matches.
    ///
    /// # Errors
    /// If the filter cannot be compiled for the link type of the first packet. For that of a later one
    /// there is a warning, and no packet of that type matches.
    #[inline]
    pub fn matches(&mut self, link: LinkType, captured: &[u8]) -> Result<bool, CaptureError> {
        let program = match self.programs.iter().position(|(known, _)| *known == link) {
            Some(index) => self.programs.get(index),
            None => self.add(link)?,
        };
        Ok(matches!(program, Some((_, Some(program))) if program.filter(captured)))
    }

    /// What was noticed since the last call: one line for each link type that the filter cannot be used for.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Compiles the filter for another link type.
    #[cold]
    fn add(&mut self, link: LinkType) -> Result<Option<&(LinkType, Option<BpfProgram>)>, CaptureError> {
        if self.programs.len() >= limits::FILTER_LINK_TYPES {
            if !self.full {
                self.full = true;
                self.warnings.push(format!(
                    "the capture has more than {} link types; packets of the others do not match the filter",
                    limits::FILTER_LINK_TYPES
                ));
            }
            return Ok(None);
        }
        let program = match compile(&self.expression, link) {
            Ok(program) => Some(program),
            Err(reason) if self.programs.is_empty() => {
                return Err(CaptureError::Filter { filter: self.expression.clone(), reason });
            }
            Err(reason) => {
                self.warnings.push(format!(
                    "the filter {:?} cannot be used for packets of link type {}: {reason}; they do not match",
                    self.expression, link.0
                ));
                None
            }
        };
        self.programs.push((link, program));
        Ok(self.programs.last())
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").field("expression", &self.expression).finish_non_exhaustive()
    }
}

/// Compiles a filter, or tells what libpcap has against it.
fn compile(expression: &str, link: LinkType) -> Result<BpfProgram, String> {
    let reason = |error: pcap::Error| match error {
        pcap::Error::PcapError(reason) => reason,
        other => other.to_string(),
    };
    let dead = Capture::dead(Linktype(data_link(link))).map_err(reason)?;
    dead.compile(expression, true).map_err(reason)
}

/// The number by which libpcap knows a link type on the machine it runs on (`pcap/dlt.h`).
fn data_link(link: LinkType) -> i32 {
    match link {
        LinkType::RAW | LinkType::RAW_DLT | LinkType::RAW_OPENBSD => DLT_RAW,
        LinkType::LOOP => DLT_LOOP,
        LinkType(other) => i32::from(other),
    }
}

/// Raw IP, on this machine.
const DLT_RAW: i32 = if cfg!(target_os = "openbsd") { 14 } else { 12 };

/// OpenBSD loopback, on this machine.
const DLT_LOOP: i32 = if cfg!(target_os = "openbsd") { 12 } else { 108 };

/// Link types for one of which a filter must make sense: Ethernet, raw IP, the cooked ones, loopback,
/// 802.11 without and with radiotap, PPP, OpenBSD's packet filter log.
const USUAL: [LinkType; 9] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType(105),
    LinkType(127),
    LinkType(9),
    LinkType(117),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_filter_is_compiled_for_each_link_type() {
        let mut filter = Filter::new("tcp port 80").unwrap();
        let ip = tcp_to(80);
        assert!(filter.matches(LinkType::RAW, &ip).unwrap());
        assert!(filter.matches(LinkType::RAW_OPENBSD, &ip).unwrap());
        assert!(filter.matches(LinkType::IPV4, &ip).unwrap());
        assert!(!filter.matches(LinkType::RAW, &tcp_to(81)).unwrap());
        let ethernet = [&[0; 12], &[0x08, 0x00][..], &ip].concat();
        assert!(filter.matches(LinkType::ETHERNET, &ethernet).unwrap());
        assert!(!filter.matches(LinkType::ETHERNET, &ip).unwrap());
        let cooked = [&[0x08, 0x00], &[0; 18][..], &ip].concat();
        assert!(filter.matches(LinkType::LINUX_SLL2, &cooked).unwrap());
        assert!(!filter.matches(LinkType::ETHERNET, &[]).unwrap());
        assert_eq!(filter.programs.len(), 5);
        assert!(filter.take_warnings().is_empty());
    }

    #[test]
    fn a_wrong_filter_is_told_at_once() {
        let text = Filter::new("tcp prot 80").unwrap_err().to_string();
        assert!(text.starts_with("cannot use the filter \"tcp prot 80\": "), "{text}");
        assert!(text.contains("syntax error"), "{text}");
        assert!(Filter::new("tcp\0port").is_err());
    }

    #[test]
    fn filters_for_one_link_type_are_no_error() {
        for expression in ["ether host 02:00:00:00:00:01", "wlan host 02:00:00:00:00:01", "inbound", "ip6"] {
            assert!(Filter::new(expression).is_ok(), "{expression}");
        }
    }

    #[test]
    fn the_first_link_type_must_be_usable() {
        let mut filter = Filter::new("ether host 02:00:00:00:00:01").unwrap();
        assert!(matches!(filter.matches(LinkType::RAW, &tcp_to(80)), Err(CaptureError::Filter { .. })));
    }

    #[test]
    fn later_link_types_that_are_unusable_are_told_once() {
        let mut filter = Filter::new("ether host 02:00:00:00:00:01").unwrap();
        let frame = [&[2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8, 0][..], &tcp_to(80)].concat();
        assert!(filter.matches(LinkType::ETHERNET, &frame).unwrap());
        for _ in 0..2 {
            assert!(!filter.matches(LinkType::RAW, &tcp_to(80)).unwrap());
        }
        let warnings = filter.take_warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("cannot be used for packets of link type 101"), "{warnings:?}");
        assert!(filter.matches(LinkType::ETHERNET, &frame).unwrap());
    }

    #[test]
    fn link_types_beyond_the_limit_do_not_match() {
        let mut filter = Filter::new("").unwrap();
        assert!(filter.matches(LinkType::ETHERNET, &[1]).unwrap());
        for link in 1000..2000 {
            filter.matches(LinkType(link), &[1]).unwrap();
        }
        assert_eq!(filter.programs.len(), limits::FILTER_LINK_TYPES);
        assert!(
            filter.take_warnings().last().unwrap().starts_with("the capture has more than 64 link types")
        );
    }

    fn tcp_to(port: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 77, 1, 2, 10, 77, 1, 1];
        packet.extend([0xC0, 0, 0, port, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xFF, 0xFF, 0, 0, 0, 0]);
        packet
    }
}
