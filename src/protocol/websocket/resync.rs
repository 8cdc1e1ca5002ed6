//! Finds frames where nobody said that there are some: after a gap, or in a connection that was there before
//! the capture.
//!
//! Frames are looked for at the start of segments only, since senders write whole frames. A chain of headers
//! that ends exactly where the segment ends is strong evidence; random bytes make one in thousands of tries.

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
    for found in 1..=MAX_CHAIN {
        let Some((header, header_length)) = FrameHeader::parse(rest) else {
            // The segment ends inside a header: as good as the frames before it.
            return if found > 1 { Evidence::Longer } else { Evidence::None };
        };
        if !is_plausible(&header, by, deflate) {
            return Evidence::None;
        }
        let after_header = rest.get(header_length..).unwrap_or_default();
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        rest = match after_header.get(length..) {
            Some([]) => return Evidence::Exact,
            Some(more) => more,
            // A short frame seldom leaves its segment; believing it would find frames in any bytes.
            None if found > 1 || header.length > 125 => return Evidence::Longer,
            None => return Evidence::None,
        };
    }
    Evidence::Exact
}

/// A frame that is longer than the segment in which it was found: it is believed once it is there and something
/// plausible follows it. Of random bytes one segment in some thousands begins like such a frame.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) header: FrameHeader,
    pub(super) origin: Origin,
    left: u64,
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
        let (header, length) = FrameHeader::parse(segment)?;
        let captured = segment.len().saturating_sub(length) as u64;
        (header.length > captured).then_some((Self { header, origin, left: header.length }, length))
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
                Verdict::Open
            }
            None => Verdict::None,
        }
    }

    /// How many bytes of its payload came by.
    pub(super) const fn passed(&self) -> u64 {
        self.header.length.saturating_sub(self.left)
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
            assert_eq!(trial.passed(), 256);
        }
        let mut trial = begin();
        assert_eq!(trial.gap(255), Verdict::Open);
        assert_eq!(trial.gap(1), Verdict::Frame);
        assert_eq!(begin().gap(257), Verdict::None);
        assert!(Trial::begin(b"\x81\x02hi", Origin::default()).is_none());
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
