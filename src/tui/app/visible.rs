//! The collections that are seen: questions to the rows that were worked out.

use crate::ops::survey::listing::CollectionView;
use crate::tui::app::state::App;
use crate::tui::panes::list::CollectionKey;
use crate::tui::panes::rows::Rows;
use std::rc::Rc;

impl App {
    /// Collections that pass the filter.
    pub fn visible_collections(&self) -> Vec<&CollectionView> {
        let all = self.model.collections();
        self.collection_rows().at.iter().filter_map(|at| all.get(*at)).collect()
    }

    /// Whether the whole instance has a row: below its collections, unless it is filtered away.
    pub fn shows_storage(&self) -> bool {
        self.collection_rows().keys.last() == Some(&CollectionKey::Storage)
    }

    /// The rows that pass the filter.
    pub(super) fn collection_rows(&self) -> Rc<Rows> {
        let Some(list) = self.collections.get(self.model.current) else { return Rc::default() };
        let version = self.model.instance().map_or(0, |state| state.version);
        self.visible.rows(self.model.collections(), (self.model.current, version), list)
    }
}
