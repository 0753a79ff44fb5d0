//! Just enough of Rust's lexical rules to tell code from comments and strings.

/// A source file taken apart.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The file with comments and the contents of literals blanked, line by line as it was.
    pub(crate) code: String,
    /// Every string literal with the line (from 1) that it starts on.
    pub(crate) strings: Vec<(usize, String)>,
    /// Every line comment with its line, from its slashes on.
    pub(crate) comments: Vec<(usize, String)>,
}

impl Source {
    /// Reads one file's text.
    pub(crate) fn parse(text: &str) -> Self {
        let mut lexer = Lexer { rest: text, line: 1, out: Self::default() };
        while !lexer.rest.is_empty() {
            lexer.step();
        }
        lexer.out
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    out: Source,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.out.comments.push((self.line, self.rest[..end].to_owned()));
            self.blank(end);
        } else if self.rest.starts_with("/*") {
            let end = block_comment_end(self.rest);
            self.blank(end);
        } else if let Some((open, hashes)) = raw_string_start(self.rest, self.previous()) {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = &self.rest[open..];
            let length = body.find(&close).unwrap_or(body.len());
            self.string(open, length, close.len());
        } else if self.rest.starts_with('"') {
            let length = plain_string_length(&self.rest[1..]);
            self.string(1, length, 1);
        } else if let Some(length) = char_literal_length(self.rest) {
            self.blank(length);
        } else {
            let width = self.rest.chars().next().map_or(0, char::len_utf8);
            let (taken, rest) = self.rest.split_at(width);
            self.out.code.push_str(taken);
            self.line += usize::from(taken == "\n");
            self.rest = rest;
        }
    }

    fn previous(&self) -> Option<char> {
        self.out.code.chars().next_back()
    }

    fn blank(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.out.code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.line += taken.matches('\n').count();
        self.rest = rest;
    }

    fn string(&mut self, open: usize, length: usize, close: usize) {
        let text: &'a str = &self.rest[open..open + length];
        self.out.strings.push((self.line, text.to_owned()));
        self.blank(open + length + close);
    }
}

fn block_comment_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    text.len()
}

/// Length of the opening (`r#"`, `br"`, …) and its number of hashes, when a raw string starts here.
fn raw_string_start(text: &str, previous: Option<char>) -> Option<(usize, usize)> {
    if previous.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let after_prefix = ["br", "cr", "r"].iter().find_map(|p| text.strip_prefix(p))?;
    let hashes = after_prefix.bytes().take_while(|b| *b == b'#').count();
    after_prefix[hashes..].starts_with('"').then(|| (text.len() - after_prefix.len() + hashes + 1, hashes))
}

fn plain_string_length(body: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    body.len().saturating_sub(1)
}

/// Length of a character literal that starts here; a lifetime is not one.
fn char_literal_length(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    if let Some(escaped) = body.strip_prefix('\\') {
        return escaped.get(1..)?.find('\'').map(|end| end + 4);
    }
    let first = body.chars().next()?;
    body[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

/// A function with its place and the number of lines of its body that hold code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// All functions with a body, nested ones included.
pub(crate) fn functions(source: &Source) -> Vec<Function> {
    let code = &source.code;
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_word = code[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !starts_word || name.is_empty() {
            continue;
        }
        let Some(open) = body_start(&code[at..]) else { continue };
        let body = &code[at + open..at + open + block_length(&code[at + open..])];
        found.push(Function {
            name,
            line: code[..at].matches('\n').count() + 1,
            lines: body.lines().filter(|line| !line.trim().is_empty()).count().saturating_sub(2),
        });
    }
    found
}

/// Where the body's brace is, unless a semicolon ends the declaration first.
fn body_start(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn block_length(text: &str) -> usize {
    let mut depth = 0_i32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let source =
            Source::parse("let a = \"x // no\"; // env::var\n/* fn b() { /* in */ } */ let c = 'x';\n");
        assert!(!source.code.contains("env::var"));
        assert!(!source.code.contains("fn b"));
        assert_eq!(source.strings, [(1, "x // no".to_owned())]);
        assert_eq!(source.comments, [(1, "// env::var".to_owned())]);
        assert_eq!(source.code.lines().count(), 2);
    }

    #[test]
    fn raw_strings_lifetimes_and_escapes() {
        let source =
            Source::parse("fn f<'a>(x: &'a str) { g(r#\"SELECT \"1\"\"#, \"a\\\"b\", '\\'', '\\n'); }");
        assert_eq!(source.strings, [(1, "SELECT \"1\"".to_owned()), (1, "a\\\"b".to_owned())]);
        assert!(source.code.contains("fn f<'a>(x: &'a str)"));
        assert!(source.code.ends_with("); }"));
    }

    #[test]
    fn function_bodies_are_counted_without_blank_and_comment_lines() {
        let text = "fn a() {\n    one();\n\n    // why\n    two();\n}\ntrait T { fn b(&self); }\n";
        let found = functions(&Source::parse(text));
        assert_eq!(found, [Function { name: "a".into(), line: 1, lines: 2 }]);
    }
}
