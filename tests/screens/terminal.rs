//! What the terminal tells and is told besides keys: clicks, the wheel, the focus, notifications; other keys and other themes.

use super::assert_named;
use super::fixture::*;
use crate::config::terminal::{Notify, TerminalSettings};
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::row::{JobId, JobState};
use crate::tui::app::state::App;
use crate::tui::keys::action::Motion;
use crate::tui::keys::own_keys::Keys;
use crate::tui::look::theme::Theme;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::Event;
use crate::tui::run::settings::Settings;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let mut ui = Ui::new(80, 24);
    // The third collection: the header, the frame and the heading stand above.
    ui.send(Event::Click((5, 5)));
    assert!(ui.screen().contains("▸sessions"), "{}", ui.screen());
    // Its recovery points come once the selection rests.
    ui.keys("");
    ui.send(Event::Click((40, 4)));
    assert!(ui.app.layers.is_empty(), "another pane: the first click selects only");
    ui.send(Event::Click((40, 4)));
    assert!(ui.screen().contains("Recovery point ─"), "{}", ui.screen());
    // Over the lists lies a page: a click reaches nothing behind it.
    ui.send(Event::Click((5, 3)));
    ui.keys("esc 1");
    assert!(ui.screen().contains("▸sessions"), "{}", ui.screen());
    ui.send(Event::Wheel(Motion::Up));
    assert!(ui.screen().contains("▸products"), "{}", ui.screen());
    // The frame, the header, and lines that are empty.
    for at in [(0, 0), (0, 1), (5, 2), (5, 15), (79, 23), (200, 200)] {
        ui.send(Event::Click(at));
        assert!(ui.app.layers.is_empty() && ui.screen().contains("▸products"), "{at:?}\n{}", ui.screen());
    }
}

fn told(notify: Notify, looked_at: bool, seconds: u64) -> Vec<String> {
    let mut ui = Ui::new(80, 24);
    let terminal = TerminalSettings { notify, ..TerminalSettings::usual(Path::new("/nowhere")) };
    let instances: Vec<_> = Vec::new();
    let now = ui.app.model.now;
    let settings = Settings { terminal, ..settings(look()) };
    let mut app = App::new(&instances, settings, crate::tui::messages::banner::Banner::None, (80, 24), now);
    app.update(Event::Focus(looked_at), now);
    let mut rows = jobs(1_000);
    rows[0].state = JobState::Running;
    rows[0].elapsed = Duration::from_secs(seconds);
    let id: JobId = rows[0].id;
    app.update(Event::Jobs(rows), now);
    let failed = Err(Problem::new(ProblemKind::Failed, "broke", "x"));
    let effects = app.update(Event::Finished(id, Box::new(failed)), now);
    ui.keys("esc");
    effects.into_iter().filter_map(|effect| if let Effect::Notify(words) = effect { Some(words) } else { None }).collect()
}

#[test]
fn a_long_job_is_told_of_when_somebody_looks_elsewhere_and_wants_it() {
    let words = told(Notify::Osc9, false, 11);
    assert!(words.len() == 1 && words[0].starts_with("qsnap: ") && words[0].ends_with(": failed"), "{words:?}");
    for (notify, looked_at, seconds) in [(Notify::Off, false, 11), (Notify::Osc9, true, 11), (Notify::Bell, false, 9)] {
        assert!(told(notify, looked_at, seconds).is_empty(), "{notify:?} {looked_at} {seconds}");
    }
}

#[test]
fn another_theme_and_other_keys_are_seen() {
    for name in ["high-contrast", "mono"] {
        let mut ui = Ui::new(80, 24);
        ui.app.look.theme = Theme::load(name, Path::new("/nowhere")).unwrap();
        assert_named(&mut ui, &format!("theme_{name}_80x24"));
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.toml"), "[everywhere]\nbackup = ['f5']\n").unwrap();
    let mut ui = Ui::new(80, 24);
    ui.app.keys = Keys::load(folder.path()).unwrap();
    let screen = ui.screen();
    assert!(screen.contains(" F5 backup  "), "{screen}");
    ui.keys("b");
    assert!(ui.app.layers.is_empty(), "{}", ui.screen());
    std::fs::write(folder.path().join("keys.toml"), "[collections]\nbackup = ['r']\n").unwrap();
    let clash = Keys::load(folder.path()).unwrap_err();
    assert!(clash.message.contains("both backup and restore") && clash.on.ends_with("keys.toml"), "{clash:?}");
}
