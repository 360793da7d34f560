//! Requests as command lines: the one place that writes flags. What is written here the command line reads back as the same
//! request; a test goes round (`src/cli/commands.rs`).

use crate::domain::address::{BackupAddress, CollectionAddress, SnapshotsOf, Which, encode};
use crate::domain::backup::RepositoryName;
use crate::domain::text::sanitise;
use crate::ops::request::Request;
use crate::ops::request::backups::{
    AnnotateRequest, Annotation, BackupRequest, BackupSeveralRequest, DeleteBackupsRequest, DrillRequest, How, KindChoice, Of,
    PruneIn, PruneRequest, SaveRequest, VerifyRequest, Verifying,
};
use crate::ops::request::collections::{ReviveRequest, SwitchRequest};
use crate::ops::request::copy::{CopyRequest, FleetRequest, NameMap};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::{RestoreAllRequest, RestoreRequest, Set};
use crate::ops::request::route::Route;
use crate::ops::request::skips::Skips;
use crate::ops::request::snapshots::{DeleteRequest, DownloadRequest};
use crate::transfer::part::{part_path, state_path};
use std::num::NonZeroU32;
use std::path::Path;

/// The flags that agree to a plan; the address is given where it has to be typed.
pub fn consent_flags(typed: bool, address: &dyn std::fmt::Display) -> String {
    if typed { format!(" --yes --confirm '{address}'") } else { " --yes".to_owned() }
}

/// A path or word as a shell takes it.
pub(in crate::ops) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    let text = sanitise(text);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A name as an argument of its own: it may begin like a flag.
fn name(raw: &str) -> String {
    let encoded = encode(raw);
    encoded.strip_prefix('-').map_or(encoded.clone(), |rest| format!("%2D{rest}"))
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

impl Request {
    /// The same on the command line, without consent.
    pub fn command(&self) -> String {
        match self {
            Self::Create(request) => {
                format!("qsnap snapshots create {}{}", flag("--storage ", request.of.collection().is_none()), request.of)
            }
            Self::Download(request) => download(request),
            Self::Discard(request) => format!("rm {} {}", path(&part_path(&request.file)), path(&state_path(&request.file))),
            Self::Delete(request) => delete(request),
            Self::Restore(request) => restore(request),
            Self::RestoreAll(request) => restore_all(request),
            Self::Copy(request) => copy(request),
            Self::Fleet(request) => fleet(request),
            Self::Switch(request) => switch(request),
            Self::Drop(request) => {
                format!("qsnap drop {}{}", request.address, flag(" --with-aliases", request.with_aliases))
            }
            Self::Revive(request) => revive(request),
            Self::Backup(request) => backup(request),
            Self::BackupSeveral(request) => several_backups(request),
            Self::Prune(request) => prune(request),
            Self::Verify(request) => verify(request),
            Self::Drill(request) => drill(request),
            Self::DeleteBackups(request) => delete_backups(request),
            Self::Save(request) => save(request),
            Self::Annotate(request) => annotate(request),
            Self::Settle(request) => format!("qsnap history {} {}", request.way.word(), request.id),
            Self::Compare(request) => {
                format!("qsnap compare {} {}{}", request.first, request.second, flag(" --deep", request.deep))
            }
        }
    }

    /// The same with all consent that any instance may want, for offers that have to work as they stand. Only for requests that
    /// change one collection or alias.
    pub fn consented(&self) -> String {
        let typed = match self {
            Self::Switch(request) => request.shown(),
            Self::Fleet(request) => request.to.to_string(),
            Self::RestoreAll(request) => request.to.to_string(),
            Self::Create(request) => request.of.to_string(),
            Self::Delete(request) => request.of.to_string(),
            Self::Restore(request) => request.target.to_string(),
            Self::Copy(request) => request.target.to_string(),
            Self::Drop(request) => request.address.to_string(),
            Self::Revive(request) => request.address.to_string(),
            Self::Backup(request) => request.address.to_string(),
            Self::DeleteBackups(request) => request.collection.to_string(),
            Self::BackupSeveral(_) | Self::Drill(_) => return self.command() + &consent_flags(false, &""),
            Self::Download(_)
            | Self::Discard(_)
            | Self::Settle(_)
            | Self::Compare(_)
            | Self::Prune(_)
            | Self::Verify(_)
            | Self::Save(_)
            | Self::Annotate(_) => return self.command(),
        };
        self.command() + &consent_flags(true, &typed)
    }
}

fn flag(flag: &'static str, on: bool) -> &'static str {
    if on { flag } else { "" }
}

fn snapshot(of: &SnapshotsOf, which: &Which) -> String {
    RecoveryPoint::snapshot(of, which.clone()).to_string()
}

fn download(request: &DownloadRequest) -> String {
    let point = snapshot(&request.of, &request.which);
    let overwrite = flag(" --overwrite", request.overwrite);
    format!("qsnap snapshots download {point} --to {}{overwrite}", path(&request.target))
}

fn delete(request: &DeleteRequest) -> String {
    let each = request.names.iter().map(|name| snapshot(&request.of, &Which::Named(name.clone())));
    format!("qsnap snapshots delete {}", each.collect::<Vec<_>>().join(" "))
}

fn restore(request: &RestoreRequest) -> String {
    let point = match &request.source {
        RecoveryPoint::File(file) => path(file),
        other => quoted(&other.to_string()),
    };
    let beside = request.beside.as_ref().map_or_else(String::new, |name| format!(" --beside {}", self::name(name.raw())));
    format!(
        "qsnap restore {point} --to {} --mode {}{beside}{}{}",
        request.target,
        request.mode.word(),
        route(request.route),
        care(request.skips, &request.force, request.deep) + &replicas(request.replicas)
    )
}

fn replicas(replicas: Option<NonZeroU32>) -> String {
    replicas.map_or_else(String::new, |replicas| format!(" --replicas {replicas}"))
}

fn copy(request: &CopyRequest) -> String {
    format!(
        "qsnap copy {} {}{}{}{}{}",
        request.source,
        request.target,
        route(request.route),
        care(request.skips, &request.force, request.deep),
        replicas(request.replicas),
        flag(" --aliases", request.aliases)
    )
}

fn fleet(request: &FleetRequest) -> String {
    let sources = if request.collections.is_empty() {
        format!("--all {}", request.from)
    } else {
        let each = request.collections.iter().map(|name| CollectionAddress::new(request.from.clone(), name.clone()).to_string());
        each.collect::<Vec<_>>().join(" ")
    };
    format!(
        "qsnap copy {sources} {}{}{}{}{}",
        request.to,
        names(&request.names),
        route(request.route),
        care(request.skips, &request.force, request.deep),
        flag(" --aliases", request.aliases)
    )
}

fn names(map: &NameMap) -> String {
    let mut flags = String::new();
    if !map.prefix.is_empty() {
        flags.push_str(&format!(" --prefix={}", quoted(&map.prefix)));
    }
    if !map.suffix.is_empty() {
        flags.push_str(&format!(" --suffix={}", quoted(&map.suffix)));
    }
    for (old, new) in &map.renames {
        flags.push_str(&format!(" --rename {}={}", name(old), name(new)));
    }
    flags
}

fn restore_all(request: &RestoreAllRequest) -> String {
    let set = match &request.set {
        Set::Storage(RecoveryPoint::File(file)) => path(file),
        other => quoted(&other.to_string()),
    };
    format!(
        "qsnap restore --all {set} --to {} --mode {}{}{}",
        request.to,
        request.mode.word(),
        names(&request.names),
        care(request.skips, &request.force, request.deep)
    )
}

fn switch(request: &SwitchRequest) -> String {
    let free = flag(" --if-free", request.free);
    format!("qsnap alias {} {}{free}", request.shown(), name(request.to.collection.raw()))
}

fn revive(request: &ReviveRequest) -> String {
    let which = match &request.snapshot {
        None => String::new(),
        Some(Which::Latest) => " --from latest".to_owned(),
        Some(Which::Named(name)) => format!(" --from {}", self::name(name.raw())),
    };
    format!("qsnap revive {}{which}", request.address)
}

fn repository(repository: Option<&RepositoryName>) -> String {
    repository.map_or_else(String::new, |name| format!(" --repository {name}"))
}

fn backup(request: &BackupRequest) -> String {
    format!("qsnap backup {}{}{}", request.address, repository(request.repository.as_ref()), how(&request.how))
}

fn how(how: &How) -> String {
    let kind = match how.kind {
        KindChoice::Auto => "",
        KindChoice::Snapshot => " --kind snapshot",
        KindChoice::Shards => " --kind shards",
    };
    let wait = how.optimizer_wait.map_or_else(String::new, |wait| format!(" --optimizer-wait {}s", wait.as_secs()));
    [kind, flag(" --full", how.full), flag(" --keep-snapshot", how.keep_snapshot), &wait].concat()
}

fn of(of: &Of) -> String {
    let each: Vec<String> = match of {
        Of::Collections(all) => all.iter().map(ToString::to_string).collect(),
        Of::Instances(all) => all.iter().map(ToString::to_string).collect(),
    };
    each.into_iter().map(|address| format!(" {address}")).collect()
}

fn several_backups(request: &BackupSeveralRequest) -> String {
    let all = flag(" --all", matches!(request.of, Of::Instances(_)));
    let prune = flag(" --prune", request.prune);
    let (of, repository) = (of(&request.of), repository(request.repository.as_ref()));
    format!("qsnap backup{all}{of}{repository}{}{prune}", how(&request.how))
}

fn prune(request: &PruneRequest) -> String {
    let place = match &request.place {
        PruneIn::Repository(name) => repository(name.as_ref()),
        PruneIn::Nodes => " --server".to_owned(),
    };
    format!("qsnap prune{}{place} --apply", of(&request.of))
}

fn verify(request: &VerifyRequest) -> String {
    match &request.which {
        Verifying::One(address) => format!("qsnap verify {address}"),
        Verifying::Sample { percent, of: which, repository: name } => {
            format!("qsnap verify{} --sample {percent}%{}", of(which), repository(name.as_ref()))
        }
    }
}

fn drill(request: &DrillRequest) -> String {
    format!("qsnap drill {} --on {}{}", request.backup, request.on, flag(" --deep", request.deep))
}

fn delete_backups(request: &DeleteBackupsRequest) -> String {
    let each = request.ids.iter().map(|id| BackupAddress::id(&request.repository, &request.collection, id).to_string());
    format!("qsnap backups delete {}", each.collect::<Vec<_>>().join(" "))
}

fn save(request: &SaveRequest) -> String {
    let overwrite = flag(" --overwrite", request.overwrite);
    format!("qsnap backups download {} --to {}{overwrite}", request.backup, path(&request.target))
}

fn annotate(request: &AnnotateRequest) -> String {
    let address = &request.backup;
    match &request.says {
        Annotation::Note(text) => format!("qsnap backups note {address} -- {}", quoted(text)),
        Annotation::Hold(text) => format!("qsnap backups hold {address} -- {}", quoted(text)),
        Annotation::Release => format!("qsnap backups release {address}"),
    }
}

fn route(route: Route) -> String {
    if route == Route::Auto { String::new() } else { format!(" --route {}", route.word()) }
}

fn care(skips: Skips, force: &[String], deep: bool) -> String {
    let each = [("safety", skips.safety), ("proof", skips.proof)];
    let skips: String = each.iter().filter(|(_, skip)| *skip).map(|(name, _)| format!(" --skip {name}")).collect();
    let force: String = force.iter().map(|name| format!(" --force {}", quoted(name))).collect();
    format!("{skips}{force}{}", flag(" --deep", deep))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::request::copy::NameMap;

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted("/tmp/a"), "/tmp/a");
        assert_eq!(quoted("/tmp/it's here"), "'/tmp/it'\\''s here'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn the_command_of_several_copies_says_the_same() {
        let instance = |name: &str| crate::domain::ids::InstanceName::new(name).unwrap();
        let request = Request::Fleet(FleetRequest {
            from: instance("prod"),
            collections: vec![],
            to: instance("staging"),
            names: NameMap { suffix: "-new".into(), ..NameMap::default() },
            route: Route::Auto,
            skips: Skips::default(),
            force: vec![],
            deep: false,
            aliases: true,
        });
        let command = "qsnap copy --all prod staging --suffix=-new --aliases --yes --confirm 'staging'";
        assert_eq!(request.consented(), command);
    }
}
