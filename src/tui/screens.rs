//! Whole screens as snapshots, and the picture in the README. Everything here is fixed: times, names,
//! versions. A visible change shows as a changed snapshot in `tests/snapshots`.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::CollectionStatus;
use crate::domain::ids::{InstanceName, SnapshotName};
use crate::domain::instance::{Instance, Protection, Tls, Transfers};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::SafeUrl;
use crate::domain::snapshot::SnapshotInfo;
use crate::domain::version::ServerVersion;
use crate::jobs::manager::{JobId, JobRow, JobState, Outcome};
use crate::jobs::progress::Sample;
use crate::ops::flow::tests::plan_of;
use crate::ops::flow::{Consent, Finding, Plan, Risk, Step};
use crate::ops::list::{CollectionView, InstanceView, Listing, ProofState, RecoveryPoint};
use crate::ops::report::{PointCounts, Report, SampleCounts, StepRecord, Verdict};
use crate::tui::app::App;
use crate::tui::caps::Look;
use crate::tui::effect::Effect;
use crate::tui::event::{Data, Event, Now, Ticket};
use crate::tui::{Banner, draw, glyphs};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::time::Duration;

const LOOK: Look = Look { color: true, unicode: true, animation: true, ssh: false, usable: true };

fn wall() -> Timestamp {
    "2026-11-22T03:12:00Z".parse().unwrap()
}

fn instance(name: &str, protection: Protection) -> Instance {
    Instance {
        name: InstanceName::new(name).unwrap(),
        nodes: vec![SafeUrl::parse_node(&format!("https://{name}.example:6333")).unwrap()],
        tls: Tls::default(),
        protection,
        timeout: Duration::from_secs(15),
        transfers: Transfers::default(),
    }
}

/// An app that is driven by keys and answers from fixtures.
struct Ui {
    app: App,
    mono: Duration,
    effects: Vec<Effect>,
}

impl Ui {
    fn new(columns: u16, rows: u16) -> Self {
        let instances = [
            instance("prod-eu", Protection::Protected),
            instance("staging", Protection::Open),
            instance("lab", Protection::ReadOnly),
        ];
        let now = Now { mono: Duration::from_secs(10), wall: wall() };
        let mut app = App::new(&instances, LOOK, Banner::None, (columns, rows), now);
        let effects = app.start();
        let mut ui = Self { app, mono: now.mono, effects };
        ui.answer();
        // A tick after the rest, so that the selected collection's points are asked for and answered.
        ui.send(Event::Tick);
        ui
    }

    fn send(&mut self, event: Event) {
        self.mono += Duration::from_secs(1);
        let now = Now { mono: self.mono, wall: wall() };
        self.effects.extend(self.app.update(event, now));
        self.answer();
    }

    /// Answers every question that was asked, until none is left.
    fn answer(&mut self) {
        let mut kept = Vec::new();
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                let (ticket, data) = match effect {
                    Effect::Instance(ticket, name) => (ticket, Data::Instance(name.clone(), Box::new(view_of(&name)))),
                    Effect::Collections(ticket, name) => (ticket, Data::Collections(name.clone(), collections_of(&name))),
                    Effect::Points(ticket, address) => (ticket, Data::Points(address.clone(), Ok(points_of(&address)))),
                    other => {
                        kept.push(other);
                        continue;
                    }
                };
                let now = Now { mono: self.mono, wall: wall() };
                let more = self.app.update(Event::Data(ticket, data), now);
                self.effects.extend(more);
            }
        }
        self.effects = kept;
    }

    fn keys(&mut self, keys: &str) -> &mut Self {
        for word in keys.split(' ') {
            let code = match word {
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "down" => KeyCode::Down,
                "tab" => KeyCode::Tab,
                other => {
                    for c in other.chars() {
                        self.send(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
                    }
                    continue;
                }
            };
            self.send(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
        self.send(Event::Tick);
        self
    }

    /// Gives the plan that was asked for last.
    fn plan(&mut self, plan: Result<Plan, Problem>) {
        let asked = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Plan(ticket, _) => Some(*ticket),
            _ => None,
        });
        self.send(Event::Data(asked.unwrap(), Data::Plan(Box::new(plan))));
    }

    fn buffer(&mut self) -> Buffer {
        let (columns, rows) = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let app = &self.app;
        terminal
            .draw(|frame| {
                draw::draw(app, frame);
                if !app.look.unicode {
                    glyphs::to_ascii(frame.buffer_mut());
                }
            })
            .unwrap();
        terminal.backend().buffer().clone()
    }

    /// The text, and below it one letter for each style.
    fn screen(&mut self) -> String {
        let buffer = self.buffer();
        let (mut text, mut map) = (String::new(), String::new());
        for y in 0..buffer.area.height {
            let (mut line, mut styles) = (String::new(), String::new());
            let mut covered = 0;
            for x in 0..buffer.area.width {
                let cell = &buffer[(x, y)];
                styles.push(style_letter(cell.fg, cell.modifier));
                // The cell after a wide character holds nothing of its own.
                if x >= covered {
                    line.push_str(cell.symbol());
                    covered = x + unicode_width::UnicodeWidthStr::width(cell.symbol()) as u16;
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
            map.push_str(styles.trim_end_matches('.'));
            map.push('\n');
        }
        format!("{text}--- styles ---\n{}", map.trim_end())
    }
}

fn style_letter(color: Color, modifier: Modifier) -> char {
    let letter = match color {
        Color::Cyan => 'c',
        Color::Green => 'g',
        Color::Yellow => 'y',
        Color::Red => 'r',
        _ if modifier.contains(Modifier::REVERSED) => 'R',
        _ if modifier.contains(Modifier::DIM) => 'd',
        _ if modifier.contains(Modifier::BOLD) => 'b',
        _ => '.',
    };
    if modifier.contains(Modifier::REVERSED) { letter.to_ascii_uppercase() } else { letter }
}

fn view_of(name: &InstanceName) -> Result<InstanceView, Problem> {
    let dead = name.as_str() == "lab";
    let problem = Problem::new(
        ProblemKind::Unreachable,
        "cannot ask for the version: no answer in time",
        "lab at https://lab.example:6333",
    )
    .advise("the server is slow or half-dead: look at its log and load, or raise timeout in the configuration");
    Ok(InstanceView {
        name: name.clone(),
        nodes: vec![format!("https://{name}.example:6333")],
        version: (!dead).then(|| ServerVersion::parse("1.18.3").unwrap()),
        protection: if name.as_str() == "prod-eu" { Protection::Protected } else { Protection::Open },
        problem: dead.then_some(problem),
    })
}

fn collections_of(name: &InstanceName) -> Result<Listing<CollectionView>, Problem> {
    if name.as_str() == "lab" {
        return Err(Problem::new(
            ProblemKind::Unreachable,
            "cannot list collections: no answer in time",
            "lab at https://lab.example:6333",
        )
        .advise("the server is slow or half-dead: look at its log and load, or raise timeout in the configuration"));
    }
    let view = |collection: &str, points: u64, newest: Option<&str>, status: &str| CollectionView {
        address: CollectionAddress::parse(&format!("{name}/{collection}")).unwrap(),
        status: Some(CollectionStatus::parse(status)),
        points: Some(points),
        vectors: "768-d Cosine".into(),
        aliases: if collection == "products" { vec!["shop".into()] } else { vec![] },
        newest: newest.map(|text| text.parse().unwrap()),
        recovery_points: Some(if newest.is_some() { 4 } else { 0 }),
    };
    Ok(Listing {
        items: vec![
            view("products", 4_200_000, Some("2026-11-22T03:00:00Z"), "green"),
            view("drafts", 12, None, "green"),
            view("events", 22_000_000, Some("2026-11-22T02:31:00Z"), "yellow"),
            view("a-very-long-collection-name-2026", 910_000, Some("2026-11-21T23:40:00Z"), "green"),
            view("日本語の商品", 9_100, Some("2026-11-13T03:00:00Z"), "red"),
        ],
        problems: vec![],
    })
}

fn points_of(address: &CollectionAddress) -> Listing<RecoveryPoint> {
    let point = |taken: &str, size: u64, proof: ProofState| {
        let at: Timestamp = taken.parse().unwrap();
        let stamp = crate::domain::time::second(at).replace([' ', ':'], "-");
        RecoveryPoint {
            address: address.clone(),
            node: 0,
            node_url: "https://prod-eu.example:6333".into(),
            snapshot: SnapshotInfo {
                name: SnapshotName::new(format!("{}-7462152614201081-{stamp}.snapshot", address.collection.raw())),
                size,
                taken_at: Some(at),
                sha256: Some("5b".repeat(32)),
            },
            proof,
        }
    };
    let proven = ProofState::Proven("2026-11-21T09:00:00Z".parse().unwrap());
    let items = match address.collection.raw() {
        "drafts" => vec![],
        _ => vec![
            point("2026-11-22T03:00:00Z", 18_000_000_000, ProofState::Recorded),
            point("2026-11-22T02:00:00Z", 17_980_000_000, ProofState::Recorded),
            point("2026-11-21T03:00:00Z", 17_900_000_000, proven),
            point("2026-11-20T03:00:00Z", 17_700_000_000, ProofState::None),
        ],
    };
    Listing { items, problems: vec![] }
}

fn job(id: u64, title: &str, state: JobState, done: u64, total: Option<u64>, phase: &str) -> JobRow {
    let sample =
        Sample { done, total, moved: done, phase: phase.into(), note: String::new(), phase_time: Duration::from_secs(72) };
    JobRow { id: JobId(id), title: title.into(), state, sample, elapsed: Duration::from_secs(75) }
}

fn jobs(done: u64) -> Vec<JobRow> {
    let verified = Outcome::Succeeded { headline: "verified: 910 000 points, 100 of 100 samples equal".into(), good: true };
    vec![
        job(1, "copy staging/users → prod-eu/users", JobState::Finished(verified), 0, None, ""),
        job(2, "restore → staging/products", JobState::Running, 0, None, "the server is restoring"),
        job(3, "download prod-eu/events", JobState::Running, done, Some(61_400_000_000), "downloading"),
    ]
}

fn with_jobs(columns: u16, rows: u16) -> Ui {
    let mut ui = Ui::new(columns, rows);
    for seconds in 0..4 {
        let mut rows = jobs(31_600_000_000 + seconds * 118_000_000);
        rows.iter_mut().for_each(|row| row.elapsed += Duration::from_secs(seconds));
        ui.send(Event::Jobs(rows));
    }
    ui
}

fn migrate_plan() -> Plan {
    let mut plan = plan_of(Risk::Destroys, Some(Protection::Open));
    plan.operation = "copy";
    plan.title = "copy prod-eu/products → staging/products".into();
    plan.consequence = "the 3 200 000 points of staging/products are replaced; prod-eu/products is only read".into();
    plan.steps = vec![
        Step::new("snapshot", "count prod-eu/products, read a proof sample, take a snapshot"),
        Step::new("safety snapshot", "take a snapshot of staging/products as it is now, and keep it"),
        Step::new("restore", "into staging/products by url (the target fetches from the source; else through qsnap)"),
        Step::new("verify", "count staging/products and compare the sample with prod-eu/products"),
    ];
    plan.findings = vec![
        Finding::good("version", "1.18.3 to 1.18.3"),
        Finding::good("source", "prod-eu/products: 4 200 000 points, 768-d Cosine"),
        Finding::look(
            "target",
            "staging/products exists with 3 200 000 points",
            "a safety snapshot of it is taken first and kept",
        ),
    ];
    plan.command = "qsnap copy prod-eu/products staging/products --yes --confirm 'staging/products'".into();
    plan
}

fn report() -> Report {
    Report {
        operation: "copy",
        source: "prod-eu/products".into(),
        target: "staging/products".into(),
        route: Some("stream"),
        route_reason: Some("url did not work: remote URLs is disabled".into()),
        mode: Some("in-place"),
        verdict: Some(Verdict::Differs("of the sample 3 changed and 1 are missing".into())),
        points: Some(PointCounts { expected: Some(4_200_000), found: 4_200_000 }),
        samples: Some(SampleCounts { same: 96, changed: 3, missing: 1 }),
        bytes: 18_000_000_000,
        seconds: 152.5,
        steps: vec![StepRecord { name: "restore".into(), seconds: 150.25, result: "ok".into() }],
        left_behind: vec!["safety snapshot staging/products/products-1-2026-11-22-03-00-00.snapshot".into()],
        created: vec![],
    }
}

macro_rules! assert_screen {
    ($ui:expr, $name:literal) => {{
        let screen = $ui.screen();
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!($name, screen);
        });
    }};
}

#[test]
fn the_base_screen_at_all_sizes() {
    assert_screen!(with_jobs(80, 24), "base_80x24");
    assert_screen!(with_jobs(120, 40), "base_120x40");
    assert_screen!(with_jobs(60, 20), "base_60x20");
    assert_screen!(with_jobs(40, 10), "base_40x10");
    assert_screen!(Ui::new(20, 5), "too_small_20x5");
}

#[test]
fn before_any_answer_the_screen_is_there() {
    let now = Now { mono: Duration::ZERO, wall: wall() };
    let app = App::new(&[instance("prod-eu", Protection::Protected)], LOOK, Banner::Demo, (80, 24), now);
    let mut ui = Ui { app, mono: Duration::ZERO, effects: Vec::new() };
    assert_screen!(ui, "first_frame_80x24");
}

#[test]
fn ascii_and_colourless_screens_read_as_well() {
    let mut ui = with_jobs(80, 24);
    ui.app.look.unicode = false;
    ui.app.look.color = false;
    ui.keys("2");
    assert_screen!(ui, "base_ascii_mono_80x24");
}

#[test]
fn a_dead_instance_says_why_beside_the_others() {
    let mut ui = Ui::new(80, 24);
    ui.keys("left");
    assert_screen!(ui, "dead_instance_80x24");
}

#[test]
fn panes_filters_and_help() {
    assert_screen!(Ui::new(80, 24).keys("down"), "no_recovery_point_80x24");
    assert_screen!(Ui::new(80, 24).keys("/od"), "filter_typing_80x24");
    assert_screen!(Ui::new(80, 24).keys("/zzz enter"), "filter_without_match_80x24");
    assert_screen!(Ui::new(80, 24).keys("2?"), "help_80x24");
    assert_screen!(Ui::new(60, 20).keys("enter"), "points_60x20");
}

#[test]
fn wizard_pages() {
    assert_screen!(Ui::new(80, 24).keys("m"), "migrate_form_80x24");
    assert_screen!(Ui::new(60, 20).keys("m"), "migrate_form_60x20");
    assert_screen!(Ui::new(80, 24).keys("2r"), "restore_form_80x24");
    assert_screen!(Ui::new(80, 24).keys("u tab tab tab"), "upload_form_80x24");
    for (columns, rows, name) in [(80, 24, "80x24"), (120, 40, "120x40"), (60, 20, "60x20")] {
        let mut ui = Ui::new(columns, rows);
        ui.keys("m enter");
        ui.plan(Ok(migrate_plan()));
        let screen = ui.screen();
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("migrate_review_{name}"), screen);
        });
    }
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Ok(migrate_plan()));
    ui.keys("right enter").keys("staging/product enter");
    assert_screen!(ui, "migrate_typing_80x24");
    let mut blocked = migrate_plan();
    blocked.findings.push(Finding::block(
        "version",
        "the target (1.16.3) is older than the source (1.18.3)",
        "upgrade the target first",
    ));
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Ok(blocked));
    assert_screen!(ui, "migrate_blocked_80x24");
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Err(
        Problem::new(ProblemKind::NotFound, "cannot count the points: Not found", "prod-eu/products").advise("refresh the list")
    ));
    assert_screen!(ui, "migrate_failed_80x24");
}

#[test]
fn jobs_in_detail_and_the_question_before_leaving() {
    for (columns, rows, name) in [(80, 24, "80x24"), (120, 40, "120x40"), (60, 20, "60x20")] {
        let mut ui = with_jobs(columns, rows);
        ui.keys("3 enter");
        let screen = ui.screen();
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("job_running_{name}"), screen);
        });
    }
    let mut ui = with_jobs(80, 24);
    ui.send(Event::Finished(JobId(3), Box::new(Ok(report()))));
    ui.keys("3 enter");
    assert_screen!(ui, "job_report_80x24");
    let mut ui = with_jobs(80, 24);
    ui.keys("q");
    assert_screen!(ui, "quit_80x24");
}

#[test]
fn a_stale_plan_comes_back_with_the_reason() {
    let mut ui = Ui::new(80, 24);
    ui.keys("m enter");
    ui.plan(Ok(migrate_plan()));
    ui.keys("right enter").keys("staging/products enter");
    let ticket = started_ticket(&ui);
    ui.send(Event::Data(ticket, Data::Started(Box::new(Ok(JobId(9))))));
    let stale =
        Problem::new(ProblemKind::PlanStale, "the plan is stale: points in the target: was 3200000, is 0", "staging/products");
    ui.send(Event::Finished(JobId(9), Box::new(Err(stale))));
    ui.plan(Ok(migrate_plan()));
    assert_screen!(ui, "migrate_stale_80x24");
}

fn started_ticket(ui: &Ui) -> Ticket {
    let start = ui.effects.iter().find_map(|effect| match effect {
        Effect::Start(ticket, ..) => Some(*ticket),
        _ => None,
    });
    start.unwrap()
}

#[test]
fn nothing_starts_without_the_typed_address_and_nothing_panics() {
    let mut seed = 0x5eed_u64;
    let mut next = move |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let words = [
        "m", "r", "s", "d", "u", "X", "x", "enter", "esc", "left", "right", "tab", "down", "2", "3", "/", "?", "q", "a", "R", "y",
    ];
    for round in 0..60 {
        let mut ui = Ui::new(1 + next(250) as u16, 1 + next(80) as u16);
        for step in 0..60 {
            match next(12) {
                0 => ui.send(Event::Resize(1 + next(250) as u16, 1 + next(80) as u16)),
                1 => ui.send(Event::Paste("staging/produkts\n".into())),
                2 => ui.send(Event::Jobs(jobs(next(61_400_000_000)))),
                3 if ui.effects.iter().any(|effect| matches!(effect, Effect::Plan(..))) => ui.plan(Ok(migrate_plan())),
                _ => drop(ui.keys(words[next(words.len() as u64) as usize])),
            }
            if step % 6 == 0 {
                ui.buffer();
            }
            for effect in &ui.effects {
                if let Effect::Start(_, plan, consent) = effect {
                    assert_eq!(plan.risk, Risk::Destroys);
                    assert_eq!(*consent, Consent::Typed("staging/products".into()), "round {round}, step {step}");
                }
            }
        }
    }
}

/// The README's picture is made from the program, and must be true: run the tests with
/// `QSNAP_UPDATE_PICTURE=1` after a visible change.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test asks how it is run")]
fn the_picture_in_the_readme_is_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/screen.svg");
    let picture = svg(&with_jobs(80, 24).buffer());
    if std::env::var_os("QSNAP_UPDATE_PICTURE").is_some() {
        std::fs::write(path, &picture).unwrap();
    }
    let shipped = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        shipped == picture,
        "assets/screen.svg is not what the program shows; QSNAP_UPDATE_PICTURE=1 cargo test makes it anew"
    );
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
