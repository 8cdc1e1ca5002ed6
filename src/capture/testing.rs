//! Builds capture files for tests, byte by byte, and reads captures to the end.

#![allow(dead_code, reason = "not every test builds every kind of file")]

use std::io::{Cursor, Read};

use crate::capture::{Block, CaptureError, CaptureFile, Damage, Source};

/// A packet as it came out, with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    pub(crate) nanos: i64,
    pub(crate) link: u16,
    pub(crate) original: u32,
    pub(crate) offset: u64,
    pub(crate) data: Vec<u8>,
}

/// Reads all of a capture that may be read, and checks what holds for every one.
pub(crate) fn read_from(
    reader: impl Read + Send + 'static,
) -> Result<(Vec<Seen>, Vec<Damage>), CaptureError> {
    let mut file = CaptureFile::from_reader("test", Box::new(reader))?;
    let (mut seen, mut damage) = (Vec::new(), Vec::new());
    // Two blocks by turns: the reader must not count on getting the same again.
    let mut blocks = [Block::default(), Block::default()];
    for turn in 0.. {
        let block = &mut blocks[turn % 2];
        if !file.next_block(block)? {
            break;
        }
        assert_eq!(block.first.0, seen.len() as u64 + 1, "numbers are contiguous");
        for packet in &block.packets {
            assert!(packet.range().end <= block.bytes.len(), "packets lie in the block");
            assert!(packet.original >= packet.captured);
            seen.push(Seen {
                number: seen.len() as u64 + 1,
                nanos: packet.time.as_nanos(),
                link: packet.link.0,
                original: packet.original,
                offset: block.file_offset + u64::from(packet.start),
                data: block.captured(packet).to_vec(),
            });
        }
        damage.append(&mut file.take_damage());
    }
    damage.append(&mut file.take_damage());
    assert!(!file.next_block(&mut blocks[0])?, "the end stays the end");
    Ok((seen, damage))
}

/// Reads bytes that are a capture.
pub(crate) fn read(bytes: &[u8]) -> (Vec<Seen>, Vec<Damage>) {
    read_from(Cursor::new(bytes.to_vec())).unwrap()
}

/// Damage as lines: number, offset, text.
pub(crate) fn lines(damage: &[Damage]) -> Vec<String> {
    damage.iter().map(|damage| format!("{} {}: {}", damage.packet, damage.file_offset, damage.what)).collect()
}

/// Checks that a capture gives the same in whatever pieces it comes.
pub(crate) fn same_in_pieces(bytes: &[u8]) {
    let whole = read(bytes);
    for lengths in [&[1][..], &[3], &[16, 1, 7], &[4096, 5], &[100_000]] {
        let pieces = read_from(Pieces::new(bytes, lengths)).unwrap();
        assert!(whole == pieces, "in pieces of {lengths:?}");
    }
}

/// A file in the classic format.
#[derive(Clone)]
pub(crate) struct PcapFile {
    big: bool,
    pub(crate) bytes: Vec<u8>,
}

impl PcapFile {
    pub(crate) fn new(big: bool, nanoseconds: bool, snap_length: u32, network: u32) -> Self {
        let mut file = Self { big, bytes: Vec::new() };
        let magic = if nanoseconds { 0xA1B2_3C4D } else { 0xA1B2_C3D4 };
        // The version is two 16-bit values, here as one word.
        let version = if big { 0x0002_0004 } else { 0x0004_0002 };
        for word in [magic, version, 0, 0, snap_length, network] {
            file.word(word);
        }
        file
    }

    /// Little-endian, microseconds, Ethernet.
    pub(crate) fn usual() -> Self {
        Self::new(false, false, 262_144, 1)
    }

    pub(crate) fn packet(&mut self, seconds: u32, fraction: u32, data: &[u8]) -> &mut Self {
        let length = u32::try_from(data.len()).unwrap();
        self.record(seconds, fraction, length, length, data)
    }

    /// A record whose header says what it likes.
    pub(crate) fn record(
        &mut self,
        seconds: u32,
        fraction: u32,
        captured: u32,
        original: u32,
        data: &[u8],
    ) -> &mut Self {
        for word in [seconds, fraction, captured, original] {
            self.word(word);
        }
        self.raw(data)
    }

    pub(crate) fn raw(&mut self, data: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(data);
        self
    }

    fn word(&mut self, word: u32) {
        self.bytes.extend(if self.big { word.to_be_bytes() } else { word.to_le_bytes() });
    }
}

/// A file in the pcapng format.
#[derive(Clone)]
pub(crate) struct PcapngFile {
    big: bool,
    pub(crate) bytes: Vec<u8>,
}

impl PcapngFile {
    /// An empty file: not even a section header.
    pub(crate) fn new(big: bool) -> Self {
        Self { big, bytes: Vec::new() }
    }

    /// Little-endian, one section, one Ethernet interface with microseconds.
    pub(crate) fn usual() -> Self {
        let mut file = Self::new(false);
        file.section().interface(1, 0, &[]);
        file
    }

    pub(crate) fn section(&mut self) -> &mut Self {
        let mut body = Vec::new();
        body.extend(self.word(0x1A2B_3C4D));
        body.extend(self.half(1));
        body.extend(self.half(0));
        body.extend([0xFF; 8]);
        self.block(0x0A0D_0D0A, &body)
    }

    /// A section in this byte order, and what follows too.
    pub(crate) fn section_in(&mut self, big: bool) -> &mut Self {
        self.big = big;
        self.section()
    }

    pub(crate) fn interface(&mut self, link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = Vec::new();
        body.extend(self.half(link));
        body.extend(self.half(0));
        body.extend(self.word(snap_length));
        for (code, value) in options {
            body.extend(self.half(*code));
            body.extend(self.half(u16::try_from(value.len()).unwrap()));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
        self.block(1, &body)
    }

    /// The value of an `if_tsoffset` in the file's byte order.
    pub(crate) fn long(&self, value: i64) -> [u8; 8] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(crate) fn enhanced(&mut self, interface: u32, ticks: u64, data: &[u8]) -> &mut Self {
        let length = u32::try_from(data.len()).unwrap();
        self.enhanced_saying(interface, ticks, length, length, data)
    }

    /// An enhanced packet block whose lengths say what they like. No options: 32 bytes and the data.
    pub(crate) fn enhanced_saying(
        &mut self,
        interface: u32,
        ticks: u64,
        captured: u32,
        original: u32,
        data: &[u8],
    ) -> &mut Self {
        let (high, low) = halves(ticks);
        let words = [interface, high, low, captured, original];
        let mut body: Vec<u8> = words.iter().flat_map(|&word| self.word(word)).collect();
        body.extend(data);
        self.block(6, &body)
    }

    /// One with a comment, which readers have to leave alone: 44 bytes and the data.
    pub(crate) fn commented(&mut self, interface: u32, ticks: u64, data: &[u8]) -> &mut Self {
        let length = u32::try_from(data.len()).unwrap();
        let mut data = data.to_vec();
        data.resize(data.len().next_multiple_of(4), 0);
        data.extend(self.half(1));
        data.extend(self.half(2));
        data.extend(b"hi\0\0");
        data.extend([0; 4]);
        self.enhanced_saying(interface, ticks, length, length, &data)
    }

    pub(crate) fn obsolete(&mut self, interface: u16, ticks: u64, data: &[u8]) -> &mut Self {
        let (high, low) = halves(ticks);
        let length = u32::try_from(data.len()).unwrap();
        let mut body = Vec::new();
        body.extend(self.half(interface));
        body.extend(self.half(0xFFFF));
        for word in [high, low, length, length] {
            body.extend(self.word(word));
        }
        body.extend(data);
        self.block(2, &body)
    }

    pub(crate) fn simple(&mut self, original: u32, data: &[u8]) -> &mut Self {
        let mut body = self.word(original).to_vec();
        body.extend(data);
        self.block(3, &body)
    }

    pub(crate) fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(padded + 12).unwrap();
        let (kind, length) = (self.word(kind), self.word(length));
        self.raw(&kind).raw(&length).raw(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.raw(&length)
    }

    pub(crate) fn raw(&mut self, data: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(data);
        self
    }

    pub(crate) fn word(&self, word: u32) -> [u8; 4] {
        if self.big { word.to_be_bytes() } else { word.to_le_bytes() }
    }

    fn half(&self, half: u16) -> [u8; 2] {
        if self.big { half.to_be_bytes() } else { half.to_le_bytes() }
    }
}

fn halves(ticks: u64) -> (u32, u32) {
    (u32::try_from(ticks >> 32).unwrap(), u32::try_from(ticks & 0xFFFF_FFFF).unwrap())
}

/// Bytes that look like no header of either format: every byte is 0xEE or more.
pub(crate) fn payload(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| 0xEE + u8::try_from((at * 7 + seed) % 18).unwrap()).collect()
}

/// A reader that brings the bytes in pieces of the given lengths, again and again.
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    lengths: Vec<usize>,
    turn: usize,
}

impl Pieces {
    pub(crate) fn new(bytes: &[u8], lengths: &[usize]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0, lengths: lengths.to_vec(), turn: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let piece = self.lengths[self.turn % self.lengths.len()];
        self.turn += 1;
        let length = piece.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
