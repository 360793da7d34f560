//! Roles to styles. Components use roles only; colours are the terminal's own sixteen, or none.

use ratatui::style::{Color, Modifier, Style};

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

/// The style of a role.
pub fn style(role: Role, color: bool) -> Style {
    let plain = Style::new();
    let tint = |style: Style, wanted: Color| if color { style.fg(wanted) } else { style };
    match role {
        Role::Text => plain,
        Role::Muted => plain.add_modifier(Modifier::DIM),
        Role::Title | Role::Key => plain.add_modifier(Modifier::BOLD),
        Role::Focus => tint(plain.add_modifier(Modifier::BOLD), Color::Cyan),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::SelectedElsewhere => plain.add_modifier(Modifier::BOLD),
        Role::Good => tint(plain, Color::Green),
        Role::Look => tint(plain, Color::Yellow),
        Role::Danger => tint(plain.add_modifier(Modifier::BOLD), Color::Red),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_only_modifiers_are_left() {
        for role in [Role::Focus, Role::Good, Role::Look, Role::Danger, Role::Selected] {
            assert_eq!(style(role, false).fg, None);
            assert_eq!(style(role, false).bg, None);
        }
        assert!(style(Role::Selected, false).add_modifier.contains(Modifier::REVERSED));
    }
}
