//! Finds frames where nobody said that there are some: after a gap, or in a connection that was there before
//! the capture.
//!
//! Frames are looked for at the start of segments only, since senders write whole frames. A chain of headers
//! that ends exactly where the segment ends is strong evidence; random bytes make one in thousands of tries. Bytes that
//! repeat, zeros above all, make chains easily: so frames that only they would make are none.

use super::header::{FrameHeader, Opcode};
use crate::protocol::Role;
use crate::units::Origin;

/// How likely it is that a segment begins with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// It does not, or nothing says so.
    None,
    /// Plausible frames, of which the last is longer than the segment.
    Longer,
    /// Frames that fill the segment exactly.
    Exact,
}

/// Looks at the start of a segment for frames that `by` may have sent. `deflate` says whether RSV1 may be
/// set; `None` if that is not known.
#[must_use]
pub(crate) fn frames_in(segment: &[u8], by: Role, deflate: Option<bool>) -> Evidence {
    let mut rest = segment;
    let (mut tells, mut is_open, mut before, mut alike) = (false, None, None, 0_u32);
    for found in 1..=MAX_CHAIN {
        let Some((header, header_length)) = FrameHeader::parse(rest) else {
            // The segment ends inside a header: as good as the frames before it.
            return if tells { Evidence::Longer } else { Evidence::None };
        };
        if !is_plausible(&header, by, deflate) || !goes_on(&mut is_open, &header) {
            return Evidence::None;
        }
        alike = match before.replace(header).map_or(0, |before| repeated_bytes(&header, &before)) {
            // Keys of chance have no three bytes in common; a client that always takes the same one has four.
            3 => return Evidence::None,
            4 => alike.saturating_add(1),
            _ => 0,
        };
        if alike >= MAX_ALIKE {
            return Evidence::None;
        }
        tells |= is_telling(&header);
        let after_header = rest.get(header_length..).unwrap_or_default();
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        rest = match after_header.get(length..) {
            Some([]) if tells || found == 1 => return Evidence::Exact,
            Some([]) => return Evidence::None,
            Some(more) => more,
            // A short frame seldom leaves its segment; believing it would find frames in any bytes.
            None if tells && (found > 1 || header.length > 125) => return Evidence::Longer,
            None => return Evidence::None,
        };
    }
    if tells { Evidence::Exact } else { Evidence::None }
}

/// A frame that is longer than the segment in which it was found: it is believed once it is there and something
/// plausible follows it. Of random bytes one segment in some thousands begins like such a frame.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) header: FrameHeader,
    pub(super) origin: Origin,
    /// Frames of this side were seen before, or it has a gap.
    pub(super) is_again: bool,
    header_length: usize,
    left: u64,
    /// Bytes of it that the capture lacks.
    missing: u64,
}

/// What came of a frame on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not there yet.
    Open,
    /// It was one.
    Frame,
    /// It was none.
    None,
}

impl Trial {
    /// If a segment begins with a frame that is longer than it: that, and how long its header is.
    pub(super) fn begin(segment: &[u8], origin: Origin) -> Option<(Self, usize)> {
        let (header, header_length) = FrameHeader::parse(segment)?;
        let captured = segment.len().saturating_sub(header_length) as u64;
        let trial = Self { header, origin, is_again: true, header_length, left: header.length, missing: 0 };
        (header.length > captured).then_some((trial, header_length))
    }

    /// The next bytes: how many of them are its own, and what they show.
    pub(super) fn data(&mut self, bytes: &[u8], by: Role, deflate: Option<bool>) -> (usize, Verdict) {
        let own = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left = self.left.saturating_sub(own as u64);
        let after = bytes.get(own..).unwrap_or_default();
        let verdict = match self.left {
            0 if may_begin_frame(after, by, deflate) => Verdict::Frame,
            0 => Verdict::None,
            _ => Verdict::Open,
        };
        (own, verdict)
    }

    /// Bytes that the capture lacks.
    pub(super) fn gap(&mut self, length: u64) -> Verdict {
        match self.left.checked_sub(length) {
            Some(0) => Verdict::Frame,
            Some(left) => {
                self.left = left;
                self.missing = self.missing.saturating_add(length);
                Verdict::Open
            }
            None => Verdict::None,
        }
    }

    /// How many of its bytes came by.
    pub(super) const fn passed(&self) -> u64 {
        let passed = self.header.length.saturating_sub(self.left).saturating_sub(self.missing);
        passed.saturating_add(self.header_length as u64)
    }
}

/// Whether a frame may begin here: nothing speaks against it.
pub(super) fn may_begin_frame(bytes: &[u8], by: Role, deflate: Option<bool>) -> bool {
    FrameHeader::parse(bytes).is_none_or(|(header, _)| is_plausible(&header, by, deflate))
}

fn is_plausible(header: &FrameHeader, by: Role, deflate: Option<bool>) -> bool {
    let control_is_legal = !header.opcode.is_control() || (header.fin && header.length <= 125);
    let starts_message = matches!(header.opcode, Opcode::TEXT | Opcode::BINARY);
    let rsv_is_legal = header.rsv == 0 || (header.rsv == 0b100 && starts_message && deflate != Some(false));
    header.opcode.is_defined()
        && header.masking_key.is_some() == (by == Role::Client)
        && control_is_legal
        && rsv_is_legal
        && header.length_is_minimal
        && header.length <= MAX_LENGTH
}

/// Whether a frame may follow those before it, and whether a message is open after it; none before the first data frame
/// (RFC 6455 section 5.4).
fn goes_on(is_open: &mut Option<bool>, header: &FrameHeader) -> bool {
    if header.opcode.is_control() {
        return true;
    }
    let continues = header.opcode == Opcode::CONTINUATION;
    is_open.replace(!header.fin).is_none_or(|is_open| is_open == continues)
}

/// How many bytes of its key a short masked frame has in common with the one before it, if all else is the same: bytes
/// that repeat make up such frames, zeros or counters under a mask above all. A fresh key must be unpredictable
/// (RFC 6455 section 5.3).
fn repeated_bytes(header: &FrameHeader, before: &FrameHeader) -> usize {
    let (Some(key), Some(other)) = (header.masking_key, before.masking_key) else { return 0 };
    let is_alike = FrameHeader { masking_key: before.masking_key, ..*header } == *before;
    if is_alike && header.length <= 125 {
        key.iter().zip(other).filter(|(byte, other)| *byte == other).count()
    } else {
        0
    }
}

/// Whether a header is none that zeros make up in rows: short frames in the middle of a message, which nobody sends only.
fn is_telling(header: &FrameHeader) -> bool {
    header.fin || header.length > 125 || header.opcode != Opcode::CONTINUATION
}

/// More masked frames in a row that repeat the one before them are none.
const MAX_ALIKE: u32 = 2;

/// Enough frames in a row to believe the rest.
const MAX_CHAIN: u32 = 64;

/// The longest frame that is believed without a handshake: 256 MiB.
const MAX_LENGTH: u64 = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_fills_the_segment_is_exact() {
        assert_eq!(frames_in(b"\x81\x02hi\x89\x00", Role::Server, None), Evidence::Exact);
        assert_eq!(frames_in(b"\x81\x82\x01\x02\x03\x04hi", Role::Client, None), Evidence::Exact);
    }

    #[test]
    fn the_mask_bit_must_fit_the_side() {
        assert_eq!(frames_in(b"\x81\x02hi", Role::Client, None), Evidence::None);
        assert_eq!(frames_in(b"\x81\x82\x01\x02\x03\x04hi", Role::Server, None), Evidence::None);
    }

    #[test]
    fn a_long_frame_may_leave_the_segment_and_a_short_one_may_not() {
        assert_eq!(frames_in(b"\x82\x7e\x10\x00abc", Role::Server, None), Evidence::Longer);
        assert_eq!(frames_in(b"\x82\x50abc", Role::Server, None), Evidence::None);
        assert_eq!(frames_in(b"\x81\x01a\x82\x50abc", Role::Server, None), Evidence::Longer);
    }

    #[test]
    fn rsv1_needs_an_extension() {
        assert_eq!(frames_in(b"\xc1\x01x", Role::Server, Some(false)), Evidence::None);
        assert_eq!(frames_in(b"\xc1\x01x", Role::Server, Some(true)), Evidence::Exact);
        assert_eq!(frames_in(b"\xc1\x01x", Role::Server, None), Evidence::Exact);
    }

    #[test]
    fn a_longer_frame_is_believed_if_something_plausible_follows_it() {
        let begin = || Trial::begin(b"\x82\x7e\x01\x00abc", Origin::default()).unwrap().0;
        for (after, verdict) in [
            (&b"\x81\x02hi"[..], Verdict::Frame),
            (b"", Verdict::Frame),
            (b"\x81", Verdict::Frame),
            (b"\xf3\x02hi", Verdict::None),
            (b"\x81\x80abcd", Verdict::None),
        ] {
            let mut trial = begin();
            assert_eq!(trial.data(&[0; 100], Role::Server, None), (100, Verdict::Open));
            let rest = [&[0; 156], after].concat();
            assert_eq!(trial.data(&rest, Role::Server, None), (156, verdict), "{after:?}");
            assert_eq!(trial.passed(), 260);
        }
        let mut trial = begin();
        assert_eq!(trial.gap(255), Verdict::Open);
        assert_eq!(trial.passed(), 4, "what the capture lacks did not come by");
        assert_eq!(trial.gap(1), Verdict::Frame);
        assert_eq!(begin().gap(257), Verdict::None);
        assert!(Trial::begin(b"\x81\x02hi", Origin::default()).is_none());
    }

    #[test]
    fn bytes_that_repeat_are_no_frames() {
        let counter = |start: &[u8; 4]| -> Vec<u8> {
            let [a, b, c, d] = *start;
            (0..350_u16).flat_map(|n| [a, b, c, d ^ n.to_be_bytes()[1]]).collect()
        };
        assert_eq!(frames_in(&[0; 1_400], Role::Server, None), Evidence::None);
        assert_eq!(frames_in(&[0; 4], Role::Server, None), Evidence::None);
        for start in 0..4 {
            for numbers in [counter(&[0; 4]), [0, 0, 0, 2].repeat(350), [0, 2, 0, 0].repeat(350)] {
                assert_eq!(frames_in(&numbers[start..], Role::Server, None), Evidence::None, "{start}");
            }
        }
        // Zeros under a mask, and a counter under one: 82 82 is the header of a binary frame of two bytes.
        let zeros = [0x82, 0x82, 0x37, 0xfa].repeat(350);
        assert_eq!(frames_in(&zeros, Role::Client, None), Evidence::None);
        assert_eq!(frames_in(&counter(&[0x82, 0x82, 0x37, 0xfa]), Role::Client, None), Evidence::None);
    }

    #[test]
    fn masked_frames_may_be_alike_but_for_their_keys() {
        let ping = |key: &[u8]| [b"\x89\x80", key].concat();
        for (one, other) in [(b"\x01\x02\x03\x04", b"\x09\x08\x03\x04"), (&[0; 4], &[7; 4])] {
            let both = [ping(one), ping(other)].concat();
            assert_eq!(frames_in(&both, Role::Client, None), Evidence::Exact);
        }
        // Somebody masks with zeros.
        assert_eq!(frames_in(&ping(&[0; 4]).repeat(2), Role::Client, None), Evidence::Exact);
        assert_eq!(frames_in(b"\x81\x81\0\0\0\0a\x81\x82\0\0\0\0hi", Role::Client, None), Evidence::Exact);
    }

    #[test]
    fn fragments_follow_one_another() {
        let exact = [
            &b"\x01\x01a\x89\x00\x00\x01b\x80\x01c\x81\x01d"[..],
            b"\x00\x01b\x80\x01c",
            b"\x80\x00",
            b"\x80\x01a\x81\x01b\x8a\x00\x82\x00",
            b"\x01\x01a",
            b"\x00\x01a",
        ];
        for frames in exact {
            assert_eq!(frames_in(frames, Role::Server, None), Evidence::Exact, "{frames:?}");
        }
        for frames in [
            &b"\x01\x01a\x81\x01b"[..],
            b"\x81\x01a\x80\x01b",
            b"\x80\x01a\x00\x01b\x81\x00",
            b"\x00\x01a\x00\x01b",
        ] {
            assert_eq!(frames_in(frames, Role::Server, None), Evidence::None, "{frames:?}");
        }
        // A long fragment in the middle of a message.
        assert_eq!(frames_in(b"\x00\x7e\x10\x00abc", Role::Server, None), Evidence::Longer);
    }

    #[test]
    fn other_protocols_are_no_frames() {
        for bytes in
            [&b"\x17\x03\x03\x00\x02ab"[..], b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b""]
        {
            assert_eq!(frames_in(bytes, Role::Server, None), Evidence::None);
            assert_eq!(frames_in(bytes, Role::Client, None), Evidence::None);
        }
    }
}
