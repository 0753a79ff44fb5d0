//! Words that say nothing about what a question is about.

const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because",
    "been", "before", "being", "but", "by", "can", "could", "did", "do", "does", "doing", "done", "each",
    "else", "ever", "every", "explain", "find", "for", "from", "get", "gets", "give", "given", "gives", "go",
    "goes", "had", "hold", "holds", "has", "have", "having", "he", "her", "here", "him", "his", "how", "i",
    "if", "in", "into", "is", "it", "its", "just", "keep", "keeps", "know", "let", "like", "many", "may",
    "me", "might", "more", "most", "much", "must", "my", "need", "no", "not", "of", "on", "one", "only",
    "or", "other", "our", "out", "over", "please", "shall", "she", "should", "show", "so", "some", "such",
    "tell", "than", "that", "the", "their", "them", "then", "there", "these", "they", "thing", "this",
    "those", "through", "to", "too", "under", "up", "us", "use", "uses", "used", "using", "very", "want",
    "was", "way", "we", "were", "what", "when", "where", "which", "while", "who", "whom", "whose", "why",
    "will", "with", "without", "would", "yes", "you", "your", "s", "t", "d", "ll", "re", "ve", "m",
];

/// Whether a lower-case word is a stop word.
pub(crate) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.contains(&word)
}
