//! Comma-separated lists in header fields (RFC 9110 section 5.6.1).

/// Splits a header value at `separator`, but not inside quoted strings; parts are trimmed, empty ones left out. The line
/// break of a folded line is white space too (RFC 9112 section 5.2).
pub(crate) fn split_list(value: &str, separator: char) -> impl Iterator<Item = &str> {
    // Quotes are rare, and without them nothing has to be remembered.
    let may_be_quoted = value.contains('"');
    let mut quoted = false;
    let mut escaped = false;
    value
        .split(move |character: char| {
            let splits = character == separator && !quoted;
            if may_be_quoted {
                quoted ^= character == '"' && !escaped;
                escaped = quoted && character == '\\' && !escaped;
            }
            splits
        })
        .map(|part| part.trim_matches([' ', '\t', '\r', '\n']))
        .filter(|part| !part.is_empty())
}

/// Whether a list has a token, in any case.
pub(crate) fn has_token(value: &[u8], token: &str) -> bool {
    // Most have this one alone.
    value == token.as_bytes()
        || value
            .split(|byte| *byte == b',')
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_of_quotes() {
        let found: Vec<&str> = split_list(r#" a, "b,\",c" ,, d;e="x,y" "#, ',').collect();
        assert_eq!(found, ["a", r#""b,\",c""#, r#"d;e="x,y""#]);
    }
}
