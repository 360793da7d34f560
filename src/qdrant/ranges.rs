//! Byte ranges in HTTP headers: asking for them, and not believing an answer that gives others. Pure.

use crate::qdrant::api::Wanted;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap};

/// What a download's headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Offset of the first byte of the body.
    pub from: u64,
    /// One past the last byte of the body, where a part comes.
    pub to: Option<u64>,
    /// Size of the whole file.
    pub total: Option<u64>,
    /// A strong ETag.
    pub etag: Option<String>,
    /// Whether parts can be had of exactly this version.
    pub ranged: bool,
}

/// The `Range` header; none for the whole file.
pub fn header(wanted: &Wanted) -> Option<String> {
    match (wanted.from, wanted.to) {
        (0, None) => None,
        (from, None) => Some(format!("bytes={from}-")),
        (from, Some(to)) => Some(format!("bytes={from}-{}", to.saturating_sub(1))),
    }
}

/// Reads the headers of a successful answer. A part that is not the wanted one is an error: writing it would
/// put the right bytes in the wrong place.
pub fn served(status: StatusCode, headers: &HeaderMap, wanted: &Wanted) -> Result<Served, String> {
    let text = |name| headers.get(name).and_then(|value: &reqwest::header::HeaderValue| value.to_str().ok());
    // A weak ETag promises equal meaning, not equal bytes.
    let etag = text(ETAG).filter(|etag| !etag.starts_with("W/")).map(str::to_owned);
    if status != StatusCode::PARTIAL_CONTENT {
        let offers = text(ACCEPT_RANGES).is_some_and(|unit| unit.trim().eq_ignore_ascii_case("bytes"));
        // A server that was asked for a part and sent more has just shown that it gives none, whatever it says.
        let length = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let all = wanted.from == 0 && wanted.to.is_none_or(|to| length == Some(to));
        let ranged = offers && etag.is_some() && all;
        return Ok(Served { from: 0, to: None, total: None, etag, ranged });
    }
    let range = text(CONTENT_RANGE).unwrap_or_default();
    let Some((from, to, total)) = content_range(range) else {
        return Err(format!("the answer has no usable Content-Range: `{range}`"));
    };
    let expected = wanted.to.map_or(total, |to| to.min(total));
    if from != wanted.from || to != expected {
        return Err(format!("other bytes came than were asked for: {from} to {to} instead of {} to {expected}", wanted.from));
    }
    let ranged = etag.is_some();
    Ok(Served { from, to: Some(to), total: Some(total), etag, ranged })
}

/// `bytes 0-499/1234` as first byte, one past the last, and total.
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, last) = range.split_once('-')?;
    let (from, last, total): (u64, u64, u64) = (from.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (from <= last && last < total).then(|| (from, last + 1, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(from: u64, to: Option<u64>) -> Wanted {
        Wanted { from, to, etag: None }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn ranges_are_asked_for_as_http_counts() {
        assert_eq!(header(&wanted(0, None)), None);
        assert_eq!(header(&wanted(5, None)).as_deref(), Some("bytes=5-"));
        assert_eq!(header(&wanted(0, Some(1))).as_deref(), Some("bytes=0-0"));
    }

    #[test]
    fn parts_are_taken_only_where_they_belong() {
        let part = |range: &str| {
            let headers = headers(&[("content-range", range), ("etag", "\"a\"")]);
            served(StatusCode::PARTIAL_CONTENT, &headers, &wanted(10, Some(20)))
        };
        let good = part("bytes 10-19/100").unwrap();
        assert_eq!((good.from, good.total, good.ranged), (10, Some(100), true));
        // The file is shorter than the wanted end.
        assert_eq!(part("bytes 10-14/15").unwrap().total, Some(15));
        for wrong in ["bytes 0-19/100", "bytes 10-29/100", "bytes 10-18/100", "bytes 10-19/*", "10-19/100", "", "bytes 19-10/100"]
        {
            assert!(part(wrong).is_err(), "{wrong}");
        }
        let max = format!("bytes 10-{}/{}", u64::MAX, u64::MAX);
        assert!(part(&max).is_err());
    }

    #[test]
    fn a_whole_answer_starts_at_zero_and_needs_an_etag_for_parts() {
        let whole = |pairs: &[(&'static str, &str)], from| served(StatusCode::OK, &headers(pairs), &wanted(from, None)).unwrap();
        assert!(whole(&[("accept-ranges", "bytes"), ("etag", "\"a\"")], 0).ranged);
        assert!(!whole(&[("accept-ranges", "bytes")], 0).ranged, "no ETag");
        assert!(!whole(&[("accept-ranges", "bytes"), ("etag", "W/\"a\"")], 0).ranged, "a weak ETag");
        assert!(!whole(&[("etag", "\"a\"")], 0).ranged, "no ranges");
        let ignored = whole(&[("accept-ranges", "bytes"), ("etag", "\"a\"")], 7);
        assert_eq!((ignored.from, ignored.ranged), (0, false), "the range was ignored");
        let probe = served(StatusCode::OK, &headers(&[("accept-ranges", "bytes"), ("etag", "\"a\"")]), &wanted(0, Some(1)));
        assert!(!probe.unwrap().ranged, "it offers ranges and gives none");
    }
}
