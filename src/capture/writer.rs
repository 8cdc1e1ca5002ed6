//! Writes packets into a pcapng file, block by block.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::pcapng::encode::{self, Interface, Packet, Statistics};
use crate::capture::CaptureError;
use crate::units::Timestamp;

/// An interface of a [`PcapngWriter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceId(usize);

/// Writes a pcapng file.
///
/// Whole blocks are handed on, many at a time, and all of them by [`PcapngWriter::flush`]. So a writer that is killed
/// leaves a file that readers can read, up to what was flushed.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    interfaces: Vec<Described>,
    /// Descriptions in the file so far.
    descriptions: u32,
    /// Blocks that were not handed on yet.
    buffer: Vec<u8>,
    written: u64,
}

/// An interface, and the numbers of its descriptions in the file.
#[derive(Debug)]
struct Described {
    interface: Interface,
    number: u32,
    /// What packets from before 1970 use, once there is one: their time cannot be told in ticks after 1970.
    before_1970: Option<u32>,
}

impl<W: Write> PcapngWriter<W> {
    /// Starts a file.
    #[must_use]
    pub fn new(out: W) -> Self {
        let mut buffer = Vec::new();
        encode::section(&mut buffer, APPLICATION);
        Self { out, interfaces: Vec::new(), descriptions: 0, buffer, written: 0 }
    }

    /// Describes another interface.
    pub fn interface(&mut self, interface: Interface) -> InterfaceId {
        let number = self.describe(&interface, 0);
        self.interfaces.push(Described { interface, number, before_1970: None });
        InterfaceId(self.interfaces.len().saturating_sub(1))
    }

    /// Writes a packet. One of an interface that was not described is left out.
    ///
    /// # Errors
    /// What the system says if it cannot be written.
    pub fn packet(&mut self, interface: InterfaceId, packet: &Packet<'_>) -> io::Result<()> {
        let nanos = packet.time.as_nanos();
        let (number, ticks) = match u64::try_from(nanos) {
            Ok(ticks) => (self.interfaces.get(interface.0).map(|described| described.number), ticks),
            Err(_) => (self.before_1970(interface), nanos.wrapping_sub(i64::MIN).cast_unsigned()),
        };
        let Some(number) = number else { return Ok(()) };
        // The offset is in whole seconds, and the earliest time is not.
        let ticks = if nanos < 0 { ticks.saturating_add(EARLIEST_REST) } else { ticks };
        encode::packet(&mut self.buffer, number, ticks, packet);
        if self.buffer.len() >= BUFFER_BYTES { self.hand_on() } else { Ok(()) }
    }

    /// Writes what an interface counted so far.
    pub fn statistics(&mut self, interface: InterfaceId, statistics: &Statistics) {
        if let Some(described) = self.interfaces.get(interface.0) {
            encode::statistics(&mut self.buffer, described.number, statistics);
        }
    }

    /// Hands everything on that was written so far.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.hand_on()?;
        self.out.flush()
    }

    /// Bytes of the file so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.written.saturating_add(self.buffer.len() as u64)
    }

    fn before_1970(&mut self, interface: InterfaceId) -> Option<u32> {
        let described = self.interfaces.get(interface.0)?;
        if described.before_1970.is_some() {
            return described.before_1970;
        }
        let interface_there = described.interface.clone();
        let number = self.describe(&interface_there, EARLIEST_SECOND);
        self.interfaces.get_mut(interface.0)?.before_1970 = Some(number);
        Some(number)
    }

    fn describe(&mut self, interface: &Interface, offset: i64) -> u32 {
        encode::interface(&mut self.buffer, interface, offset);
        let number = self.descriptions;
        self.descriptions = number.saturating_add(1);
        number
    }

    fn hand_on(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.written = self.written.saturating_add(self.buffer.len() as u64);
        self.buffer.clear();
        Ok(())
    }
}

/// A pcapng file on the disk, whose errors say which file it is.
#[derive(Debug)]
pub struct PcapngOutput {
    path: PathBuf,
    writer: PcapngWriter<File>,
}

impl PcapngOutput {
    /// Creates the file, or empties the one that is there.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path: path.to_owned(), writer: PcapngWriter::new(file) })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Describes another interface.
    pub fn interface(&mut self, interface: Interface) -> InterfaceId {
        self.writer.interface(interface)
    }

    /// As [`PcapngWriter::packet`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn packet(&mut self, interface: InterfaceId, packet: &Packet<'_>) -> Result<(), CaptureError> {
        self.writer.packet(interface, packet).map_err(|error| cannot_write(&self.path, &error))
    }

    /// Writes what an interface counted so far.
    pub fn statistics(&mut self, interface: InterfaceId, statistics: &Statistics) {
        self.writer.statistics(interface, statistics);
    }

    /// As [`PcapngWriter::flush`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        self.writer.flush().map_err(|error| cannot_write(&self.path, &error))
    }

    /// Bytes of the file so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.writer.length()
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> CaptureError {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::StorageFull => "no space left on the device".to_owned(),
        _ => error.to_string(),
    };
    CaptureError::Write { path: path.to_owned(), reason }
}

const APPLICATION: &str = concat!("wsinspect ", env!("CARGO_PKG_VERSION"));

/// The whole second that the earliest time of [`Timestamp::MIN`] lies in.
const EARLIEST_SECOND: i64 = Timestamp::MIN.as_nanos().div_euclid(1_000_000_000);

/// How far into that second it lies, in nanoseconds.
const EARLIEST_REST: u64 = Timestamp::MIN.as_nanos().rem_euclid(1_000_000_000).cast_unsigned();

/// Blocks are handed on when there are so many bytes of them.
const BUFFER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capture::LinkType;
    use crate::capture::testing::{Seen, read};

    #[derive(Clone, Debug)]
    struct Written {
        link: u16,
        nanos: i64,
        cut: u32,
        data: Vec<u8>,
        comments: Vec<String>,
    }

    fn written() -> impl Strategy<Value = Written> {
        let nanos = prop_oneof![Just(i64::MIN), Just(-1), Just(0), Just(i64::MAX), any::<i64>()];
        let data = prop::collection::vec(any::<u8>(), 0..300);
        let comments = prop::collection::vec(".{0,20}", 0..3);
        (0u16..3, nanos, 0u32..2000, data, comments).prop_map(|(link, nanos, cut, data, comments)| Written {
            link,
            nanos,
            cut,
            data,
            comments,
        })
    }

    /// The file with these packets, each of the interface for its link type; where each was read to start, too.
    fn file(packets: &[Written]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = PcapngWriter::new(&mut bytes);
        let ids: Vec<InterfaceId> =
            (0..3).map(|link| writer.interface(Interface::of(LinkType(link)))).collect();
        for Written { link, nanos, cut, data, comments } in packets {
            let original = u32::try_from(data.len()).unwrap() + cut;
            let time = Timestamp::from_nanos(*nanos);
            let packet = Packet { time, original, captured: data, comments };
            writer.packet(ids[usize::from(*link)], &packet).unwrap();
        }
        writer.statistics(ids[0], &Statistics { received: 7, ..Statistics::default() });
        let length = writer.length();
        writer.flush().unwrap();
        assert_eq!(writer.length(), length);
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(packets in prop::collection::vec(written(), 0..40)) {
            let bytes = file(&packets);
            let (seen, damage) = read(&bytes);
            prop_assert_eq!(damage, vec![]);
            prop_assert_eq!(seen.len(), packets.len());
            for (number, (seen, packet)) in (1..).zip(seen.iter().zip(&packets)) {
                let expected = Seen {
                    number,
                    nanos: packet.nanos,
                    link: packet.link,
                    original: u32::try_from(packet.data.len()).unwrap() + packet.cut,
                    offset: seen.offset,
                    data: packet.data.clone(),
                };
                prop_assert_eq!(seen, &expected);
            }
        }

        #[test]
        fn a_file_that_is_cut_anywhere_is_read_up_to_there(
            packets in prop::collection::vec(written(), 1..10),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = file(&packets);
            let (all, _) = read(&bytes);
            let header = {
                let mut header = Vec::new();
                encode::section(&mut header, APPLICATION);
                header.len()
            };
            let kept = header + cut.index(bytes.len() - header);
            let (seen, _) = read(&bytes[..kept]);
            prop_assert!(seen == all[..seen.len()]);
            let whole = all.iter().filter(|packet| packet.offset + packet.data.len() as u64 + 400 < kept as u64);
            prop_assert!(seen.len() >= whole.count());
        }
    }

    #[test]
    fn nothing_is_kept_back_for_long() {
        let mut writer = PcapngWriter::new(Vec::new());
        let interface = writer.interface(Interface::of(LinkType::ETHERNET));
        let captured = [0; 1000];
        let packet =
            Packet { time: Timestamp::from_nanos(1), original: 1000, captured: &captured, comments: &[] };
        for _ in 0..1000 {
            writer.packet(interface, &packet).unwrap();
            assert!(writer.buffer.len() < BUFFER_BYTES);
        }
        assert!(writer.out.len() > 900_000);
    }

    #[test]
    fn packets_of_no_interface_are_left_out() {
        let mut writer = PcapngWriter::new(Vec::new());
        let length = writer.length();
        for nanos in [1, -1] {
            let time = Timestamp::from_nanos(nanos);
            let packet = Packet { time, original: 0, captured: &[], comments: &[] };
            writer.packet(InterfaceId(0), &packet).unwrap();
        }
        writer.statistics(InterfaceId(0), &Statistics::default());
        assert_eq!(writer.length(), length);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error = PcapngOutput::create(Path::new("/no/such/file.pcapng")).unwrap_err();
        assert_eq!(error.to_string(), "cannot write /no/such/file.pcapng: no such directory");
        let folder = tempfile::tempdir().unwrap();
        let error = PcapngOutput::create(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with(": it is a directory"), "{error}");
    }
}
