//! Porter's stemmer (M. F. Porter, "An algorithm for suffix stripping", 1980), the one that the index
//! uses too, so that what the index found is also what the scorer sees.

/// The stem of a lower-case word. Words that are short, long or not plain ASCII stay as they are.
pub(crate) fn stem(word: &str) -> String {
    if word.len() <= 2 || word.len() > 63 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let mut w = word.as_bytes().to_vec();
    plural(&mut w);
    past_and_gerund(&mut w);
    if w.last() == Some(&b'y') && has_vowel(&w[..w.len() - 1]) {
        let last = w.len() - 1;
        w[last] = b'i';
    }
    replace_suffix(&mut w, STEP_TWO, 0);
    replace_suffix(&mut w, STEP_THREE, 0);
    drop_suffix(&mut w);
    final_e_and_double_l(&mut w);
    String::from_utf8(w).unwrap_or_else(|_| word.to_owned())
}

fn is_consonant(w: &[u8], i: usize) -> bool {
    match w[i] {
        b'a' | b'e' | b'i' | b'o' | b'u' => false,
        b'y' => i == 0 || !is_consonant(w, i - 1),
        _ => true,
    }
}

fn has_vowel(w: &[u8]) -> bool {
    (0..w.len()).any(|i| !is_consonant(w, i))
}

/// The number of vowel-consonant sequences.
fn measure(w: &[u8]) -> usize {
    let mut count = 0;
    let mut in_vowels = false;
    for i in 0..w.len() {
        let consonant = is_consonant(w, i);
        if consonant && in_vowels {
            count += 1;
        }
        in_vowels = !consonant;
    }
    count
}

fn ends_with_double(w: &[u8]) -> bool {
    let n = w.len();
    n >= 2 && w[n - 1] == w[n - 2] && is_consonant(w, n - 1)
}

/// Consonant, vowel, consonant, where the last is not w, x or y.
fn ends_cvc(w: &[u8]) -> bool {
    let n = w.len();
    n >= 3
        && is_consonant(w, n - 3)
        && !is_consonant(w, n - 2)
        && is_consonant(w, n - 1)
        && !matches!(w[n - 1], b'w' | b'x' | b'y')
}

fn plural(w: &mut Vec<u8>) {
    if w.ends_with(b"sses") || w.ends_with(b"ies") {
        w.truncate(w.len() - 2);
    } else if w.ends_with(b"s") && !w.ends_with(b"ss") {
        w.pop();
    }
}

fn past_and_gerund(w: &mut Vec<u8>) {
    if w.ends_with(b"eed") {
        if measure(&w[..w.len() - 3]) > 0 {
            w.pop();
        }
        return;
    }
    let cut = [b"ed".as_slice(), b"ing".as_slice()]
        .into_iter()
        .find(|suffix| w.ends_with(suffix) && has_vowel(&w[..w.len() - suffix.len()]));
    let Some(suffix) = cut else { return };
    w.truncate(w.len() - suffix.len());
    if w.ends_with(b"at") || w.ends_with(b"bl") || w.ends_with(b"iz") {
        w.push(b'e');
    } else if ends_with_double(w) && !matches!(w.last(), Some(b'l' | b's' | b'z')) {
        w.pop();
    } else if measure(w) == 1 && ends_cvc(w) {
        w.push(b'e');
    }
}

const STEP_TWO: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("logi", "log"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
];

const STEP_THREE: &[(&str, &str)] = &[
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const STEP_FOUR: &[&str] = &[
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize",
    "ion", "al", "er", "ic", "ou",
];

fn replace_suffix(w: &mut Vec<u8>, rules: &[(&str, &str)], above: usize) {
    let found = rules.iter().find(|(suffix, _)| w.ends_with(suffix.as_bytes()));
    if let Some((suffix, replacement)) = found {
        let head = w.len() - suffix.len();
        if measure(&w[..head]) > above {
            w.truncate(head);
            w.extend_from_slice(replacement.as_bytes());
        }
    }
}

fn drop_suffix(w: &mut Vec<u8>) {
    let Some(suffix) = STEP_FOUR.iter().find(|suffix| w.ends_with(suffix.as_bytes())) else { return };
    let head = w.len() - suffix.len();
    let ion_fits = *suffix != "ion" || matches!(w[..head].last(), Some(b's' | b't'));
    if ion_fits && measure(&w[..head]) > 1 {
        w.truncate(head);
    }
}

fn final_e_and_double_l(w: &mut Vec<u8>) {
    if w.last() == Some(&b'e') {
        let head = &w[..w.len() - 1];
        let m = measure(head);
        if m > 1 || (m == 1 && !ends_cvc(head)) {
            w.pop();
        }
    }
    if w.ends_with(b"ll") && measure(w) > 1 {
        w.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_those_of_the_published_examples() {
        for (word, expected) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("cats", "cat"),
            ("agreed", "agre"),
            ("motoring", "motor"),
            ("hopping", "hop"),
            ("filing", "file"),
            ("happy", "happi"),
            ("relational", "relat"),
            ("conditional", "condit"),
            ("vietnamization", "vietnam"),
            ("electrical", "electr"),
            ("adjustment", "adjust"),
            ("adoption", "adopt"),
            ("controlling", "control"),
            ("rate", "rate"),
            ("distributed", "distribut"),
            ("licensed", "licens"),
        ] {
            assert_eq!(stem(word), expected, "{word}");
        }
    }

    #[test]
    fn what_is_not_plain_ascii_stays() {
        for word in ["ab", "gpl3", "über", ""] {
            assert_eq!(stem(word), word);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_stem_is_never_empty_or_longer_by_more_than_a_letter(word in "[a-z]{1,70}") {
            let stem = stem(&word);
            proptest::prop_assert!(!stem.is_empty() && stem.len() <= word.len() + 1);
        }
    }
}
