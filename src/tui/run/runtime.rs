//! The loop around the app: signals, input, jobs, answers, time, frames. Nothing else is decided here.

use crate::config::terminal::Notify;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress;
use crate::jobs::row::JobEvent;
use crate::ops::services::Services;
use crate::tui::app::draw;
use crate::tui::app::state::App;
use crate::tui::keys::action::Motion;
use crate::tui::look::glyphs;
use crate::tui::messages::banner::Banner;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event, Now, Ticket};
use crate::tui::messages::surroundings::Surroundings;
use crate::tui::run::driver::{Driver, clipboard_sequence};
use crate::tui::run::frame_clock::FrameClock;
use crate::tui::run::settings::Settings;
use crate::tui::terminal::notification::notification;
use crate::tui::terminal::screen::{self, Reports, Screen};
use crate::tui::terminal::split_keys::SplitKeys;
use crate::tui::terminal::writer::write_out;
use crossterm::event::{Event as Input, EventStream, KeyEventKind, MouseButton, MouseEventKind};
use futures_util::StreamExt;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How long cleanups may take when the user leaves.
const CLEANUP: Duration = Duration::from_secs(25);

/// Input that is handled before a frame is considered, so that a paste cannot starve the screen.
const BATCH: usize = 64;

/// How the UI ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The user left.
    Quit,
    /// A signal came.
    Signal(u8),
}

struct Signals {
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hang_up: Signal,
    stop: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
        })
    }
}

struct Runtime {
    app: App,
    services: Arc<Services>,
    driver: Driver,
    screen: Screen,
    input: Option<EventStream>,
    split: SplitKeys,
    frames: FrameClock,
    origin: Instant,
    notify: Notify,
    end: Option<Ended>,
}

/// Runs the UI until the user leaves.
pub async fn run(
    services: Arc<Services>,
    jobs: mpsc::Receiver<JobEvent>,
    settings: Settings,
    banner: Banner,
    surroundings: Surroundings,
) -> Result<Ended, Problem> {
    let look = settings.look;
    screen::check(look.usable)?;
    let failed = |error: std::io::Error| Problem::new(ProblemKind::Failed, format!("the terminal UI cannot start: {error}"), "");
    let signals = Signals::new().map_err(failed)?;
    let notify = settings.terminal.notify;
    let screen = Screen::take(Reports { mouse: settings.terminal.mouse, focus: notify != Notify::Off })?;
    let size = screen::window_size().unwrap_or((80, 24));
    let (sender, answers) = mpsc::channel(256);
    let origin = progress::now();
    let now = Now { mono: Duration::ZERO, wall: services.clock.now() };
    let mut app = App::new(services.instances(), settings, banner, size, now);
    let usual = services.repository(None).ok().map(|repository| repository.name.clone());
    app.model.surroundings = surroundings.with_repositories(services.repositories(), usual.as_ref());
    let driver = Driver::new(services.clone(), sender);
    let frames = FrameClock::new(look.frame());
    let mut runtime = Runtime {
        app,
        services,
        driver,
        screen,
        input: Some(EventStream::new()),
        split: SplitKeys::new(look.escape()),
        frames,
        origin,
        notify,
        end: None,
    };
    // The first frame comes before any network answer.
    runtime.draw()?;
    for effect in runtime.app.start() {
        runtime.carry_out(effect)?;
    }
    // However it ends, even with a terminal that is gone: running jobs are cleaned up.
    let ended = runtime.turn(jobs, answers, signals).await;
    drop(runtime.input.take());
    let active = runtime.services.jobs.active();
    let services = runtime.services.clone();
    drop(runtime);
    if active > 0 {
        services.jobs.shut_down(CLEANUP).await;
    }
    ended
}

impl Runtime {
    fn now(&self) -> Now {
        Now { mono: self.origin.elapsed(), wall: self.services.clock.now() }
    }

    async fn turn(
        &mut self,
        mut jobs: mpsc::Receiver<JobEvent>,
        mut answers: mpsc::Receiver<Event>,
        mut signals: Signals,
    ) -> Result<Ended, Problem> {
        loop {
            if let Some(ended) = self.end {
                return Ok(ended);
            }
            let frame_wait = self.frames.wait(self.origin.elapsed());
            // A timer would round up to a whole millisecond, even when none is to be waited.
            if frame_wait == Some(Duration::ZERO) {
                self.draw()?;
                continue;
            }
            let wake = self.next_wake();
            let held = self.split.due().map(|due| due.saturating_sub(self.origin.elapsed()));
            tokio::select! {
                biased;
                _ = signals.interrupt.recv() => self.end = Some(Ended::Signal(2)),
                _ = signals.quit.recv() => self.end = Some(Ended::Signal(3)),
                _ = signals.terminate.recv() => self.end = Some(Ended::Signal(15)),
                _ = signals.hang_up.recv() => self.end = Some(Ended::Signal(1)),
                _ = signals.stop.recv() => self.suspend()?,
                input = next_input(&mut self.input) => match input {
                    Some(Ok(input)) => self.take_input(input).await?,
                    // The terminal is gone: the same as a hang-up.
                    Some(Err(_)) | None => self.end = Some(Ended::Signal(1)),
                },
                Some(_) = jobs.recv() => {
                    while jobs.try_recv().is_ok() {}
                    self.sample_jobs()?;
                }
                Some(event) = answers.recv() => self.take(event)?,
                () = sleep(held), if held.is_some() => self.release_keys()?,
                () = sleep(frame_wait), if frame_wait.is_some() => self.draw()?,
                () = sleep(wake), if wake.is_some() => self.tick()?,
            }
        }
    }

    /// The next tick: regular while jobs run, else when the app wants it.
    fn next_wake(&self) -> Option<Duration> {
        if self.app.moves() {
            return Some(self.app.look.tick());
        }
        self.app.wake_at().map(|at| at.saturating_sub(self.origin.elapsed()) + Duration::from_millis(1))
    }

    fn tick(&mut self) -> Result<(), Problem> {
        if self.app.moves() {
            self.sample_jobs()?;
        }
        self.take(Event::Tick)
    }

    fn sample_jobs(&mut self) -> Result<(), Problem> {
        let rows = self.services.jobs.rows();
        self.take(Event::Jobs(rows))
    }

    async fn take_input(&mut self, first: Input) -> Result<(), Problem> {
        let mut next = Some(first);
        let mut handled = 0;
        while let Some(input) = next.take() {
            for input in self.split.take(input, self.origin.elapsed()) {
                self.take_whole(input)?;
            }
            handled += 1;
            // What is fetched must be handled: the limit is looked at before the next is taken.
            if self.end.is_some() || handled == BATCH {
                break;
            }
            next = ready_input(&mut self.input).await;
        }
        Ok(())
    }

    fn take_whole(&mut self, input: Input) -> Result<(), Problem> {
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => self.take(Event::Key(key)),
            Input::Paste(text) => self.take(Event::Paste(text)),
            Input::Resize(columns, rows) => {
                // A window that shrank and grew back has lost its content, though its size is the same.
                self.screen.repaint()?;
                self.take(Event::Resize(columns, rows))
            }
            Input::FocusGained => self.take(Event::Focus(true)),
            Input::FocusLost => self.take(Event::Focus(false)),
            Input::Mouse(mouse) => match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => self.take(Event::Click((mouse.column, mouse.row))),
                MouseEventKind::ScrollUp => self.take(Event::Wheel(Motion::Up)),
                MouseEventKind::ScrollDown => self.take(Event::Wheel(Motion::Down)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// An `Esc` was one: nothing followed it in time.
    fn release_keys(&mut self) -> Result<(), Problem> {
        self.split.release().into_iter().try_for_each(|input| self.take_whole(input))
    }

    fn take(&mut self, event: Event) -> Result<(), Problem> {
        let now = self.now();
        let effects = self.app.update(event, now);
        for effect in effects {
            self.carry_out(effect)?;
        }
        if self.app.take_dirty() {
            self.frames.wish();
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), Problem> {
        match effect {
            Effect::Quit => self.end = Some(Ended::Quit),
            Effect::Suspend => self.suspend()?,
            Effect::Repaint => {
                self.screen.repaint()?;
                self.frames.wish();
            }
            // A terminal that does not take it is no reason to stop.
            Effect::Notify(words) => drop(write_out(&notification(self.notify, &words))),
            Effect::Copy(text) => {
                let copied = clipboard_sequence(&text).and_then(|bytes| write_out(&bytes).map_err(|error| error.to_string()));
                self.take(Event::Data(Ticket(0), Data::Copied(copied)))?;
            }
            Effect::Dismiss(_) => {
                self.driver.run(effect);
                self.sample_jobs()?;
            }
            other => self.driver.run(other),
        }
        Ok(())
    }

    fn suspend(&mut self) -> Result<(), Problem> {
        // The stream must be dropped, not only left alone: its thread would take the shell's input.
        drop(self.input.take());
        screen::leave();
        screen::stop_process();
        self.screen.take_again()?;
        self.input = Some(EventStream::new());
        self.take(Event::Resumed)
    }

    fn draw(&mut self) -> Result<(), Problem> {
        let before = self.origin.elapsed();
        let app = &self.app;
        let drawn = self.screen.terminal.draw(|frame| {
            draw::draw(app, frame);
            if !app.look.unicode {
                glyphs::to_ascii(frame.buffer_mut(), app.look.letters);
            }
        });
        let sent = drawn.map(drop).and_then(|()| self.screen.writer.send());
        let after = self.origin.elapsed();
        self.frames.drawn(after, after.saturating_sub(before));
        if sent.is_err() {
            // Writing failed: the terminal is gone.
            self.end = Some(Ended::Signal(1));
        }
        Ok(())
    }
}

async fn next_input(input: &mut Option<EventStream>) -> Option<std::io::Result<Input>> {
    match input {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

/// Input that is there already. Polled with the loop's own waker: the stream keeps the waker of the first
/// poll that had to wait, so that any other would lose the next key (crossterm 0.29).
async fn ready_input(input: &mut Option<EventStream>) -> Option<Input> {
    let stream = input.as_mut()?;
    let polled = std::future::poll_fn(|context| match stream.poll_next_unpin(context) {
        Poll::Ready(item) => Poll::Ready(item),
        Poll::Pending => Poll::Ready(None),
    });
    polled.await.and_then(Result::ok)
}

async fn sleep(length: Option<Duration>) {
    tokio::time::sleep(length.unwrap_or_default()).await;
}
