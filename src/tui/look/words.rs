//! Advice in the words of this front end: what the command line calls a flag is a field or a key here.

/// What the command line says, and what is said here.
const TABLE: [(&str, &str); 4] = [
    ("allow overwriting it (--overwrite)", "set `if it exists` to overwrite"),
    ("overwrite anyway with --force proof", "overwrite anyway on the command line, with --force proof"),
    ("`qsnap inspect POINT --check`", "the inspector (i, then t)"),
    ("; a path that ends with / is always a folder", ", or end the path with /"),
];

/// Advice of a plan, as a form can follow it.
pub fn advice(text: &str) -> String {
    TABLE.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_advice_names_a_flag_where_there_is_a_field() {
        let said = advice("choose another folder or file name, or allow overwriting it (--overwrite)");
        assert_eq!(said, "choose another folder or file name, or set `if it exists` to overwrite");
        // What is replaced must be what the operations say.
        let sources = [
            include_str!("../../ops/verbs/download.rs"),
            include_str!("../../ops/gates.rs"),
            include_str!("../../ops/survey/contents.rs"),
        ]
        .concat();
        for (there, _) in TABLE {
            assert!(sources.contains(there), "{there}");
        }
    }
}
