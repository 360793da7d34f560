//! Paths into payloads: `a.b`, `list[].c`, `list[0]`, `"a key.with dots"`.

use serde_json::Value;

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    Each,
    At(usize),
}

/// Splits a path; `None` for what is none.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    loop {
        let key = if let Some(quoted) = rest.strip_prefix('"') {
            let (key, after) = quoted.split_once('"')?;
            rest = after;
            key
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            rest = after;
            Some(key).filter(|key| !key.is_empty())?
        };
        steps.push(Step::Key(key.to_owned()));
        while let Some(inside) = rest.strip_prefix('[') {
            let (number, after) = inside.split_once(']')?;
            steps.push(if number.is_empty() { Step::Each } else { Step::At(number.parse().ok()?) });
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Some(steps),
            None => return None,
        }
    }
}

/// Whether a text is a path.
pub(super) fn is_valid(path: &str) -> bool {
    steps(path).is_some()
}

/// The values at a path; those of a list at its end one by one.
pub(super) fn values<'a>(payload: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![payload];
    for step in steps(path).unwrap_or_default() {
        found = match step {
            Step::Key(key) => found.into_iter().filter_map(|value| value.get(&key)).collect(),
            Step::At(at) => found.into_iter().filter_map(|value| value.get(at)).collect(),
            Step::Each => found.into_iter().filter_map(Value::as_array).flatten().collect(),
        };
    }
    let flat = found.into_iter().flat_map(|value| value.as_array().map_or(vec![value], |list| list.iter().collect()));
    flat.filter(|value| !value.is_null()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_followed() {
        let payload = json!({"a": {"b": 1}, "list": [{"c": 2}, {"c": [3, 4]}], "a key.x": 5, "none": null});
        let of = |path| values(&payload, path).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(of("a.b"), [json!(1)]);
        assert_eq!(of("list[].c"), [json!(2), json!(3), json!(4)]);
        assert_eq!(of("list[0].c"), [json!(2)]);
        assert_eq!(of("\"a key.x\""), [json!(5)]);
        assert!(of("none").is_empty() && of("a.z").is_empty());
        for bad in ["", "a b", "a.", ".a", "a[", "\"a", "a[x]"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
