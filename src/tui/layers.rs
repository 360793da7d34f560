//! What lies over the base screen: dialogs, lists to choose from, the guide, the inspector. State and drawing (`*_view`) of each
//! lie side by side. Wizards have a room of their own.

pub mod cancel;
pub mod choice;
pub mod choice_view;
pub mod dialogs_view;
pub mod fleet;
pub mod fleet_view;
pub mod guide;
pub mod help_view;
pub mod inspector;
pub mod inspector_view;
pub mod layer;
pub mod palette;
pub mod palette_view;
pub mod requests;
pub mod requests_view;
