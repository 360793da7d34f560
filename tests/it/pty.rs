//! The real program in a real pseudo-terminal: only what the terminal itself decides.

use crate::support::{QSNAP, Server};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use qsnap::sandbox::seed::SeedCollection;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    parser: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    home: Arc<TempDir>,
}

impl Pty {
    fn start(arguments: &[&str], columns: u16, rows: u16, environment: &[(&str, &str)]) -> Self {
        Self::start_at(Arc::new(tempfile::tempdir().unwrap()), arguments, columns, rows, environment)
    }

    fn start_at(home: Arc<TempDir>, arguments: &[&str], columns: u16, rows: u16, environment: &[(&str, &str)]) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(QSNAP);
        command.args(arguments);
        command.env_clear();
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")].iter().chain(environment) {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        command.env("XDG_STATE_HOME", home.path().join("state"));
        command.cwd(home.path());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (screen, all) = (parser.clone(), bytes.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 {
                    return;
                }
                screen.lock().unwrap().process(&buffer[..n]);
                all.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self { child, master: pair.master, writer, parser, bytes, home }
    }

    fn demo() -> Self {
        let pty = Self::start(&["demo"], 80, 24, &[]);
        pty.wait("drafts");
        pty
    }

    fn screen(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    fn wait(&self, text: &str) {
        self.until(text, |pty| pty.screen().contains(text));
    }

    fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < DEADLINE, "not seen: {what}\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.parser.lock().unwrap().screen_mut().set_size(rows, columns);
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.process_id().unwrap() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; gives the exit code.
    fn end(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(start.elapsed() < DEADLINE, "it does not end\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Every mode that was set is unset again, in the last bytes.
    fn assert_restored(&self) {
        self.until("the main screen", |pty| !pty.parser.lock().unwrap().screen().alternate_screen());
        let parser = self.parser.lock().unwrap();
        assert!(!parser.screen().hide_cursor(), "the cursor is shown");
        assert!(!parser.screen().bracketed_paste(), "bracketed paste is off");
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn start_and_quit_restore_the_terminal() {
    let mut pty = Pty::demo();
    assert!(pty.parser.lock().unwrap().screen().alternate_screen());
    pty.keys("q");
    assert_eq!(pty.end(), 0);
    pty.assert_restored();
}

#[test]
fn signals_restore_the_terminal_and_give_their_code() {
    for (signal, code) in [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::HUP, 129)] {
        let mut pty = Pty::demo();
        pty.signal(signal);
        assert_eq!(pty.end(), code);
        pty.assert_restored();
    }
}

#[test]
fn suspend_gives_the_terminal_back_and_resume_takes_it_again() {
    let mut pty = Pty::demo();
    pty.keys("\u{1a}");
    pty.until("the main screen", |pty| !pty.parser.lock().unwrap().screen().alternate_screen());
    let stat = format!("/proc/{}/stat", pty.child.process_id().unwrap());
    pty.until("the process is stopped", |_| std::fs::read_to_string(&stat).unwrap().contains(") T "));
    pty.signal(rustix::process::Signal::CONT);
    pty.until("the alternate screen", |pty| pty.parser.lock().unwrap().screen().alternate_screen());
    pty.wait("drafts");
    pty.keys("?");
    pty.wait("Keys here");
    pty.keys("\u{1b}");
    pty.until("help is closed", |pty| !pty.screen().contains("Keys here"));
    pty.keys("q");
    assert_eq!(pty.end(), 0);
    pty.assert_restored();
}

/// A migration over what is there, as far as the question for the address.
fn asked_for_the_address() -> Pty {
    let mut pty = Pty::demo();
    pty.keys("jj");
    pty.wait("Recovery points · products");
    pty.keys("m");
    pty.wait("to instance");
    pty.keys("\r");
    pty.wait("Go on: type");
    // A key this soon after the page appeared is taken for a slip; the page must have stood a moment.
    std::thread::sleep(Duration::from_millis(400));
    pty.keys("\u{1b}[C\r");
    pty.wait("Type staging/products");
    pty
}

#[test]
fn a_paste_with_a_newline_confirms_nothing() {
    let mut pty = asked_for_the_address();
    pty.keys("\u{1b}[200~staging/products\n\u{1b}[201~");
    pty.wait("staging/products ");
    pty.until("the pasted text, and no job", |pty| pty.screen().contains("nothing runs"));
    pty.keys("\r");
    pty.wait("running for");
    pty.keys("\u{1b}");
    pty.wait("verified");
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn quitting_with_a_running_job_asks_and_cleans_up() {
    let mut pty = Pty::demo();
    pty.keys("j");
    pty.wait("Recovery points · events");
    pty.until("its points", |pty| pty.screen().matches("node").count() >= 2);
    // The first one is a small backup: the snapshot below it takes seconds.
    pty.keys("2jd");
    pty.wait("folder or file");
    pty.keys("\r");
    pty.wait("[ Start ]");
    std::thread::sleep(Duration::from_millis(400));
    pty.keys("\r");
    pty.wait("downloading");
    pty.keys("\u{1b}");
    pty.until("the job's layer is closed", |pty| !pty.screen().contains("running for"));
    pty.keys("q");
    pty.wait("Leave?");
    pty.keys("\u{1b}[C\r");
    assert_eq!(pty.end(), 0);
    pty.assert_restored();
    let left = crate::support::files(pty.home.path());
    assert!(!left.iter().any(|name| name.ends_with(".snapshot")), "only what can go on is left: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_is_offered_again_and_goes_on() {
    let mut seed = SeedCollection::new("products", 50);
    (seed.filler, seed.snapshot_ages) = (12_000_000, vec![60]);
    let server = Server::sandbox(None, vec![seed]).await;
    let home = Arc::new(tempfile::tempdir().unwrap());
    let config = home.path().join("config.toml");
    std::fs::write(&config, format!("[instances.prod]\nurl = '{}'\nlimit-rate = '3MB'\n", server.url())).unwrap();
    let arguments = ["--config", config.to_str().unwrap()];
    let start = || Pty::start_at(home.clone(), &arguments, 80, 24, &[]);
    let left = |ending| crate::support::files(home.path()).into_iter().find(|name| name.ends_with(ending));
    let remembered = |name: String| {
        let state = std::fs::read_to_string(home.path().join(name)).unwrap_or_default();
        serde_json::from_str::<serde_json::Value>(&state).is_ok_and(|state| state["spans"][0][1].as_u64() > Some(0))
    };
    tokio::task::block_in_place(|| {
        let mut pty = start();
        pty.until("its points", |pty| pty.screen().matches("node").count() >= 1);
        pty.keys("2d");
        pty.wait("folder or file");
        pty.keys("\r");
        pty.wait("[ Start ]");
        std::thread::sleep(Duration::from_millis(400));
        pty.keys("\r");
        pty.until("some of it is remembered", |_| left(".part.state").is_some_and(remembered));
        pty.signal(rustix::process::Signal::KILL);
        pty.end();
        let mut pty = start();
        pty.wait("resume?");
        pty.keys("3\r");
        pty.wait("were downloaded before");
        std::thread::sleep(Duration::from_millis(400));
        pty.keys("\r");
        pty.wait("verified: sha256");
        assert_eq!((left(".part"), left(".part.state")), (None, None));
        pty.keys("\u{1b}");
        pty.until("the job's layer is closed", |pty| !pty.screen().contains("Esc hide"));
        assert!(!pty.screen().contains("resume?"), "no offer any more");
        pty.keys("q");
        assert_eq!(pty.end(), 0);
    });
}

#[test]
fn any_size_is_survived_with_a_wizard_open() {
    let mut pty = Pty::demo();
    pty.keys("jj");
    pty.wait("Recovery points · products");
    pty.keys("m");
    pty.wait("to instance");
    for (columns, rows) in [(20, 5), (60, 20), (1, 1), (200, 50), (40, 10), (80, 24)] {
        pty.resize(columns, rows);
    }
    pty.wait("to instance");
    pty.resize(20, 5);
    pty.wait("needs 40x10");
    pty.resize(80, 24);
    pty.wait("to instance");
    pty.keys("\u{3}");
    pty.until("the wizard is closed", |pty| !pty.screen().contains("to instance"));
    pty.keys("\u{3}");
    assert_eq!(pty.end(), 0);
}

#[test]
fn idle_writes_nothing_and_an_arrow_little() {
    let mut pty = Pty::demo();
    pty.keys("j");
    pty.wait("Recovery points · events");
    pty.until("its points", |pty| pty.screen().matches("node").count() >= 2);
    pty.keys("2");
    std::thread::sleep(Duration::from_millis(500));
    let before = pty.bytes.lock().unwrap().len();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(pty.bytes.lock().unwrap().len(), before, "idle writes nothing");
    pty.keys("j");
    pty.until("an answer to the key", |pty| pty.bytes.lock().unwrap().len() > before);
    std::thread::sleep(Duration::from_millis(200));
    let written = pty.bytes.lock().unwrap().len() - before;
    assert!(written <= 350, "{written} bytes for an arrow key");
    pty.keys("q");
    pty.end();
}

#[test]
fn without_colour_the_selection_is_still_seen() {
    let mut pty = Pty::start(&["demo"], 80, 24, &[("NO_COLOR", "1")]);
    pty.wait("drafts");
    let text = String::from_utf8_lossy(&pty.bytes.lock().unwrap()).into_owned();
    assert!(text.contains("\u{1b}[7m"), "reverse video is used");
    for colour in 30..38 {
        assert!(!text.contains(&format!("\u{1b}[{colour}m")), "no colour {colour}");
    }
    assert!(!text.contains("[38;5;"), "no colour at all");
    pty.keys("q");
    pty.end();
}

#[test]
fn places_that_are_no_terminal_are_refused() {
    let mut pty = Pty::start(&[], 80, 24, &[("TERM", "dumb")]);
    assert_eq!(pty.end(), 2);
    pty.wait("headless commands");
    let output = std::process::Command::new(QSNAP).arg("demo").env("TERM", "xterm").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}

#[test]
fn ascii_terminals_get_ascii() {
    let mut pty = Pty::start(&["demo"], 80, 24, &[("LANG", "C")]);
    pty.wait("drafts");
    assert!(pty.screen().is_ascii(), "{}", pty.screen());
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_said_at_the_start() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    std::fs::write(home.path().join("state"), "a file, where the folder should be").unwrap();
    let mut pty = Pty::start_at(home, &["--url", "http://127.0.0.1:9"], 80, 24, &[]);
    pty.wait("No operation can start, and no history is kept");
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn a_cancel_asks_first_and_no_is_marked() {
    let mut pty = asked_for_the_address();
    pty.keys("staging/products\r");
    pty.wait("running for");
    pty.keys("x");
    pty.wait("Cancel the job?");
    pty.keys("\r");
    pty.until("the question is gone", |pty| !pty.screen().contains("Cancel the job?"));
    pty.wait("verified");
    pty.keys("q");
}
