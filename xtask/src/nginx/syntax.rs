//! Reading nginx configuration as a tree, with our own includes put in their places.

use anyhow::{Context as _, Result, bail};

/// One directive; `block` is what its braces hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directive {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) block: Vec<Directive>,
}

impl Directive {
    /// The first argument, or nothing.
    pub(crate) fn first(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    /// The directives of this name in the block.
    pub(crate) fn find<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.block.iter().filter(move |d| d.name == name)
    }
}

/// Parses a file. `read` returns the text of an included `syfthub/NAME`.
pub(crate) fn parse(text: &str, read: &dyn Fn(&str) -> Result<String>) -> Result<Vec<Directive>> {
    let words = words(text);
    let mut at = 0;
    let tree = block(&words, &mut at, read)?;
    if at < words.len() {
        bail!("a closing brace too many");
    }
    Ok(tree)
}

fn block(words: &[String], at: &mut usize, read: &dyn Fn(&str) -> Result<String>) -> Result<Vec<Directive>> {
    let mut found = Vec::new();
    let mut line: Vec<String> = Vec::new();
    while let Some(word) = words.get(*at) {
        match word.as_str() {
            "}" => break,
            ";" => {
                let mut parts = std::mem::take(&mut line).into_iter();
                let name = parts.next().context("an empty directive")?;
                let arguments: Vec<String> = parts.collect();
                let own =
                    arguments.first().and_then(|a| a.strip_prefix("syfthub/")).filter(|_| name == "include");
                match own {
                    Some(file) => found.extend(parse(&read(file)?, read)?),
                    None => found.push(Directive { name, arguments, block: Vec::new() }),
                }
            }
            "{" => {
                *at += 1;
                let inner = block(words, at, read)?;
                let mut parts = std::mem::take(&mut line).into_iter();
                let name = parts.next().context("a block without a name")?;
                found.push(Directive { name, arguments: parts.collect(), block: inner });
                if words.get(*at).is_none() {
                    bail!("a closing brace is missing");
                }
            }
            _ => line.push(word.clone()),
        }
        *at += 1;
    }
    Ok(found)
}

/// Words, braces and semicolons; quotes are taken off, comments are left out.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '#' if word.is_empty() => while characters.next_if(|c| *c != '\n').is_some() {},
            '"' | '\'' if word.is_empty() => {
                while let Some(inner) = characters.next_if(|inner| *inner != c) {
                    word.push(inner);
                }
                characters.next();
                found.push(std::mem::take(&mut word));
            }
            // `${name}` is one word.
            '{' if word.ends_with('$') => word.push(c),
            '}' if word.contains("${") => word.push(c),
            ';' | '{' | '}' => {
                if !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
                found.push(c.to_string());
            }
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_quotes_comments_and_includes() {
        let text =
            "# top\nserver { listen 80; include syfthub/x.conf; location ~ \"a{1}\" { return 200 'a; b'; } }";
        let tree = parse(text, &|name| Ok(format!("set $file {name};"))).unwrap();
        let server = &tree[0];
        assert_eq!(server.name, "server");
        assert_eq!(server.block[1].arguments, ["$file", "x.conf"]);
        assert_eq!(server.block[2].arguments, ["~", "a{1}"]);
        assert_eq!(server.block[2].block[0].arguments, ["200", "a; b"]);
    }

    #[test]
    fn unbalanced_braces_are_errors() {
        let nothing = |_: &str| Ok(String::new());
        assert!(parse("server { listen 80;", &nothing).is_err());
        assert!(parse("listen 80; }", &nothing).is_err());
    }
}
