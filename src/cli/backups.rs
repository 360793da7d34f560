//! `qsnap backups`: what repositories hold.

use crate::cli::args::Output;
use crate::cli::args::backups::Backups;
use crate::cli::backup_requests;
use crate::cli::exit::ExitStatus;
use crate::cli::listing::Gathered;
use crate::cli::printer::{Printer, fail};
use crate::cli::usage::usage;
use crate::domain::address::{BackupAddress, CollectionAddress};
use crate::domain::backup::{BackupId, RepositoryName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::{size, text, time};
use crate::ops::services::Services;
use crate::ops::survey::backups;
use crate::repository::index::{Backup, Contents};
use crate::repository::records::Record;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Runs one of its commands.
pub(super) async fn run(services: &Services, printer: Printer, command: Backups) -> ExitStatus {
    let shown = match command {
        Backups::List { address, repository } => match list(services, address.as_deref(), repository.as_deref()).await {
            Ok(gathered) => return gathered.print(printer),
            Err(problem) => Err(problem),
        },
        Backups::Show { backup } => show(services, printer, &backup).await,
        _ => Err(usage("this command shows nothing")),
    };
    match shown {
        Ok(()) => ExitStatus::Done,
        Err(problem) => fail(printer, &problem),
    }
}

/// `qsnap backups show`
async fn show(services: &Services, printer: Printer, text: &str) -> Result<(), Problem> {
    let address = backup_requests::address(text)?;
    let (open, contents) = backups::contents(services, &address.repository, Some(&address.collection)).await?;
    let backup = backups::choose(&contents, &address)?;
    let needed_by: Vec<String> = contents
        .backups
        .iter()
        .filter(|other| other.id != backup.id && other.is_made_of(&backup.id))
        .map(|other| other.id.to_string())
        .collect();
    let records = backups::records(&open, &backup).await?;
    let document = document(&address.repository, &backup);
    match printer.output {
        Output::Json => {
            let manifest = backup.manifest.as_deref();
            printer.json(
                &json!({"version": 1, "backup": document, "manifest": manifest, "needed_by": needed_by, "records": records}),
            );
        }
        Output::Table => {
            let mut lines = lines(services, &address.repository, &backup, &records);
            if !needed_by.is_empty() {
                lines.push(format!("{:<12} {}", "needed by", needed_by.join(", ")));
            }
            printer.text(&lines.join("\n"));
        }
    }
    Ok(())
}

fn lines(services: &Services, repository: &RepositoryName, backup: &Backup, records: &[Record]) -> Vec<String> {
    let row = |name: &str, value: String| format!("{name:<12} {value}");
    let now = services.clock.now();
    let mut lines = vec![
        row("backup", BackupAddress::id(repository, &backup.collection, &backup.id).to_string()),
        row("taken", format!("{} UTC, {}", time::second(backup.taken_at()), time::ago(now, backup.taken_at()))),
        row("state", format!("{} {}", backup.state.word(), text::one_line(backup.state.reason(), 300)).trim_end().to_owned()),
        row("size", size::bytes(backup.size)),
    ];
    if let Some(manifest) = &backup.manifest {
        let points = manifest.points_max.map_or_else(|| "not recorded".to_owned(), size::exact);
        lines.push(row("points", points));
        lines.push(row("server", manifest.qdrant_version.as_deref().map_or_else(|| "not recorded".into(), text::sanitise)));
        lines
            .push(row("by", format!("{} with qsnap {}", text::sanitise(&manifest.who), text::sanitise(&manifest.qsnap_version))));
        if !manifest.aliases.is_empty() {
            let aliases: Vec<String> = manifest.aliases.iter().map(|alias| text::sanitise(alias)).collect();
            lines.push(row("aliases", aliases.join(", ")));
        }
        for object in &manifest.objects {
            lines.push(row("file", format!("{}/{} ({})", backup.folder, object.name, size::bytes(object.size))));
            lines.push(row("", format!("sha256 {}", object.sha256)));
        }
        lines.push(row("kind", backups::made_of(manifest)));
        for built in manifest.increments() {
            let others: BTreeSet<&BackupId> =
                built.parts.iter().map(|part| &part.backup).filter(|id| **id != manifest.id).collect();
            let others: Vec<String> = others.into_iter().map(ToString::to_string).collect();
            let whole = size::bytes(built.bytes);
            let made_of = match others.is_empty() {
                true => "all of it is in this backup".to_owned(),
                false => format!("with data of {}", others.join(", ")),
            };
            lines.push(row("shard", format!("{}: {whole}, {made_of}", built.shard)));
        }
    }
    let said = &backup.standing;
    lines.extend(said.note.as_ref().map(|note| row("note", text::one_line(note, 300))));
    lines.extend(said.hold.as_ref().map(|why| row("held", text::one_line(why, 300))));
    let proven =
        said.proven_at.map_or_else(|| "never".to_owned(), |at| format!("{} UTC, {}", time::second(at), time::ago(now, at)));
    lines.push(row("proven", proven));
    for record in records {
        let words = text::one_line(&record.text, 200);
        let who = text::one_line(&record.who, 60);
        lines.push(row("record", format!("{} {} by {who}: {words}", time::second(record.at), record.says.word())));
        if !record.phases.is_empty() {
            let phases: Vec<String> =
                record.phases.iter().map(|(name, seconds)| format!("{} {seconds:.1} s", text::one_line(name, 40))).collect();
            lines.push(row("", phases.join(", ")));
        }
    }
    lines
}

/// How it was copied, and how much a restore moves.
async fn list(services: &Services, address: Option<&str>, repository: Option<&str>) -> Result<Gathered, Problem> {
    let name = repository.map(RepositoryName::new).transpose().map_err(usage)?;
    let only = address.map(CollectionAddress::parse).transpose().map_err(usage)?;
    let repository = services.repository(name.as_ref())?.name.clone();
    let (_, contents) = backups::contents(services, &repository, only.as_ref()).await?;
    let mut gathered = Gathered::new(vec!["BACKUP", "AGE", "SIZE", "POINTS", "STATE", "PROVEN", "HELD", "NOTE"]);
    let Contents { backups, remains, strangers, problems, remarks } = contents;
    for backup in &backups {
        row(services, &mut gathered, &repository, backup);
    }
    gathered.notes.extend(remains.iter().filter(|remains| !remains.is_removed()).map(|remains| {
        format!("{} is not finished: it is written right now, or was broken off; it is no backup", remains.folder)
    }));
    let removed: Vec<_> = remains.iter().filter(|remains| remains.is_removed()).collect();
    if !removed.is_empty() {
        let bytes: u64 = removed.iter().flat_map(|remains| &remains.entries).map(|entry| entry.size).sum();
        let (count, bytes) = (removed.len(), size::bytes(bytes));
        gathered.notes.push(format!("{bytes} of {count} removed backup(s) stay as long as newer ones are made of them"));
    }
    if !strangers.is_empty() {
        let first = crate::domain::text::one_line(&strangers[0], 60);
        gathered.notes.push(format!("{} object(s) are not qsnap's and are left alone, such as {first}", strangers.len()));
    }
    gathered.errors.extend(problems.into_iter().chain(remarks).map(|problem| (repository.to_string(), problem)));
    Ok(gathered)
}

fn row(services: &Services, gathered: &mut Gathered, repository: &RepositoryName, backup: &Backup) {
    let address = BackupAddress::id(repository, &backup.collection, &backup.id).to_string();
    let now = services.clock.now();
    let taken = backup.taken_at();
    let age = if taken > now { "clock?".to_owned() } else { time::age(now, taken) };
    let points = backup.manifest.as_ref().and_then(|manifest| manifest.points_max);
    let shown = points.map_or_else(|| "-".to_owned(), size::exact);
    let said = &backup.standing;
    let proven = match said.proven_at {
        None => "never".to_owned(),
        Some(at) if at > now => "clock?".to_owned(),
        Some(at) => time::ago(now, at),
    };
    let held = if said.hold.is_some() { "held" } else { "" };
    let note = said.note.as_ref().map_or_else(String::new, |note| text::one_line(note, 40));
    let state = backup.state.word().to_owned();
    gathered.rows.push(vec![address, age, size::bytes(backup.size), shown, state, proven, held.to_owned(), note]);
    gathered.items.push(document(repository, backup));
    if !backup.is_good() {
        let why = Problem::new(ProblemKind::Failed, backup.state.reason(), "").message;
        gathered.notes.push(format!("{} of {}: {why}", backup.id, backup.collection));
    }
}

/// A backup as programs read it.
fn document(repository: &RepositoryName, backup: &Backup) -> Value {
    let manifest = backup.manifest.as_ref();
    json!({
        "address": BackupAddress::id(repository, &backup.collection, &backup.id).to_string(),
        "repository": repository.as_str(),
        "backup_id": backup.id.as_str(),
        "instance": backup.collection.instance.as_str(),
        "collection": backup.collection.collection.raw(),
        "kind": manifest.map(|manifest| manifest.kind),
        "taken_at": backup.taken_at().to_string(),
        "size": backup.size,
        "restored_size": manifest.map(|manifest| manifest.restored_size()),
        "run": manifest.and_then(|manifest| manifest.run.as_deref()),
        "points": manifest.and_then(|manifest| manifest.points_max),
        "state": backup.state.word(),
        "reason": backup.state.reason(),
        "sha256": manifest.map(|manifest| manifest.objects.iter().map(|object| &object.sha256).collect::<Vec<_>>()),
        "qdrant_version": manifest.and_then(|manifest| manifest.qdrant_version.as_deref()),
        "note": backup.standing.note,
        "hold": backup.standing.hold,
        "proven_at": backup.standing.proven_at.map(|at| at.to_string()),
    })
}
