//! Whose documents carried the answer, as shares of one.

use std::collections::BTreeSet;

/// Weight of a citation that names several endpoints: they support one another.
const SHARED: f64 = 1.5;
/// Weight of a citation that names one endpoint.
const ALONE: f64 = 1.0;

/// Shares of each path in an answer.
///
/// `markers` are the document numbers of each citation, `numbered` the path of document 1, 2, …;
/// numbers that no document has are ignored. Every path of `numbered` appears once, in rank order,
/// with 0.0 when it was not cited; all are 0.0 when nothing was cited.
pub fn profit_share(markers: &[Vec<u32>], numbered: &[&str]) -> Vec<(String, f64)> {
    let mut paths: Vec<&str> = Vec::new();
    for path in numbered {
        if !paths.contains(path) {
            paths.push(path);
        }
    }
    let mut weights = vec![0.0; paths.len()];
    for numbers in markers {
        let cited: BTreeSet<usize> = numbers
            .iter()
            .filter_map(|number| numbered.get(usize::try_from(*number).ok()?.checked_sub(1)?))
            .filter_map(|path| paths.iter().position(|known| known == path))
            .collect();
        let weight = if cited.len() > 1 { SHARED } else { ALONE };
        for index in cited {
            weights[index] += weight;
        }
    }
    let total: f64 = weights.iter().sum();
    let share = |weight: f64| if total > 0.0 { weight / total } else { 0.0 };
    paths.into_iter().zip(weights).map(|(path, weight)| (path.to_owned(), share(weight))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(markers: &[&[u32]], numbered: &[&str]) -> Vec<f64> {
        let markers: Vec<Vec<u32>> = markers.iter().map(|marker| marker.to_vec()).collect();
        profit_share(&markers, numbered).into_iter().map(|(_, share)| share).collect()
    }

    #[test]
    fn follows_the_vectors_of_the_contract() {
        let owners = ["a/x", "b/y"];
        assert_eq!(shares(&[&[1], &[2]], &owners), [0.5, 0.5]);
        assert_eq!(shares(&[&[1, 2], &[1]], &owners), [0.625, 0.375]);
        assert_eq!(shares(&[], &owners), [0.0, 0.0]);
    }

    #[test]
    fn a_path_counts_once_per_marker_and_unknown_numbers_do_not_count() {
        assert_eq!(shares(&[&[1, 2]], &["a/x", "a/x"]), [1.0]);
        assert_eq!(shares(&[&[0, 7], &[1]], &["a/x", "b/y"]), [1.0, 0.0]);
    }

    proptest! {
        #[test]
        fn shares_sum_to_one_or_are_all_zero(
            markers in prop::collection::vec(prop::collection::vec(0_u32..8, 0..4), 0..12)
        ) {
            let shares = profit_share(&markers, &["a/x", "b/y", "a/x", "c/z"]);
            let total: f64 = shares.iter().map(|(_, share)| share).sum();
            prop_assert_eq!(shares.len(), 3);
            prop_assert!(total == 0.0 || (total - 1.0).abs() < 1e-9);
        }
    }
}
