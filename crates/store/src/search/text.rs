//! Texts as search sees them.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longer words are cut: they are keys and hashes, and a database's index has a limit.
const MAX_WORD: usize = 40;

/// The form in which texts are compared: lower case, without accents, compatibility forms resolved.
pub fn fold(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// The words of a text in their order: folded, cut at everything that is no letter or digit, plural endings
/// of English words taken off, each ideograph a word of its own.
pub fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let mut words = Vec::new();
    for run in folded.split(|c: char| !c.is_alphanumeric()) {
        let mut word = String::new();
        for c in run.chars() {
            if is_ideograph(c) {
                push(&mut words, &mut word);
                words.push(c.to_string());
            } else {
                word.push(c);
            }
        }
        push(&mut words, &mut word);
    }
    words
}

fn push(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        let cut: String = word.chars().take(MAX_WORD).collect();
        words.push(singular(cut));
        word.clear();
    }
}

/// Scripts that are written without blanks: kana, Han, compatibility ideographs.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

/// Harman's S-stemmer: enough to let "backups" find "backup", and it never joins different words.
fn singular(mut word: String) -> String {
    let ends = |word: &str, tail: &str, not: &[&str]| {
        word.len() > 3 && word.ends_with(tail) && !not.iter().any(|n| word.ends_with(n))
    };
    if !word.is_ascii() {
        return word;
    }
    if ends(&word, "ies", &["eies", "aies"]) {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if ends(&word, "es", &["aes", "ees", "oes"]) || ends(&word, "s", &["us", "ss", "es"]) {
        word.truncate(word.len() - 1);
    }
    word
}

/// Characters of a filter that are compared. No title is as long, and SQLite refuses patterns above 50,000 bytes.
const MAX_PATTERN: usize = 200;

/// A pattern for LIKE that finds `text` anywhere, in the folded form; of a long text only its beginning counts.
pub(crate) fn like_pattern(text: &str) -> String {
    // Cut before folding to save work, and after it, because one character may become many.
    let cut: String = text.trim().chars().take(MAX_PATTERN).collect();
    let mut pattern = String::from("%");
    for c in fold(&cut).chars().take(MAX_PATTERN) {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// How many slips lie between two words: a letter too many, too few or wrong, or two that changed places.
pub fn distance(a: &str, b: &str) -> usize {
    // No two words are further apart than their letters.
    within(a, b, a.len().max(b.len())).unwrap_or(usize::MAX)
}

/// The [`distance`] when it is at most `limit`. Most words differ early, and then little is computed.
pub(crate) fn within(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        // The least of a row never shrinks from one row to the next.
        if row.iter().all(|slips| *slips > limit) {
            return None;
        }
        before = std::mem::replace(&mut above, row);
    }
    Some(above[b.len()]).filter(|slips| *slips <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_stemmed_and_cut() {
        assert_eq!(words("Backups, of the Café-Policies!"), ["backup", "of", "the", "cafe", "policy"]);
        assert_eq!(words("status class bus databases"), ["status", "class", "bus", "database"]);
        assert_eq!(words("東京 tower"), ["東", "京", "tower"]);
        assert_eq!(words(&"x".repeat(500))[0].len(), MAX_WORD);
        assert!(words(" \t—!? ").is_empty());
    }

    #[test]
    fn slips_are_counted() {
        for (a, b, slips) in [
            ("backup", "backup", 0),
            ("bakcup", "backup", 1),
            ("bckup", "backup", 1),
            ("", "ab", 2),
            ("abc", "cba", 2),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
        }
    }

    #[test]
    fn a_pattern_takes_signs_literally() {
        assert_eq!(like_pattern(" 50%_Ä\\ "), "%50\\%\\_a\\\\%");
    }

    #[test]
    fn a_pattern_is_short_whatever_it_is_made_of() {
        // The last one folds to eighteen characters.
        for text in ["x", "%", "\u{10400}", "\u{fdfa}"] {
            let pattern = like_pattern(&text.repeat(60_000));
            assert!(pattern.chars().filter(|c| *c != '\\').count() <= MAX_PATTERN + 2, "{text}");
            assert!(pattern.ends_with('%') && pattern.len() < 50_000, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn words_of_words_are_the_same_words(text in "\\PC{0,80}") {
            for word in words(&text) {
                proptest::prop_assert!(word.chars().all(char::is_alphanumeric) && !word.is_empty());
            }
        }

        #[test]
        fn distance_is_a_metric_in_two_respects(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            proptest::prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            proptest::prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }

        #[test]
        fn a_limit_only_cuts_off(a in "[a-d]{0,8}", b in "[a-d]{0,8}", limit in 0_usize..9) {
            let slips = distance(&a, &b);
            proptest::prop_assert_eq!(within(&a, &b, limit), (slips <= limit).then_some(slips));
        }
    }
}
