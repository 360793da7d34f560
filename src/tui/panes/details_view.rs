//! All that is known of the selected collection and recovery point: a pane of a wide window, and a page in any.

use crate::domain::address::CollectionAddress;
use crate::domain::instance::Protection;
use crate::domain::text::fit_left;
use crate::domain::{size, time};
use crate::ops::survey::listing::{CollectionView, InstanceView, ProofState, RecoveryPointView};
use crate::tui::app::state::App;
use crate::tui::layers::layer::Subject;
use crate::tui::look::text::{Row, frame_box, page_columns, scrolled, style, wrap};
use crate::tui::look::theme::Role;
use crate::tui::panes::frame::message;
use crate::tui::panes::model::Loadable;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Span;
use ratatui::widgets::Block;

/// The pane.
pub fn pane(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered()
        .border_style(style(app.look, Role::Muted))
        .title(Span::styled(" Details ", style(app.look, Role::Text)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut rows = match app.collection() {
        Some(view) => collection_rows(app, view),
        None => match app.subject() {
            Some(of) => vec![Row::new(Role::Title, format!("all of {of}")).indented(2)],
            None => vec![Row::new(Role::Muted, "nothing is selected")],
        },
    };
    if let Some(point) = app.point() {
        rows.push(Row::gap());
        rows.extend(point_rows(app, point));
    }
    message(app, frame, inner, &rows);
}

/// The page.
pub fn page(app: &App, frame: &mut Frame<'_>, subject: &Subject, scroll: usize) {
    let columns = page_columns(frame);
    let rows = wrap(&rows(app, subject), usize::from(columns.saturating_sub(4)));
    let title = match subject {
        Subject::Collection(_) => "Collection",
        Subject::Point(..) => "Recovery point",
    };
    let inner = frame_box(app.look, frame, columns, rows.len() as u16 + 2, title);
    scrolled(app.look, frame, inner, &rows, scroll);
}

/// The page's lines.
pub fn rows(app: &App, subject: &Subject) -> Vec<Row> {
    let rows = match subject {
        Subject::Collection(address) => {
            let state = app.model.instances.iter().find(|state| state.name == address.instance);
            let listing = state.and_then(|state| state.collections.value());
            let view = listing.and_then(|listing| listing.items.iter().find(|view| view.address == *address));
            view.map(|view| {
                let mut rows = collection_rows(app, view);
                rows.extend(shard_rows(app, address));
                rows
            })
        }
        Subject::Point(address, (node, name)) => {
            let listing = app.model.points(address).and_then(Loadable::value);
            let same = |point: &&RecoveryPointView| point.node == *node && point.snapshot.name == *name;
            listing.and_then(|listing| listing.items.iter().find(same)).map(|point| point_rows(app, point))
        }
    };
    rows.unwrap_or_else(|| vec![Row::new(Role::Look, "it is not in the list any more")])
}

fn line(label: &str, value: String) -> Row {
    Row::new(Role::Text, format!("{} {value}", fit_left(label, 9))).indented(10)
}

fn collection_rows(app: &App, view: &CollectionView) -> Vec<Row> {
    let mut rows = vec![Row::new(Role::Title, view.address.to_string()).indented(2)];
    rows.push(line(
        "status",
        view.status
            .as_ref()
            .map_or(if view.read { "cannot be read" } else { "not asked yet" }, |status| status.word())
            .to_owned(),
    ));
    if let Some(trouble) = &view.trouble {
        rows.push(Row { role: Role::Danger, ..line("", trouble.clone()) });
    }
    rows.push(line("points", view.points.map_or_else(|| "unknown".into(), size::exact)));
    if !view.vectors.is_empty() {
        rows.push(line("vectors", view.vectors.clone()));
    }
    if let Some((shards, replicas)) = view.shards {
        let replicas = if replicas == 1 { String::new() } else { format!(", {replicas} replicas of each") };
        rows.push(line("shards", format!("{shards}{replicas}")));
    }
    if !view.indexes.is_empty() {
        let fields: Vec<String> = view.indexes.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        rows.push(line("indexes", fields.join(", ")));
    }
    if !view.aliases.is_empty() {
        rows.push(line("aliases", view.aliases.join(", ")));
    }
    rows.push(line("newest", newest(app, view)));
    if let Some(state) = app.model.instances.iter().find(|state| state.name == view.address.instance) {
        let role = if state.protection == Protection::Open { Role::Text } else { Role::Look };
        rows.push(Row { role, ..line("instance", format!("{}, {}", state.name, state.protection.word())) });
        rows.extend(state.view.value().map(node_rows).unwrap_or_default());
    }
    rows
}

/// The nodes of an instance that has several, and what is not as it should be with them.
fn node_rows(view: &InstanceView) -> Vec<Row> {
    let silent = view.silent.iter().cloned().chain(std::iter::repeat(None));
    let nodes = view.nodes.iter().zip(silent).filter(|_| view.nodes.len() > 1).map(|(url, why)| match why {
        None => line("node", format!("{url} answers")),
        Some(why) => Row { role: Role::Look, ..line("node", format!("{url} does not answer: {why}")) },
    });
    nodes.chain(view.notes.iter().map(|note| Row { role: Role::Look, ..line("", note.clone()) })).collect()
}

/// Where its shards are, once that was asked.
fn shard_rows(app: &App, address: &CollectionAddress) -> Vec<Row> {
    let state = app.model.instances.iter().find(|state| state.name == address.instance);
    let Some((_, map)) = state.and_then(|state| state.shards.as_ref()).filter(|(of, _)| of == address) else { return Vec::new() };
    let mut rows = vec![Row::gap()];
    if let Some(problem) = map.problem() {
        rows.push(Row { role: Role::Look, ..line("shards", format!("could not be asked: {}", problem.message)) });
    }
    let Some(known) = map.value() else {
        rows.extend(map.is_loading().then(|| Row::new(Role::Muted, "asking where its shards are …")));
        return rows;
    };
    for shard in &known.shards {
        for (at, replica) in shard.replicas.iter().enumerate() {
            let role = if replica.state == "Active" { Role::Text } else { Role::Look };
            let name = if at == 0 { shard.name() } else { String::new() };
            rows.push(Row { role, ..line(&name, replica.words()) });
        }
    }
    rows.extend(known.problems.iter().map(|problem| Row { role: Role::Look, ..line("", problem.to_string()) }));
    rows
}

fn newest(app: &App, view: &CollectionView) -> String {
    let safety = match view.safety_snapshots {
        0 => String::new(),
        1 => "; and 1 safety snapshot".into(),
        n => format!("; and {n} safety snapshots"),
    };
    match (view.newest, view.recovery_points) {
        (Some(at), Some(count)) => {
            format!("{} UTC, {}, of {count}{safety}", time::second(at), time::ago(app.model.now.wall, at))
        }
        (_, Some(0)) => format!("none on the nodes{safety}"),
        _ => "unknown".into(),
    }
}

fn point_rows(app: &App, point: &RecoveryPointView) -> Vec<Row> {
    let mut rows = vec![Row::new(Role::Title, point.snapshot.name.to_string()).indented(2)];
    rows.push(line("of", point.of.to_string()));
    if let Some(at) = point.snapshot.taken_at {
        rows.push(line("taken", format!("{} UTC, {}", time::second(at), time::ago(app.model.now.wall, at))));
    }
    rows.push(line("size", format!("{} ({} bytes)", size::bytes(point.snapshot.size), size::exact(point.snapshot.size))));
    match &point.stored {
        None => rows.push(line("node", point.node_url.clone())),
        Some(stored) => {
            rows.push(line("kept in", format!("{} ({})", stored.address.repository, point.node_url)));
            let role = if stored.good { Role::Text } else { Role::Look };
            let why = if stored.reason.is_empty() { String::new() } else { format!(": {}", stored.reason) };
            rows.push(Row { role, ..line("state", format!("{}{why}", stored.state)) });
            rows.extend(stored.note.as_ref().map(|note| line("note", crate::domain::text::one_line(note, 200))));
            rows.extend(stored.hold.as_ref().map(|why| line("held", crate::domain::text::one_line(why, 200))));
        }
    }
    let without =
        if point.stored.is_some() { "one of each of its files: `qsnap backups show`" } else { "not given by the server" };
    rows.push(line("sha256", point.snapshot.sha256.clone().unwrap_or_else(|| without.into())));
    rows.push(line("proof", proof_words(point)));
    if let Some((fewest, most)) = point.points {
        let words = if fewest == most { size::exact(most) } else { format!("{} to {}", size::exact(fewest), size::exact(most)) };
        rows.push(line("points", format!("{words}, as recorded when it was taken")));
    }
    if let Some(version) = &point.taken_with {
        rows.push(line("server", format!("taken by Qdrant {version}")));
    }
    rows.extend(point.stored.as_ref().map(|stored| line("kind", stored.made_of.clone())));
    rows
}

fn proof_words(point: &RecoveryPointView) -> String {
    match point.proof {
        _ if point.safety => "safety snapshot: what was replaced by an overwrite".into(),
        ProofState::None => "nothing recorded: a restore can only be counted".into(),
        ProofState::Recorded if point.stored.is_some() => "count and sample recorded; not found good yet".into(),
        ProofState::Recorded => "count and sample recorded; not restored yet".into(),
        ProofState::Proven(at) if point.stored.is_some() => format!("found good, {} UTC", time::minute(at)),
        ProofState::Proven(at) => format!("a restore matched, {} UTC", time::minute(at)),
    }
}
