//! The main screens in all sizes and without colours and lines; the pictures of them, and the cast, that ship.
//!
//! `QSNAP_UPDATE_PICTURE=1 cargo test` makes pictures and cast anew.

use super::fixture::*;
use super::{assert_named, with_jobs};
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::path::{Path, PathBuf};

type Shown = fn(u16, u16) -> Ui;

/// The main screens.
const SCREENS: [(&str, Shown); 9] = [
    ("base", |columns, rows| with_jobs(columns, rows)),
    ("fleet", |columns, rows| {
        let mut ui = Ui::new(columns, rows);
        super::backups::with_watch(&mut ui);
        ui.keys("0");
        ui
    }),
    ("plan", planned),
    ("confirm", |columns, rows| {
        let mut ui = planned(columns, rows);
        ui.keys("right enter").keys("staging/prod");
        ui
    }),
    ("job", |columns, rows| {
        let mut ui = with_jobs(columns, rows);
        ui.keys("3 enter");
        ui
    }),
    ("restore", |columns, rows| {
        let mut ui = Ui::new(columns, rows);
        ui.keys("2r");
        ui
    }),
    ("palette", |columns, rows| {
        let mut ui = Ui::new(columns, rows);
        ui.keys(":").keys("ver");
        ui
    }),
    ("guide", |columns, rows| {
        let mut ui = Ui::new(columns, rows);
        ui.keys("D");
        ui
    }),
    ("help", |columns, rows| {
        let mut ui = Ui::new(columns, rows);
        ui.keys("?").keys("mark");
        ui
    }),
];

fn planned(columns: u16, rows: u16) -> Ui {
    let mut ui = Ui::new(columns, rows);
    ui.keys("m enter");
    ui.plan(Ok(migrate_plan()));
    ui
}

#[test]
fn every_main_screen_at_any_size_without_colours_and_without_lines() {
    for (name, shown) in SCREENS {
        for (columns, rows, size) in [(80, 24, "80x24"), (60, 20, "60x20"), (120, 40, "120x40"), (200, 50, "200x50")] {
            assert_named(&mut shown(columns, rows), &format!("gallery_{name}_{size}"));
        }
        let mut ui = shown(80, 24);
        ui.app.look.color = false;
        ui.app.look.unicode = false;
        let screen = ui.screen();
        // Names keep their letters; all that is drawn is ASCII.
        let drawn = screen.split("--- styles").next().unwrap();
        assert!(!drawn.contains(['│', '─', '▸', '●', '…', '█']), "{screen}");
        assert_named(&mut ui, &format!("gallery_{name}_ascii_mono"));
    }
}

fn shipped(path: &Path, now: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test asks how it is run")]
    if std::env::var_os("QSNAP_UPDATE_PICTURE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, now).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == now, "{} is not what the program shows; QSNAP_UPDATE_PICTURE=1 cargo test makes it anew", path.display());
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

#[test]
fn the_pictures_that_ship_are_true() {
    shipped(&asset("screen.svg"), &svg(&with_jobs(80, 24).buffer()));
    for (name, shown) in SCREENS.iter().filter(|(name, _)| *name != "base") {
        shipped(&asset(&format!("pictures/{name}.svg")), &svg(&shown(80, 24).buffer()));
    }
}

/// A recovery as it is seen: asciicast v2, made from the program's own screens.
#[test]
fn the_cast_that_ships_is_true() {
    let mut cast =
        "{\"version\": 2, \"width\": 80, \"height\": 24, \"title\": \"qsnap: a collection is recovered\"}\n".to_owned();
    let mut ui = Ui::new(80, 24);
    let mut seconds = 0.0;
    let mut frame = |ui: &mut Ui, pause: f64| {
        let text = serde_json::to_string(&ansi(&ui.buffer())).unwrap();
        cast.push_str(&format!("[{seconds:.1}, \"o\", {text}]\n"));
        seconds += pause;
    };
    frame(&mut ui, 2.0);
    for (keys, pause) in [("D", 2.5), ("enter", 2.0), ("enter", 2.0), ("enter", 2.0), ("down", 1.0)] {
        ui.keys(keys);
        frame(&mut ui, pause);
    }
    ui.keys("esc esc esc esc esc 2 r");
    frame(&mut ui, 2.0);
    ui.keys("enter");
    ui.plan(Ok(migrate_plan()));
    frame(&mut ui, 3.0);
    ui.keys("right enter");
    frame(&mut ui, 1.0);
    for c in "staging/products".chars() {
        ui.keys(&c.to_string());
        frame(&mut ui, 0.1);
    }
    let mut ui = with_jobs(80, 24);
    ui.keys("3 enter");
    frame(&mut ui, 3.0);
    ui.keys("esc");
    frame(&mut ui, 2.0);
    shipped(&asset("pictures/recovery.cast"), &cast);
}

/// A whole screen as a terminal takes it.
fn ansi(buffer: &Buffer) -> String {
    let mut out = "\u{1b}[0m\u{1b}[H".to_owned();
    for y in 0..buffer.area.height {
        let mut look = (Color::Reset, Modifier::empty());
        let mut x = 0;
        while x < buffer.area.width {
            let cell = &buffer[(x, y)];
            if (cell.fg, cell.modifier) != look {
                look = (cell.fg, cell.modifier);
                out.push_str("\u{1b}[0");
                for (modifier, code) in
                    [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::UNDERLINED, 4), (Modifier::REVERSED, 7)]
                {
                    if look.1.contains(modifier) {
                        out.push_str(&format!(";{code}"));
                    }
                }
                let colors = [(Color::Red, 31), (Color::Green, 32), (Color::Yellow, 33), (Color::Cyan, 36)];
                if let Some((_, code)) = colors.iter().find(|(color, _)| *color == look.0) {
                    out.push_str(&format!(";{code}"));
                }
                out.push('m');
            }
            out.push_str(cell.symbol());
            x += (unicode_width::UnicodeWidthStr::width(cell.symbol()) as u16).max(1);
        }
        out.push_str("\u{1b}[0m");
        if y + 1 < buffer.area.height {
            out.push_str("\r\n");
        }
    }
    out
}

fn svg(buffer: &Buffer) -> String {
    let (width, height) = (u32::from(buffer.area.width) * 9 + 20, u32::from(buffer.area.height) * 19 + 20);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"15\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#16181d\"/>\n"
    );
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let first = &buffer[(x, y)];
            let (start, look) = (x, (first.fg, first.modifier));
            let mut text = String::new();
            while x < buffer.area.width && (buffer[(x, y)].fg, buffer[(x, y)].modifier) == look {
                text.push_str(buffer[(x, y)].symbol());
                x += (unicode_width::UnicodeWidthStr::width(buffer[(x, y)].symbol()) as u16).max(1);
            }
            push_run(&mut out, start, y, u32::from(x - start), &text, look);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn push_run(out: &mut String, x: u16, y: u16, columns: u32, text: &str, (color, modifier): (Color, Modifier)) {
    use std::fmt::Write;
    let reversed = modifier.contains(Modifier::REVERSED);
    let fill = match color {
        Color::Cyan => "#56b6c2",
        Color::Green => "#98c379",
        Color::Yellow => "#e5c07b",
        Color::Red => "#e06c75",
        _ => "#d7dae0",
    };
    let (left, top) = (u32::from(x) * 9 + 10, u32::from(y) * 19 + 10);
    if reversed {
        let _ = writeln!(out, "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"19\" fill=\"#d7dae0\"/>", columns * 9);
    }
    if text.trim().is_empty() {
        return;
    }
    let fill = if reversed { "#16181d" } else { fill };
    let weight = if modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let opacity = if modifier.contains(Modifier::DIM) { " opacity=\"0.55\"" } else { "" };
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"{}\" textLength=\"{}\" fill=\"{fill}\"{weight}{opacity} xml:space=\"preserve\">{escaped}</text>",
        top + 14,
        columns * 9
    );
}
