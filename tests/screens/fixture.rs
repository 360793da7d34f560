//! What the screens show: an app that is driven by keys and answered from fixed data.

use crate::archive;
use crate::archive::bytes::StreamBytes;
use crate::config::terminal::TerminalSettings;
use crate::domain::address::{CollectionAddress, SnapshotsOf};
use crate::domain::collection::CollectionStatus;
use crate::domain::ids::{InstanceName, SnapshotName};
use crate::domain::instance::{Instance, Protection};
use crate::domain::point::PointId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::SafeUrl;
use crate::domain::size::Unit;
use crate::domain::snapshot::SnapshotInfo;
use crate::domain::version::ServerVersion;
use crate::jobs::progress::{Sample, StepAt};
use crate::jobs::row::{JobId, JobRow, JobState, OnCancel, Outcome};
use crate::ops::plan::finding::Finding;
use crate::ops::plan::tests::plan_of;
use crate::ops::plan::{Plan, Risk, Step};
use crate::ops::report::comparison::{Comparison, Counts, Ids, Points};
use crate::ops::report::verdict::Verdict;
use crate::ops::report::{BytesAre, PointCounts, Report, SampleCounts, StepRecord};
use crate::ops::request::Request;
use crate::ops::request::copy::CopyRequest;
use crate::ops::request::route::Route;
use crate::ops::survey::inspect::Inspected;
use crate::ops::survey::listing::{CollectionView, InstanceView, Listing, ProofState, RecoveryPointView};
use crate::tui::app::draw;
use crate::tui::app::state::App;
use crate::tui::keys::own_keys::Keys;
use crate::tui::look::caps::Look;
use crate::tui::look::glyphs;
use crate::tui::look::theme::Theme;
use crate::tui::messages::banner::Banner;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event, Now, Ticket};
use crate::tui::run::settings::Settings;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::path::Path;
use std::time::Duration;

pub(super) fn look() -> Look {
    Look { theme: Theme::usual(), color: true, unicode: true, letters: true, animation: true, ssh: false, usable: true }
}

pub(super) fn settings(look: Look) -> Settings {
    Settings { look, keys: Keys::default(), terminal: TerminalSettings::usual(Path::new("/nowhere")) }
}

pub(super) fn wall() -> Timestamp {
    "2026-11-22T03:12:00Z".parse().unwrap()
}

pub(in crate::tui) fn instance(name: &str, protection: Protection) -> Instance {
    let nodes = vec![SafeUrl::parse_node(&format!("https://{name}.example:6333")).unwrap()];
    Instance { protection, ..Instance::new(InstanceName::new(name).unwrap(), nodes) }
}

/// An app that is driven by keys and answers from fixtures.
pub(super) struct Ui {
    pub(super) app: App,
    pub(super) mono: Duration,
    pub(super) effects: Vec<Effect>,
}

impl Ui {
    pub(super) fn new(columns: u16, rows: u16) -> Self {
        let instances = [
            instance("prod-eu", Protection::Protected),
            instance("staging", Protection::Open),
            instance("lab", Protection::ReadOnly),
        ];
        let now = Now { mono: Duration::from_secs(10), wall: wall() };
        let mut app = App::new(&instances, settings(look()), Banner::None, (columns, rows), now);
        app.model.surroundings.folder = "/home/ada".into();
        let effects = app.start();
        let mut ui = Self { app, mono: now.mono, effects };
        ui.answer();
        // A tick after the rest, so that the selected collection's points are asked for and answered.
        ui.send(Event::Tick);
        ui
    }

    pub(super) fn send(&mut self, event: Event) {
        self.mono += Duration::from_secs(1);
        let now = Now { mono: self.mono, wall: wall() };
        self.effects.extend(self.app.update(event, now));
        self.answer();
    }

    /// Answers every question that was asked, until none is left.
    pub(super) fn answer(&mut self) {
        let mut kept = Vec::new();
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                let (ticket, data) = match effect {
                    Effect::Instance(ticket, name) => (ticket, Data::Instance(name.clone(), Box::new(view_of(&name)))),
                    Effect::Collections(ticket, name, _) => (ticket, Data::Collections(name.clone(), collections_of(&name))),
                    Effect::Watch(ticket) => (ticket, Data::Watch(Box::default())),
                    Effect::Points(ticket, of) => {
                        let points = of.collection().map_or_else(|| full_snapshots(&of), points_of);
                        (ticket, Data::Points(of, Ok(points)))
                    }
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

    pub(super) fn keys(&mut self, keys: &str) -> &mut Self {
        for word in keys.split(' ') {
            let code = match word {
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "down" => KeyCode::Down,
                "space" => KeyCode::Char(' '),
                "tab" => KeyCode::Tab,
                "up" => KeyCode::Up,
                "end" => KeyCode::End,
                "del" => KeyCode::Delete,
                "backspace" => KeyCode::Backspace,
                "pagedown" => KeyCode::PageDown,
                "f1" => KeyCode::F(1),
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

    /// What was asked to be planned last.
    pub(super) fn asked(&self) -> Option<Request> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Plan(_, request) => Some(request.as_ref().clone()),
            _ => None,
        })
    }

    /// Gives the plan that was asked for last.
    pub(super) fn plan(&mut self, plan: Result<Plan, Problem>) {
        let asked = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Plan(ticket, _) => Some(*ticket),
            _ => None,
        });
        self.send(Event::Data(asked.unwrap(), Data::Plan(Box::new(plan))));
    }

    /// Answers what the inspector reads, in the order in which it asks.
    pub(super) fn inspected(&mut self, answers: Vec<Result<Inspected, Problem>>) {
        let asked = |effect: &Effect| match effect {
            Effect::Inspect(ticket, ..) => Some(*ticket),
            _ => None,
        };
        let tickets: Vec<Ticket> = self.effects.iter().filter_map(asked).collect();
        let last = tickets.len() - answers.len();
        for (ticket, answer) in tickets.into_iter().skip(last).zip(answers) {
            self.send(Event::Data(ticket, Data::Inspected(Box::new(answer))));
        }
    }

    pub(super) fn buffer(&mut self) -> Buffer {
        let (columns, rows) = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let app = &self.app;
        terminal
            .draw(|frame| {
                draw::draw(app, frame);
                if !app.look.unicode {
                    glyphs::to_ascii(frame.buffer_mut(), self.app.look.letters);
                }
            })
            .unwrap();
        terminal.backend().buffer().clone()
    }

    /// The rate limits that were asked for.
    pub(super) fn limits(&self) -> Vec<Option<u64>> {
        let limit = |effect: &Effect| match effect {
            Effect::LimitRate(_, rate) => Some(*rate),
            _ => None,
        };
        self.effects.iter().filter_map(limit).collect()
    }

    /// The text, and below it one letter for each style.
    pub(super) fn screen(&mut self) -> String {
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

pub(super) fn style_letter(color: Color, modifier: Modifier) -> char {
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

pub(super) fn view_of(name: &InstanceName) -> Result<InstanceView, Problem> {
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
        peers: vec![],
        silent: vec![None],
        notes: Vec::new(),
        version: (!dead).then(|| ServerVersion::parse("1.18.3").unwrap()),
        protection: if name.as_str() == "prod-eu" { Protection::Protected } else { Protection::Open },
        problem: dead.then_some(problem),
    })
}

pub(super) fn collections_of(name: &InstanceName) -> Result<Listing<CollectionView>, Problem> {
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
        shards: Some((2, 1)),
        indexes: if collection == "products" { vec![("brand".into(), "keyword".into())] } else { vec![] },
        trouble: (status == "red").then(|| "the optimiser stopped: no space left on device".to_owned()),
        aliases: if collection == "products" { vec!["shop".into()] } else { vec![] },
        newest: newest.map(|text| text.parse().unwrap()),
        recovery_points: Some(if newest.is_some() { 4 } else { 0 }),
        safety_snapshots: 0,
        read: true,
    };
    Ok(Listing {
        items: vec![
            view("products", 4_200_000, Some("2026-11-22T03:00:00Z"), "green"),
            view("reviews", 12, None, "green"),
            view("sessions", 22_000_000, Some("2026-11-22T02:31:00Z"), "yellow"),
            view("trademarks-of-our-suppliers-2026", 910_000, Some("2026-11-21T23:40:00Z"), "green"),
            view("日本語の商品", 9_100, Some("2026-11-13T03:00:00Z"), "red"),
        ],
        problems: vec![],
    })
}

fn full_snapshots(of: &SnapshotsOf) -> Listing<RecoveryPointView> {
    let mut listing = points_of(&CollectionAddress::parse("prod-eu/products").unwrap());
    listing.items.truncate(1);
    for point in &mut listing.items {
        point.of = of.clone();
        point.snapshot.name = SnapshotName::new("full-snapshot-2026-11-22-03-00-00.snapshot");
        (point.proof, point.points, point.taken_with) = (ProofState::None, None, None);
    }
    listing
}

pub(super) fn points_of(address: &CollectionAddress) -> Listing<RecoveryPointView> {
    let point = |taken: &str, size: u64, proof: ProofState| {
        let at: Timestamp = taken.parse().unwrap();
        let stamp = crate::domain::time::second(at).replace([' ', ':'], "-");
        RecoveryPointView {
            of: address.clone().into(),
            node: 0,
            node_url: "https://prod-eu.example:6333".into(),
            snapshot: SnapshotInfo {
                name: SnapshotName::new(format!("{}-7462152614201081-{stamp}.snapshot", address.collection.raw())),
                size,
                taken_at: Some(at),
                sha256: Some("5b".repeat(32)),
            },
            proof,
            points: (proof != ProofState::None).then_some((4_199_000, 4_200_000)),
            taken_with: (proof != ProofState::None).then(|| "1.18.3".to_owned()),
            safety: false,
            stored: None,
        }
    };
    let proven = ProofState::Proven("2026-11-21T09:00:00Z".parse().unwrap());
    let items = match address.collection.raw() {
        "reviews" => vec![],
        "sessions" => vec![
            point("2026-11-22T02:31:40Z", 61_400_000_000, ProofState::Recorded),
            point("2026-11-22T02:31:02Z", 61_400_000_000, ProofState::None),
            point("2026-11-21T02:31:00Z", 61_300_000_000, proven),
        ],
        _ => vec![
            point("2026-11-22T03:00:00Z", 18_000_000_000, ProofState::Recorded),
            point("2026-11-22T02:00:00Z", 17_980_000_000, ProofState::Recorded),
            point("2026-11-21T03:00:00Z", 17_900_000_000, proven),
            point("2026-11-20T03:00:00Z", 17_700_000_000, ProofState::None),
        ],
    };
    Listing { items, problems: vec![] }
}

pub(super) fn job(id: u64, title: &str, state: JobState, done: u64, total: Option<u64>, phase: &str) -> JobRow {
    let sample = Sample {
        unit: Unit::Bytes,
        done,
        total,
        moved: done,
        phase: phase.into(),
        note: String::new(),
        phase_time: Duration::from_secs(72),
        step: Some(StepAt { at: 2, of: 4 }),
    };
    JobRow {
        id: JobId(id),
        title: title.into(),
        state,
        sample,
        elapsed: Duration::from_secs(75),
        record: Some(format!("20261122T030000Z-1-{id}")),
        on_cancel: OnCancel::default(),
    }
}

pub(super) fn jobs(done: u64) -> Vec<JobRow> {
    let verified = Outcome::Succeeded { headline: "verified: 910 000 points, 100 of 100 samples equal".into(), good: true };
    vec![
        job(1, "copy staging/users → prod-eu/users", JobState::Finished(verified), 0, None, ""),
        job(2, "restore → staging/products", JobState::Running, 0, None, "the server is restoring"),
        job(3, "download prod-eu/sessions", JobState::Running, done, Some(61_400_000_000), "downloading"),
    ]
}

pub(super) fn with_jobs(columns: u16, rows: u16) -> Ui {
    let mut ui = Ui::new(columns, rows);
    for seconds in 0..4 {
        let mut rows = jobs(31_600_000_000 + seconds * 118_000_000);
        rows.iter_mut().for_each(|row| row.elapsed += Duration::from_secs(seconds));
        ui.send(Event::Jobs(rows));
    }
    ui
}

pub(super) fn migrate_plan() -> Plan {
    let mut plan = plan_of(Risk::Destroys, Some(Protection::Open));
    let address = |text: &str| CollectionAddress::parse(text).unwrap();
    plan.request = Request::Copy(CopyRequest::new(address("prod-eu/products"), address("staging/products"), Route::Auto));
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
    plan
}

pub(super) fn report() -> Report {
    Report {
        id: "20261122T030000Z-1-0".into(),
        rollback: None,
        notes: vec![],
        next: vec![],
        parts: vec![],
        failures: vec![],
        operation: "copy",
        source: "prod-eu/products".into(),
        target: "staging/products".into(),
        route: Some("stream"),
        route_reason: Some("url did not work: remote URLs is disabled".into()),
        mode: Some("in-place"),
        verdict: Some(Verdict::Differs("of the sample 3 changed and 1 are missing".into())),
        points: Some(PointCounts { expected: Some(4_200_000), found: 4_200_000 }),
        samples: Some(SampleCounts { same: 96, changed: 3, missing: 1 }),
        bytes_are: BytesAre::Moved,
        only_found: false,
        bytes: 18_000_000_000,
        seconds: 152.5,
        steps: vec![StepRecord { name: "restore".into(), seconds: 150.25, result: "ok".into() }],
        left_behind: vec!["safety snapshot staging/products/products-1-2026-11-22-03-00-00.snapshot".into()],
        created: vec![],
        comparison: None,
    }
}

/// A comparison that found something.
pub(super) fn compared() -> Report {
    let ids = |count, first: &[u64]| Ids { count, first: first.iter().map(|id| PointId::Number(*id)).collect() };
    let verdict = Verdict::Differs("1 changed; 12 only in the first".into());
    let comparison = Comparison {
        first: "prod-eu/products".into(),
        second: "staging/products".into(),
        deep: true,
        shape: vec![],
        settings: vec!["hnsw_config.m: 16 and 24".into()],
        counts: Counts { first: 4_200_000, second: 4_199_988 },
        points: Points {
            same: 4_199_987,
            only_in_first: ids(12, &[7, 11, 12, 13, 14, 15, 16, 17, 18, 19]),
            only_in_second: ids(0, &[]),
            changed: ids(1, &[600]),
        },
        not_compared: vec!["aliases, replication, WAL, state of indexing".into()],
        seconds: 65.2,
        data_verdict: verdict.clone(),
        verdict: verdict.clone(),
    };
    Report {
        operation: "compare",
        route: None,
        route_reason: None,
        mode: None,
        verdict: Some(verdict),
        points: None,
        samples: None,
        bytes: 0,
        steps: vec![StepRecord {
            name: "compare".into(),
            seconds: 65.2,
            result: "differs: 1 changed; 12 only in the first".into(),
        }],
        left_behind: vec![],
        comparison: Some(Box::new(comparison)),
        ..report()
    }
}

/// What the inspector reads of a real snapshot.
pub(super) fn inspected(file: &str, damaged: bool) -> Inspected {
    let path = format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut bytes = std::fs::read(path).unwrap();
    if damaged {
        bytes.truncate(40_000);
    }
    let name = Some("products-7462152614201081-2026-11-22-03-00-00.snapshot");
    let mut contents = archive::inspect::inspect(&mut StreamBytes(bytes.as_slice()), name, &mut |_, _| Ok(())).unwrap();
    contents.size = Some(bytes.len() as u64);
    let check = Some(archive::check::check(&contents));
    let bounds = archive::versions::bounds(&contents);
    Inspected { point: String::new(), contents, check, bounds, hashed: None, fetched: 61_440, requests: 7 }
}
