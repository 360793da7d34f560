//! `qsnap inspect`: what is in a snapshot.

use crate::archive::check::{Check, Severity};
use crate::archive::differences::{Difference, differences};
use crate::archive::tree::Row;
use crate::cli::args::reading::InspectArgs;
use crate::cli::args::{Global, Output};
use crate::cli::exit::ExitStatus;
use crate::cli::operate::{Watched, watch};
use crate::cli::printer::Printer;
use crate::cli::signals::Signals;
use crate::domain::address::Address;
use crate::domain::ids::InstanceName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::SafeUrl;
use crate::domain::size;
use crate::ops::request::inspect::{Depth, InspectRequest};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::services::Services;
use crate::ops::survey::inspect::{self, Inspected};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// `qsnap inspect`
pub async fn run(services: &Arc<Services>, global: &Global, printer: Printer, args: InspectArgs) -> ExitStatus {
    let wanted = match (args.checksum, args.check || args.tree) {
        (true, _) => Depth::Bytes,
        (false, true) => Depth::Headers,
        (false, false) => Depth::End,
    };
    let mut found = Vec::new();
    for text in std::iter::once(&args.point).chain(&args.diff) {
        let point = match point(services, text) {
            Ok(point) => point,
            Err(problem) => return crate::cli::printer::fail(printer, &problem),
        };
        // A comparison of what both ends tell is worth little.
        let depth = if args.diff.is_some() { wanted.max(Depth::Headers) } else { wanted };
        match one(services, global, printer, InspectRequest { point, depth }).await {
            Ok(inspected) => found.push(inspected),
            Err(status) => return status,
        }
    }
    let compared = match &found[..] {
        [first, second] => Some(differences(&first.contents, &second.contents)),
        _ => None,
    };
    match printer.output {
        Output::Json => printer.json(&document(&found, compared.as_deref(), args.tree)),
        Output::Table => match (&compared, &found[..]) {
            (Some(compared), [first, second]) => printer.text(&side_by_side(first, second, compared)),
            _ => found.iter().for_each(|inspected| printer.text(&lines(inspected, args.tree))),
        },
    }
    if found.iter().any(Inspected::damaged) { ExitStatus::Difference } else { ExitStatus::Done }
}

fn point(services: &Services, text: &str) -> Result<RecoveryPoint, Problem> {
    let usage = |why: String| Problem::new(ProblemKind::Usage, why, "").advise("`qsnap inspect --help` shows how it is written");
    if text == "-" {
        return Ok(RecoveryPoint::Stdin);
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        let url = url::Url::parse(text).map_err(|error| usage(format!("the link cannot be read: {error}")))?;
        return Ok(RecoveryPoint::Link(SafeUrl::new(url)));
    }
    // A path such as `backups/x/y.snapshot` looks like an address: it is one if there is such an instance.
    let is_file = Path::new(text).is_file();
    let known = |name: &InstanceName| services.instance(name).is_ok();
    match Address::parse(text) {
        Ok(Address::File(path)) => Ok(RecoveryPoint::File(path)),
        Ok(Address::Snapshot(address, which)) if !is_file || known(&address.instance) => {
            Ok(RecoveryPoint::Snapshot(address, which))
        }
        Ok(Address::Backup(address)) => Ok(RecoveryPoint::Backup(address)),
        Ok(address @ (Address::Storage(..) | Address::Member(..))) if !is_file => {
            RecoveryPoint::of(address).ok_or_else(|| usage("it is no recovery point".to_owned()))
        }
        _ if is_file => Ok(RecoveryPoint::File(text.into())),
        Ok(other) => Err(usage(format!(
            "`{other}` is no recovery point: write INSTANCE/COLLECTION/SNAPSHOT, INSTANCE/COLLECTION@latest, a file or a link"
        ))),
        Err(why) => Err(usage(why)),
    }
}

async fn one(
    services: &Arc<Services>,
    global: &Global,
    printer: Printer,
    request: InspectRequest,
) -> Result<Inspected, ExitStatus> {
    let title = format!("inspect {}", request.point);
    let shared = services.clone();
    let work = move |job| async move { inspect::inspect(&shared, &request, &job).await };
    let handle = services.jobs.spawn(title, Vec::new(), work);
    let signals = Signals::listen().map_err(|problem| crate::cli::printer::fail(printer, &problem))?;
    match watch(services, global, printer, handle, signals).await {
        Watched { result: Ok(inspected), .. } => Ok(inspected),
        Watched { result: Err(problem), stopped: Some(signal) } => {
            printer.problem(&problem);
            Err(ExitStatus::Stopped(signal))
        }
        Watched { result: Err(problem), stopped: None } => Err(crate::cli::printer::fail(printer, &problem)),
    }
}

fn lines(inspected: &Inspected, tree: bool) -> String {
    let mut out = vec![inspected.point.clone()];
    let labels = inspect::summary(inspected);
    let mut before = "";
    for (label, words) in &labels {
        let shown = if *label == before { "" } else { label };
        before = label;
        out.push(format!("  {shown:<11} {words}"));
    }
    if let Some(check) = &inspected.check {
        out.push(format!("  {:<11} {}", "check", check.verdict));
        out.extend(flaws(check));
    } else {
        out.push(format!("  {:<11} not done: --check reads all headers", "check"));
    }
    if inspected.requests > 0 {
        out.push(format!("  {:<11} {}", "read", inspect::cost(inspected)));
    }
    if tree {
        out.push(String::new());
        out.push(tree_lines(inspected));
    }
    out.join("\n")
}

fn flaws(check: &Check) -> Vec<String> {
    let mut out = Vec::new();
    for flaw in &check.flaws {
        let sign = match flaw.severity {
            Severity::Damage => "✗",
            Severity::Doubt => "?",
            Severity::Look => "!",
        };
        let at = flaw.offset.map(|offset| format!(" (at byte {offset})")).unwrap_or_default();
        let entry = if flaw.entry.is_empty() { String::new() } else { format!("{}: ", flaw.entry) };
        out.push(format!("    {sign} {entry}{}{at}", flaw.what));
        if !flaw.advice.is_empty() {
            out.push(format!("      {}", flaw.advice));
        }
    }
    out
}

/// Lines of the tree. They are many: no table is laid out.
fn tree_lines(inspected: &Inspected) -> String {
    use std::fmt::Write as _;
    let mut out = format!("{:>12}  {:>10}  NAME\n", "IN THE FILE", "UNPACKED");
    for row in inspected.contents.tree.rows(&|_, _| true) {
        let sizes = row.node.sizes;
        let (stored, unpacked) = (size::bytes(sizes.stored), size::bytes(sizes.unpacked));
        let (indent, slash) = ("  ".repeat(row.depth), if row.is_folder() { "/" } else { "" });
        let _ = writeln!(out, "{stored:>12}  {unpacked:>10}  {indent}{}{slash}", row.name);
    }
    if inspected.contents.tree.unnamed > 0 {
        let _ = writeln!(out, "… and {} more entries", size::exact(inspected.contents.tree.unnamed));
    }
    out
}

fn side_by_side(first: &Inspected, second: &Inspected, compared: &[Difference]) -> String {
    if compared.is_empty() {
        let points = format!("first:  {}\nsecond: {}", first.point, second.point);
        return format!("{points}\nno difference in configuration, schema, sizes or shards");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["WHAT", "FIRST", "SECOND"]);
    for difference in compared {
        table.add_row([&difference.what, &difference.first, &difference.second]);
    }
    let rows: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let verdict = |inspected: &Inspected| inspected.check.as_ref().map(|check| check.verdict.clone()).unwrap_or_default();
    format!(
        "first:  {}\n        {}\nsecond: {}\n        {}\n\n{}",
        first.point,
        verdict(first),
        second.point,
        verdict(second),
        rows.join("\n")
    )
}

fn one_document(inspected: &Inspected, tree: bool) -> Value {
    let contents = &inspected.contents;
    let mut document = json!({"point": inspected.point, "kind": contents.kind, "scope": contents.scope, "size": contents.size,
        "entries": contents.entries, "sizes": contents.sizes, "collections": contents.collections, "aliases": contents.aliases,
        "damage": contents.damage, "check": inspected.check, "written_by": inspected.bounds,
        "sha256": inspected.hashed.as_ref().map(|hashed| &hashed.sha256),
        "listed_sha256": inspected.hashed.as_ref().and_then(|hashed| hashed.expected.as_ref()),
        "fetched": inspected.fetched, "requests": inspected.requests});
    let by_purpose = |collection: &crate::archive::contents::Collection| json!(collection.sizes());
    document["sizes_by_purpose"] = contents.collections.iter().map(by_purpose).collect();
    document["points_at_most"] = contents.collections.iter().map(|collection| json!(collection.ids())).collect();
    if tree {
        let entry = |row: Row<'_>| {
            json!({"path": row.path, "folder": row.is_folder(), "stored": row.node.sizes.stored,
                "unpacked": row.node.sizes.unpacked, "sparse": row.node.sparse})
        };
        document["tree"] = contents.tree.rows(&|_, _| true).into_iter().map(entry).collect();
        document["tree_left_out"] = json!(contents.tree.unnamed);
    }
    document
}

fn document(found: &[Inspected], compared: Option<&[Difference]>, tree: bool) -> Value {
    match (compared, found) {
        (Some(compared), [first, second]) => json!({"version": 1, "first": one_document(first, tree),
            "second": one_document(second, tree), "differences": compared}),
        _ => {
            let mut document = found.first().map_or(Value::Null, |inspected| one_document(inspected, tree));
            document["version"] = json!(1);
            document
        }
    }
}
