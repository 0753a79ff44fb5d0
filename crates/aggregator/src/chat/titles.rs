//! Titles as keys: clients read `sources` as a map from title to document.

use std::collections::{HashMap, HashSet};

/// Makes titles unique by ` (2)`, ` (3)`, …; a title that already looks like that never collides either.
#[derive(Debug, Default)]
pub(super) struct Titles {
    taken: HashSet<String>,
    last: HashMap<String, usize>,
}

impl Titles {
    /// The title under which a document is listed.
    pub(super) fn unique(&mut self, title: &str) -> String {
        if self.taken.insert(title.to_owned()) {
            return title.to_owned();
        }
        let number = self.last.entry(title.to_owned()).or_insert(1);
        loop {
            *number += 1;
            let numbered = format!("{title} ({number})");
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn collisions_are_numbered_even_against_literal_titles() {
        let mut titles = Titles::default();
        let keys: Vec<String> =
            ["A", "A (2)", "A", "B", "A"].iter().map(|title| titles.unique(title)).collect();
        assert_eq!(keys, ["A", "A (2)", "A (3)", "B", "A (4)"]);
    }

    proptest! {
        #[test]
        fn keys_are_unique(given in prop::collection::vec("(A|B)( \\([2-4]\\))?", 0..20)) {
            let mut titles = Titles::default();
            let keys: HashSet<String> = given.iter().map(|title| titles.unique(title)).collect();
            prop_assert_eq!(keys.len(), given.len());
        }
    }
}
