//! Finds the paths that a Rust file names: `crate::units::Origin`, `std::fs::File`. Not a parser: comments, strings
//! and characters are left out, `use` trees are spread, and `super` is resolved by the file's place.

/// A path that was named, and the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    /// From the crate's root if it began with `crate`, `self` or `super`; then the first part is `crate`.
    pub(crate) path: Vec<String>,
}

/// All paths that lead out of their own module, in the file that is the module `module` of its crate.
pub(crate) fn named(source: &str, module: &[&str]) -> Vec<Named> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    for (at, (line, token)) in tokens.iter().enumerate() {
        let kind = |offset: usize| tokens.get(at + offset).map(|(_, token)| token);
        match token {
            Token::Open => depth += 1,
            Token::Close => {
                depth -= 1;
                inline.pop_if(|(_, opened_at)| *opened_at > depth);
            }
            Token::Word(word) if word == "mod" => {
                if let (Some(Token::Word(name)), Some(Token::Open)) = (kind(1), kind(2)) {
                    inline.push((name.clone(), depth + 1));
                }
            }
            Token::Word(word)
                if begins_path(word) && kind(1) == Some(&Token::Separator) && !goes_on(&tokens, at) =>
            {
                let mut paths = Vec::new();
                tree(&tokens, at, &[], &mut paths);
                let here: Vec<&str> =
                    module.iter().copied().chain(inline.iter().map(|(name, _)| name.as_str())).collect();
                found.extend(paths.iter().map(|path| Named { line: *line, path: resolve(path, &here) }));
            }
            _ => {}
        }
    }
    found
}

/// Whether a word leads out of its own module if a separator follows it.
fn begins_path(word: &str) -> bool {
    matches!(word, "crate" | "self" | "super" | "std")
}

/// Whether the word at `at` goes on with a path that began before it.
fn goes_on(tokens: &[(usize, Token)], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| tokens[before].1 == Token::Separator)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Separator,
    Open,
    Close,
    Other(char),
}

/// Reads a path or a `use` tree from `at` on; returns where it ends.
fn tree(tokens: &[(usize, Token)], at: usize, before: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let kind = |at: usize| tokens.get(at).map(|(_, token)| token);
    match kind(at) {
        Some(Token::Word(word)) => {
            let path = [before, std::slice::from_ref(word)].concat();
            let goes_on = matches!(kind(at + 2), Some(Token::Word(_) | Token::Open | Token::Other('*')));
            if kind(at + 1) == Some(&Token::Separator) && goes_on {
                return tree(tokens, at + 2, &path, paths);
            }
            paths.push(path);
            at + 1
        }
        Some(Token::Open) => {
            let mut at = at + 1;
            while kind(at).is_some_and(|token| *token != Token::Close) {
                at = match kind(at) {
                    Some(Token::Word(_) | Token::Open) => tree(tokens, at, before, paths),
                    _ => at + 1,
                };
            }
            at + 1
        }
        _ => {
            paths.push([before, &["*".to_owned()]].concat());
            at + 1
        }
    }
}

/// Makes a path that begins with `self` or `super` begin with `crate`.
fn resolve(path: &[String], here: &[&str]) -> Vec<String> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let relative = supers > 0 || path.first().is_some_and(|part| part == "self");
    if !relative {
        return path.to_vec();
    }
    let module = here[..here.len().saturating_sub(supers)].iter().map(|part| (*part).to_owned());
    let rest = path.iter().skip(supers.max(1)).cloned();
    std::iter::once("crate".to_owned()).chain(module).chain(rest).collect()
}

fn tokens(source: &str) -> Vec<(usize, Token)> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphabetic() || first == '_' {
            let length =
                rest.find(|other: char| !other.is_alphanumeric() && other != '_').unwrap_or(rest.len());
            let word = &rest[..length];
            if let Some(string) = string_after_prefix(word, &rest[length..]) {
                length + string
            } else {
                found.push((line, Token::Word(word.to_owned())));
                length
            }
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            string(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            let separates = rest.starts_with("::");
            match first {
                _ if separates => found.push((line, Token::Separator)),
                '{' => found.push((line, Token::Open)),
                '}' => found.push((line, Token::Close)),
                other if other.is_whitespace() => {}
                other => found.push((line, Token::Other(other))),
            }
            if separates { 2 } else { first.len_utf8() }
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of the string that follows, if `word` is what may stand before one: `b"…"`, `r#"…"#`.
fn string_after_prefix(word: &str, rest: &str) -> Option<usize> {
    let raw = matches!(word, "r" | "br" | "cr");
    if raw {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let inside = rest[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(hashes + 1 + inside.find(&end).map_or(inside.len(), |at| at + end.len()));
    }
    let opens = matches!(word, "b" | "c") && rest.starts_with('"');
    if opens { Some(string(rest)) } else { (word == "b" && rest.starts_with('\'')).then(|| character(rest)) }
}

/// The length of the string at the front.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the character at the front, or of the quote of a lifetime.
fn character(text: &str) -> usize {
    let inside = &text[1..];
    if let Some(escape) = inside.strip_prefix('\\') {
        return escape.char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(text.len(), |(at, _)| at + 3);
    }
    let first = inside.chars().next().map_or(0, char::len_utf8);
    if inside[first..].starts_with('\'') { first + 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str, module: &[&str]) -> Vec<String> {
        named(source, module)
            .iter()
            .map(|named| format!("{} {}", named.line, named.path.join("::")))
            .collect()
    }

    #[test]
    fn use_trees_are_spread() {
        let source = "use crate::{units::{Origin, Span}, limits};\nuse std::fs;\nuse crate::text::*;";
        let expected = [
            "1 crate::units::Origin",
            "1 crate::units::Span",
            "1 crate::limits",
            "2 std::fs",
            "3 crate::text::*",
        ];
        assert_eq!(texts(source, &["a"]), expected);
    }

    #[test]
    fn what_is_inside_of_comments_and_text_is_no_path() {
        let source = "// crate::a::b\n/* crate::c\n */ let x = \"crate::d \\\" crate::e\"; r#\"crate::f\"\"#;\
                      b'\\''; '\"'; '\\u{7f}'; fn f<'a>() { crate::g::h::<'a>() } b\"crate::i\"";
        assert_eq!(texts(source, &["a"]), ["3 crate::g::h"]);
    }

    #[test]
    fn relative_paths_are_resolved_through_inline_modules() {
        let source =
            "use super::x;\nmod tests {\n use super::y;\n use super::super::super::z::W;\n}\nself::v();";
        let expected = ["1 crate::a::x", "3 crate::a::b::y", "4 crate::z::W", "6 crate::a::b::v"];
        assert_eq!(texts(source, &["a", "b"]), expected);
    }
}
