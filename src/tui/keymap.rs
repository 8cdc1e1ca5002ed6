//! The one table of keys: what a key does is looked up here, and help and the hints of the last line are drawn from it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{Action, Motion, Screen};

/// Where a key is pressed: what is on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A screen.
    On(Screen),
    /// The filter is being typed.
    Prompt,
    /// A list to choose from.
    Menu,
    /// The help.
    Help,
}

/// A row of the table.
#[derive(Debug)]
pub struct Key {
    /// The keys, any of them.
    pub chords: &'static [Chord],
    /// How they are written.
    pub label: &'static str,
    /// Where they work.
    pub places: &'static [Place],
    /// What they do.
    pub action: Action,
    /// That in words.
    pub help: &'static str,
    /// That in a word, for the last line; empty if it is not shown there.
    pub hint: &'static str,
}

/// A key with what is held down beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chord(pub KeyCode, pub KeyModifiers);

/// What a key does here; none if nothing.
#[must_use]
pub fn action(place: Place, event: KeyEvent) -> Option<Action> {
    // Whether shift was held for a character is in the character.
    let shift = if matches!(event.code, KeyCode::Char(_)) { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    let pressed = Chord(event.code, event.modifiers.difference(shift));
    if let Some(key) = keys(place).find(|key| key.chords.contains(&pressed)) {
        return Some(key.action);
    }
    match (place, pressed) {
        (Place::Prompt, Chord(KeyCode::Char(character), KeyModifiers::NONE)) => Some(Action::Type(character)),
        _ => None,
    }
}

/// The keys that work at a place, in the order of the help.
pub fn keys(place: Place) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.places.contains(&place))
}

const fn char(character: char) -> Chord {
    Chord(KeyCode::Char(character), KeyModifiers::NONE)
}

const fn ctrl(character: char) -> Chord {
    Chord(KeyCode::Char(character), KeyModifiers::CONTROL)
}

const fn code(code: KeyCode) -> Chord {
    Chord(code, KeyModifiers::NONE)
}

const OVERVIEW: Place = Place::On(Screen::Overview);
const ATTEMPT: Place = Place::On(Screen::Attempt);
const FLOW: Place = Place::On(Screen::Flow);
const MESSAGES: Place = Place::On(Screen::Messages);
const FINDINGS: Place = Place::On(Screen::Findings);
const CAPTURE: Place = Place::On(Screen::Capture);

const SCREENS: &[Place] = &[OVERVIEW, ATTEMPT, FLOW, MESSAGES, FINDINGS, CAPTURE];
const OTHERS: &[Place] = &[ATTEMPT, FLOW, MESSAGES, FINDINGS, CAPTURE];
const OF_ATTEMPT: &[Place] = &[ATTEMPT, FLOW, MESSAGES];
const WITH_ATTEMPT: &[Place] = &[OVERVIEW, ATTEMPT, FLOW, MESSAGES];
const WITH_TEXT: &[Place] = &[OVERVIEW, ATTEMPT, FLOW, MESSAGES, FINDINGS];
const LISTS: &[Place] = &[OVERVIEW, ATTEMPT, FLOW, MESSAGES, FINDINGS, CAPTURE, Place::Menu, Place::Help];
const EVERYWHERE: &[Place] =
    &[OVERVIEW, ATTEMPT, FLOW, MESSAGES, FINDINGS, CAPTURE, Place::Menu, Place::Help, Place::Prompt];

macro_rules! key {
    ($chords:expr, $label:literal, $places:expr, $action:expr, $help:literal) => {
        key!($chords, $label, $places, $action, $help, "")
    };
    ($chords:expr, $label:literal, $places:expr, $action:expr, $help:literal, $hint:literal) => {
        Key { chords: &$chords, label: $label, places: $places, action: $action, help: $help, hint: $hint }
    };
}

/// All keys.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    key!([code(KeyCode::Enter), code(KeyCode::Right), char('l')], "enter", &[OVERVIEW], Action::Open,
        "look at the attempt or the finding under the cursor", "open"),
    key!([code(KeyCode::Enter)], "enter", &[FINDINGS], Action::Open, "show the attempts that it is about", "attempts"),
    key!([code(KeyCode::Esc), code(KeyCode::Backspace)], "esc", OTHERS, Action::Back, "go back", "back"),
    key!([code(KeyCode::Esc)], "esc", &[OVERVIEW], Action::Back, "take the filter away"),
    key!([char('/')], "/", &[OVERVIEW], Action::Filter, "filter the attempts", "filter"),
    key!([code(KeyCode::Enter)], "enter", &[MESSAGES], Action::Open, "show all of the payload", "payload"),
    key!([char('/')], "/", &[MESSAGES], Action::Filter, "search in the messages", "search"),
    key!([char('v')], "v", &[MESSAGES], Action::Form, "show payloads as text, JSON or hex", "form"),
    key!([char('w')], "w", &[MESSAGES], Action::Whole, "read the whole of a message that is longer than 1 MiB"),
    key!([char('x')], "x", &[OVERVIEW], Action::Failures, "failed attempts only, or all again", "failed"),
    key!([code(KeyCode::Tab), code(KeyCode::BackTab)], "tab", &[OVERVIEW], Action::OtherPane,
        "go to the findings, or to the attempts", "findings"),
    key!([code(KeyCode::Tab), code(KeyCode::Right), char('l')], "tab", OF_ATTEMPT, Action::NextView,
        "the next view of the attempt: heads, flow, messages", "view"),
    key!([code(KeyCode::BackTab), code(KeyCode::Left), char('h')], "shift-tab", OF_ATTEMPT, Action::PreviousView,
        "the view before"),
    key!([char('n')], "n", &[OVERVIEW], Action::Next, "the next attempt that failed; of a filter, the next one"),
    key!([char('N')], "N", &[OVERVIEW], Action::Previous, "the one before"),
    key!([char('n')], "n", &[ATTEMPT, FLOW], Action::NextAttempt, "the next attempt of the list", "next"),
    key!([char('N')], "N", &[ATTEMPT, FLOW], Action::PreviousAttempt, "the one before"),
    key!([char('n')], "n", &[MESSAGES], Action::Next, "the next message that has what is searched for"),
    key!([char('N')], "N", &[MESSAGES], Action::Previous, "the one before"),
    key!([char('J'), char(']')], "J ]", OF_ATTEMPT, Action::NextAttempt, "the next attempt of the list"),
    key!([char('K'), char('[')], "K [", OF_ATTEMPT, Action::PreviousAttempt, "the attempt before"),
    key!([char('y')], "y", WITH_TEXT, Action::Copy, "copy a value, a fix, a head, or a command that asks again", "copy"),
    key!([char('e')], "e", WITH_ATTEMPT, Action::Export, "export the message, the packets or a report", "export"),
    key!([char('s')], "s", &[OVERVIEW], Action::Sort, "sort by the next column", "sort"),
    key!([char('S')], "S", &[OVERVIEW], Action::SortBackwards, "sort the other way round"),
    key!([char('c')], "c", &[OVERVIEW], Action::Columns, "choose columns", "columns"),
    key!([char('f')], "f", &[OVERVIEW], Action::Follow, "follow the latest attempt, or no longer", "follow"),
    key!([char(' ')], "space", SCREENS, Action::Freeze, "freeze what is shown while reading goes on, or go on"),
    key!([char('t')], "t", WITH_ATTEMPT, Action::Times, "times relative, in UTC, or local"),
    key!([char('1'), char('o')], "1", SCREENS, Action::Show(Screen::Overview), "the overview"),
    key!([char('2'), char('F')], "2", SCREENS, Action::Show(Screen::Findings), "the findings, with their rules", ""),
    key!([char('3'), char('i')], "3", SCREENS, Action::Show(Screen::Capture), "what was read, skipped and cut"),
    key!([code(KeyCode::Enter), char(' ')], "enter", &[Place::Menu], Action::Choose, "choose", "choose"),
    key!([code(KeyCode::Esc), char('q')], "esc", &[Place::Menu, Place::Help], Action::Back, "close", "close"),
    key!([char('?'), code(KeyCode::F(1))], "?", SCREENS, Action::Help, "this help", "help"),
    key!([char('?'), code(KeyCode::F(1))], "?", &[Place::Help], Action::Back, "close this help"),
    key!([code(KeyCode::Enter)], "enter", &[Place::Prompt], Action::Accept, "keep the filter", "keep"),
    key!([code(KeyCode::Esc)], "esc", &[Place::Prompt], Action::Back, "leave the filter as it was", "cancel"),
    key!([code(KeyCode::Backspace), ctrl('h')], "backspace", &[Place::Prompt], Action::Erase, "take a character away"),
    key!([ctrl('w')], "ctrl-w", &[Place::Prompt], Action::EraseWord, "take a word away", "erase word"),
    key!([ctrl('u')], "ctrl-u", &[Place::Prompt], Action::EraseAll, "take all away", "erase"),
    key!([code(KeyCode::Up), char('k')], "up k", LISTS, Action::Move(Motion::Up), "a line up"),
    key!([code(KeyCode::Down), char('j')], "down j", LISTS, Action::Move(Motion::Down), "a line down"),
    key!([code(KeyCode::PageUp), ctrl('b')], "pgup", LISTS, Action::Move(Motion::PageUp), "a page up"),
    key!([code(KeyCode::PageDown), ctrl('f')], "pgdn", LISTS, Action::Move(Motion::PageDown), "a page down"),
    key!([ctrl('u')], "ctrl-u", LISTS, Action::Move(Motion::HalfUp), "half a page up"),
    key!([ctrl('d')], "ctrl-d", LISTS, Action::Move(Motion::HalfDown), "half a page down"),
    key!([code(KeyCode::Home), char('g')], "home g", LISTS, Action::Move(Motion::First), "to the start"),
    key!([code(KeyCode::End), char('G')], "end G", LISTS, Action::Move(Motion::Last), "to the end"),
    key!([char('q')], "q", &[OVERVIEW], Action::Close, "quit", "quit"),
    key!([char('q')], "q", OTHERS, Action::Close, "go back"),
    key!([char('Q')], "Q", SCREENS, Action::Quit, "quit from anywhere"),
    key!([ctrl('c')], "ctrl-c", EVERYWHERE, Action::Quit, "quit at once"),
    key!([ctrl('z')], "ctrl-z", EVERYWHERE, Action::Suspend, "back to the shell for a while (fg returns)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things_at_one_place() {
        for place in EVERYWHERE {
            let chords: Vec<Chord> = keys(*place).flat_map(|key| key.chords).copied().collect();
            for (at, chord) in chords.iter().enumerate() {
                assert!(!chords[..at].contains(chord), "{place:?}: {chord:?}");
            }
        }
    }

    #[test]
    fn every_place_can_be_left_and_every_screen_has_help() {
        for place in EVERYWHERE {
            let quits = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert_eq!(action(*place, quits), Some(Action::Quit));
            let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
            assert_eq!(action(*place, escape), Some(Action::Back));
        }
        for place in SCREENS {
            let question = KeyEvent::new(KeyCode::Char('?'), KeyModifiers::SHIFT);
            assert_eq!(action(*place, question), Some(Action::Help));
        }
    }

    #[test]
    fn in_the_prompt_letters_are_letters() {
        for letter in ['q', 'j', '?', ' ', '/', 'Q'] {
            let event = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE);
            assert_eq!(action(Place::Prompt, event), Some(Action::Type(letter)));
        }
    }
}
