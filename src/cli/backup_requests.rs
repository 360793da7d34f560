//! From the parsed arguments of the commands about backups to requests.

use crate::cli::args::backups::{BackupArgs, Backups, DrillArgs, KindArg, PruneArgs, VerifyArgs};
use crate::cli::usage::usage;
use crate::domain::address::{Address, BackupAddress, WhichBackup};
use crate::domain::backup::RepositoryName;
use crate::domain::ids::InstanceName;
use crate::domain::problem::Problem;
use crate::ops::request::Request;
use crate::ops::request::backups::{
    AnnotateRequest, Annotation, BackupRequest, BackupSeveralRequest, DeleteBackupsRequest, DrillRequest, How, KindChoice, Of,
    PruneIn, PruneRequest, SaveRequest, VerifyRequest, Verifying,
};
use crate::ops::services::Services;

/// The repository that is meant where none is named, or why it is not clear.
pub(super) type Usual = Result<RepositoryName, Problem>;

fn repository(name: Option<&str>) -> Result<Option<RepositoryName>, Problem> {
    name.map(RepositoryName::new).transpose().map_err(usage)
}

/// Instances, or collections.
fn of(texts: &[String]) -> Result<Of, Problem> {
    let (mut instances, mut collections) = (Vec::new(), Vec::new());
    for text in texts {
        match Address::parse(text).map_err(usage)? {
            Address::Instance(name) => instances.push(name),
            Address::Collection(address) => collections.push(address),
            other => return Err(usage(format!("`{other}` is neither INSTANCE nor INSTANCE/COLLECTION"))),
        }
    }
    match (instances.is_empty(), collections.is_empty()) {
        (_, true) => Ok(Of::Instances(instances)),
        (true, false) => Ok(Of::Collections(collections)),
        (false, false) => Err(usage("name instances or collections, not both")),
    }
}

/// `qsnap backup`
pub(super) fn backup(args: &BackupArgs) -> Result<Request, Problem> {
    let repository = repository(args.repository.as_deref())?;
    let (keep_snapshot, full, optimizer_wait) = (args.keep_snapshot, args.full, args.optimizer_wait);
    let kind = match args.kind {
        None => KindChoice::Auto,
        Some(KindArg::Snapshot) if optimizer_wait.is_some() => {
            return Err(usage("--optimizer-wait is about shards: a snapshot needs no such wait"));
        }
        Some(KindArg::Snapshot) if full => return Err(usage("--full is about shards: a snapshot is whole")),
        Some(KindArg::Snapshot) => KindChoice::Snapshot,
        Some(KindArg::Shards) if keep_snapshot => return Err(usage("--kind shards takes no snapshot that could be kept")),
        Some(KindArg::Shards) => KindChoice::Shards,
    };
    let of = match (args.all, of(&args.addresses)?) {
        (true, Of::Collections(_)) => return Err(usage("--all takes instances: name them, or nothing for every instance")),
        (false, Of::Instances(_)) => return Err(usage("name collections (INSTANCE/COLLECTION), or give --all")),
        (_, of) => of,
    };
    let how = How { keep_snapshot, kind, full, optimizer_wait };
    Ok(match (of.one(), args.prune) {
        (Some(address), false) => Request::Backup(BackupRequest { address: address.clone(), repository, how }),
        (_, prune) => Request::BackupSeveral(BackupSeveralRequest { of, repository, how, prune }),
    })
}

/// The address of a backup.
pub(super) fn address(text: &str) -> Result<BackupAddress, Problem> {
    match Address::parse(text).map_err(usage)? {
        Address::Backup(address) => Ok(address),
        other => Err(usage(format!("`{other}` does not name a backup: write REPOSITORY:INSTANCE/COLLECTION@ID or @latest"))),
    }
}

/// `qsnap backups`; `None` of what only shows.
pub(super) fn backups(command: Backups) -> Option<Result<Request, Problem>> {
    let annotate =
        |backup: &str, says: Annotation| address(backup).map(|backup| Request::Annotate(AnnotateRequest { backup, says }));
    Some(match command {
        Backups::List { .. } | Backups::Show { .. } => return None,
        Backups::Download { backup, to, overwrite } => {
            address(&backup).map(|backup| Request::Save(SaveRequest { backup, target: to, overwrite }))
        }
        Backups::Note { backup, text } => annotate(&backup, Annotation::Note(text.join(" "))),
        Backups::Hold { backup, text } => annotate(&backup, Annotation::Hold(text.join(" "))),
        Backups::Release { backup } => annotate(&backup, Annotation::Release),
        Backups::Delete { backups } => delete(&backups),
    })
}

fn delete(texts: &[String]) -> Result<Request, Problem> {
    let mut request: Option<DeleteBackupsRequest> = None;
    for text in texts {
        let BackupAddress { repository, collection, which } = address(text)?;
        let WhichBackup::Id(id) = which else {
            return Err(usage("delete takes ids, not @latest: what is latest may change"));
        };
        let request = request.get_or_insert_with(|| DeleteBackupsRequest {
            repository: repository.clone(),
            collection: collection.clone(),
            ids: Vec::new(),
        });
        if request.repository != repository || request.collection != collection {
            return Err(usage("delete takes backups of one collection in one repository at a time"));
        }
        request.ids.push(id);
    }
    request.map(Request::DeleteBackups).ok_or_else(|| usage("name a backup"))
}

/// `qsnap prune`
pub(super) fn prune(args: &PruneArgs) -> Result<Request, Problem> {
    let place = if args.server { PruneIn::Nodes } else { PruneIn::Repository(repository(args.repository.as_deref())?) };
    Ok(Request::Prune(PruneRequest { place, of: of(&args.addresses)? }))
}

/// What is typed to agree to a prune: `--apply` says it.
pub(super) fn prune_consent(services: &Services, args: &PruneArgs) -> Option<String> {
    match prune(args).ok()? {
        Request::Prune(PruneRequest { place: PruneIn::Nodes, of }) => Some(of.to_string()),
        Request::Prune(PruneRequest { place: PruneIn::Repository(name), .. }) => {
            Some(services.repository(name.as_ref()).ok()?.name.to_string())
        }
        _ => None,
    }
}

/// `qsnap verify`: one request an address, or one for the sample.
pub(super) fn verify(args: &VerifyArgs) -> Vec<Result<Request, Problem>> {
    let one = |which| Request::Verify(VerifyRequest { which });
    if let Some(percent) = args.sample {
        let sample = || {
            let (of, repository) = (of(&args.addresses)?, repository(args.repository.as_deref())?);
            Ok(one(Verifying::Sample { percent, of, repository }))
        };
        return vec![sample()];
    }
    let each = args.addresses.iter().map(|text| match Address::parse(text).map_err(usage)? {
        Address::Backup(address) => Ok(one(Verifying::One(address))),
        other => Err(usage(format!("`{other}` is no backup"))
            .advise(format!("a snapshot or a file is read whole by `qsnap inspect {other} --checksum`"))),
    });
    each.collect()
}

/// `qsnap drill`
pub(super) fn drill(usual: Usual, args: &DrillArgs) -> Result<Request, Problem> {
    let backup = match Address::parse(&args.backup).map_err(usage)? {
        Address::Backup(address) => address,
        Address::Collection(collection) => BackupAddress { repository: usual?, collection, which: WhichBackup::Latest },
        other => {
            return Err(usage(format!(
                "`{other}` is no backup: write REPOSITORY:INSTANCE/COLLECTION@ID or @latest, or INSTANCE/COLLECTION"
            )));
        }
    };
    let on = match &args.on {
        Some(name) => InstanceName::new(name).map_err(usage)?,
        None => backup.collection.instance.clone(),
    };
    Ok(Request::Drill(DrillRequest { backup, on, deep: args.deep }))
}
