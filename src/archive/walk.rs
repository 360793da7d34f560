//! Going through a tar entry by entry, with hard limits, and saying exactly where it stops being one.

use crate::archive::bytes::{Bytes, Expanded, Limited, fill};
use crate::archive::damage::{Damage, Stop, Walked};
use crate::archive::header::{self, BLOCK, EntryKind};
use crate::archive::strange;
use crate::domain::size::bytes as size_words;
use crate::domain::text::{one_line, sanitise};

/// Longest name of an entry. Qdrant's are below 200 bytes.
const MAX_NAME: u64 = 1024;

/// Longest block of attributes that describes an entry.
const MAX_ATTRIBUTES: u64 = 64 << 10;

/// Most parts of a sparse file. Qdrant's files have 32 MiB: alternating pages of 4 KiB are 4 096 parts.
const MAX_SPANS: usize = 1 << 18;

/// Entries, over all nested archives. 200 shards of 50 segments of 60 files stay below.
const MAX_ENTRIES: u64 = 800_000;

/// What all nested walks share.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Entries so far.
    pub entries: u64,
}

/// An entry whose body comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Name without `./`, checked: relative, without `..`, without control characters. Never print it: it may turn text.
    pub path: String,
    /// Whether it is a directory.
    pub directory: bool,
    /// Offset of its header within this archive, plus where the archive starts.
    pub offset: u64,
    /// Bytes it takes in the archive.
    pub stored: u64,
    /// Bytes of the file; more than are stored where it has holes.
    pub size: u64,
    spans: Option<Vec<(u64, u64)>>,
}

impl Entry {
    /// Where its bytes are: spans of the archive from `at` on, and holes, which have none.
    pub(super) fn layout(&self, at: u64) -> Vec<(u64, Option<u64>)> {
        let Some(spans) = &self.spans else { return vec![(self.stored, Some(at))] };
        let (mut layout, mut end, mut stored) = (Vec::new(), 0, at);
        for (offset, length) in spans {
            layout.push((offset - end, None));
            layout.push((*length, Some(stored)));
            (end, stored) = (offset + length, stored + length);
        }
        layout.push((self.size.saturating_sub(end), None));
        layout.into_iter().filter(|(length, _)| *length > 0).collect()
    }

    /// Whether it has holes.
    pub(super) fn sparse(&self) -> bool {
        self.spans.is_some()
    }
}

/// A walk through one tar.
pub(super) struct Walk<'a> {
    bytes: &'a mut dyn Bytes,
    counters: &'a mut Counters,
    /// Where the archive starts in the file, as far as that can be said.
    base: u64,
    at: u64,
    /// Path through the archives that leads here.
    within: String,
    last: String,
    /// Bytes of the current body and its padding that were not passed yet.
    body: u64,
    padding: u64,
    /// Where the header of the entry that came last ends.
    header_end: u64,
    /// That header, as it stands there.
    header: [u8; BLOCK as usize],
    ended: bool,
    needs_end: bool,
}

impl<'a> Walk<'a> {
    /// Starts at the first byte of a tar. `within` names the entry that is this tar, and ends in `/`.
    pub(super) fn new(bytes: &'a mut dyn Bytes, counters: &'a mut Counters, within: &str, base: u64) -> Self {
        let (within, last) = (within.to_owned(), String::new());
        Self {
            bytes,
            counters,
            base,
            at: 0,
            within,
            last,
            body: 0,
            padding: 0,
            header_end: 0,
            header: [0; BLOCK as usize],
            ended: false,
            needs_end: true,
        }
    }

    /// Takes the end of the bytes for the end of the archive too: Qdrant writes the archive of a segment without end
    /// blocks (1.16.3 and 1.18.3).
    pub(super) fn without_end_blocks(mut self) -> Self {
        self.needs_end = false;
        self
    }

    fn damage(&self, path: &str, at: u64, what: impl Into<String>) -> Stop {
        let entry = sanitise(&format!("{}{path}", self.within));
        Stop::Damage(Damage { entry, offset: self.base.saturating_add(at), what: what.into(), limit: false })
    }

    fn limit(&self, at: u64, what: String) -> Stop {
        let entry = sanitise(&self.within);
        Stop::Damage(Damage { entry, offset: self.base.saturating_add(at), what, limit: true })
    }

    /// The next block, or the bytes that there are when they are fewer.
    fn block(&mut self) -> Walked<Result<[u8; BLOCK as usize], Vec<u8>>> {
        let mut block = [0; BLOCK as usize];
        let n = fill(self.bytes, &mut block)?;
        self.at = self.at.saturating_add(n as u64);
        Ok(if n == block.len() { Ok(block) } else { Err(block[..n].to_vec()) })
    }

    /// Entries so far, over all nested archives.
    pub(super) fn entries(&self) -> u64 {
        self.counters.entries
    }

    /// The header of the entry that came last, as it stands in the archive.
    pub(super) fn header(&self) -> &[u8; BLOCK as usize] {
        &self.header
    }

    /// What follows that header and belongs to its entry: more of its list of holes, its body, padding. From one offset to another;
    /// only before its body is read.
    pub(super) fn behind_header(&self) -> (u64, u64) {
        let end = self.at().saturating_add(self.body).saturating_add(self.padding);
        (self.header_end, end)
    }

    /// Offset after the last byte that was looked at.
    pub(super) fn at(&self) -> u64 {
        self.base.saturating_add(self.at)
    }

    /// The next entry, or none when the archive ended as it should. A body that was not read is passed over.
    ///
    /// # Errors
    /// [`Stop`]
    pub(super) fn next(&mut self) -> Walked<Option<Entry>> {
        if self.ended {
            return Ok(None);
        }
        self.pass_body()?;
        let (mut long_name, mut long_size) = (None, None);
        loop {
            let start = self.at;
            let block = match self.block()? {
                Ok(block) => block,
                Err(rest) => {
                    let between = rest.is_empty() && long_name.is_none() && long_size.is_none();
                    if !self.needs_end && between && start > 0 {
                        self.ended = true;
                        return Ok(None);
                    }
                    return Err(self.damage("", start, self.cut(start, &rest)));
                }
            };
            if block.iter().all(|byte| *byte == 0) {
                return self.end(start).map(|()| None);
            }
            let decoded = header::decode(&block).map_err(|what| self.damage("", start, self.no_header(start, &block, what)))?;
            self.counters.entries += 1;
            if self.counters.entries > MAX_ENTRIES {
                return Err(self.limit(start, format!("it has more than {MAX_ENTRIES} entries")));
            }
            self.padding = (BLOCK - decoded.stored % BLOCK) % BLOCK;
            self.body = decoded.stored;
            (self.header, self.header_end) = (block, self.at());
            match decoded.kind {
                EntryKind::LongName => long_name = Some(self.attributes(start, MAX_NAME)?),
                EntryKind::Pax => {
                    let attributes = self.attributes(start, MAX_ATTRIBUTES)?;
                    let what = |what| self.damage("", start, what);
                    (long_name, long_size) = pax(&attributes, long_name, long_size).map_err(what)?;
                }
                EntryKind::Aside => self.pass_body()?,
                EntryKind::File | EntryKind::Sparse | EntryKind::Directory => {
                    return self.entry(decoded, start, long_name, long_size).map(Some);
                }
            }
        }
    }

    /// An entry with a body; `long_name` and `long_size` were given before it.
    fn entry(
        &mut self,
        decoded: header::Decoded,
        start: u64,
        long_name: Option<Vec<u8>>,
        long_size: Option<u64>,
    ) -> Walked<Entry> {
        let path = long_name.unwrap_or_else(|| decoded.path.clone());
        let path = clean(&path).map_err(|what| self.damage(&shown(&path), start, what))?;
        let mut entry = Entry {
            path,
            directory: decoded.kind == EntryKind::Directory,
            offset: self.base.saturating_add(start),
            stored: decoded.stored,
            size: decoded.size,
            spans: None,
        };
        if let Some(size) = long_size {
            (entry.stored, entry.size) = (size, size);
            self.body = size;
            self.padding = (BLOCK - size % BLOCK) % BLOCK;
        }
        if decoded.kind == EntryKind::Sparse {
            entry.spans = Some(self.spans(&entry, decoded.spans, decoded.extended, start)?);
        }
        self.last.clone_from(&entry.path);
        Ok(entry)
    }

    /// What is said of a block that is no header.
    fn no_header(&self, start: u64, block: &[u8], what: String) -> String {
        let first = start == 0 && self.last.is_empty();
        match first && !block.starts_with(b"./") && what.contains("no tar header") {
            true => strange::words(block, true).unwrap_or_else(|| "this is no tar archive".into()),
            false if self.last.is_empty() => what,
            false => format!("after {}: {what}", self.last_entry()),
        }
    }

    /// What is said of an archive that ends where a header should be: after `rest` of one.
    fn cut(&self, start: u64, rest: &[u8]) -> String {
        match (start, rest.is_empty()) {
            (0, true) => "it is empty".to_owned(),
            (0, false) if self.last.is_empty() => {
                strange::words(rest, false).unwrap_or_else(|| "it is cut in its first header".into())
            }
            (_, true) => format!("it is cut: no end blocks follow {}", self.last_entry()),
            (_, false) => format!("it is cut in the header that follows {}", self.last_entry()),
        }
    }

    fn last_entry(&self) -> String {
        if self.last.is_empty() { "its beginning".into() } else { sanitise(&format!("{}{}", self.within, self.last)) }
    }

    /// Two blocks of zeros end an archive; what Qdrant pads behind them does not matter.
    fn end(&mut self, start: u64) -> Walked<()> {
        match self.block()? {
            Ok(block) if block.iter().all(|byte| *byte == 0) => {
                self.ended = true;
                Ok(())
            }
            Ok(_) => Err(self.damage("", start, format!("after {} a single block of zeros stands in it", self.last_entry()))),
            Err(_) => Err(self.damage("", start, format!("it is cut in its end blocks, which follow {}", self.last_entry()))),
        }
    }

    fn pass_body(&mut self) -> Walked<()> {
        let wanted = self.body.saturating_add(self.padding);
        let passed = self.bytes.skip(wanted)?;
        self.at = self.at.saturating_add(passed);
        let missing = wanted - passed;
        (self.body, self.padding) = (0, 0);
        if missing > 0 {
            let what = format!("it is cut: {} are missing here", crate::domain::size::bytes(missing));
            return Err(self.damage(&self.last.clone(), self.at, what));
        }
        Ok(())
    }

    fn attributes(&mut self, start: u64, most: u64) -> Walked<Vec<u8>> {
        if self.body > most {
            return Err(self.damage("", start, format!("the name or attributes of an entry take {} bytes", self.body)));
        }
        let mut text = vec![0; self.body as usize];
        let n = fill(self.bytes, &mut text)?;
        self.at = self.at.saturating_add(n as u64);
        self.body -= n as u64;
        self.pass_body()?;
        while text.last() == Some(&0) {
            text.pop();
        }
        Ok(text)
    }

    fn spans(&mut self, entry: &Entry, mut spans: Vec<(u64, u64)>, mut more: bool, start: u64) -> Walked<Vec<(u64, u64)>> {
        while more {
            if spans.len() > MAX_SPANS {
                return Err(self.damage(&entry.path, start, format!("it has more than {MAX_SPANS} sparse parts")));
            }
            let Ok(block) = self.block()? else {
                return Err(self.damage(&entry.path, start, "it is cut in its list of sparse parts"));
            };
            more = header::decode_spans(&block, &mut spans).map_err(|what| self.damage(&entry.path, start, what))?;
        }
        let (mut end, mut total) = (0_u64, 0_u64);
        for (offset, length) in &spans {
            let after = offset.checked_add(*length).filter(|after| *offset >= end && *after <= entry.size);
            let Some(after) = after else {
                return Err(self.damage(&entry.path, start, "its sparse parts overlap or lie outside"));
            };
            end = after;
            total += length;
        }
        if total != entry.stored {
            return Err(self.damage(&entry.path, start, "its sparse parts are not what is stored"));
        }
        Ok(spans)
    }

    /// The body of the entry that came last, if it is no larger than `most`.
    ///
    /// # Errors
    /// [`Stop`]
    pub(super) fn read(&mut self, entry: &Entry, most: u64) -> Walked<Vec<u8>> {
        if entry.size > most {
            let what = format!("{} takes {}, more than is read into memory", sanitise(&entry.path), size_words(entry.size));
            return Err(self.limit(entry.offset.saturating_sub(self.base), what));
        }
        let mut content = vec![0; entry.size as usize];
        let n = self.inside(entry, |bytes, _, _| Ok(fill(bytes, &mut content)?))?;
        if (n as u64) < entry.size {
            // Says where, as for every other cut.
            self.pass_body()?;
        }
        content.truncate(n);
        Ok(content)
    }

    /// The beginning of the body of the entry that came last, `most` bytes of it, or fewer where it is shorter or cut.
    ///
    /// # Errors
    /// [`Stop`]
    pub(super) fn head(&mut self, entry: &Entry, most: u64) -> Walked<Vec<u8>> {
        let mut head = vec![0; entry.size.min(most) as usize];
        let n = self.inside(entry, |bytes, _, _| Ok(fill(bytes, &mut head)?))?;
        head.truncate(n);
        Ok(head)
    }

    /// Lends the body of the entry that came last, holes filled in, with the counters and the offset where it
    /// starts.
    ///
    /// # Errors
    /// [`Stop`], or what `work` gives.
    pub(super) fn inside<T>(
        &mut self,
        entry: &Entry,
        work: impl FnOnce(&mut dyn Bytes, &mut Counters, u64) -> Walked<T>,
    ) -> Walked<T> {
        let start = self.base.saturating_add(self.at);
        let mut body = Limited::new(self.bytes, self.body);
        let result = match entry.spans.clone() {
            Some(spans) => work(&mut Expanded::new(&mut body, spans, entry.size), self.counters, start),
            None => work(&mut body, self.counters, start),
        };
        let read = self.body - body.left();
        self.at = self.at.saturating_add(read);
        self.body -= read;
        result
    }
}

/// Takes name and size out of attributes: `LENGTH KEY=VALUE\n` each.
fn pax(attributes: &[u8], name: Option<Vec<u8>>, size: Option<u64>) -> Result<(Option<Vec<u8>>, Option<u64>), String> {
    let (mut name, mut size) = (name, size);
    let wrong = || "its attributes cannot be read".to_owned();
    let mut rest = attributes;
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
        let length = std::str::from_utf8(&rest[..space]).ok().and_then(|text| text.parse::<usize>().ok()).ok_or_else(wrong)?;
        if length <= space || length > rest.len() {
            return Err(wrong());
        }
        let record = &rest[space + 1..length];
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => name = Some(value.to_vec()),
            b"size" => size = Some(std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err("it is sparse in the way of pax, which Qdrant does not unpack".into());
            }
            _ => {}
        }
        rest = &rest[length..];
    }
    Ok((name, size))
}

fn shown(path: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(path), 120)
}

/// A name that stays where it belongs.
pub(super) fn clean(path: &[u8]) -> Result<String, String> {
    if path.len() as u64 > MAX_NAME {
        return Err(format!("its name takes {} bytes", path.len()));
    }
    let path = std::str::from_utf8(path).map_err(|_| "its name is not UTF-8".to_owned())?;
    if path.starts_with('/') {
        return Err("its name is absolute: unpacked, it would land elsewhere".into());
    }
    if path.split('/').any(|part| part == "..") {
        return Err("its name has `..`: unpacked, it would land elsewhere".into());
    }
    // What only hides or turns text is shown as a sign of replacement; names of people's own may have it.
    if path.chars().any(char::is_control) {
        return Err("its name has control characters".into());
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    Ok(parts.join("/"))
}
