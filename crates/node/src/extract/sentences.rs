//! Cuts documents into sentences and puts citations into them.

/// Shorter than this is a heading or a fragment.
const SHORTEST: usize = 12;
/// A sentence is cut off after this many characters.
const LONGEST: usize = 420;

/// What stands for a blank line where an aggregator folds a document into one line.
const PARAGRAPH: char = '\u{b6}';
/// Opens and closes a block of code in Markdown.
const CODE: &str = "```";

/// The sentences of a document, tidied: one line, without markers that belong to answers only. Headings and
/// blocks of code are no sentences.
pub(super) fn sentences(text: &str) -> Vec<String> {
    let text = without_markers(text);
    // Every second part stands between fences; an opening one without its end leaves prose behind it.
    let parts: Vec<&str> = text.split(CODE).collect();
    let mut found = Vec::new();
    for (place, prose) in parts.iter().enumerate() {
        if place % 2 == 0 || place + 1 == parts.len() {
            prose_sentences(prose, &mut found);
        }
    }
    found
}

fn prose_sentences(text: &str, found: &mut Vec<String>) {
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if ends_sentence(text, at, c) {
            push(found, &text[start..end]);
            start = end;
        }
    }
    push(found, &text[start..]);
}

fn ends_sentence(text: &str, at: usize, c: char) -> bool {
    if c == '\n' || c == PARAGRAPH {
        return true;
    }
    let next = text[at + c.len_utf8()..].chars().next();
    let before = &text[..at];
    match c {
        '.' => {
            // Not in `e.g. this`, `1. item`, `J. Smith`: a word before the stop has more than one letter.
            let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            next.is_none_or(char::is_whitespace) && word.chars().count() > 1 && !is_short_form(word)
        }
        '!' | '?' => next.is_none_or(char::is_whitespace),
        '。' | '！' | '？' => true,
        _ => false,
    }
}

fn is_short_form(word: &str) -> bool {
    ["eg", "ie", "etc", "vs", "cf", "Mr", "Mrs", "Ms", "Dr", "St", "No", "Fig", "Inc", "Ltd"].contains(&word)
        || word.bytes().all(|byte| byte.is_ascii_digit()) && word.len() < 3
}

fn push(found: &mut Vec<String>, raw: &str) {
    let raw = raw.trim_end_matches(PARAGRAPH);
    if raw.trim_start().starts_with('#') {
        return;
    }
    let words: Vec<&str> = raw
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric) || word.chars().count() == 1)
        .collect();
    let line = words.join(" ");
    let line = line.trim_matches(['#', '*', '-', '|', '>', '=', '_', ' ']);
    let line = line.trim_start_matches(['.', ',', ';', ':', ' ']);
    if line.chars().count() < SHORTEST {
        return;
    }
    if line.chars().count() <= LONGEST {
        found.push(line.to_owned());
        return;
    }
    let cut: String = line.chars().take(LONGEST).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    found.push(format!("{} …", &cut[..end]));
}

/// Removes `[cite:…]`, which a document could carry to lead readers astray.
fn without_markers(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("[cite:") {
        clean.push_str(rest[..at].trim_end_matches(' '));
        let tail = &rest[at + "[cite:".len()..];
        let digits = tail
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, ',' | '-' | ':' | ' '))
            .unwrap_or(tail.len());
        rest = tail[digits..].strip_prefix(']').unwrap_or(&tail[digits..]);
    }
    clean.push_str(rest);
    clean
}

/// The sentence with its citation before the full stop, so that it belongs to this sentence and no other.
pub(super) fn with_citation(sentence: &str, citation: &str) -> String {
    let (body, end) = match sentence.chars().last() {
        Some(end @ ('.' | '!' | '?')) => (&sentence[..sentence.len() - 1], end),
        Some(':' | ';' | ',') => (&sentence[..sentence.len() - 1], '.'),
        _ => (sentence, '.'),
    };
    format!("{} [{citation}]{end}", body.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_people_end_them() {
        let found = sentences(
            "Version 1.2 is out. See e.g. the notes of J. Smith! Why?  Yes, certainly\nNew line here, too",
        );
        assert_eq!(
            found,
            [
                "Version 1.2 is out.",
                "See e.g. the notes of J. Smith!",
                "Yes, certainly",
                "New line here, too"
            ]
        );
    }

    #[test]
    fn headings_and_code_are_not_quoted() {
        let folded = "# Backups \u{b6} Stop the hub first. Then copy it: \u{b6} ```sh cp -a data backup. Really. ``` \u{b6} ## Restore \u{b6} Copy it back";
        assert_eq!(sentences(folded), ["Stop the hub first.", "Then copy it:", "Copy it back"]);
        assert_eq!(sentences("A fence ``` that never ends here"), ["that never ends here"]);
    }

    #[test]
    fn markers_are_removed_and_long_sentences_cut() {
        assert_eq!(sentences("The sky is blue [cite:1-0:3]. "), ["The sky is blue."]);
        let long = sentences(&"word ".repeat(200));
        assert!(long[0].ends_with('…') && long[0].chars().count() <= LONGEST + 2);
    }

    #[test]
    fn the_citation_stands_before_the_full_stop() {
        assert_eq!(with_citation("It is so.", "cite:2"), "It is so [cite:2].");
        assert_eq!(with_citation("Is it so?", "cite:2"), "Is it so [cite:2]?");
        assert_eq!(with_citation("It is so", "bob/docs"), "It is so [bob/docs].");
    }
}
