//! Comma-separated lists in header fields (RFC 9110 section 5.6.1).

/// Splits a header value at `separator`, but not inside quoted strings; parts are trimmed, empty ones left out.
pub fn split_list(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    value
        .split(move |character: char| {
            let splits = character == separator && !quoted;
            if escaped {
                escaped = false;
            } else {
                escaped = quoted && character == '\\';
                quoted ^= character == '"';
            }
            splits
        })
        .map(|part| part.trim_matches([' ', '\t']))
        .filter(|part| !part.is_empty())
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
