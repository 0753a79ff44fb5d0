//! How much a word weighs in an endpoint: BM25F without the rarity of the word, which only a search knows.

use std::collections::BTreeMap;

use syfthub_domain::Tag;

use super::text::words;

/// The weight of a word that fills the whole document; a weight is a share of it.
pub const FULL_WEIGHT: i64 = 1_000_000;
/// How fast repeated words stop adding to a weight.
const K1: f64 = 1.2;
/// How much a long field is held against a document, 0 to 1.
const B: f64 = 0.6;
/// Words of one field that are read; a text that is longer is found by its beginning.
const MAX_WORDS: usize = 8_000;
/// Different words of one endpoint that are indexed: the heaviest ones.
const MAX_TERMS: usize = 1_000;

/// The searchable text of one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// Name for people.
    pub name: &'a str,
    /// Second half of `owner/slug`.
    pub slug: &'a str,
    /// First half.
    pub owner: &'a str,
    /// Its tags.
    pub tags: &'a [Tag],
    /// A few words.
    pub description: &'a str,
    /// Long text.
    pub readme: &'a str,
}

/// Each word of a document with its weight, 1 to [`FULL_WEIGHT`].
pub fn weigh(document: &Document<'_>) -> BTreeMap<String, i64> {
    let mut title = words(document.name);
    // The slug is often made from the name, and saying a thing twice is no merit.
    title.extend(words(document.slug).into_iter().filter(|word| !title.contains(word)).collect::<Vec<_>>());
    let tags = document.tags.iter().flat_map(|tag| words(tag.as_str())).collect();
    let mut sums = BTreeMap::new();
    for (boost, usual_length, field) in [
        (6.0, 4.0, title),
        (4.0, 4.0, tags),
        (3.0, 1.0, words(document.owner)),
        (2.0, 20.0, words(document.description)),
        (1.0, 200.0, words(document.readme)),
    ] {
        add(&mut sums, boost, usual_length, field);
    }
    let mut weights: Vec<(String, i64)> =
        sums.into_iter().map(|(word, sum)| (word, share(sum / (K1 + sum)))).collect();
    weights.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    weights.truncate(MAX_TERMS);
    weights.into_iter().collect()
}

fn add(sums: &mut BTreeMap<String, f64>, boost: f64, usual_length: f64, field: Vec<String>) {
    // Being shorter than usual is no merit, or one short name would beat one with a second hit.
    let length = (1.0 - B + B * (field.len() as f64 / usual_length)).max(1.0);
    for word in field.into_iter().take(MAX_WORDS) {
        *sums.entry(word).or_default() += boost / length;
    }
}

fn share(of_one: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and a million")]
    let share = (of_one * FULL_WEIGHT as f64).round() as i64;
    share.clamp(1, FULL_WEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document<'a>(name: &'a str, description: &'a str, readme: &'a str) -> Document<'a> {
        Document { name, slug: "", owner: "bob", tags: &[], description, readme }
    }

    #[test]
    fn the_name_counts_more_than_the_description_and_that_more_than_the_long_text() {
        let weight = |d: Document<'_>| weigh(&d)["weather"];
        let named = weight(document("Weather data", "", ""));
        let told = weight(document("Sea charts", "Also some weather", ""));
        let mentioned = weight(document("Sea charts", "", "Also some weather"));
        assert!(named > told && told > mentioned && mentioned > 0, "{named} {told} {mentioned}");
    }

    #[test]
    fn a_word_counts_as_often_as_it_occurs_and_less_in_a_long_text() {
        let weight = |text: &str| weigh(&document("x", "", text))["weather"];
        assert!(weight("weather weather sun") > weight("weather and sun"));
        assert!(weight("weather") > weight(&format!("weather {}", "word ".repeat(2_000))));
    }

    #[test]
    fn of_a_long_text_the_heaviest_words_are_kept() {
        let many = (0..3_000).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        let weights = weigh(&document("Weather", "", &many));
        assert_eq!(weights.len(), MAX_TERMS);
        assert!(weights.contains_key("weather") && weights.contains_key("bob"));
    }

    proptest::proptest! {
        #[test]
        fn weights_stay_within_their_bounds(name in "\\PC{0,60}", readme in "[a-z ]{0,300}") {
            for (word, weight) in weigh(&document(&name, &readme, &readme)) {
                proptest::prop_assert!((1..=FULL_WEIGHT).contains(&weight), "{word} {weight}");
            }
        }
    }
}
