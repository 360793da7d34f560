//! Roles to styles. Components use roles only; a theme says what each looks like, in the terminal's own sixteen colours.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::one_line;
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use std::path::Path;

/// What something means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Less important.
    Muted,
    /// Headings and titles.
    Title,
    /// The focused pane's frame.
    Focus,
    /// The selected row in the focused pane.
    Selected,
    /// The selected row elsewhere.
    SelectedElsewhere,
    /// Good.
    Good,
    /// Needs a look.
    Look,
    /// Bad or dangerous.
    Danger,
    /// Keys in hints.
    Key,
}

/// Themes that are built in, by name.
const BUILT_IN: [(&str, &str); 3] = [
    ("default", include_str!("../../../assets/themes/default.toml")),
    ("high-contrast", include_str!("../../../assets/themes/high-contrast.toml")),
    ("mono", include_str!("../../../assets/themes/mono.toml")),
];

/// One role in a file.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    fg: Option<Paint>,
    bg: Option<Paint>,
    bold: bool,
    dim: bool,
    reversed: bool,
    underlined: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Paint {
    Black,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    Gray,
    DarkGray,
    LightRed,
    LightGreen,
    LightYellow,
    LightBlue,
    LightMagenta,
    LightCyan,
    White,
}

impl Paint {
    fn color(self) -> Color {
        match self {
            Self::Black => Color::Black,
            Self::Red => Color::Red,
            Self::Green => Color::Green,
            Self::Yellow => Color::Yellow,
            Self::Blue => Color::Blue,
            Self::Magenta => Color::Magenta,
            Self::Cyan => Color::Cyan,
            Self::Gray => Color::Gray,
            Self::DarkGray => Color::DarkGray,
            Self::LightRed => Color::LightRed,
            Self::LightGreen => Color::LightGreen,
            Self::LightYellow => Color::LightYellow,
            Self::LightBlue => Color::LightBlue,
            Self::LightMagenta => Color::LightMagenta,
            Self::LightCyan => Color::LightCyan,
            Self::White => Color::White,
        }
    }
}

impl Entry {
    fn style(self) -> Style {
        let mut style = Style::new();
        style.fg = self.fg.map(Paint::color);
        style.bg = self.bg.map(Paint::color);
        let modifiers = [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.reversed, Modifier::REVERSED),
            (self.underlined, Modifier::UNDERLINED),
        ];
        modifiers.iter().filter(|(on, _)| *on).fold(style, |style, (_, modifier)| style.add_modifier(*modifier))
    }
}

/// A file; what it leaves out is as in the default theme.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    text: Option<Entry>,
    muted: Option<Entry>,
    title: Option<Entry>,
    focus: Option<Entry>,
    selected: Option<Entry>,
    selected_elsewhere: Option<Entry>,
    good: Option<Entry>,
    look: Option<Entry>,
    danger: Option<Entry>,
    key: Option<Entry>,
}

/// What each role looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme([Style; 10]);

impl Theme {
    /// The one that holds without another.
    pub fn usual() -> Self {
        // A test reads every theme that is built in.
        Self::parse(BUILT_IN[0].1).unwrap_or(Self([Style::new(); 10]))
    }

    /// A theme by name: a file `themes/NAME.toml` in this folder, else one that is built in.
    ///
    /// # Errors
    /// When there is none of this name, or the file cannot be understood.
    pub fn load(name: &str, folder: &Path) -> Result<Self, Problem> {
        let known = BUILT_IN.iter().find(|(known, _)| *known == name);
        let simple = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
        let path = folder.join("themes").join(format!("{}.toml", if simple { name } else { "?" }));
        let problem = |why: String| Problem::new(ProblemKind::Usage, why, path.display().to_string());
        match (std::fs::read_to_string(&path), known) {
            (Ok(text), _) if simple => {
                Self::parse(&text).map_err(|why| problem(format!("the theme cannot be used: {why}")).advise("correct the file"))
            }
            (_, Some((_, text))) => Self::parse(text).map_err(problem),
            _ => {
                let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                let why = format!("there is no theme `{}`", one_line(name, 60));
                Err(problem(why).advise(format!("choose {} in [terminal], or write that file", names.join(", "))))
            }
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let read = |text: &str| toml::from_str::<File>(text).map_err(|error| one_line(error.message(), 200));
        let (own, usual) = (read(text)?, read(BUILT_IN[0].1)?);
        let style = |own: Option<Entry>, usual: Option<Entry>| own.or(usual).unwrap_or_default().style();
        Ok(Self([
            style(own.text, usual.text),
            style(own.muted, usual.muted),
            style(own.title, usual.title),
            style(own.focus, usual.focus),
            style(own.selected, usual.selected),
            style(own.selected_elsewhere, usual.selected_elsewhere),
            style(own.good, usual.good),
            style(own.look, usual.look),
            style(own.danger, usual.danger),
            style(own.key, usual.key),
        ]))
    }

    /// The style of a role.
    pub fn style(&self, role: Role, color: bool) -> Style {
        let style = self.0[role as usize];
        if color { style } else { Style { fg: None, bg: None, ..style } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_only_modifiers_are_left_and_the_cursor_is_still_seen() {
        for (name, _) in BUILT_IN {
            let theme = Theme::load(name, Path::new("/nowhere")).unwrap();
            for role in [Role::Focus, Role::Good, Role::Look, Role::Danger, Role::Selected] {
                let style = theme.style(role, false);
                assert_eq!((style.fg, style.bg), (None, None), "{name}");
            }
            assert_ne!(theme.style(Role::Selected, true), theme.style(Role::Text, true), "{name}");
        }
        assert!(Theme::usual().style(Role::Selected, false).add_modifier.contains(Modifier::REVERSED));
        let mono = Theme::load("mono", Path::new("/nowhere")).unwrap();
        assert_eq!(mono.style(Role::Danger, true), mono.style(Role::Danger, false));
    }

    #[test]
    fn a_file_of_the_user_stands_before_and_keeps_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("themes")).unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("themes/mine.toml"), text).unwrap();
        write("good = { fg = 'blue' }");
        let theme = Theme::load("mine", folder.path()).unwrap();
        assert_eq!(theme.style(Role::Good, true).fg, Some(Color::Blue));
        assert_eq!(theme.style(Role::Danger, true), Theme::usual().style(Role::Danger, true));
        write("good = { fg = 'pink' }");
        let wrong = Theme::load("mine", folder.path()).unwrap_err();
        assert!(wrong.message.contains("pink") && wrong.on.ends_with("mine.toml"), "{wrong:?}");
        write("god = {}");
        assert!(Theme::load("mine", folder.path()).unwrap_err().message.contains("god"));
        for name in ["yours", "../../etc/passwd", ""] {
            let none = Theme::load(name, folder.path()).unwrap_err();
            assert!(none.message.contains("no theme") && none.advice.contains("high-contrast"), "{none:?}");
        }
    }
}
