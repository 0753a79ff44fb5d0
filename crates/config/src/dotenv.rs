//! Reading a `.env` file as Docker Compose does. Its own reader because messages must name the line and
//! never show it (it may hold a secret), and because `${NAME}` must not look at the process by itself.

use std::collections::BTreeMap;

use crate::Problem;

/// Reads lines of `NAME=value`, with comments, `export`, quotes and `${NAME}` / `${NAME:-default}`.
/// `outer` supplies names that the file does not set above. Faults do not stop the reading.
pub(crate) fn parse(
    text: &str,
    outer: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match read_line(line.trim(), &|name| outer(name).or_else(|| values.get(name).cloned())) {
            Ok(Some((name, value))) => {
                values.insert(name, value);
            }
            Ok(None) => {}
            Err(message) => problems
                .push(Problem { setting: format!(".env line {}", index + 1), message: message.to_owned() }),
        }
    }
    values
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

fn read_line(line: &str, lookup: Lookup<'_>) -> Result<Option<(String, String)>, &'static str> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=').ok_or("expects NAME=value, or a comment that starts with #")?;
    let name = name.trim_end();
    let is_name =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if name.is_empty() || !is_name(name) {
        return Err("expects a name of letters, digits and _ before the =");
    }
    Ok(Some((name.to_ascii_uppercase(), read_value(value.trim(), lookup)?)))
}

fn read_value(value: &str, lookup: Lookup<'_>) -> Result<String, &'static str> {
    match value.chars().next() {
        Some('\'') => quoted(value, '\''),
        Some('"') => Ok(expand(&unescape(&quoted(value, '"')?), lookup)),
        _ => {
            // A comment begins at a # after white space; inside a word it belongs to the value.
            let end = value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len());
            let value = if value.starts_with('#') { "" } else { value[..end].trim_end() };
            Ok(expand(value, lookup))
        }
    }
}

fn quoted(value: &str, quote: char) -> Result<String, &'static str> {
    let inner = &value[1..];
    let mut escaped = false;
    for (index, c) in inner.char_indices() {
        if c == quote && !escaped {
            let rest = inner[index + 1..].trim_start();
            let clean = rest.is_empty() || rest.starts_with('#');
            return if clean {
                Ok(inner[..index].to_owned())
            } else {
                Err("has text after the closing quote")
            };
        }
        escaped = quote == '"' && c == '\\' && !escaped;
    }
    Err("has no closing quote on the same line")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some(other @ ('"' | '\\' | '$'))) => out.push(other),
            ('\\', Some(other)) => out.extend(['\\', other]),
            (c, _) => out.push(c),
        }
    }
    out
}

/// Replaces `${NAME}` and `${NAME:-default}`. A bare `$` stays, since passwords contain it.
fn expand(text: &str, lookup: Lookup<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..start + length];
        let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
        let value = lookup(&name.to_ascii_uppercase()).filter(|value| !value.is_empty());
        out.push_str(value.as_deref().unwrap_or(default));
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::parse;

    #[test]
    fn reads_what_compose_reads() {
        let text = "# comment\n\nexport A=1\r\nb = two words # note\nC='raw ${A} # no'\nD=\"x\\n${A}\"\n\
                    E=pw#1/+=\nF=${MISSING:-fallback}/${OUTER}/$A\nG=\nH=$(openssl rand -hex 32)";
        let mut problems = Vec::new();
        let outer = |name: &str| (name == "OUTER").then(|| "outside".to_owned());
        let values = parse(text, &outer, &mut problems);
        assert_eq!(problems, []);
        let get = |name: &str| values.get(name).map(String::as_str);
        assert_eq!(get("A"), Some("1"));
        assert_eq!(get("B"), Some("two words"));
        assert_eq!(get("C"), Some("raw ${A} # no"));
        assert_eq!(get("D"), Some("x\n1"));
        assert_eq!(get("E"), Some("pw#1/+="));
        assert_eq!(get("F"), Some("fallback/outside/$A"));
        assert_eq!(get("G"), Some(""));
        assert_eq!(get("H"), Some("$(openssl rand -hex 32)"));
    }

    #[test]
    fn names_faulty_lines_without_showing_them() {
        let mut problems = Vec::new();
        let values =
            parse("GOOD=1\nhunter2\nX=\"open hunter2\n=hunter2\nY='a' hunter2", &|_| None, &mut problems);
        assert_eq!(values.len(), 1);
        let lines: Vec<&str> = problems.iter().map(|problem| problem.setting.as_str()).collect();
        assert_eq!(lines, [".env line 2", ".env line 3", ".env line 4", ".env line 5"]);
        assert!(!format!("{problems:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ -~\n\"'$={}\\\\#é]{0,80}") {
            parse(&text, &|_| None, &mut Vec::new());
        }
    }
}
