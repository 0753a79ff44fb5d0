//! British and American spellings, and a few words that people use for the same thing in questions.

/// Words that stand for each other. Kept small on purpose: every set widens what a question finds.
const SETS: &[&[&str]] = &[
    &["licence", "license", "copyright"],
    &["homepage", "website", "url"],
    &["docs", "documentation"],
    &["config", "configuration", "configure"],
    &["repo", "repository"],
    &["app", "application"],
    &["db", "database"],
    &["delete", "remove"],
    &["author", "maintainer"],
];

/// What an answer holds when the question asks for it by these words. One way only: who asks about `https` does
/// not ask for homepages.
const ANSWERS: &[(&[&str], &[&str])] = &[(&["homepage", "website", "url"], &["http", "https", "www"])];

/// Words that are forms of the first word of a set.
const FORMS: &[(&str, &str)] = &[
    ("licences", "licence"),
    ("licenses", "licence"),
    ("licensed", "licence"),
    ("licenced", "licence"),
    ("licensing", "licence"),
    ("copyrights", "licence"),
    ("copyrighted", "licence"),
    ("homepages", "homepage"),
    ("websites", "homepage"),
    ("urls", "homepage"),
    ("authors", "author"),
    ("maintainers", "author"),
    ("configuring", "config"),
    ("configured", "config"),
    ("deleting", "delete"),
    ("removing", "delete"),
    ("databases", "db"),
    ("applications", "app"),
    ("repositories", "repo"),
];

/// The word itself, then what counts as the same word.
pub(crate) fn variants(word: &str) -> Vec<String> {
    let key = FORMS.iter().find(|(form, _)| *form == word).map_or(word, |(_, key)| *key);
    let mut found = vec![word.to_owned()];
    if let Some(set) = SETS.iter().find(|set| set.contains(&key)) {
        found.extend(set.iter().filter(|other| **other != word).map(|other| (*other).to_owned()));
    } else {
        found.extend(other_spelling(word));
        found.extend(other_form(word));
    }
    let answers = ANSWERS.iter().filter(|(asked, _)| asked.contains(&key));
    found.extend(answers.flat_map(|(_, answers)| answers.iter().map(|answer| (*answer).to_owned())));
    found
}

/// The other side's spelling by the regular rules. A spelling that does not exist matches nothing, so
/// the rules may be generous; short words are left alone (`four` is not `for`).
fn other_spelling(word: &str) -> Option<String> {
    const RULES: &[(&str, &str)] = &[
        ("isation", "ization"),
        ("ising", "izing"),
        ("ised", "ized"),
        ("ises", "izes"),
        ("iser", "izer"),
        ("ise", "ize"),
        ("yse", "yze"),
        ("ours", "ors"),
        ("oured", "ored"),
        ("ouring", "oring"),
        ("our", "or"),
        ("tre", "ter"),
        ("ogue", "og"),
        ("ence", "ense"),
        ("elled", "eled"),
        ("elling", "eling"),
    ];
    if word.len() < 5 || !word.is_ascii() {
        return None;
    }
    RULES.iter().find_map(|(british, american)| {
        if let Some(head) = word.strip_suffix(british) {
            return Some(format!("{head}{american}"));
        }
        word.strip_suffix(american).map(|head| format!("{head}{british}"))
    })
}

/// The noun of a verb, or the verb of a noun, where the stemmer sees two words. What does not exist matches nothing.
fn other_form(word: &str) -> Option<String> {
    const RULES: &[(&[&str], &str)] = &[
        (&["er", "ers", "ered", "ering"], "ration"),
        (&["ify", "ifies", "ified", "ifying"], "ification"),
        (&["scribe", "scribes", "scribed", "scribing"], "scription"),
    ];
    if word.len() < 5 || !word.is_ascii() {
        return None;
    }
    RULES.iter().find_map(|(verbs, noun)| {
        let bare = word.strip_suffix('s').unwrap_or(word);
        if let Some(head) = bare.strip_suffix(noun) {
            return verbs.first().map(|verb| format!("{head}{verb}"));
        }
        verbs.iter().find_map(|verb| word.strip_suffix(verb)).map(|head| format!("{head}{noun}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_both_sides_are_one_word() {
        assert_eq!(variants("colour"), ["colour", "color"]);
        assert_eq!(variants("behavior"), ["behavior", "behaviour"]);
        assert_eq!(variants("organization"), ["organization", "organisation"]);
        assert_eq!(variants("four"), ["four"]);
    }

    #[test]
    fn a_noun_is_found_by_its_verb_and_the_other_way_round() {
        for (asked, found) in [
            ("register", "registration"),
            ("registering", "registration"),
            ("registrations", "register"),
            ("verifies", "verification"),
            ("notification", "notify"),
            ("subscribed", "subscription"),
        ] {
            assert!(variants(asked).contains(&found.to_owned()), "{asked}: {:?}", variants(asked));
        }
        assert_eq!(variants("user"), ["user"]);
    }

    #[test]
    fn who_asks_for_a_homepage_is_answered_with_an_address() {
        assert!(variants("websites").contains(&"https".to_owned()));
        assert!(!variants("https").contains(&"homepage".to_owned()));
    }

    #[test]
    fn a_licence_is_found_under_its_other_names() {
        assert!(variants("licence").contains(&"copyright".to_owned()));
        assert_eq!(variants("licensed")[0], "licensed");
        assert!(variants("licensed").contains(&"license".to_owned()));
    }
}
