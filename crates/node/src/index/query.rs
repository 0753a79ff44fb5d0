//! From words to an expression of FTS5.

use crate::text::Term;

/// All spellings of one term, any of which matches. Words hold only letters and digits, so quoting them
/// is all the escaping that FTS5 needs.
pub(super) fn one(term: &Term) -> String {
    let quoted: Vec<String> = term.words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(" OR ")
}

/// Any of the terms.
pub(super) fn any(terms: &[Term]) -> String {
    let parts: Vec<String> = terms.iter().map(one).collect();
    parts.join(" OR ")
}
