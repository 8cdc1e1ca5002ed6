//! Lists to choose from: columns, what to copy, what to export.

use crate::tui::app::{App, Choice, Menu, MenuEntry, MenuKind};
use crate::tui::columns::Column;
use crate::tui::effect::Effect;
use crate::tui::{copy, export};

/// Opens the list of the columns.
pub(super) fn columns(app: &mut App) {
    let entry = |column: Column| MenuEntry { name: column.name().to_owned(), choice: Choice::Column(column) };
    app.menu = Some(Menu { kind: MenuKind::Columns, entries: Column::ALL.map(entry).to_vec(), cursor: 0 });
}

/// Opens the list of what can be copied here.
pub(super) fn copy(app: &mut App) {
    let entries = copy::entries(app);
    open(app, MenuKind::Copy, entries, "there is nothing to copy here");
}

/// Opens the list of what can be exported here.
pub(super) fn export(app: &mut App) -> Vec<Effect> {
    let entries = export::entries(app);
    if !entries.is_empty() || app.row().is_none() || app.data.finished.is_some() {
        open(app, MenuKind::Export, entries, "there is nothing to export here");
        return Vec::new();
    }
    // While reading goes on only the reader has the connections.
    app.notice = Some("the reader is asked for it: press e again".to_owned());
    app.row().map(|row| Effect::Fetch(row.id.connection)).into_iter().collect()
}

fn open(app: &mut App, kind: MenuKind, entries: Vec<MenuEntry>, otherwise: &str) {
    if entries.is_empty() {
        app.notice = Some(otherwise.to_owned());
    } else {
        app.menu = Some(Menu { kind, entries, cursor: 0 });
    }
}

/// Does what the entry under the cursor says.
pub(super) fn choose(app: &mut App) -> Vec<Effect> {
    let entry = app.menu.as_ref().and_then(|menu| menu.entries.get(menu.cursor)).cloned();
    let Some(MenuEntry { name, choice }) = entry else { return Vec::new() };
    match choice {
        Choice::Column(column) => {
            toggle(&mut app.table.columns, column);
            Vec::new()
        }
        Choice::Copy(text) => {
            app.notice = Some(format!("copied: {name}"));
            app.menu = None;
            vec![Effect::Copy(text)]
        }
        Choice::Export(kind) => {
            app.menu = None;
            let effect = export::effect(app, kind);
            app.notice =
                Some(if effect.is_some() { "writing ..." } else { "it cannot be exported" }.to_owned());
            effect.into_iter().collect()
        }
    }
}

/// The last column stays.
fn toggle(columns: &mut Vec<Column>, column: Column) {
    if let Some(at) = columns.iter().position(|known| *known == column) {
        if columns.len() > 1 {
            columns.remove(at);
        }
    } else {
        *columns =
            Column::ALL.into_iter().filter(|known| *known == column || columns.contains(known)).collect();
    }
}
