//! Lists to choose from: columns, and what to copy.

use crate::tui::app::{App, Menu, MenuEntry, MenuKind};
use crate::tui::columns::Column;
use crate::tui::copy;
use crate::tui::effect::Effect;

/// Opens the list of the columns.
pub(super) fn columns(app: &mut App) {
    let entries = Column::ALL.map(|column| MenuEntry { name: column.name().to_owned(), text: String::new() });
    app.menu = Some(Menu { kind: MenuKind::Columns, entries: entries.to_vec(), cursor: 0 });
}

/// Opens the list of what can be copied here.
pub(super) fn copy(app: &mut App) {
    let entries = copy::entries(app);
    if entries.is_empty() {
        app.notice = Some("there is nothing to copy here".to_owned());
    } else {
        app.menu = Some(Menu { kind: MenuKind::Copy, entries, cursor: 0 });
    }
}

/// Does what the entry under the cursor says.
pub(super) fn choose(app: &mut App) -> Vec<Effect> {
    let Some(menu) = &app.menu else { return Vec::new() };
    match (menu.kind, menu.entries.get(menu.cursor)) {
        (MenuKind::Columns, _) => {
            if let Some(column) = Column::ALL.get(menu.cursor) {
                toggle(&mut app.table.columns, *column);
            }
            Vec::new()
        }
        (MenuKind::Copy, Some(entry)) => {
            let (name, text) = (entry.name.clone(), entry.text.clone());
            app.notice = Some(format!("copied: {name}"));
            app.menu = None;
            vec![Effect::Copy(text)]
        }
        (MenuKind::Copy, None) => Vec::new(),
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
