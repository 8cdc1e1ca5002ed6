//! A capture file, or one that comes through a pipe: opens it, and fills blocks from it.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;

use super::damage::DamageLog;
use super::input::{ByteStream, Compression};
use super::parser::{Format, Found, Input, Parser};
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::recognise::{Foreign, Kind, recognise};
use crate::capture::{Block, CaptureError, Damage, FileFacts, Source};
use crate::limits;
use crate::units::{Origin, PacketNumber};

/// A capture in the pcap or pcapng format, plain or compressed with gzip or zstd.
#[derive(Debug)]
pub struct CaptureFile {
    name: String,
    size: Option<u64>,
    stream: ByteStream,
    parser: Parser,
    /// What was read and not yet consumed: the start of a record that is cut by the end of the block.
    kept: Vec<u8>,
    /// So many bytes from the start of `kept` let the parser come further.
    need: usize,
    /// Where `kept` starts in the (decompressed) capture.
    offset: u64,
    /// Packets that were handed out.
    packets: u64,
    damage: DamageLog,
    /// The file itself, to be asked at the end whether it has grown.
    file: Option<File>,
    done: bool,
}

impl CaptureFile {
    /// Opens a capture; `-` is standard input.
    ///
    /// # Errors
    /// If it cannot be opened or read, or is no capture. What is damaged further inside is no error.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let cannot = |reason: String| CaptureError::Open { path: path.to_owned(), reason };
        if path.as_os_str() == "-" {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                let reason = "standard input is a terminal (pipe a capture into it: tcpdump -w - | …)";
                return Err(cannot(reason.to_owned()));
            }
            return Self::from_reader("standard input", Box::new(stdin));
        }
        Self::of_file(path, File::open(path).map_err(|error| cannot(reason(&error)))?)
    }

    /// Reads a file that is open, from where it stands.
    /// Reads a file that is open from where it stands.
    ///
    /// # Errors
    /// As those of [`CaptureFile::open`].
    pub fn of_file(path: &Path, file: File) -> Result<Self, CaptureError> {
        let cannot = |reason: String| CaptureError::Open { path: path.to_owned(), reason };
        let metadata = file.metadata().map_err(|error| cannot(reason(&error)))?;
        if metadata.is_dir() {
            return Err(cannot("it is a directory (name a capture in it)".to_owned()));
        }
        let again = file.try_clone().ok().filter(|_| metadata.is_file());
        let mut capture = Self::from_reader(&path.display().to_string(), Box::new(file))?;
        capture.size = metadata.is_file().then_some(metadata.len());
        capture.file = again;
        Ok(capture)
    }

    /// Opens a capture again that was read before, at one of its packets or at the beginning: a plain pcap file is not
    /// read before that packet. Packets have the numbers and places that they had.
    ///
    /// # Errors
    /// As those of [`Self::open`], and if it is no file: what came through a pipe is gone.
    pub fn reopen(path: &Path, from: Origin) -> Result<Self, CaptureError> {
        let cannot = |error: io::Error| CaptureError::Open { path: path.to_owned(), reason: reason(&error) };
        if path.as_os_str() == "-" || !path.metadata().map_err(cannot)?.is_file() {
            return Err(CaptureError::Gone { path: path.to_owned() });
        }
        let mut capture = Self::open(path)?;
        let record = from.file_offset.saturating_sub(pcap::RECORD_HEADER as u64);
        if !capture.stream.is_plain() || !capture.parser.can_start_anywhere() || record < capture.offset {
            return Ok(capture);
        }
        let mut file = File::open(path).map_err(cannot)?;
        file.seek(SeekFrom::Start(record)).map_err(cannot)?;
        capture.stream = ByteStream::new(Box::new(file));
        capture.kept.clear();
        capture.offset = record;
        capture.packets = from.packet.0.saturating_sub(1);
        Ok(capture)
    }

    /// Reads a capture from anywhere. `name` is what messages call it.
    ///
    /// # Errors
    /// If it cannot be read, or is no capture.
    pub fn from_reader(name: &str, reader: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let mut head = Head { name, stream: ByteStream::new(reader), bytes: Vec::new() };
        head.read(MAGIC)?;
        let mut kind = head.recognise()?;
        if let Kind::Compressed(compression) = kind {
            let stream = head.stream.decompress(compression, head.bytes);
            head = Head { name, stream, bytes: Vec::new() };
            head.read(MAGIC)?;
            kind = head.recognise()?;
        }
        let (format, header) = match kind {
            Kind::Pcap { order, variant } => {
                let header = variant.file_header();
                head.read(header)?;
                let whole = head.bytes.len() >= header;
                let pcap = Pcap::new(order, variant, &head.bytes).filter(|_| whole);
                (Format::Pcap(pcap.ok_or_else(|| head.is(CUT_HEADER))?), header)
            }
            Kind::Pcapng => {
                head.read(pcapng::SECTION_HEADER)?;
                if head.bytes.len() < pcapng::SECTION_HEADER {
                    return Err(head.is(CUT_HEADER));
                }
                let length = pcapng::section_length(&head.bytes).ok_or_else(|| head.is(BROKEN_SECTION))?;
                head.read(length)?;
                if head.bytes.len() < length {
                    return Err(head.is(CUT_HEADER));
                }
                // The section header is a block like others.
                (Format::Pcapng(Box::new(Pcapng::new())), 0)
            }
            Kind::Compressed(_) => return Err(head.is(TWICE_COMPRESSED)),
        };
        Ok(Self {
            name: name.to_owned(),
            size: None,
            stream: head.stream,
            parser: Parser::new(format),
            kept: head.bytes.split_off(header),
            need: 0,
            offset: header as u64,
            packets: 0,
            damage: DamageLog::default(),
            file: None,
            done: false,
        })
    }

    /// Bytes of the file on the disk; `None` for a pipe.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes of the file on the disk that were read so far, before decompression.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.stream.position()
    }

    /// What the file has said of itself so far.
    #[must_use]
    pub fn facts(&self) -> FileFacts {
        FileFacts { name: self.name.clone(), packets: self.packets, ..self.parser.facts() }
    }

    /// Puts the bytes that were kept at the front of the block, and tells where they start and end there.
    ///
    /// They end where the memory is aligned, since what is read next goes there: the kernel copies 20 %
    /// faster to such a place (measured, from the page cache: 15.0 GB/s against 12.2). Another block may
    /// come each time, hence the copy; it is one cut record.
    fn put_kept(&self, block: &mut Block) -> (usize, usize) {
        let kept = self.kept.len();
        let room = kept.saturating_add(limits::BLOCK_BYTES).saturating_add(ALIGNMENT);
        if block.bytes.len() < room {
            block.bytes.resize(room, 0);
        }
        let end = block.bytes.as_ptr().addr().wrapping_add(kept);
        // Not in the first bytes of a capture: the block would start before it.
        let from = if self.offset < ALIGNMENT as u64 { 0 } else { end.wrapping_neg() % ALIGNMENT };
        let filled = from.saturating_add(kept);
        if let Some(front) = block.bytes.get_mut(from..filled) {
            front.copy_from_slice(&self.kept);
        }
        block.file_offset = self.offset.saturating_sub(from as u64);
        (from, filled)
    }

    /// Lets the parser see the bytes `from..filled` of the block; `None` if it needs more of them.
    fn parse(&mut self, block: &mut Block, from: usize, filled: usize) -> Option<()> {
        let last = self.stream.ended();
        if filled.saturating_sub(from) < self.need && !last {
            return None;
        }
        let bytes = block.bytes.get(..filled).unwrap_or_default();
        let mut found = Found { packets: &mut block.packets, first: block.first, damage: &mut self.damage };
        let step = self.parser.parse(Input { bytes, from, offset: block.file_offset, last }, &mut found);
        self.need = step.need;
        if step.consumed == from && !last {
            return None;
        }
        self.kept.clear();
        self.kept.extend_from_slice(bytes.get(step.consumed..).unwrap_or_default());
        self.offset = block.file_offset.saturating_add(step.consumed as u64);
        self.packets = self.packets.saturating_add(block.packets.len() as u64);
        Some(())
    }

    /// After the last bytes were parsed.
    fn finish(&mut self) {
        if let Some(what) = self.stream.take_broken() {
            self.damage.tell(self.next_packet(), self.offset, || what);
        }
        self.damage.close();
        self.done = true;
        let now = self.file.take().and_then(|file| file.metadata().ok()).map(|metadata| metadata.len());
        if let (Some(before), Some(now)) = (self.size, now)
            && now > before
        {
            let read = self.position().saturating_sub(before);
            self.damage.note(self.next_packet(), self.offset, || {
                format!(
                    "the file is still being written: it grew by {} bytes meanwhile, of which {read} were read; read it \
                     again for the rest",
                    now.saturating_sub(before)
                )
            });
        }
    }

    fn next_packet(&self) -> PacketNumber {
        PacketNumber(self.packets.saturating_add(1))
    }
}

impl Source for CaptureFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.packets.clear();
        block.first = self.next_packet();
        if self.done {
            return Ok(false);
        }
        if block.bytes.len() > LARGE_BLOCK_BYTES && self.need < limits::BLOCK_BYTES {
            block.bytes = Vec::new();
        }
        let (from, mut filled) = self.put_kept(block);
        while self.parse(block, from, filled).is_none() {
            filled = self.stream.read_behind(&mut block.bytes, filled).map_err(|error| {
                // What was read before in this call is lost: nothing could be read on in step.
                self.done = true;
                CaptureError::Read { name: self.name.clone(), error }
            })?;
        }
        if self.stream.ended() {
            self.finish();
        }
        Ok(true)
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        self.damage.take()
    }

    fn files(&self) -> Vec<FileFacts> {
        vec![self.facts()]
    }
}

/// The first bytes of a file, by which it is recognised.
struct Head<'a> {
    name: &'a str,
    stream: ByteStream,
    bytes: Vec<u8>,
}

impl Head<'_> {
    /// Reads until at least so many bytes are there, or the end.
    fn read(&mut self, least: usize) -> Result<(), CaptureError> {
        let mut filled = self.bytes.len();
        while filled < least && !self.stream.ended() {
            filled = self
                .stream
                .read_behind(&mut self.bytes, filled)
                .map_err(|error| CaptureError::Read { name: self.name.to_owned(), error })?;
        }
        self.bytes.truncate(filled);
        Ok(())
    }

    fn recognise(&mut self) -> Result<Kind, CaptureError> {
        if self.bytes.is_empty() && self.stream.take_broken().is_some() {
            let is_zstd = self.stream.compression() == Some(Compression::Zstd);
            return Err(self.is(if is_zstd { BROKEN_ZSTD } else { BROKEN_GZIP }));
        }
        recognise(&self.bytes).map_err(|foreign| self.is(foreign))
    }

    fn is(&self, foreign: Foreign) -> CaptureError {
        CaptureError::NotACapture { name: self.name.to_owned(), what: foreign.what, hint: foreign.hint }
    }
}

/// What the system says, in the words of our messages.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied (a capture that root wrote is often readable for root only)".to_owned()
        }
        _ => error.to_string(),
    }
}

const MAGIC: usize = 4;

/// A line of the cache, in bytes.
const ALIGNMENT: usize = 64;

/// A block that a long record made larger than this is given back when the next records are short.
const LARGE_BLOCK_BYTES: usize = 4 * limits::BLOCK_BYTES;

const CUT_HEADER: Foreign =
    Foreign { what: "it ends inside its file header", hint: "was it copied before tcpdump had written it?" };

const BROKEN_SECTION: Foreign =
    Foreign { what: "it starts like pcapng, and its section header is damaged", hint: "try: capinfos FILE" };

const BROKEN_GZIP: Foreign =
    Foreign { what: "its gzip stream is damaged from the start", hint: "try: gzip -t FILE" };

const BROKEN_ZSTD: Foreign =
    Foreign { what: "its zstd stream is damaged from the start", hint: "try: zstd -t FILE" };

const TWICE_COMPRESSED: Foreign =
    Foreign { what: "it is compressed twice", hint: "unpack it first: gzip -d FILE, or zstd -d FILE" };

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;
    use crate::capture::testing::{PcapFile, PcapngFile, Pieces, lines, payload, read, read_from};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn many() -> Vec<u8> {
        let mut file = PcapFile::usual();
        for number in 0..2000 {
            file.packet(1_700_000_000 + number, 0, &payload(500, number as usize));
        }
        file.bytes
    }

    fn refusal(bytes: &[u8]) -> String {
        read_from(io::Cursor::new(bytes.to_vec())).unwrap_err().to_string()
    }

    #[test]
    fn compressed_captures_are_the_same() {
        let plain = many();
        let expected = read(&plain);
        assert!(expected == read(&gzip(&plain)));
        // Several members, cut inside a record; in pieces.
        let members = [gzip(&plain[..3]), gzip(&plain[3..1000]), gzip(&plain[1000..])].concat();
        assert!(expected == read(&members));
        assert!(expected == read_from(Pieces::new(&members, &[1, 100])).unwrap());
        let mut file = PcapngFile::usual();
        file.enhanced(0, 1, b"a");
        assert_eq!(read(&gzip(&file.bytes)), read(&file.bytes));
    }

    #[test]
    fn a_cut_gzip_stream_is_told() {
        let (plain, packed) = (many(), gzip(&many()));
        let (whole, _) = read(&plain);
        // Only the checksum is missing.
        let (seen, damage) = read(&packed[..packed.len() - 5]);
        assert!(seen == whole);
        assert_eq!(lines(&damage), [format!("#2001 {}: the gzip stream is cut off", plain.len())]);
        let (seen, damage) = read(&packed[..packed.len() / 2]);
        assert!(seen == whole[..seen.len()]);
        assert_eq!(damage.last().unwrap().what, "the gzip stream is cut off");
        for cut in 4..packed.len().min(400) {
            if let Ok((seen, damage)) = read_from(io::Cursor::new(packed[..cut].to_vec())) {
                assert!(seen == whole[..seen.len()]);
                assert!(!damage.is_empty());
            }
        }
    }

    #[test]
    fn a_corrupt_gzip_stream_is_told() {
        let mut packed = gzip(&many());
        let end = packed.len();
        packed[end - 6] ^= 1;
        let (seen, damage) = read(&packed);
        assert_eq!((seen.len(), damage.len()), (2000, 1));
        assert!(damage[0].what.starts_with("the gzip stream is corrupt: "), "{}", damage[0].what);
        let trailing = [gzip(&many()), b"not gzip at all".to_vec()].concat();
        let (seen, damage) = read(&trailing);
        assert_eq!((seen.len(), damage.len()), (2000, 1));
    }

    #[test]
    fn captures_compressed_with_zstd_are_the_same() {
        let plain = many();
        let expected = read(&plain);
        assert!(expected == read(&zstd(&plain)));
        // Several frames, cut inside a record, with a skippable one before and between them; in pieces.
        let skipped = [&[0x53, 0x2A, 0x4D, 0x18, 5, 0, 0, 0][..], b"to be"].concat();
        let frames =
            [&skipped, &zstd(&plain[..3])[..], &zstd(&plain[3..1000]), &skipped, &zstd(&plain[1000..])];
        let frames = frames.concat();
        assert!(expected == read(&frames));
        assert!(expected == read_from(Pieces::new(&frames, &[1, 100])).unwrap());
    }

    #[test]
    fn a_damaged_zstd_stream_is_told() {
        let (plain, packed) = (many(), zstd(&many()));
        let (whole, _) = read(&plain);
        for cut in [packed.len() / 2, packed.len() - 5, packed.len() - 1] {
            let (seen, damage) = read(&packed[..cut]);
            assert!(seen == whole[..seen.len()]);
            assert_eq!(damage.last().unwrap().what, "the zstd stream is cut off", "cut at {cut}");
        }
        let mut broken = packed.clone();
        *broken.last_mut().unwrap() ^= 1;
        let (seen, damage) = read(&broken);
        assert_eq!((seen.len(), damage.len()), (2000, 1));
        assert_eq!(damage[0].what, "the zstd stream is corrupt: a checksum is wrong");
        let trailing = [zstd(&plain), b"not zstd at all".to_vec()].concat();
        let (seen, damage) = read(&trailing);
        assert_eq!((seen.len(), damage.len()), (2000, 1));
        assert!(damage[0].what.starts_with("the zstd stream is corrupt: "), "{}", damage[0].what);
        assert_eq!(
            refusal(&packed[..5]),
            "cannot read test: its zstd stream is damaged from the start (try: zstd -t FILE)"
        );
        // A window of 2 GiB.
        assert!(refusal(&[0x28, 0xB5, 0x2F, 0xFD, 0, 0xA8, 1, 0, 0]).contains("its zstd stream is damaged"));
    }

    #[test]
    fn what_is_no_capture_is_refused_in_one_line() {
        assert_eq!(refusal(b""), "cannot read test: it is empty (write a capture with: tcpdump -w FILE)");
        assert_eq!(
            refusal(&gzip(b"GET / HTTP/1.1")),
            "cannot read test: it is text, not a capture (write a capture with: tcpdump -w FILE)"
        );
        assert_eq!(
            refusal(&gzip(&gzip(&many()))),
            "cannot read test: it is compressed twice (unpack it first: gzip -d FILE, or zstd -d FILE)"
        );
        assert_eq!(
            refusal(b"\x1F\x8B\x08"),
            "cannot read test: it ends inside its first four bytes (write a capture with: tcpdump -w FILE)"
        );
        assert_eq!(
            refusal(b"\x1F\x8B\x08\x00\x00"),
            "cannot read test: its gzip stream is damaged from the start (try: gzip -t FILE)"
        );
    }

    #[test]
    fn files_are_opened_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.pcap.gz");
        std::fs::write(&path, gzip(&many())).unwrap();
        let mut file = CaptureFile::open(&path).unwrap();
        assert_eq!(file.name(), path.display().to_string());
        let size = file.size().unwrap();
        let (mut block, mut packets) = (Block::default(), 0);
        while file.next_block(&mut block).unwrap() {
            packets += block.packets.len();
        }
        assert_eq!((packets, file.position()), (2000, size));

        let open = |path: &Path| CaptureFile::open(path).unwrap_err().to_string();
        assert_eq!(open(Path::new("/no/dump.pcap")), "cannot open /no/dump.pcap: no such file or directory");
        let text = open(folder.path());
        assert!(text.ends_with(": it is a directory (name a capture in it)"), "{text}");
    }

    #[test]
    fn a_whole_record_is_handed_on_before_more_is_read() {
        struct Once(Option<Vec<u8>>);
        impl Read for Once {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let bytes = self.0.take().ok_or_else(|| io::Error::other("read too early"))?;
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
        }
        let mut bytes = PcapFile::usual().packet(1, 0, b"whole").bytes.clone();
        bytes.extend([0; 9]);
        let mut file = CaptureFile::from_reader("pipe", Box::new(Once(Some(bytes)))).unwrap();
        let mut block = Block::default();
        assert!(file.next_block(&mut block).unwrap());
        assert_eq!(block.captured(&block.packets[0]), b"whole");
        let error = file.next_block(&mut block).unwrap_err();
        assert_eq!(error.to_string(), "cannot read pipe: read too early");
        assert!(!file.next_block(&mut block).unwrap());
        assert_eq!(file.size(), None);
    }

    #[test]
    fn a_block_made_large_is_given_back() {
        let mut bytes = PcapFile::usual();
        bytes.bytes[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        bytes.packet(1, 0, &payload(8 << 20, 0));
        for _ in 0..1000 {
            bytes.packet(1, 0, &payload(1000, 0));
        }
        let mut file = CaptureFile::from_reader("test", Box::new(io::Cursor::new(bytes.bytes))).unwrap();
        let (mut block, mut sizes) = (Block::default(), Vec::new());
        while file.next_block(&mut block).unwrap() {
            sizes.push(block.bytes.len());
        }
        assert!(sizes[0] > 8 << 20);
        assert!(sizes[1..].iter().all(|&size| size <= LARGE_BLOCK_BYTES), "{sizes:?}");
    }
}
