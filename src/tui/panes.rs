//! The base screen: what is known ([`model`]), what is selected in the lists ([`list`]), and their drawing (`*_view`). What lies
//! over it is in [`crate::tui::layers`].

pub mod base_view;
pub mod details_view;
pub mod frame;
pub mod header;
pub mod jobs;
pub mod jobs_view;
pub mod keys;
pub mod list;
pub mod list_view;
pub mod model;
pub mod notices;
pub mod order;
pub mod points_view;
pub mod rows;
