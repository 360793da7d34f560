//! How things look: signs, colours, the layout of the window, wrapped and framed text. Knows nothing of the app. Read [`text`]
//! first.

pub mod caps;
pub mod glyphs;
pub mod layout;
pub mod text;
pub mod theme;
pub mod words;
