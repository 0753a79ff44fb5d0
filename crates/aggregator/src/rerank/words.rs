//! Splits text into the words that ranking compares.

/// Calls `visit` for each word of `text` in lower case: runs of letters and digits, and each character
/// by itself in scripts that are written without blanks. A plural `s` is dropped.
pub(crate) fn each_word(text: &str, mut visit: impl FnMut(&str)) {
    let mut lower = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let (word, after) = rest.split_at(run);
        match after.bytes().next() {
            // The usual case: a word of ASCII that ends at an ASCII separator or with the text.
            None | Some(0..=0x7f) => {
                visit_ascii(word, &mut lower, &mut visit);
                rest = after.get(1..).unwrap_or_default();
            }
            Some(_) => rest = visit_unicode(rest, &mut lower, &mut visit),
        }
    }
}

fn visit_ascii(word: &str, lower: &mut String, visit: &mut impl FnMut(&str)) {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        lower.clear();
        lower.push_str(word);
        lower.make_ascii_lowercase();
        visit(stem(lower));
    } else if !word.is_empty() {
        visit(stem(word));
    }
}

/// Reads the word or the words up to the next separator and returns what follows it.
fn visit_unicode<'a>(text: &'a str, word: &mut String, visit: &mut impl FnMut(&str)) -> &'a str {
    word.clear();
    for (at, character) in text.char_indices() {
        if !character.is_alphanumeric() {
            flush(word, visit);
            return &text[at + character.len_utf8()..];
        }
        if is_written_without_blanks(character) {
            flush(word, visit);
            word.push(character);
            flush(word, visit);
        } else {
            word.extend(character.to_lowercase());
        }
    }
    flush(word, visit);
    ""
}

fn flush(word: &mut String, visit: &mut impl FnMut(&str)) {
    if !word.is_empty() {
        visit(stem(word));
        word.clear();
    }
}

/// `backups` and `backup` are one word; `bus`, `gas` and `class` are left alone.
fn stem(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 3 && !stem.ends_with(['s', 'u', 'i']) => stem,
        _ => word,
    }
}

fn is_written_without_blanks(character: char) -> bool {
    matches!(u32::from(character), 0x0E00..=0x0EFF | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0x2_0000..=0x3_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn splits_folds_case_and_drops_the_plural() {
        assert_eq!(words("Restore the BACKUPS, 2nd try!"), ["restore", "the", "backup", "2nd", "try"]);
        assert_eq!(words("Bus class Grüße GRÜN"), ["bus", "class", "grüße", "grün"]);
        assert_eq!(words("a–b ÄÖ-c"), ["a", "b", "äö", "c"]);
        assert_eq!(words(" , ,"), [""; 0]);
    }

    #[test]
    fn characters_of_scripts_without_blanks_are_words() {
        assert_eq!(words("备份x恢复"), ["备", "份", "x", "恢", "复"]);
    }
}
