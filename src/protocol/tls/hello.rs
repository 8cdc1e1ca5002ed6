//! The hello of either side (RFC 8446 sections 4.1.2 and 4.1.3), as it goes by: what they agree on, and for whom it is.
//!
//! Nothing is kept of it but three extensions, each up to [`limits::TLS_EXTENSION_BYTES`].

use crate::limits;

/// Reads a hello in whatever pieces it comes.
#[derive(Debug)]
pub(super) struct HelloReader {
    is_client: bool,
    step: Step,
    /// Bytes to pass over before that.
    skip: usize,
    field: [u8; 4],
    have: usize,
    /// An extension that is kept, and how many bytes of it are missing.
    value: Vec<u8>,
    missing: usize,
    /// Bytes of extensions that were not begun.
    extensions: usize,
    facts: HelloFacts,
}

/// What a hello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HelloFacts {
    /// For which host it is (RFC 6066 section 3).
    pub(super) server_name: Option<Box<str>>,
    /// The protocols that are offered, or the one that is chosen (RFC 7301 section 3.1).
    pub(super) protocols: Vec<Box<str>>,
    /// The highest version that is offered, or the one that is chosen.
    pub(super) version: Option<u16>,
}

/// Which field comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Header,
    Version,
    SessionId,
    CipherSuites,
    Compressions,
    Extensions,
    Extension,
    Value(u32),
    Done,
}

impl HelloReader {
    /// For the hello of a side, from the type of its message on.
    pub(super) fn new(is_client: bool) -> Self {
        Self {
            is_client,
            step: Step::Header,
            skip: 0,
            field: [0; 4],
            have: 0,
            value: Vec::new(),
            missing: 0,
            extensions: 0,
            facts: HelloFacts::default(),
        }
    }

    /// What it has said.
    pub(super) fn into_facts(self) -> HelloFacts {
        self.facts
    }

    /// The next bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.step == Step::Extension && self.extensions == 0 && self.have == 0 && self.skip == 0 {
                self.step = Step::Done;
            }
            if self.step == Step::Done {
                return;
            }
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip = self.skip.saturating_sub(skipped);
                bytes = bytes.get(skipped..).unwrap_or_default();
            } else if let Step::Value(kind) = self.step {
                let (taken, rest) = bytes.split_at_checked(self.missing).unwrap_or((bytes, &[]));
                self.value.extend_from_slice(taken);
                self.missing = self.missing.saturating_sub(taken.len());
                bytes = rest;
                if self.missing == 0 {
                    self.extension(kind);
                    self.step = Step::Extension;
                }
            } else {
                let Some((byte, rest)) = bytes.split_first() else { return };
                bytes = rest;
                if let Some(place) = self.field.get_mut(self.have) {
                    *place = *byte;
                }
                self.have = self.have.saturating_add(1);
                if self.have == self.step.width() {
                    let number = self
                        .field
                        .iter()
                        .take(self.have)
                        .fold(0, |number, byte| number << 8 | u32::from(*byte));
                    self.have = 0;
                    self.number(number);
                }
            }
        }
    }

    /// A field is there.
    fn number(&mut self, number: u32) {
        let length = number as usize;
        self.step = match self.step {
            Step::Header => Step::Version,
            Step::Version => {
                self.facts.version = u16::try_from(number).ok();
                self.skip = RANDOM;
                Step::SessionId
            }
            // The server names one cipher suite and one compression.
            Step::SessionId => {
                self.skip = if self.is_client { length } else { length.saturating_add(3) };
                if self.is_client { Step::CipherSuites } else { Step::Extensions }
            }
            Step::CipherSuites => {
                self.skip = length;
                Step::Compressions
            }
            Step::Compressions => {
                self.skip = length;
                Step::Extensions
            }
            Step::Extensions => {
                self.extensions = length;
                Step::Extension
            }
            Step::Extension => {
                let (kind, length) = (number >> 16, length & 0xFFFF);
                self.extensions = self.extensions.saturating_sub(length.saturating_add(4));
                let is_wanted = matches!(kind, SERVER_NAME | PROTOCOLS | VERSIONS);
                if is_wanted && (1..=limits::TLS_EXTENSION_BYTES).contains(&length) {
                    self.value.clear();
                    self.missing = length;
                    Step::Value(kind)
                } else {
                    self.skip = length;
                    Step::Extension
                }
            }
            Step::Value(_) | Step::Done => Step::Done,
        };
    }

    /// An extension is there.
    fn extension(&mut self, kind: u32) {
        match (kind, self.value.as_slice()) {
            // The list's length, the kind of name, which is 0 for a host, and the name's length.
            (SERVER_NAME, [_, _, 0, _, _, name @ ..]) => self.facts.server_name = text(name),
            (PROTOCOLS, [_, _, list @ ..]) => {
                let mut rest = list;
                while let Some((length, after)) = rest.split_first() {
                    let Some((name, after)) = after.split_at_checked(usize::from(*length)) else { break };
                    self.facts.protocols.extend(text(name));
                    rest = after;
                }
            }
            (VERSIONS, [high, low]) if !self.is_client => {
                self.facts.version = Some(u16::from_be_bytes([*high, *low]));
            }
            (VERSIONS, [_, list @ ..]) if self.is_client => {
                let versions = list.as_chunks::<2>().0.iter().map(|version| u16::from_be_bytes(*version));
                // Others are there to keep servers from choking on what they do not know (RFC 8701).
                let known = versions.filter(|version| (0x0300..=0x0304).contains(version));
                self.facts.version = known.max().or(self.facts.version);
            }
            _ => {}
        }
    }
}

impl Step {
    /// Bytes of the field.
    const fn width(self) -> usize {
        match self {
            Self::Header | Self::Extension => 4,
            Self::Version | Self::CipherSuites | Self::Extensions => 2,
            Self::SessionId | Self::Compressions | Self::Value(_) | Self::Done => 1,
        }
    }
}

/// A name, if it is text.
fn text(bytes: &[u8]) -> Option<Box<str>> {
    str::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(Box::from)
}

const RANDOM: usize = 32;

const SERVER_NAME: u32 = 0;
const PROTOCOLS: u32 = 16;
const VERSIONS: u32 = 43;

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap();
        [&kind.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
    }

    /// A hello with these extensions, and what follows it.
    fn hello(is_client: bool, extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([2, 9, 9]);
        body.extend(if is_client { &[0, 4, 0x13, 1, 0x13, 2, 1, 0][..] } else { &[0x13, 1, 0] });
        let extensions = extensions.concat();
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[if is_client { 1 } else { 2 }], &length[1..], &body, b"\0\0\0\x05more"].concat()
    }

    fn read(is_client: bool, bytes: &[u8]) -> HelloFacts {
        let whole = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut reader = HelloReader::new(is_client);
            pieces.for_each(|piece| reader.read(piece));
            reader.into_facts()
        };
        let expected = whole(&mut [bytes].into_iter());
        for length in 1..bytes.len().min(40) {
            assert_eq!(whole(&mut bytes.chunks(length)), expected, "in pieces of {length}");
        }
        expected
    }

    #[test]
    fn hellos_say_for_whom_and_what() {
        let client = hello(
            true,
            &[
                extension(0x0A0A, &[]),
                extension(43, &[6, 0x0A, 0x0A, 3, 4, 3, 3]),
                extension(16, b"\0\x0c\x02h2\x08http/1.1"),
                extension(51, &[9; 1200]),
                extension(0, b"\0\x14\0\0\x11chat.example.test"),
            ],
        );
        let facts = read(true, &client);
        assert_eq!(facts.server_name.as_deref(), Some("chat.example.test"));
        assert_eq!(facts.protocols, ["h2".into(), "http/1.1".into()]);
        assert_eq!(facts.version, Some(0x0304));
        let facts = read(false, &hello(false, &[extension(43, &[3, 4])]));
        assert_eq!(facts, HelloFacts { version: Some(0x0304), ..HelloFacts::default() });
        let facts = read(false, &hello(false, &[extension(16, b"\0\x03\x02h2")]));
        assert_eq!((facts.version, facts.protocols), (Some(0x0303), vec!["h2".into()]));
        assert_eq!(read(true, &hello(true, &[])).version, Some(0x0303));
    }

    #[test]
    fn nonsense_says_nothing() {
        let client = hello(
            true,
            &[
                extension(0, b"\0\x05\0\0\x02\xff\xfe"),
                extension(16, b"\0\x09\x20h2"),
                extension(43, &[1]),
                extension(0, &[0; 4000]),
            ],
        );
        assert_eq!(read(true, &client), HelloFacts { version: Some(0x0303), ..HelloFacts::default() });
        for cut in 0..client.len() {
            read(true, &client[..cut]);
        }
        read(true, &[0xFF; 300]);
        read(false, &[0; 300]);
    }
}
