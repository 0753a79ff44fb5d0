//! Packs lines into passages: it prefers to end a passage between paragraphs, always ends it before a
//! heading, and repeats a short last line so that a thought cut in two can still be found.

use super::{Passage, Split};

/// A passage is ended at the next paragraph boundary once it has this many bytes.
const GOOD: usize = 800;
/// No passage grows beyond this many bytes, apart from the repeated line.
const FULL: usize = 1_200;
/// A line repeated at the start of the next passage is at most this long.
const OVERLAP: usize = 140;
/// A section shorter than this is packed together with the next one.
const TINY: usize = 60;

/// Collects lines.
pub(super) struct Packer {
    heading: String,
    text: String,
    line_start: u32,
    line_end: u32,
    /// Byte length and last line at the newest paragraph boundary.
    boundary: Option<(usize, u32)>,
    /// Where the text of the newest line starts.
    last_line_at: usize,
    /// Bytes that only repeat the passage before.
    repeated: usize,
    max: usize,
    split: Split,
}

impl Packer {
    pub(super) fn new(max: usize) -> Self {
        Self {
            heading: String::new(),
            text: String::with_capacity(FULL + OVERLAP),
            line_start: 0,
            line_end: 0,
            boundary: None,
            last_line_at: 0,
            repeated: 0,
            max,
            split: Split::default(),
        }
    }

    /// Whether nothing more is kept.
    pub(super) fn is_full(&self) -> bool {
        self.split.cut
    }

    /// Adds line number `number` (from 1). Lines longer than a passage are cut at blanks or commas.
    pub(super) fn line(&mut self, number: u32, line: &str) {
        let mut rest = line.trim_end();
        while rest.len() > FULL / 2 && rest.len() + self.text.len() > FULL {
            let room = (FULL.saturating_sub(self.text.len())).max(FULL / 3);
            let cut = cut_at(rest, room);
            self.piece(number, &rest[..cut]);
            rest = rest[cut..].trim_start();
            if self.is_full() {
                return;
            }
        }
        if !rest.is_empty() {
            self.piece(number, rest);
        }
    }

    fn piece(&mut self, number: u32, piece: &str) {
        if self.split.cut || piece.trim().is_empty() {
            return;
        }
        if self.text.len() + piece.len() + 1 > FULL && self.text.len() > self.repeated {
            self.end_for_size();
        }
        if self.text.is_empty() {
            self.line_start = number;
        } else {
            self.text.push('\n');
        }
        self.last_line_at = self.text.len();
        self.text.push_str(piece);
        self.line_end = number;
    }

    /// A paragraph ended.
    pub(super) fn paragraph(&mut self) {
        if self.text.len() - self.repeated >= GOOD {
            self.finish();
        } else if self.text.len() > self.repeated && !self.text.ends_with('\n') {
            self.boundary = Some((self.text.len(), self.line_end));
            self.text.push('\n');
        }
    }

    /// A section ended; what follows stands under `heading`.
    pub(super) fn section(&mut self, heading: &str) {
        let title = super::tidy_title(heading).unwrap_or_default();
        if self.text.len() >= TINY {
            self.finish();
        }
        if self.split.title.is_none() && !title.is_empty() {
            self.split.title = Some(title.clone());
        }
        self.heading = title;
        self.boundary = None;
    }

    /// The document's own title.
    pub(super) fn title(&mut self, title: &str) {
        if let Some(title) = super::tidy_title(title) {
            self.split.title = Some(title);
        }
    }

    /// Ends the passage because the next line does not fit: at the paragraph boundary if that leaves
    /// a passage of good size, else right here.
    fn end_for_size(&mut self) {
        match self.boundary.take() {
            Some((length, line)) if length >= FULL / 3 => {
                let rest = self.text[length..].trim_start_matches('\n').to_owned();
                let end = std::mem::replace(&mut self.line_end, line);
                self.text.truncate(length);
                self.finish();
                if !rest.is_empty() {
                    self.line_start = line + 1;
                    self.line_end = end.max(line + 1);
                    self.text.push_str(&rest);
                }
            }
            _ => {
                let last = self.text[self.last_line_at.min(self.text.len())..].trim();
                let repeat = (last.len() <= OVERLAP && self.last_line_at > 0).then(|| last.to_owned());
                let line = self.line_end;
                self.finish();
                if let Some(repeat) = repeat.filter(|text| !text.is_empty()) {
                    self.line_start = line;
                    self.line_end = line;
                    self.repeated = repeat.len();
                    self.text = repeat;
                }
            }
        }
    }

    fn finish(&mut self) {
        let text = self.text.trim_end();
        if text.len() > self.repeated && !text.trim().is_empty() {
            if self.split.passages.len() >= self.max {
                self.split.cut = true;
            } else {
                self.split.passages.push(Passage {
                    heading: self.heading.clone(),
                    line_start: self.line_start,
                    line_end: self.line_end,
                    text: text.to_owned(),
                });
            }
        }
        self.text.clear();
        self.boundary = None;
        self.last_line_at = 0;
        self.repeated = 0;
    }

    /// Everything was added.
    pub(super) fn done(mut self) -> Split {
        self.finish();
        self.split
    }
}

/// The best place to cut `text` within `room` bytes: after the last blank or comma, else anywhere.
fn cut_at(text: &str, room: usize) -> usize {
    let end = text.floor_char_boundary(room.min(text.len()));
    let end = if end == 0 { text.ceil_char_boundary(1) } else { end };
    match text[..end].rfind([' ', ',', ';', '>']) {
        Some(at) if at > end / 2 => at + 1,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_end_between_paragraphs_and_know_their_lines() {
        let mut packer = Packer::new(100);
        let line = "x".repeat(99);
        let mut number = 0;
        for _ in 0..5 {
            for _ in 0..5 {
                number += 1;
                packer.line(number, &line);
            }
            number += 1;
            packer.paragraph();
        }
        let places: Vec<_> = packer.done().passages.iter().map(|p| (p.line_start, p.line_end)).collect();
        assert_eq!(places, [(1, 11), (13, 23), (25, 29)]);
    }

    #[test]
    fn one_endless_line_is_cut_and_nothing_is_lost() {
        let mut packer = Packer::new(100);
        packer.line(1, &"é".repeat(5_000));
        let split = packer.done();
        assert!(split.passages.iter().all(|p| p.text.len() <= FULL && p.line_end == 1));
        assert_eq!(split.passages.iter().map(|p| p.text.matches('é').count()).sum::<usize>(), 5_000);
    }

    #[test]
    fn more_passages_than_allowed_are_left_out_and_said_so() {
        let mut packer = Packer::new(2);
        for number in 1..100 {
            packer.line(number, &"y".repeat(500));
        }
        let split = packer.done();
        assert!(split.cut);
        assert_eq!(split.passages.len(), 2);
    }
}
