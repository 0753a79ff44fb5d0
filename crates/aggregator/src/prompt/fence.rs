//! Delimiters that text from outside cannot guess.

/// The delimiter of one request: 128 random bits, so that a document written earlier cannot contain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fence(String);

impl Fence {
    /// A fence with a given marker.
    #[cfg(test)]
    pub(crate) fn new(marker: &str) -> Self {
        Self(marker.to_owned())
    }

    /// A fresh fence.
    pub(crate) fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Appends a block `name` with `content` to `out`: opening line, content, closing line.
    pub(super) fn block(&self, out: &mut String, name: &str, content: &str) {
        let marker = &self.0;
        for part in
            ["<<<", name, " ", marker, ">>>\n", content.trim_end_matches('\n'), "\n<<<END ", name, " "]
        {
            out.push_str(part);
        }
        out.push_str(marker);
        out.push_str(">>>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_differ() {
        assert_ne!(Fence::random(), Fence::random());
    }
}
