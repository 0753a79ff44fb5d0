//! Turns `[cite:1,2]` into `[1][2]` while the answer streams, even when a marker arrives in pieces.

/// Rewrites markers across chunk borders. Text that only looks like the start of a marker is held
/// back until it is one or cannot become one.
#[derive(Debug, Default)]
pub(crate) struct MarkerFilter {
    held: String,
    cited: Vec<u64>,
}

const OPEN: &str = "[cite:";
/// A marker longer than this is not one.
const LONGEST: usize = 128;

impl MarkerFilter {
    /// Takes the next chunk and returns what can be shown now.
    pub(crate) fn push(&mut self, chunk: &str) -> String {
        self.held.push_str(chunk);
        let mut shown = String::with_capacity(self.held.len());
        while let Some(start) = self.held.find('[') {
            shown.extend(self.held.drain(..start));
            if self.held.starts_with(OPEN) {
                let Some(end) = self.held.find(']') else {
                    if self.held.len() > LONGEST {
                        shown.extend(self.held.drain(..1));
                        continue;
                    }
                    return shown;
                };
                let marker: String = self.held.drain(..=end).collect();
                shown.push_str(&self.rewrite(&marker));
            } else if OPEN.starts_with(self.held.as_str()) {
                return shown;
            } else {
                shown.extend(self.held.drain(..1));
            }
        }
        shown.push_str(&std::mem::take(&mut self.held));
        shown
    }

    /// What is still held back at the end.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// The numbers that were cited, each once, in order of first use.
    pub(crate) fn cited(&self) -> &[u64] {
        &self.cited
    }

    fn rewrite(&mut self, marker: &str) -> String {
        let inner = &marker[OPEN.len()..marker.len() - 1];
        // An annotated marker carries `-start:end` after its numbers.
        let listed = inner.split('-').next().unwrap_or_default();
        let parsed: Option<Vec<u64>> = listed.split(',').map(|n| n.trim().parse().ok()).collect();
        let Some(parsed) = parsed else { return marker.to_owned() };
        for number in &parsed {
            if !self.cited.contains(number) {
                self.cited.push(*number);
            }
        }
        let numbers: Vec<String> = parsed.iter().map(u64::to_string).collect();
        format!("[{}]", numbers.join("]["))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(chunks: &[&str]) -> (String, Vec<u64>) {
        let mut filter = MarkerFilter::default();
        let mut out: String = chunks.iter().map(|chunk| filter.push(chunk)).collect();
        out.push_str(&filter.finish());
        (out, filter.cited().to_vec())
    }

    #[test]
    fn markers_are_rewritten_wherever_the_chunks_end() {
        let text = "One [cite:1]. Two [cite:2,3] [x] [cite:a] [ci";
        let whole = run(&[text]);
        assert_eq!(whole, ("One [1]. Two [2][3] [x] [cite:a] [ci".to_owned(), vec![1, 2, 3]));
        for cut in 0..text.len() {
            assert_eq!(run(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn an_endless_marker_is_shown_as_text() {
        let long = format!("[cite:{}", "1".repeat(500));
        assert_eq!(run(&[&long]).0, long);
    }
}
