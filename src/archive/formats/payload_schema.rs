//! Which payload fields are indexed, and how: `payload_index.json` of a collection and `payload_index/config.json` of a
//! segment. Parsed as strictly as a server does it.

use crate::archive::formats::documents::parse;
use crate::archive::formats::wrong::{Checked, Wrong};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct OfCollection {
    schema: BTreeMap<Path, Field>,
}

/// Checks a `payload_index.json`.
///
/// # Errors
/// What is wrong with it.
pub fn of_collection(text: &[u8]) -> Checked {
    parse::<OfCollection>(text).map(drop).map_err(Wrong::damage)
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Indexed {
    indexed_fields: BTreeMap<Path, Field>,
    #[serde(default)]
    indexed_types: BTreeMap<Path, Vec<Kind>>,
}

/// Checks a `payload_index/config.json`.
///
/// # Errors
/// What is wrong with it.
pub fn indexed(text: &[u8]) -> Checked {
    parse::<Indexed>(text).map(drop).map_err(Wrong::damage)
}

/// A path into a payload: names, quoted where they have other signs than letters and digits, and indexes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Path(String);

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if is_path(&text) { Ok(Self(text)) } else { Err(D::Error::custom("the name of a field is none")) }
    }
}

fn is_path(text: &str) -> bool {
    let Some(mut rest) = after_name(text) else { return false };
    while !rest.is_empty() {
        let next = match rest.strip_prefix('.') {
            Some(name) => after_name(name),
            None => after_index(rest),
        };
        match next {
            Some(next) => rest = next,
            None => return false,
        }
    }
    true
}

fn after_name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = quoted.find(['"', '\\'])?;
        return quoted[end..].strip_prefix('"');
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(text.len());
    (end > 0).then(|| &text[end..])
}

fn after_index(text: &str) -> Option<&str> {
    let (index, rest) = text.strip_prefix('[')?.split_once(']')?;
    let is_number = index.bytes().all(|byte| byte.is_ascii_digit()) && (index.is_empty() || index.parse::<u64>().is_ok());
    is_number.then_some(rest)
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only whether it can be read matters")]
enum Field {
    Word(FieldType),
    Options(Box<Options>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum FieldType {
    Keyword,
    Integer,
    Float,
    Geo,
    Text,
    Bool,
    Datetime,
    Uuid,
}

/// Options of any type. That an option belongs to another type is no error to a server.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[expect(dead_code, reason = "only whether it can be read matters")]
enum Options {
    Keyword { is_tenant: Option<bool>, on_disk: Option<bool> },
    Integer { lookup: Option<bool>, range: Option<bool>, is_principal: Option<bool>, on_disk: Option<bool> },
    Float { is_principal: Option<bool>, on_disk: Option<bool> },
    Geo { on_disk: Option<bool> },
    Text(Box<Text>),
    Bool { on_disk: Option<bool> },
    Datetime { is_principal: Option<bool>, on_disk: Option<bool> },
    Uuid { is_tenant: Option<bool>, on_disk: Option<bool> },
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Text {
    #[serde(default)]
    tokenizer: Tokenizer,
    min_token_len: Option<u64>,
    max_token_len: Option<u64>,
    lowercase: Option<bool>,
    ascii_folding: Option<bool>,
    phrase_matching: Option<bool>,
    stopwords: Option<Stopwords>,
    on_disk: Option<bool>,
    stemmer: Option<Stemmer>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Tokenizer {
    Prefix,
    Whitespace,
    #[default]
    Word,
    Multilingual,
}

/// Languages are not checked: every version knows others.
#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only whether it can be read matters")]
enum Stopwords {
    Language(String),
    Set { languages: Option<Vec<String>>, custom: Option<Vec<String>> },
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Stemmer {
    r#type: StemmerType,
    language: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum StemmerType {
    Snowball,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Kind {
    index_type: IndexType,
    mutability: Mutability,
    storage_type: Storage,
}

#[derive(Deserialize)]
enum IndexType {
    #[serde(rename = "int_index")]
    Int,
    #[serde(rename = "datetime_index")]
    Datetime,
    #[serde(rename = "int_map_index")]
    IntMap,
    #[serde(rename = "keyword_index")]
    Keyword,
    #[serde(rename = "float_index")]
    Float,
    #[serde(rename = "geo_index")]
    Geo,
    #[serde(rename = "full_text_index")]
    FullText,
    #[serde(rename = "bool_index")]
    Bool,
    #[serde(rename = "uuid_index")]
    Uuid,
    #[serde(rename = "uuid_map_index")]
    UuidMap,
    #[serde(rename = "null_index")]
    Null,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mutability {
    Mutable,
    Immutable,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only whether it can be read matters")]
enum Storage {
    Gridstore,
    RocksDb,
    Mmap { is_on_disk: bool },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_a_server_reads_them() {
        for good in ["k", "a.b", "a[].b[3]", "\"with space\".x", "übung-1_2", "a[]"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["", "+", "a.", "a..b", "a b", "a[x]", "a[", "\"open", "\"a\\\"b\"", ".a", "a]"] {
            assert!(!is_path(bad), "{bad}");
        }
    }

    #[test]
    fn schemas_are_read_as_a_server_reads_them() {
        for good in [
            r#"{"schema":{}}"#,
            r#"{"schema":{"k":"keyword","n":{"type":"integer","lookup":true,"range":false,"later":1}}}"#,
            r#"{"schema":{"t":{"type":"text","tokenizer":"multilingual","stopwords":"english","stemmer":{"type":"snowball","language":"english"}}}}"#,
            r#"{"schema":{"t":{"type":"text","stopwords":{"languages":["german"],"custom":["x"]}}}}"#,
        ] {
            assert!(of_collection(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            r#"{"schemb":{}}"#,
            r#"{"schema":{"+":"keyword"}}"#,
            r#"{"schema":{"k":"keyworc"}}"#,
            r#"{"schema":{"k":{"type":"integes"}}}"#,
            r#"{"schema":{"k":{"type":"bool","on_disk":1}}}"#,
            r#"{"schema":{"t":{"type":"text","tokenizer":"wore"}}}"#,
        ] {
            assert!(of_collection(bad.as_bytes()).is_err(), "{bad}");
        }
        let indexed_with = |kind: &str| {
            indexed(format!(r#"{{"indexed_fields":{{"k":"keyword"}},"indexed_types":{{"k":[{kind}]}}}}"#).as_bytes())
        };
        assert!(indexed_with(r#"{"index_type":"keyword_index","mutability":"mutable","storage_type":"gridstore"}"#).is_ok());
        assert!(
            indexed_with(r#"{"index_type":"null_index","mutability":"immutable","storage_type":{"mmap":{"is_on_disk":true}}}"#)
                .is_ok()
        );
        assert!(indexed_with(r#"{"index_type":"keyword_indey","mutability":"mutable","storage_type":"gridstore"}"#).is_err());
        assert!(indexed_with(r#"{"index_type":"keyword_index","mutabilitx":"mutable","storage_type":"gridstore"}"#).is_err());
        assert!(indexed(br#"{"indexed_fiends":{}}"#).is_err());
    }
}
