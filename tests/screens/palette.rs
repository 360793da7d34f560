//! The command palette, and what cures a collection of the fleet.

use super::fixture::*;
use super::{assert_named, sizes};
use crate::ops::request::Request;
use crate::tui::layers::layer::Layer;

fn typed(ui: &mut Ui, text: &str) {
    for c in text.chars() {
        ui.keys(if c == ' ' { "space".to_owned() } else { c.to_string() }.as_str());
    }
}

#[test]
fn commands_and_places_are_found_by_a_few_letters() {
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        ui.keys(":");
        assert_named(&mut ui, &format!("palette_{name}"));
        typed(&mut ui, "veri");
        assert_named(&mut ui, &format!("palette_verify_{name}"));
    });
    let mut ui = Ui::new(80, 24);
    ui.keys(":");
    typed(&mut ui, "stagingprod");
    assert!(ui.screen().contains("staging/products"), "{}", ui.screen());
    ui.keys("enter");
    let screen = ui.screen();
    assert!(screen.contains("Collections · staging") && screen.contains("▸products"), "{screen}");
    // A command of another pane goes to that pane; one that is not possible says why, and stays.
    ui.keys(":");
    typed(&mut ui, "hold");
    ui.keys("enter");
    assert!(matches!(ui.app.layers.last(), Some(Layer::Palette(_))), "{}", ui.screen());
    assert!(ui.screen().contains("that is for backups in a repository") || ui.screen().contains("no "), "{}", ui.screen());
    ui.keys("esc");
    assert!(ui.app.layers.is_empty());
    ui.keys(":");
    typed(&mut ui, "history");
    ui.keys("enter");
    assert!(matches!(ui.app.layers.last(), Some(Layer::Choose(_))), "{}", ui.screen());
}

#[test]
fn a_recovery_point_is_found_by_its_time() {
    let mut ui = Ui::new(80, 24);
    ui.keys(":");
    typed(&mut ui, "2026-11-21");
    ui.keys("enter");
    let screen = ui.screen();
    assert!(screen.contains("▸2026-11-21"), "{screen}");
    ui.keys("r enter");
    assert!(matches!(ui.asked(), Some(Request::Restore(_))));
}

#[test]
fn help_is_searched_by_typing() {
    let mut ui = Ui::new(80, 24);
    ui.keys("?");
    typed(&mut ui, "invert");
    let screen = ui.screen();
    assert!(screen.contains("Help · /invert_") && screen.contains("*          mark those of the list"), "{screen}");
    // What is a key of another place is found, too, and says where; so are the signs.
    ui.keys("backspace backspace backspace backspace backspace backspace");
    typed(&mut ui, "slower");
    assert!(ui.screen().contains("lower the rate limit") && ui.screen().contains("(in the jobs)"), "{}", ui.screen());
    ui.keys("?");
    assert!(ui.app.layers.is_empty(), "the key that opened it closes it");
    ui.keys("?");
    typed(&mut ui, "zzz");
    assert!(ui.screen().contains("nothing has that text"), "{}", ui.screen());
    ui.keys("esc");
    assert!(ui.app.layers.is_empty());
}
