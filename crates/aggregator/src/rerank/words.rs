//! Splits text into the words that ranking compares.

/// Calls `visit` for each word of `text` in lower case: runs of letters and digits, and each character
/// by itself in scripts that are written without blanks. A plural `s` is dropped.
pub(super) fn each_word(text: &str, mut visit: impl FnMut(&str)) {
    let mut word = String::with_capacity(32);
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            word.push(character.to_ascii_lowercase());
            continue;
        }
        if !character.is_ascii() && character.is_alphanumeric() {
            if is_written_without_blanks(character) {
                flush(&mut word, &mut visit);
                word.push(character);
            } else {
                word.extend(character.to_lowercase());
                continue;
            }
        }
        flush(&mut word, &mut visit);
    }
    flush(&mut word, &mut visit);
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
        assert_eq!(words("Bus class Grüße"), ["bus", "class", "grüße"]);
    }

    #[test]
    fn characters_of_scripts_without_blanks_are_words() {
        assert_eq!(words("备份x恢复"), ["备", "份", "x", "恢", "复"]);
    }
}
