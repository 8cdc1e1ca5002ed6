//! A page of lines: wrapped, styled, with a column of labels. What is put on it must be escaped already.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::report::text::page::wrapped;
use crate::text;
use crate::tui::theme::Theme;

/// Lines of a width.
#[derive(Debug)]
pub(super) struct Page {
    lines: Vec<Line<'static>>,
    width: usize,
    theme: Theme,
}

impl Page {
    /// An empty page.
    pub(super) const fn new(width: usize, theme: Theme) -> Self {
        Self { lines: Vec::new(), width, theme }
    }

    /// How it looks.
    pub(super) const fn theme(&self) -> Theme {
        self.theme
    }

    /// How many columns it has.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// Its lines.
    pub(super) fn into_lines(self) -> Vec<Line<'static>> {
        self.lines
    }

    /// An empty line, but no second one and none at the start.
    pub(super) fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| line.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    /// A title over a part of the page, with a rule to the right margin.
    pub(super) fn title(&mut self, title: &str, right: &str) {
        self.blank();
        self.lines.push(rule(title, right, self.width, self.theme));
    }

    /// A line as it is, cut at the right margin.
    pub(super) fn line(&mut self, text: &str, style: Style) {
        let text = text::truncate(text, self.width, self.theme.ellipsis()).into_owned();
        self.lines.push(Line::styled(text, style));
    }

    /// Parts of a line as they are.
    pub(super) fn spans(&mut self, spans: Vec<(String, Style)>) {
        let spans = spans.into_iter().map(|(text, style)| Span::styled(text, style));
        self.lines.push(Line::from(spans.collect::<Vec<Span<'static>>>()));
    }

    /// A text behind a mark, wrapped with the mark's indent.
    pub(super) fn paragraph(&mut self, mark: &str, text: &str, style: Style) {
        let indent = text::width(mark);
        for (number, line) in wrapped(text, self.width.saturating_sub(indent)).into_iter().enumerate() {
            let mark = if number == 0 { mark.to_owned() } else { " ".repeat(indent) };
            self.lines
                .push(Line::from(vec![Span::styled(mark, style), Span::styled(line.to_owned(), style)]));
        }
    }

    /// A label and a text, wrapped beside it.
    pub(super) fn row(&mut self, label: &str, text: &str, style: Style) {
        let room = self.width.saturating_sub(LABELS);
        for (number, line) in wrapped(text, room).into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            let label = format!("  {}", text::pad(label, LABELS.saturating_sub(2)));
            let label = Span::styled(label, self.theme.quiet());
            self.lines.push(Line::from(vec![label, Span::styled(line.to_owned(), style)]));
        }
    }

    /// Lines of a configuration or a head: wrapped only if they must be, with an indent.
    pub(super) fn code(&mut self, text: &str, style: Style) {
        for line in text.lines() {
            self.paragraph("    ", &text::escape(line), style);
        }
    }

    /// Markdown as the rules' pages have it: headings, code, paragraphs.
    pub(super) fn markdown(&mut self, source: &str) {
        let mut paragraph = String::new();
        let mut is_code = false;
        for line in source.lines() {
            if line.starts_with("```") {
                self.flush(&mut paragraph);
                is_code = !is_code;
            } else if is_code {
                self.code(line, self.theme.accent());
            } else if let Some(heading) = line.strip_prefix("## ") {
                self.flush(&mut paragraph);
                self.blank();
                self.line(heading, self.theme.title());
            } else if line.is_empty() {
                self.flush(&mut paragraph);
                self.blank();
            } else if line.starts_with("- ") || line.starts_with("| ") {
                self.flush(&mut paragraph);
                paragraph.push_str(line);
            } else {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(line.trim());
            }
        }
        self.flush(&mut paragraph);
    }

    fn flush(&mut self, paragraph: &mut String) {
        if let Some(entry) = paragraph.strip_prefix("- ") {
            self.paragraph("- ", entry, Style::new());
        } else if !paragraph.is_empty() {
            self.paragraph("", paragraph, Style::new());
        }
        paragraph.clear();
    }
}

/// A title with a rule to the right margin, and a word there.
pub(super) fn rule(title: &str, right: &str, width: usize, theme: Theme) -> Line<'static> {
    let ellipsis = theme.ellipsis();
    let right = text::truncate(right, width / 2, ellipsis).into_owned();
    let space = usize::from(!right.is_empty());
    let room = width.saturating_sub(text::width(&right)).saturating_sub(space).saturating_sub(1);
    let title = text::truncate(title, room, ellipsis).into_owned();
    let rest = room.saturating_sub(text::width(&title));
    let rule = format!(" {}{}", theme.glyph("─", "-").repeat(rest), " ".repeat(space));
    Line::from(vec![
        Span::styled(title, theme.title()),
        Span::styled(rule, theme.quiet()),
        Span::styled(right, theme.quiet()),
    ])
}

/// Columns of the labels.
const LABELS: usize = 16;
