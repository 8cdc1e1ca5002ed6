//! The chunked transfer coding (RFC 9112 section 7.1), skipped rather than decoded.

/// Where a chunked body stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunked {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a chunk-size line: the size so far, and whether its digits are over.
    Size { size: u64, digits: u8, extension: bool },
    /// In a chunk's data.
    Data(u64),
    /// In the line break after a chunk's data.
    DataEnd,
    /// In the trailer section: how many bytes its current line has.
    Trailer(u64),
}

impl Default for State {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0, extension: false }
    }
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// This many bytes are framing.
    Framing(usize),
    /// This many bytes are data.
    Data(usize),
    /// The body ends after this many bytes.
    End(usize),
    /// This is no chunked body.
    Malformed,
}

impl Chunked {
    /// Looks at the next bytes; they must not be empty.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Piece {
        if let State::Data(remaining) = &mut self.state {
            let length = bytes.len().min(usize::try_from(*remaining).unwrap_or(usize::MAX));
            *remaining = remaining.saturating_sub(length as u64);
            if *remaining == 0 {
                self.state = State::DataEnd;
            }
            return Piece::Data(length);
        }
        for (at, byte) in bytes.iter().enumerate() {
            let Some(next) = self.state.after(*byte) else { return Piece::Malformed };
            let trailer_line_is_empty = matches!(self.state, State::Trailer(0));
            self.state = next;
            if trailer_line_is_empty && *byte == b'\n' {
                return Piece::End(at.saturating_add(1));
            }
            if matches!(self.state, State::Data(_)) {
                return Piece::Framing(at.saturating_add(1));
            }
        }
        Piece::Framing(bytes.len())
    }

    /// Skips bytes that the capture lacks. Whether it is still known where the body stands.
    pub(super) fn skip(&mut self, length: u64) -> bool {
        let State::Data(remaining) = &mut self.state else { return false };
        match remaining.checked_sub(length) {
            Some(0) => self.state = State::DataEnd,
            Some(rest) => *remaining = rest,
            None => return false,
        }
        true
    }
}

impl State {
    /// The state after one byte of framing; `None` if it cannot stand there.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            // The last chunk is followed by the trailer section, whose empty line ends the body.
            (Self::Size { size: 0, digits: 1.., .. } | Self::Trailer(_), b'\n')
            | (Self::Trailer(0), b'\r') => Some(Self::Trailer(0)),
            (Self::Size { size, digits: 1.., .. }, b'\n') => Some(Self::Data(size)),
            (Self::Size { extension: true, .. } | Self::Data(_), _) => Some(self),
            (Self::Size { size, digits: 1.., .. }, b';' | b' ' | b'\t' | b'\r') => {
                Some(Self::Size { size, digits: 1, extension: true })
            }
            (Self::Size { size, digits, .. }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                let size = size.checked_mul(16)?.checked_add(u64::from(digit))?;
                Some(Self::Size { size, digits: digits.saturating_add(1), extension: false })
            }
            (Self::DataEnd, b'\r') => Some(Self::DataEnd),
            (Self::DataEnd, b'\n') => Some(Self::default()),
            (Self::DataEnd, _) => None,
            (Self::Trailer(line), _) => Some(Self::Trailer(line.saturating_add(1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a body and what is left after it, or `None` if it is malformed or does not end.
    fn read(pieces: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut chunked, mut data) = (Chunked::default(), Vec::new());
        for (number, piece) in pieces.iter().enumerate() {
            let mut rest = *piece;
            while !rest.is_empty() {
                let length = match chunked.next(rest) {
                    Piece::Framing(length) => length,
                    Piece::Data(length) => {
                        data.extend_from_slice(&rest[..length]);
                        length
                    }
                    Piece::End(length) => {
                        let left = [&rest[length..], &pieces[number + 1..].concat()].concat();
                        return Some((data, left));
                    }
                    Piece::Malformed => return None,
                };
                rest = &rest[length..];
            }
        }
        None
    }

    #[test]
    fn the_same_at_every_cut() {
        let body = b"5;name=\"v\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nnext";
        for cut in 0..=body.len() {
            let (data, left) = read(&[&body[..cut], &body[cut..]]).unwrap();
            assert_eq!((&data[..], &left[..]), (&b"hello0123456789"[..], &b"next"[..]), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(read(&bytes).unwrap().0, b"hello0123456789");
    }

    #[test]
    fn what_is_no_size_is_malformed() {
        for body in [&b"x\r\n"[..], b"\r\n", b"11111111111111111\r\n", b"3\r\nabcd\r\n", b";x\r\n"] {
            assert_eq!(read(&[body]), None);
        }
    }

    #[test]
    fn missing_bytes_are_skipped_inside_data_only() {
        let mut chunked = Chunked::default();
        assert!(!chunked.skip(1));
        assert_eq!(chunked.next(b"a\r\n"), Piece::Framing(3));
        assert!(chunked.skip(4));
        assert!(chunked.skip(6));
        assert_eq!(chunked.next(b"\r\n0\r\n\r\n"), Piece::End(7));
        assert!(!chunked.skip(1));
    }
}
