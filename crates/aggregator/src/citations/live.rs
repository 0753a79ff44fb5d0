//! Markers of an answer that is passed on while it is made: those that point to no document are left out, as they are
//! of the whole answer.

use super::{MAX_NUMBERS, OPEN, read_marker};

/// Holds back what may become a marker, some two hundred bytes at most, until it is known what it is.
///
/// All that is given out together is what [`super::annotate_known`] gives as `plain` for the whole text.
#[derive(Debug, Default)]
pub struct Live {
    /// Documents have the numbers from 1 to this.
    documents: u32,
    held: String,
}

impl Live {
    /// For an answer from so many documents.
    pub fn new(documents: u32) -> Self {
        Self { documents, held: String::new() }
    }

    /// Adds a piece; gives what can be passed on, perhaps nothing.
    pub fn push(&mut self, piece: String) -> String {
        if self.held.is_empty() && !piece.contains('[') {
            return piece;
        }
        let text = std::mem::take(&mut self.held) + &piece;
        let mut told = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find('[') {
            let (before, marked) = rest.split_at(at);
            told.push_str(before);
            match first(marked) {
                First::Marker(numbers, after) => {
                    let known = |number: &&str| {
                        number.parse().is_ok_and(|number: u32| (1..=self.documents).contains(&number))
                    };
                    let good: Vec<&str> = numbers.split(',').filter(known).collect();
                    if !good.is_empty() {
                        told.push_str(OPEN);
                        told.push_str(&good.join(","));
                        told.push(']');
                    }
                    rest = after;
                }
                First::Text => {
                    told.push('[');
                    rest = &marked[1..];
                }
                First::Unknown => {
                    marked.clone_into(&mut self.held);
                    return told;
                }
            }
        }
        told.push_str(rest);
        told
    }

    /// What is still held back when no more comes: it is no marker.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// What a text begins with that begins with a bracket.
enum First<'a> {
    /// A marker with these numbers, and what follows it.
    Marker(String, &'a str),
    /// No marker.
    Text,
    /// That is not known yet.
    Unknown,
}

fn first(text: &str) -> First<'_> {
    let Some(body) = text.strip_prefix(OPEN) else {
        return if OPEN.starts_with(text) { First::Unknown } else { First::Text };
    };
    if let Some((numbers, after)) = read_marker(text) {
        return First::Marker(numbers, after);
    }
    let may_be = |byte: u8| byte.is_ascii_digit() || matches!(byte, b',' | b' ');
    if body.len() <= MAX_NUMBERS && body.bytes().all(may_be) { First::Unknown } else { First::Text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::annotate_known;
    use super::*;

    fn told(documents: u32, pieces: &[&str]) -> Vec<String> {
        let mut live = Live::new(documents);
        let mut told: Vec<String> = pieces.iter().map(|piece| live.push((*piece).to_owned())).collect();
        told.push(live.finish());
        told
    }

    #[test]
    fn what_points_to_no_document_is_left_out_wherever_it_is_cut() {
        assert_eq!(told(2, &["So it is [cite:1].", " And [cite:9]."]), ["So it is [cite:1].", " And .", ""]);
        assert_eq!(
            told(2, &["It is [", "cite", ":", "1, 7", "] so"]),
            ["It is ", "", "", "", "[cite:1] so", ""]
        );
        assert_eq!(told(0, &["x [cite:1] y"]), ["x  y", ""]);
    }

    #[test]
    fn what_is_no_marker_is_passed_on_as_soon_as_that_is_known() {
        assert_eq!(told(1, &["a [b] [c", "ite x", "[cite:x"]), ["a [b] ", "[cite x", "[cite:x", ""]);
        assert_eq!(told(1, &["a [cite:1"]), ["a ", "[cite:1"]);
        let endless = format!("[cite:{}", "1".repeat(300));
        assert_eq!(told(1, &[&endless]), [endless.clone(), String::new()]);
        let mut live = Live::new(1);
        assert_eq!(live.push("[cite:".to_owned() + &"1".repeat(MAX_NUMBERS)), "");
        assert_eq!(
            live.push("1".to_owned()).len(),
            OPEN.len() + MAX_NUMBERS + 1,
            "no more than that is held"
        );
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_whole(
            text in r"(\[cite:|\[|cite:|[0-9]{1,2}|,| |\]|é|a|\. ){0,24}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            documents in 0_u32..12,
        ) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            places.retain(|place| text.is_char_boundary(*place));
            places.push(text.len());
            places.sort_unstable();
            let mut live = Live::new(documents);
            let (mut told, mut from) = (String::new(), 0);
            for place in places {
                told += &live.push(text[from..place].to_owned());
                from = place;
            }
            told += &live.finish();
            prop_assert_eq!(told, annotate_known(&text, |number| (1..=documents).contains(&number)).plain);
        }
    }
}
