//! The terminal UI: opens on the answer, and follows it down to the frames.
//!
//! State ([`App`]) is plain data. A key becomes an [`Action`] by the one table of `keymap`; [`update`] is a pure
//! function of the two that returns what is to be done outside as [`Effect`]s; [`draw`] is a plain function of the
//! state. No packets are parsed here, no file is read, no clock, no thread: whoever owns the terminal has these, and
//! hands over [`News`] of what was read. Text from the network is redacted and escaped before it is put anywhere.

mod action;
mod app;
mod application;
mod chart;
mod columns;
mod copy;
mod effect;
mod export;
mod filter;
mod keymap;
mod live;
mod messages;
mod news;
mod payload;
mod rows;
mod shown;
mod story;
mod table;
mod theme;
mod update;
mod view;

pub use crate::model::Application;
pub use action::{Action, Motion, Screen};
pub use app::{App, Below, Choice, Data, Menu, MenuEntry, MenuKind, Pane, Prompt, PromptKind};
pub use chart::Chart;
pub use columns::{Column, Widths};
pub use effect::{Content, Discarded, Effect, Export, SessionOf, clipboard};
pub use export::ExportKind;
pub use filter::{Filter, FilterError};
pub use keymap::{Chord, KEYS, Key, Place, action, keys};
pub use live::{InterfacePulse, Pulse};
pub use messages::{Message, Messages, Reading};
pub use news::{FindingRow, Finished, News, Progress, Tone};
pub use payload::{Form, Laid};
pub use rows::{AttemptId, Row, rows_so_far};
pub use shown::Shown;
pub use story::{Story, StoryLeg};
pub use table::{Listing, Table};
pub use theme::{Colors, Theme};
pub use update::{receive, update};
pub use view::draw;

#[cfg(test)]
mod tests;
