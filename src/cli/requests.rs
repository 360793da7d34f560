//! From parsed arguments to requests. What [`crate::ops::request::command`] writes is read here as the same request again.

use crate::cli::args::reading::CompareArgs;
use crate::cli::args::{AliasArgs, Command, CopyArgs, HistoryCommand, ReviveArgs, RouteArg, Snapshots};
use crate::cli::backup_requests::{self, Usual};
use crate::cli::common_args::{careful, names, skips};
use crate::cli::restore_requests;
use crate::cli::usage::usage;
use crate::domain::address::{Address, CollectionAddress, SnapshotsOf, Which};
use crate::domain::problem::Problem;
use crate::ops::request::Request;
use crate::ops::request::collections::{CompareRequest, DropRequest, ReviveRequest, SwitchRequest};
use crate::ops::request::copy::{CopyRequest, FleetRequest, NameMap};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::request::restore::RestoreRequest;
use crate::ops::request::route::Route;
use crate::ops::request::settle::{SettleRequest, Way};
use crate::ops::request::snapshots::{CreateRequest, DeleteRequest, DownloadRequest};
use std::path::Path;

/// What a command asks for, one after the other; `None` of one that asks for no operation.
pub(super) fn requests(usual: Usual, command: Command) -> Option<Vec<Result<Request, Problem>>> {
    Some(match command {
        Command::Snapshots(Snapshots::Create { addresses, storage }) => {
            addresses.iter().map(|text| create(text, storage)).collect()
        }
        Command::Snapshots(Snapshots::Download { addresses, to, overwrite }) => {
            if addresses.len() > 1 && !to.is_dir() {
                return Some(vec![Err(usage("several snapshots need a folder that exists: --to FOLDER"))]);
            }
            addresses.iter().map(|text| download(text, &to, overwrite)).collect()
        }
        Command::Snapshots(Snapshots::Upload { file, to, mode, care }) => {
            let target = CollectionAddress::parse(&to).map_err(usage);
            let source = RecoveryPoint::File(file);
            vec![target.map(|target| careful(RestoreRequest::new(source, target, mode.into(), Route::Upload), care))]
        }
        Command::Snapshots(Snapshots::Delete { addresses }) => deletions(&addresses),
        Command::Backup(args) => vec![backup_requests::backup(&args)],
        Command::Backups(command) => vec![backup_requests::backups(command)?],
        Command::Prune(args) => vec![backup_requests::prune(&args)],
        Command::Verify(args) => backup_requests::verify(&args),
        Command::Drill(args) => vec![backup_requests::drill(usual, &args)],
        Command::Restore(args) => vec![restore_requests::restore(args)],
        Command::Copy(args) => vec![copy(args)],
        Command::Alias(args) => vec![alias(&args)],
        Command::Drop { address, with_aliases } => {
            let address = CollectionAddress::parse(&address).map_err(usage);
            vec![address.map(|address| Request::Drop(DropRequest { address, with_aliases }))]
        }
        Command::Revive(args) => vec![revive(&args)],
        Command::Compare(args) => vec![comparison(&args)],
        Command::History { command: Some(command) } => vec![Ok(settling(command)?)],
        Command::Snapshots(Snapshots::List { .. })
        | Command::Check(_)
        | Command::Demo
        | Command::Sandbox(_)
        | Command::Instances
        | Command::Collections { .. }
        | Command::History { command: None }
        | Command::Guard(_)
        | Command::Inspect(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Config(_) => return None,
    })
}

fn settling(command: HistoryCommand) -> Option<Request> {
    let (id, way) = match command {
        HistoryCommand::Show { .. } => return None,
        HistoryCommand::Continue { id } => (id, Way::Continue),
        HistoryCommand::RollBack { id } => (id, Way::RollBack),
        HistoryCommand::CleanUp { id } => (id, Way::CleanUp),
    };
    Some(Request::Settle(SettleRequest { id, way }))
}

fn comparison(args: &CompareArgs) -> Result<Request, Problem> {
    let address = |text: &str| CollectionAddress::parse(text).map_err(usage);
    Ok(Request::Compare(CompareRequest { first: address(&args.first)?, second: address(&args.second)?, deep: args.deep }))
}

fn create(text: &str, storage: bool) -> Result<Request, Problem> {
    let of = SnapshotsOf::parse(text).map_err(usage)?;
    match (&of, storage) {
        (SnapshotsOf::Collection(_), false) | (SnapshotsOf::Storage(_), true) => Ok(Request::Create(CreateRequest { of })),
        (SnapshotsOf::Collection(address), true) => {
            Err(usage(format!("--storage takes a whole instance: write {}, without a collection", address.instance)))
        }
        (SnapshotsOf::Storage(instance), false) => Err(usage(format!(
            "`{instance}` is an instance: write {instance}/COLLECTION, or --storage {instance} for one snapshot of all of it"
        ))),
    }
}

fn snapshot_address(text: &str) -> Result<(SnapshotsOf, Which), Problem> {
    match Address::parse(text).map_err(usage)? {
        Address::Snapshot(address, which) => Ok((address.into(), which)),
        Address::Storage(instance, which) => Ok((SnapshotsOf::Storage(instance), which)),
        other => Err(usage(format!(
            "`{other}` does not name a snapshot: write INSTANCE/COLLECTION/SNAPSHOT or INSTANCE/COLLECTION@latest"
        ))),
    }
}

fn download(text: &str, to: &Path, overwrite: bool) -> Result<Request, Problem> {
    let (of, which) = snapshot_address(text)?;
    Ok(Request::Download(DownloadRequest { of, which, target: to.to_owned(), overwrite }))
}

/// One deletion for each collection, and for each full storage.
fn deletions(texts: &[String]) -> Vec<Result<Request, Problem>> {
    let mut requests: Vec<Result<Request, Problem>> = Vec::new();
    for text in texts {
        let (of, name) = match snapshot_address(text) {
            Ok((of, Which::Named(name))) => (of, name),
            Ok((_, Which::Latest)) => {
                requests.push(Err(usage("delete takes names, not @latest: what is latest may change")));
                continue;
            }
            Err(problem) => {
                requests.push(Err(problem));
                continue;
            }
        };
        let same = requests.iter_mut().flatten().find_map(|request| match request {
            Request::Delete(request) if request.of == of => Some(&mut request.names),
            _ => None,
        });
        match same {
            Some(names) => names.push(name),
            None => requests.push(Ok(Request::Delete(DeleteRequest { of, names: vec![name] }))),
        }
    }
    requests
}

fn alias(args: &AliasArgs) -> Result<Request, Problem> {
    let alias = CollectionAddress::parse(&args.alias).map_err(usage)?;
    // The collection may be written with its instance, which must be the same one.
    let to = match Address::parse(&args.collection) {
        Ok(Address::Collection(address)) if address.instance == alias.instance => address,
        Ok(Address::Collection(_)) => return Err(usage("an alias and its collection are on the same instance")),
        _ => CollectionAddress::parse(&format!("{}/{}", alias.instance, args.collection)).map_err(usage)?,
    };
    Ok(Request::Switch(SwitchRequest { free: args.if_free, ..SwitchRequest::new(alias.collection.raw(), &to) }))
}

fn revive(args: &ReviveArgs) -> Result<Request, Problem> {
    let address = CollectionAddress::parse(&args.address).map_err(usage)?;
    let snapshot = match args.from.as_deref() {
        None => None,
        Some("latest") => Some(Which::Latest),
        Some(name) => match Address::parse(&format!("{address}/{name}")).map_err(usage)? {
            Address::Snapshot(_, which) => Some(which),
            _ => return Err(usage("--from takes the name of a snapshot, or `latest`")),
        },
    };
    Ok(Request::Revive(ReviveRequest { address, snapshot }))
}

fn copy(args: CopyArgs) -> Result<Request, Problem> {
    if args.route == RouteArg::Upload {
        return Err(usage("copy goes by url or stream"));
    }
    let Some((target, sources)) = args.addresses.split_last() else { return Err(usage("copy needs a source and a target")) };
    if args.all || sources.len() > 1 || names(&args.names)? != NameMap::default() {
        return fleet(&args, sources, target);
    }
    let source = CollectionAddress::parse(&sources[0]).map_err(usage)?;
    let target = match Address::parse(target).map_err(usage)? {
        Address::Instance(instance) => CollectionAddress::new(instance, source.collection.clone()),
        Address::Collection(address) => address,
        other => return Err(usage(format!("`{other}` is neither INSTANCE nor INSTANCE/COLLECTION"))),
    };
    let request = CopyRequest::new(source, target, args.route.into());
    let (skips, care) = (skips(&args.care), args.care);
    let (replicas, aliases) = (args.replicas, args.aliases);
    Ok(Request::Copy(CopyRequest { skips, force: care.force, deep: care.deep, replicas, aliases, ..request }))
}

/// Several collections, or all of an instance.
fn fleet(args: &CopyArgs, sources: &[String], target: &str) -> Result<Request, Problem> {
    if args.replicas.is_some() {
        return Err(usage("--replicas is for one collection: copy them one by one"));
    }
    let instance = |text: &str| match Address::parse(text).map_err(usage)? {
        Address::Instance(name) => Ok(name),
        other => Err(usage(format!("`{other}` is no INSTANCE: several collections go to an instance, under mapped names"))),
    };
    let to = instance(target)?;
    let (from, collections) = if args.all {
        match sources {
            [one] => (instance(one)?, Vec::new()),
            _ => return Err(usage("--all takes two instances: from and to")),
        }
    } else {
        let addresses =
            sources.iter().map(|text| CollectionAddress::parse(text).map_err(usage)).collect::<Result<Vec<_>, _>>()?;
        let from = addresses[0].instance.clone();
        if addresses.iter().any(|address| address.instance != from) {
            return Err(usage("the collections must be on one instance: copy those of another one by themselves"));
        }
        (from, addresses.into_iter().map(|address| address.collection).collect())
    };
    Ok(Request::Fleet(FleetRequest {
        from,
        collections,
        to,
        names: names(&args.names)?,
        route: args.route.into(),
        skips: skips(&args.care),
        force: args.care.force.clone(),
        deep: args.care.deep,
        aliases: args.aliases,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use crate::domain::address::{BackupAddress, WhichBackup};
    use crate::domain::backup::{BackupId, RepositoryName};
    use crate::domain::ids::{CollectionName, InstanceName, SnapshotName};
    use crate::ops::request::backups::{
        AnnotateRequest, Annotation, BackupRequest, BackupSeveralRequest, DeleteBackupsRequest, DrillRequest, How, KindChoice,
        Of, PruneIn, PruneRequest, SaveRequest, VerifyRequest, Verifying,
    };
    use crate::ops::request::restore::{Mode, RestoreAllRequest, Set};
    use crate::ops::request::skips::Skips;
    use clap::Parser;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Words as a shell takes them: single quotes, and a backslash before one outside of them.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted, mut some) = (Vec::new(), String::new(), false, false);
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' => (quoted, some) = (!quoted, true),
                '\\' if !quoted => word.extend(chars.next()),
                ' ' if !quoted => {
                    if some || !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                    some = false;
                }
                c => word.push(c),
            }
        }
        if some || !word.is_empty() {
            words.push(word);
        }
        words
    }

    fn read_back(line: &str) -> Request {
        let cli = Cli::try_parse_from(words(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut requests = requests(Err(usage("none")), cli.command.unwrap()).unwrap();
        assert_eq!(requests.len(), 1, "{line}");
        requests.remove(0).unwrap_or_else(|problem| panic!("{line}: {problem}"))
    }

    fn name() -> impl Strategy<Value = CollectionName> {
        // What odd names have: spaces, quotes, percent signs, letters of other alphabets, a leading hyphen.
        "[a-zA-Z0-9_ '%ä本.-]{1,12}".prop_filter("a path", |text| text != "." && text != "..").prop_map(CollectionName::new)
    }

    fn instance() -> impl Strategy<Value = InstanceName> {
        "[a-z][a-z0-9-]{0,8}".prop_map(|text| InstanceName::new(&text).unwrap())
    }

    fn address() -> impl Strategy<Value = CollectionAddress> {
        (instance(), name()).prop_map(|(instance, name)| CollectionAddress::new(instance, name))
    }

    fn snapshot() -> impl Strategy<Value = SnapshotName> {
        "[a-zA-Z0-9_ '%-]{1,12}".prop_map(|text| SnapshotName::new(format!("{text}.snapshot")))
    }

    fn which() -> impl Strategy<Value = Which> {
        prop_oneof![Just(Which::Latest), snapshot().prop_map(Which::Named)]
    }

    fn repository() -> impl Strategy<Value = RepositoryName> {
        "[a-z][a-z0-9-]{0,8}".prop_map(|text| RepositoryName::new(&text).unwrap())
    }

    fn which_backup() -> impl Strategy<Value = WhichBackup> {
        let id = any::<u16>().prop_map(|tail| WhichBackup::Id(BackupId::of(jiff::Timestamp::UNIX_EPOCH, tail)));
        prop_oneof![Just(WhichBackup::Latest), id]
    }

    fn file() -> impl Strategy<Value = std::path::PathBuf> {
        "/[a-z '$*ä/-]{1,12}x".prop_map(Into::into)
    }

    pub(super) fn skips() -> impl Strategy<Value = Skips> {
        (any::<bool>(), any::<bool>()).prop_map(|(safety, proof)| Skips { safety, proof })
    }

    fn force() -> impl Strategy<Value = Vec<String>> {
        proptest::sample::subsequence(vec!["version".to_owned(), "rights".to_owned(), "proof".to_owned()], 0..=3)
    }

    fn replicas() -> impl Strategy<Value = Option<std::num::NonZeroU32>> {
        (0_u32..9).prop_map(std::num::NonZeroU32::new)
    }

    fn kinds() -> impl Strategy<Value = How> {
        let wait = || proptest::option::of((0_u64..90).prop_map(std::time::Duration::from_secs));
        let how = |(keep_snapshot, full), kind, optimizer_wait| How { keep_snapshot, kind, full, optimizer_wait };
        prop_oneof![
            (any::<(bool, bool)>(), wait()).prop_map(move |(keep, wait)| how(keep, KindChoice::Auto, wait)),
            any::<bool>().prop_map(move |keep| how((keep, false), KindChoice::Snapshot, None)),
            (any::<bool>(), wait()).prop_map(move |(full, wait)| how((false, full), KindChoice::Shards, wait)),
        ]
    }

    fn of_what() -> impl Strategy<Value = SnapshotsOf> {
        prop_oneof![address().prop_map(SnapshotsOf::Collection), instance().prop_map(SnapshotsOf::Storage)]
    }

    fn full() -> impl Strategy<Value = RecoveryPoint> {
        prop_oneof![
            (instance(), which()).prop_map(|(instance, which)| RecoveryPoint::Storage(instance, which)),
            file().prop_map(|file| RecoveryPoint::File(file.with_extension("snapshot"))),
        ]
    }

    fn sets() -> impl Strategy<Value = Request> {
        let run = proptest::option::of(any::<u16>().prop_map(|tail| BackupId::of(jiff::Timestamp::UNIX_EPOCH, tail)));
        let set = prop_oneof![
            full().prop_map(Set::Storage),
            (repository(), instance(), run).prop_map(|(repository, instance, run)| Set::Run(repository, instance, run)),
        ];
        let modes = prop_oneof![Just(Mode::Auto), Just(Mode::New), Just(Mode::SideBySide), Just(Mode::InPlace)];
        (set, instance(), maps(), modes, skips(), force(), any::<bool>()).prop_map(
            |(set, to, names, mode, skips, force, deep)| {
                Request::RestoreAll(RestoreAllRequest { set, to, names, mode, skips, force, deep })
            },
        )
    }

    fn snapshots() -> impl Strategy<Value = Request> {
        prop_oneof![
            of_what().prop_map(|of| Request::Create(CreateRequest { of })),
            (address(), proptest::option::of(repository()), kinds())
                .prop_map(|(address, repository, how)| Request::Backup(BackupRequest { address, repository, how })),
            (of_what(), which(), file(), any::<bool>()).prop_map(|(of, which, target, overwrite)| {
                Request::Download(DownloadRequest { of, which, target, overwrite })
            }),
            (of_what(), proptest::collection::vec(snapshot(), 1..4))
                .prop_map(|(of, names)| Request::Delete(DeleteRequest { of, names })),
        ]
    }

    fn of() -> impl Strategy<Value = Of> {
        prop_oneof![
            proptest::collection::vec(address(), 2..4).prop_map(Of::Collections),
            proptest::collection::vec(instance(), 0..3).prop_map(Of::Instances),
        ]
    }

    fn fixed() -> impl Strategy<Value = BackupAddress> {
        (repository(), address(), which_backup()).prop_map(|(repository, collection, which)| BackupAddress {
            repository,
            collection,
            which,
        })
    }

    fn backups() -> impl Strategy<Value = Request> {
        let place = prop_oneof![proptest::option::of(repository()).prop_map(PruneIn::Repository), Just(PruneIn::Nodes),];
        let text = || "[a-z 'ä%-]{0,12}";
        let says = prop_oneof![text().prop_map(Annotation::Note), text().prop_map(Annotation::Hold), Just(Annotation::Release),];
        let ids = proptest::collection::vec(any::<u16>(), 1..4)
            .prop_map(|tails| tails.into_iter().map(|tail| BackupId::of(jiff::Timestamp::UNIX_EPOCH, tail)).collect());
        prop_oneof![
            (of(), proptest::option::of(repository()), kinds(), any::<bool>()).prop_map(|(of, repository, how, prune)| {
                Request::BackupSeveral(BackupSeveralRequest { of, repository, how, prune })
            }),
            (place, of()).prop_map(|(place, of)| Request::Prune(PruneRequest { place, of })),
            fixed().prop_map(|address| Request::Verify(VerifyRequest { which: Verifying::One(address) })),
            (1_u8..=100, of(), proptest::option::of(repository())).prop_map(|(percent, of, repository)| {
                Request::Verify(VerifyRequest { which: Verifying::Sample { percent, of, repository } })
            }),
            (fixed(), instance(), any::<bool>()).prop_map(|(backup, on, deep)| Request::Drill(DrillRequest { backup, on, deep })),
            (repository(), address(), ids).prop_map(|(repository, collection, ids)| {
                Request::DeleteBackups(DeleteBackupsRequest { repository, collection, ids })
            }),
            (fixed(), file(), any::<bool>()).prop_map(|(backup, target, overwrite)| Request::Save(SaveRequest {
                backup,
                target,
                overwrite
            })),
            (fixed(), says).prop_map(|(backup, says)| Request::Annotate(AnnotateRequest { backup, says })),
        ]
    }

    fn restores() -> impl Strategy<Value = Request> {
        let modes = prop_oneof![
            Just((Mode::Auto, None)),
            Just((Mode::New, None)),
            Just((Mode::InPlace, None)),
            proptest::option::of(name()).prop_map(|beside| (Mode::SideBySide, beside)),
        ];
        let sources = prop_oneof![
            (address(), which(), prop_oneof![Just(Route::Auto), Just(Route::Url), Just(Route::Stream)])
                .prop_map(|(address, which, route)| (RecoveryPoint::Snapshot(address, which), route)),
            (repository(), address(), which_backup(), prop_oneof![Just(Route::Auto), Just(Route::Url), Just(Route::Stream)])
                .prop_map(|(repository, collection, which, route)| {
                    (RecoveryPoint::Backup(BackupAddress { repository, collection, which }), route)
                }),
            (full(), name(), prop_oneof![Just(Route::Auto), Just(Route::Stream)])
                .prop_map(|(full, collection, route)| (full.member(&collection), route)),
            (file(), prop_oneof![Just(Route::Auto), Just(Route::Upload)])
                .prop_map(|(file, route)| (RecoveryPoint::File(file), route)),
        ];
        (sources, address(), modes, skips(), force(), any::<bool>(), replicas()).prop_map(
            |((source, route), target, (mode, beside), skips, force, deep, replicas)| {
                let plain = RestoreRequest::new(source, target, mode, route);
                Request::Restore(RestoreRequest { skips, force, deep, replicas, beside, ..plain })
            },
        )
    }

    fn maps() -> impl Strategy<Value = NameMap> {
        let renames = proptest::collection::btree_map(name(), name(), 0..2).prop_map(|names| {
            names.into_iter().map(|(old, new)| (old.raw().to_owned(), new.raw().to_owned())).collect::<BTreeMap<_, _>>()
        });
        ("[a-z -]{0,4}", "[a-z '-]{0,4}", renames).prop_map(|(prefix, suffix, renames)| NameMap { prefix, suffix, renames })
    }

    fn copies() -> impl Strategy<Value = Request> {
        let routes = || prop_oneof![Just(Route::Auto), Just(Route::Url), Just(Route::Stream)];
        let one = (address(), address(), routes(), skips(), force(), any::<(bool, bool)>(), replicas()).prop_map(
            |(source, target, route, skips, force, (deep, aliases), replicas)| {
                let plain = CopyRequest::new(source, target, route);
                Request::Copy(CopyRequest { skips, force, deep, replicas, aliases, ..plain })
            },
        );
        let collections = prop_oneof![
            Just(Vec::new()),
            proptest::collection::btree_set(name(), 2..4).prop_map(|names| names.into_iter().collect::<Vec<_>>()),
        ];
        let several = (instance(), collections, instance(), maps(), routes(), skips(), force(), any::<(bool, bool)>()).prop_map(
            |(from, collections, to, names, route, skips, force, (deep, aliases))| {
                Request::Fleet(FleetRequest { from, collections, to, names, route, skips, force, deep, aliases })
            },
        );
        prop_oneof![one, several]
    }

    fn collections() -> impl Strategy<Value = Request> {
        prop_oneof![
            (name(), address(), any::<bool>()).prop_map(|(alias, to, free)| Request::Switch(SwitchRequest {
                alias: alias.raw().to_owned(),
                to,
                free
            })),
            (address(), any::<bool>()).prop_map(|(address, with_aliases)| Request::Drop(DropRequest { address, with_aliases })),
            (address(), proptest::option::of(which()))
                .prop_map(|(address, snapshot)| Request::Revive(ReviveRequest { address, snapshot })),
            (address(), address(), any::<bool>()).prop_map(|(first, second, deep)| Request::Compare(CompareRequest {
                first,
                second,
                deep
            })),
            ("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{1,4}-0", prop_oneof![Just(Way::Continue), Just(Way::RollBack), Just(Way::CleanUp)])
                .prop_map(|(id, way)| Request::Settle(SettleRequest { id, way })),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        /// Every verb, but discarding a download, which is no command of qsnap.
        #[test]
        fn what_is_written_is_read_back(request in prop_oneof![
            snapshots(),
            sets(),
            backups(),
            restores(),
            copies(),
            collections()
        ]) {
            prop_assert_eq!(read_back(&request.command()), request.clone());
            // Consent changes nothing of what is asked for.
            prop_assert_eq!(read_back(&request.consented()), request);
        }
    }
}
