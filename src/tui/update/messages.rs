//! The messages of the attempt under the cursor: asked for when they are looked at, moved in, searched.

use crate::limits::SCREEN_MESSAGE_BYTES;
use crate::model::Application;
use crate::protocol::RequestFacts;
use crate::tui::action::{Action, Motion, Screen};
use crate::tui::app::App;
use crate::tui::application::application_of;
use crate::tui::effect::{Effect, SessionOf};
use crate::tui::messages::{Message, Messages, Reading};
use crate::tui::payload::Form;
use crate::tui::rows::AttemptId;
use crate::tui::story::Story;
use crate::tui::view;

/// Asks for the messages of the attempt under the cursor, if they are looked at and nobody has asked yet; lays out what
/// is under their cursor.
pub(super) fn settle(app: &mut App) -> Vec<Effect> {
    if app.screen != Screen::Messages {
        // Another question takes the place of this one.
        app.messages.is_asked = false;
        if matches!(app.messages.state, Reading::Going) {
            app.messages = Messages { form: app.messages.form, ..Messages::default() };
        }
        return Vec::new();
    }
    let mut effects = Vec::new();
    if app.messages.of != app.selected() {
        let search = std::mem::take(&mut app.messages.search);
        app.messages = Messages { form: app.messages.form, search, ..Messages::default() };
    }
    if app.messages.of.is_none()
        && let Some(session) = app.session()
    {
        app.messages.of = app.selected();
        app.messages.session = Some(session.id());
        app.messages.state = Reading::Going;
        app.messages.frames = frames(&session);
        effects.push(Effect::ReadMessages(session, 0));
    }
    if let (Some(next), true) = (app.messages.next, wants_more(&app.messages))
        && let Some(session) = app.session()
    {
        app.messages.is_asked = true;
        app.messages.frames = frames(&session);
        effects.push(Effect::ReadMessages(session, next));
    }
    let (_, width) = view::payload_area(app);
    app.messages.lay_out(width, app.theme.is_ascii);
    keep_in_view(app);
    effects
}

/// The capture went on: where the session has more frames than when it was read, there are more messages at its end.
pub(super) fn grown(app: &mut App) {
    let Some(session) = app.session() else { return };
    if app.messages.session != Some(session.id()) {
        app.messages.of = None;
        return;
    }
    if frames(&session) > app.messages.frames && app.messages.next.is_none() && !app.messages.is_asked {
        let next = app.messages.all().last().map(|message| message.index.saturating_add(1));
        app.messages.next = match app.messages.state {
            Reading::Done(_) => Some(next.unwrap_or_default()),
            _ => None,
        };
    }
}

fn frames(session: &SessionOf) -> u64 {
    let facts = session.connection.attempts.get(session.attempt).and_then(|it| it.session.as_ref());
    facts.map_or(0, |facts| facts.client.frames().saturating_add(facts.server.frames()))
}

/// The cursor is at the last one, and there is room for more.
fn wants_more(messages: &Messages) -> bool {
    let is_at_end = messages.cursor.saturating_add(1) >= messages.all().len();
    is_at_end && !messages.is_asked && messages.bytes() < SCREEN_MESSAGE_BYTES
}

/// Messages that were asked for are there, or cannot be had.
pub(super) fn arrived(app: &mut App, of: AttemptId, read: Result<(Vec<Message>, Option<u64>), String>) {
    if app.messages.session != Some(of) {
        return;
    }
    app.messages.is_asked = false;
    match (read, &mut app.messages.state) {
        (Ok((more, next)), Reading::Done(messages)) => {
            messages.extend(more);
            app.messages.next = next;
        }
        (Ok((messages, next)), _) => {
            app.messages.application = app.story().and_then(|story| application(&story, &messages));
            app.messages.state = Reading::Done(messages);
            app.messages.next = next;
            app.scroll = 0;
        }
        (Err(reason), Reading::Done(_)) => app.notice = Some(reason),
        (Err(reason), _) => app.messages.state = Reading::Failed(reason),
    }
}

/// Asks for all of the message under the cursor. One at a time is held.
pub(super) fn whole(app: &mut App) -> Vec<Effect> {
    let index = app.messages.current().filter(|message| message.is_cut).map(|message| message.index);
    if app.messages.is_asked {
        app.notice = Some("more messages are still being read".to_owned());
        return Vec::new();
    }
    let Some((index, session)) = index.zip(app.session()) else {
        app.notice = Some("no more of this message can be had".to_owned());
        return Vec::new();
    };
    app.notice = Some("reading the whole message ...".to_owned());
    vec![Effect::ReadWhole(session, index)]
}

/// A message that was asked for in full is there, or cannot be had.
pub(super) fn whole_arrived(app: &mut App, of: AttemptId, read: Result<Message, String>) {
    if app.messages.session != Some(of) {
        return;
    }
    match read {
        Ok(message) => (app.messages.whole, app.notice) = (Some(message), None),
        Err(reason) => app.notice = Some(reason),
    }
}

fn application(story: &Story<'_>, messages: &[Message]) -> Option<Application> {
    let leg = story.legs.iter().find(|leg| leg.attempt.session.is_some())?;
    let asked = leg.attempt.request.as_ref().map(RequestFacts::head);
    let target = asked.as_ref().map_or("", |head| head.target);
    let agreed = leg.attempt.response.as_ref().and_then(|response| {
        let head = response.head();
        let value = head.fields.values("Sec-WebSocket-Protocol").next();
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    });
    application_of(agreed.as_deref(), target, messages)
}

/// Shows the payload under the cursor alone, all of it.
pub(super) fn open(app: &mut App) {
    if app.messages.current().is_some() {
        app.messages.is_zoomed = true;
        app.scroll = 0;
    }
}

/// Another form, beginning with the one that is shown.
pub(super) fn turn(app: &mut App) {
    let shown = app.messages.laid.key.map(|(_, _, form, _)| form);
    let shown = app.messages.form.or(shown).unwrap_or(Form::Text);
    app.messages.form = Some(shown.next());
    app.scroll = 0;
}

/// Moves in the list, or in the payload if that alone is shown.
pub(super) fn go(app: &mut App, motion: Motion) {
    let height = view::height(app);
    if app.messages.is_zoomed || app.messages.all().is_empty() {
        let last = view::lines(app).saturating_sub(height);
        app.scroll = super::moved(app.scroll.min(last), motion, height, last);
        return;
    }
    let last = app.messages.all().len().saturating_sub(1);
    select(app, super::moved(app.messages.cursor, motion, height, last));
}

/// Puts the cursor on a message.
pub(super) fn select(app: &mut App, place: usize) {
    app.messages.cursor = place.min(app.messages.all().len().saturating_sub(1));
    app.scroll = 0;
}

/// The next match, or the one before.
pub(super) fn step(app: &mut App, is_forward: bool) {
    if app.messages.search.is_empty() {
        app.notice = Some("nothing is searched for: / searches".to_owned());
        return;
    }
    match app.messages.find(is_forward, false) {
        Some(place) => select(app, place),
        None => app.notice = Some(if is_forward { "no further match" } else { "no match before" }.to_owned()),
    }
}

/// A key while a search is typed: the cursor goes to the first match as it is typed.
pub(super) fn search(app: &mut App, action: Action) {
    let Some(mut prompt) = app.prompt.take() else { return };
    match action {
        Action::Type(character) => prompt.text.push(character),
        Action::Erase if prompt.text.is_empty() => {
            app.messages.search.clear();
            return;
        }
        Action::Erase => {
            prompt.text.pop();
        }
        Action::EraseWord => super::erase_word(&mut prompt.text),
        Action::EraseAll => prompt.text.clear(),
        _ => {
            if !prompt.text.is_empty()
                && app.messages.find(true, true).or(app.messages.find(false, true)).is_none()
            {
                app.notice = Some("no message has it".to_owned());
            }
            return;
        }
    }
    app.messages.search.clone_from(&prompt.text);
    if let Some(place) = app.messages.find(true, true).or_else(|| app.messages.find(false, true)) {
        select(app, place);
    }
    app.prompt = Some(prompt);
}

fn keep_in_view(app: &mut App) {
    // Where the payload alone is shown, the list stays where it is.
    if app.messages.is_zoomed {
        return;
    }
    let height = view::messages_height(app).max(1);
    let messages = &mut app.messages;
    let last = messages.all().len().saturating_sub(height);
    let lowest = messages.cursor.saturating_sub(height.saturating_sub(1));
    messages.offset = messages.offset.clamp(lowest, messages.cursor.max(lowest)).min(last);
}
