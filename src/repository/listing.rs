//! Listing all objects of a store, whatever else lies in it.
//!
//! The client of the store refuses a whole page of a listing when one key on it has an empty part (`a//b`). Such a key is
//! somebody else's: it is found by asking for shorter pages, named, and passed over.

use crate::domain::problem::Problem;
use crate::repository::bucket::{Bucket, answered};
use crate::repository::entry::{Entry, Listing};
use crate::repository::walk::walk;
use futures_util::StreamExt;
use jiff::Timestamp;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{Error, ObjectMeta};

/// Keys on one page.
const PAGE: usize = 1_000;

/// Strange keys that are looked for one by one; more of them are no accident.
const MOST_STRANGE: usize = 100;

/// All objects, or those in the folder `below`. One that cannot be read is named, and hides no other.
///
/// # Errors
/// When nothing can be listed.
pub async fn list(bucket: &Bucket, below: &str) -> Result<Listing, Problem> {
    let folder = match (bucket.root.as_str(), below) {
        ("", below) => below.to_owned(),
        (root, "") => root.to_owned(),
        (root, below) => format!("{root}/{below}"),
    };
    let mut listing = match (&bucket.pages, &bucket.folder) {
        (Some(pages), _) => by_pages(bucket, &folder, pages.as_ref()).await?,
        (None, Some(root)) => walk(bucket, root.clone(), &folder).await?,
        (None, None) => at_once(bucket, &folder).await?,
    };
    listing.entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(listing)
}

async fn at_once(bucket: &Bucket, folder: &str) -> Result<Listing, Problem> {
    let prefix = Path::parse(folder).ok().filter(|_| !folder.is_empty());
    let mut listing = Listing::default();
    let mut all = bucket.store.list(prefix.as_ref());
    while let Some(item) = all.next().await {
        match item {
            Ok(meta) => listing.entries.extend(entry(bucket, meta)),
            // Removed while it was looked at.
            Err(Error::NotFound { .. }) => {}
            Err(error) => listing.problems.push((String::new(), bucket.problem(&error, "list", ""))),
        }
    }
    match listing.problems.first() {
        Some((_, problem)) if listing.entries.is_empty() => Err(problem.clone()),
        _ => Ok(listing),
    }
}

async fn by_pages(bucket: &Bucket, folder: &str, pages: &dyn PaginatedListStore) -> Result<Listing, Problem> {
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut listing = Listing::default();
    let (mut token, mut after, mut length): (Option<String>, Option<String>, usize) = (None, None, PAGE);
    loop {
        let options = PaginatedListOptions {
            offset: after.clone(),
            page_token: token.clone(),
            max_keys: Some(length),
            ..PaginatedListOptions::default()
        };
        let asked = pages.list_paginated(Some(&prefix).filter(|prefix| !prefix.is_empty()).map(String::as_str), options);
        match answered(asked).await {
            Ok(page) => {
                listing.entries.extend(page.result.objects.into_iter().filter_map(|meta| entry(bucket, meta)));
                // An empty page may have others behind it: only a page without a token is the last one.
                match page.page_token {
                    None => return Ok(listing),
                    again if again == token => return Err(endless(bucket, "it gives the same page for ever")),
                    next => token = next,
                }
                length = (length * 2).min(PAGE);
            }
            Err(Error::InvalidPath { source }) => {
                if length > 1 {
                    length /= 2;
                    continue;
                }
                let Some(key) = strange_key(&source) else {
                    return Err(bucket.problem(&Error::InvalidPath { source }, "list", ""));
                };
                // A store that begins again from the front would be listed for ever.
                if listing.strange.len() >= MOST_STRANGE || after.as_deref() >= Some(key.as_str()) {
                    return Err(endless(bucket, "it has many keys with empty parts (`//`), which are not qsnap's"));
                }
                listing.strange.push(key.strip_prefix(&prefix).unwrap_or(&key).to_owned());
                (token, after) = (None, Some(key));
            }
            Err(error) => return Err(bucket.problem(&error, "list", "")),
        }
    }
}

fn endless(bucket: &Bucket, message: &str) -> Problem {
    Problem::new(crate::domain::problem::ProblemKind::Failed, message, bucket.shown(""))
        .advise("remove such keys, or give the repository a prefix of its own in `url`")
}

/// The key that the client refused, as the store has it.
fn strange_key(error: &object_store::path::Error) -> Option<String> {
    match error {
        object_store::path::Error::EmptySegment { path } | object_store::path::Error::BadSegment { path, .. } => {
            Some(path.clone())
        }
        _ => None,
    }
}

fn entry(bucket: &Bucket, meta: ObjectMeta) -> Option<Entry> {
    let whole = meta.location.as_ref();
    let key = if bucket.root.is_empty() { whole } else { whole.strip_prefix(&bucket.root)?.strip_prefix('/')? };
    let modified = Timestamp::from_second(meta.last_modified.timestamp()).unwrap_or_default();
    let version = meta.e_tag.unwrap_or_else(|| format!("{}-{}", meta.size, meta.last_modified.timestamp_micros()));
    Some(Entry { key: key.to_owned(), size: meta.size, modified, version })
}
