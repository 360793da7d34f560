//! Taking the terminal and giving it back, on every way out.
//!
//! A panic on the UI's thread gives it back before the report is printed. A panic in a job is the job's
//! failure; its report must not be printed over the running screen.

use crate::domain::problem::{Problem, ProblemKind};
use crate::tui::terminal::writer::FrameWriter;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange, EnableMouseCapture,
};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::io::{IsTerminal, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

/// Whether the screen is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours.
pub struct Screen {
    /// What ratatui draws to.
    pub terminal: Terminal<CrosstermBackend<FrameWriter>>,
    /// The bytes of a frame.
    pub writer: FrameWriter,
    reports: Reports,
}

/// What the terminal is asked to tell besides keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reports {
    /// Clicks and the wheel.
    pub mouse: bool,
    /// Whether the window is looked at.
    pub focus: bool,
}

fn failed(error: &std::io::Error) -> Problem {
    Problem::new(ProblemKind::Failed, format!("the terminal cannot be used: {error}"), "")
        .advise("use the headless commands: `qsnap --help`")
}

/// Refuses a place that is no terminal.
pub fn check(usable: bool) -> Result<(), Problem> {
    if usable && stdout().is_terminal() && std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Usage, "the terminal UI needs a terminal", "")
        .advise("use the headless commands instead, for example `qsnap collections`; `qsnap --help` lists them"))
}

impl Screen {
    /// Takes the terminal.
    pub fn take(reports: Reports) -> Result<Self, Problem> {
        install_hook(std::thread::current().id());
        let writer = FrameWriter::default();
        let opened = enter(reports).and_then(|()| {
            // Some pseudo-terminals start with no size: they are taken for 80x24 until they say otherwise.
            let viewport = match window_size() {
                None => Viewport::Fixed(Rect::new(0, 0, UNSIZED.0, UNSIZED.1)),
                Some(_) => Viewport::Fullscreen,
            };
            Terminal::with_options(CrosstermBackend::new(writer.clone()), TerminalOptions { viewport })
        });
        match opened {
            Ok(terminal) => Ok(Self { terminal, writer, reports }),
            Err(error) => {
                leave();
                Err(failed(&error))
            }
        }
    }

    /// Paints everything anew at the next frame. `Terminal::clear` would ask the terminal where its cursor
    /// is, and wait for the answer (ratatui 0.30); resizing to the present size clears without asking.
    pub fn repaint(&mut self) -> Result<(), Problem> {
        let (columns, rows) = window_size().unwrap_or(UNSIZED);
        self.terminal.resize(Rect::new(0, 0, columns, rows)).map_err(|error| failed(&error))
    }

    /// Takes it again after a stop; everything is painted anew.
    pub fn take_again(&mut self) -> Result<(), Problem> {
        // The shell may still hold the terminal for a moment.
        let mut last = None;
        for _ in 0..10 {
            match enter(self.reports) {
                Ok(()) => return self.repaint(),
                Err(error) => last = Some(error),
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Err(failed(&last.unwrap_or_else(|| std::io::Error::other("it is not given back"))))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Size of a terminal that does not say.
const UNSIZED: (u16, u16) = (80, 24);

/// The window's columns and rows; `None` when it has none.
pub fn window_size() -> Option<(u16, u16)> {
    crossterm::terminal::size().ok().filter(|(columns, rows)| *columns > 0 && *rows > 0)
}

fn enter(reports: Reports) -> std::io::Result<()> {
    crossterm::terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    // crossterm drops modifiers with the colours when NO_COLOR is set (0.29.0); our themes decide instead.
    crossterm::style::force_color_output(true);
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
    if reports.mouse {
        execute!(stdout(), EnableMouseCapture)?;
    }
    if reports.focus {
        execute!(stdout(), EnableFocusChange)?;
    }
    Ok(())
}

/// Gives the terminal back. All steps are tried; a second call does nothing.
pub fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = stdout();
    let _ = out.write_all(b"\x1b[?2026l");
    let _ = execute!(out, DisableMouseCapture, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen);
    let _ = execute!(out, cursor::Show);
    let _ = crossterm::terminal::disable_raw_mode();
    let _ = out.flush();
}

fn install_hook(ui: ThreadId) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == ui {
                leave();
                previous(info);
            } else if !TAKEN.load(Ordering::SeqCst) {
                previous(info);
            }
        }));
    });
}

/// Stops the whole process group, as the terminal does on Ctrl-Z; returns when it goes on.
#[cfg(unix)]
pub fn stop_process() {
    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::STOP);
}
