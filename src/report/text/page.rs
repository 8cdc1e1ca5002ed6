//! The page: lines of a width, a column of labels, wrapped text, styles.
//!
//! A line looks the same without its styles: they are never counted and never carry meaning alone. What is put
//! on a page must be escaped already.

use std::fmt::Write as _;
use std::io;

use anstyle::{AnsiColor, Style};

use crate::text;

/// A page on its way out.
pub(super) struct Page<'a> {
    out: &'a mut dyn io::Write,
    buffer: String,
    width: usize,
    lines: usize,
}

/// What failed.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What works.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What is not known.
pub(super) const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
/// What is there to be found, not to be read.
pub(super) const QUIET: Style = Style::new().dimmed();
/// What is as it is.
pub(super) const PLAIN: Style = Style::new();

/// Columns of the labels, two spaces before and one behind them included.
pub(super) const LABELS: usize = 15;

impl<'a> Page<'a> {
    /// An empty page of `width` columns.
    pub(super) fn new(out: &'a mut dyn io::Write, width: usize) -> Self {
        Self { out, buffer: String::with_capacity(BUFFER_BYTES), width, lines: 0 }
    }

    /// How many columns there are.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// How many lines were written.
    pub(super) const fn lines(&self) -> usize {
        self.lines
    }

    fn end_line(&mut self) {
        self.buffer.push('\n');
        self.lines = self.lines.saturating_add(1);
    }

    /// How many columns a row has beside its label.
    pub(super) const fn room(&self) -> usize {
        self.width.saturating_sub(LABELS)
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.end_line();
    }

    /// An empty line, and what was written so far goes out if it is much.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        self.gap();
        if self.buffer.len() >= BUFFER_BYTES { self.send() } else { Ok(()) }
    }

    /// A text on the left and one at the right margin; below one another if they do not fit.
    pub(super) fn ends(&mut self, left: (&str, Style), right: (&str, Style)) {
        let taken = text::width(left.0).saturating_add(text::width(right.0));
        let Some(space @ 2..) = self.width.checked_sub(taken) else {
            self.paragraph("", left.0, left.1);
            self.paragraph("", right.0, right.1);
            return;
        };
        self.styled(left.0, left.1);
        self.spaces(space);
        self.styled(right.0, right.1);
        self.end_line();
    }

    /// A bold word in the column of labels, a text, and one at the right margin if it fits; whether it did.
    pub(super) fn head(&mut self, label: (&str, Style), left: &str, right: &str) -> bool {
        self.styled(label.0, label.1);
        self.spaces(LABELS.saturating_sub(text::width(label.0)));
        let left = text::truncate(left, self.room(), MARK);
        self.buffer.push_str(&left);
        let space = self.room().saturating_sub(text::width(&left).saturating_add(text::width(right)));
        let fits = space >= 2 && !right.is_empty();
        if fits {
            self.spaces(space);
            self.styled(right, label.1);
        }
        self.end_line();
        fits
    }

    /// A label and a text, wrapped beside it. Without a label it goes on below the row before.
    pub(super) fn row(&mut self, label: &str, text: &str) {
        self.labelled(label, text, PLAIN);
    }

    /// As [`Self::row`], and a text that is longer than two rows is cut there.
    pub(super) fn cut_row(&mut self, label: &str, text: &str) {
        let room = self.room();
        let lines = wrapped(text, room);
        if let [first, _, _, ..] = lines.as_slice() {
            // The second row begins where a space, or nothing, ends the first.
            let rest = text.get(first.len()..).unwrap_or_default().trim_start();
            self.row(label, first);
            self.row("", &text::truncate(rest, room, MARK));
        } else {
            self.row(label, text);
        }
    }

    /// As [`Self::row`], about something that is wrong.
    pub(super) fn bad_row(&mut self, label: &str, text: &str) {
        self.labelled(label, text, BAD);
    }

    /// As [`Self::row`], with a text at the right margin if it fits, else below.
    pub(super) fn row_ends(&mut self, label: &str, left: &str, right: &str) {
        let space = self.room().saturating_sub(text::width(left).saturating_add(text::width(right)));
        if space < 2 {
            self.row(label, left);
            self.row("", right);
            return;
        }
        self.label(label);
        self.buffer.push_str(left);
        self.spaces(space);
        self.styled(right, QUIET);
        self.end_line();
    }

    /// A text behind a mark, wrapped with the mark's indent.
    pub(super) fn paragraph(&mut self, mark: &str, text: &str, style: Style) {
        let indent = text::width(mark);
        for (number, line) in wrapped(text, self.width.saturating_sub(indent)).into_iter().enumerate() {
            if number == 0 {
                self.buffer.push_str(mark);
            } else {
                self.spaces(indent);
            }
            self.styled(line, style);
            self.end_line();
        }
    }

    /// A line that somebody will copy: it is never broken, however long it is.
    pub(super) fn verbatim(&mut self, indent: &str, line: &str) {
        self.buffer.push_str(indent);
        self.buffer.push_str(line);
        self.end_line();
    }

    /// Texts in columns of given widths, each cut to its own, and a mark at the right margin.
    pub(super) fn cells(&mut self, cells: &[(&str, usize)], mark: Option<&str>) {
        let reserved = mark.map_or(0, |mark| text::width(mark).saturating_add(2));
        let end = self.width.saturating_sub(reserved);
        let mut at: usize = 0;
        let mut pending: usize = 0;
        for (content, width) in cells {
            let room = end.saturating_sub(at);
            let width = if *width == 0 { room } else { (*width).min(room) };
            let shown = text::truncate(content, width, MARK);
            if !shown.is_empty() {
                self.spaces(pending);
                self.buffer.push_str(&shown);
                pending = 0;
            }
            let filled = width.saturating_sub(text::width(&shown));
            pending = pending.saturating_add(filled);
            at = at.saturating_add(width);
        }
        if let Some(mark) = mark {
            self.spaces(pending.saturating_add(end.saturating_sub(at)).saturating_add(2));
            self.styled(mark, BAD);
        }
        self.end_line();
    }

    /// Sends everything out.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.out.flush()
    }

    fn send(&mut self) -> io::Result<()> {
        self.out.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }

    fn labelled(&mut self, label: &str, text: &str, style: Style) {
        for (number, line) in wrapped(text, self.room()).into_iter().enumerate() {
            self.label(if number == 0 { label } else { "" });
            self.styled(line, style);
            self.end_line();
        }
    }

    fn label(&mut self, label: &str) {
        self.buffer.push_str("  ");
        self.styled(label, QUIET);
        self.spaces(LABELS.saturating_sub(2).saturating_sub(text::width(label)));
    }

    fn styled(&mut self, text: &str, style: Style) {
        if style.is_plain() || text.is_empty() {
            self.buffer.push_str(text);
        } else {
            // Writing to a string does not fail.
            let _ = write!(self.buffer, "{style}{text}{style:#}");
        }
    }

    fn spaces(&mut self, count: usize) {
        self.buffer.extend(std::iter::repeat_n(' ', count));
    }
}

/// Lines of at most `room` columns, cut at spaces, and within a word only if it is longer than a line.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<&str> {
    let room = room.max(1);
    let mut lines = Vec::new();
    let mut rest = text;
    while text::width(rest) > room {
        let fitting = text::truncate(rest, room, "").len();
        // A space just behind what fits is a good place too.
        let window = rest.get(..fitting.saturating_add(1)).unwrap_or(rest);
        let at = last_break(window).unwrap_or(fitting.max(1));
        let Some((line, after)) = rest.split_at_checked(at) else { break };
        lines.push(line.trim_end());
        rest = after.trim_start();
    }
    lines.push(rest);
    lines
}

/// The last space, but none at the start; rather none behind a digit, so that numbers stay with their units.
fn last_break(window: &str) -> Option<usize> {
    let mut spaces = window.rmatch_indices(' ').map(|(at, _)| at).filter(|at| *at > 0);
    let last = spaces.next()?;
    let is_behind_digit =
        |at: &usize| window.as_bytes().get(at.saturating_sub(1)).is_some_and(u8::is_ascii_digit);
    std::iter::once(last).chain(spaces).find(|at| !is_behind_digit(at)).or(Some(last))
}

/// What stands for the end of a text that was cut: reports are ASCII where the wire is.
pub(crate) const MARK: &str = "...";

const BUFFER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_spaces() {
        let cases: [(&str, usize, &[&str]); 8] = [
            ("one two three", 20, &["one two three"]),
            ("one two three", 7, &["one two", "three"]),
            ("one two three", 8, &["one two", "three"]),
            ("abcdefghij k", 4, &["abcd", "efgh", "ij k"]),
            ("世界世界", 5, &["世界", "世界"]),
            ("", 5, &[""]),
            ("open for 7.1 s", 12, &["open for", "7.1 s"]),
            ("1 2 3 4", 3, &["1 2", "3 4"]),
        ];
        for (text, room, expected) in cases {
            assert_eq!(wrapped(text, room), expected);
        }
    }

    #[test]
    fn what_does_not_fit_goes_below() {
        let mut written = Vec::new();
        let mut page = Page::new(&mut written, 30);
        page.ends(("left", PLAIN), ("right", PLAIN));
        page.ends(("a long text on the left", PLAIN), ("right side", PLAIN));
        assert!(page.head(("x refused", PLAIN), "GET /", "200"));
        assert!(!page.head(("x refused", PLAIN), "GET /very/long/target", "200"));
        page.row_ends("0.1 s", "a -> b", "#1");
        page.cut_row("body", "fits in one row");
        page.cut_row("body", "does not fit into one row");
        page.cut_row("body", "does not fit into the two rows there are");
        page.flush().unwrap();
        let shown = anstream::adapter::strip_bytes(&written).into_vec();
        assert_eq!(
            String::from_utf8(shown).unwrap(),
            "left                     right\na long text on the left\nright side\n\
             x refused      GET /       200\nx refused      GET /very/lo...\n  0.1 s        a -> b       #1\n\
             \x20 body         fits in one row\n\
             \x20 body         does not fit\n               into one row\n\
             \x20 body         does not fit\n               into the two...\n"
        );
    }
}
