//! The built-in model `extract`: an extractive summariser. It quotes the sentences of the numbered documents
//! in the prompt that fit the question best, each with the number of its document. It knows nothing itself,
//! writes nothing of its own but the frame, and gives the same answer to the same prompt every time.

mod choose;
mod prompt;
mod sentences;

use prompt::Prompt;

/// The name that replies carry.
pub(crate) const NAME: &str = "extract";

const NO_DOCUMENTS: &str = "No documents came with this question, because no sources were selected or they returned \
nothing. The model \"extract\" only quotes documents and knows nothing itself: select a data source that fits the \
question, or another model, and ask again.";
const NOTHING_FITS: &str = "The documents that came with this question do not seem to answer it: no sentence in them \
fits it well enough to quote.";
const NO_QUESTION: &str = "No question was asked.";

/// What a caller may ask for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wishes {
    /// At most this many (estimated) tokens.
    pub(crate) max_tokens: Option<usize>,
    /// The answer ends before the first of these.
    pub(crate) stop: Vec<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// `stop`, or `length` when sentences were left out for `max_tokens`.
    pub(crate) finish_reason: &'static str,
}

/// Answers the user message of a chat.
pub(crate) fn answer(message: &str, wishes: &Wishes) -> Answer {
    let prompt = Prompt::parse(message);
    let fixed = |text: &str| Answer { text: text.to_owned(), finish_reason: "stop" };
    let mut answer = if prompt.question.trim().is_empty() {
        fixed(NO_QUESTION)
    } else if prompt.documents.is_empty() {
        fixed(NO_DOCUMENTS)
    } else {
        let chosen = choose::choose(&prompt);
        if chosen.is_empty() { fixed(NOTHING_FITS) } else { compose(&chosen, wishes.max_tokens) }
    };
    let stop = wishes.stop.iter().filter(|stop| !stop.is_empty());
    if let Some(end) = stop.filter_map(|stop| answer.text.find(stop.as_str())).min() {
        answer.text.truncate(end);
    }
    answer
}

fn compose(chosen: &[choose::Chosen], max_tokens: Option<usize>) -> Answer {
    let mut text = String::new();
    for (place, sentence) in chosen.iter().enumerate() {
        let quoted = sentences::with_citation(&sentence.text, &sentence.citation);
        let too_long = max_tokens.is_some_and(|max| estimate_tokens(&text) + estimate_tokens(&quoted) > max);
        // One sentence is always given: an empty answer helps nobody.
        if place > 0 && too_long {
            return Answer { text, finish_reason: "length" };
        }
        if place > 0 {
            text.push(' ');
        }
        text.push_str(&quoted);
    }
    Answer { text, finish_reason: "stop" }
}

/// Tokens of a text, estimated as one for four characters, rounded up. There is no tokenizer behind `extract`;
/// the estimate is there so that usage can be counted and compared.
pub(crate) fn estimate_tokens(text: &str) -> usize {
    text.chars().count().div_ceil(4)
}

/// Cuts a text into what is streamed: words with the white space after them.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "Answer the question below from the numbered documents, for example [cite:1].\n\n\
        <<<DOCUMENTS f00d>>>\n\
        [1]: Bash is free software. Bash is distributed under the terms of the GNU General Public License. It has a prompt.\n\
        [2]: The zoo opens at nine. Penguins are fed at noon [cite:9].\n\
        [3]: Bash is distributed under the terms of the GNU General Public License.\n\
        <<<END DOCUMENTS f00d>>>\n\n\
        <<<QUESTION f00d>>>\nUnder which licence is bash distributed?\n<<<END QUESTION f00d>>>\n";

    fn ask(message: &str) -> String {
        answer(message, &Wishes::default()).text
    }

    #[test]
    fn it_quotes_what_fits_with_the_number_of_the_document() {
        let text = ask(MESSAGE);
        assert!(
            text.starts_with(
                "Bash is distributed under the terms of the GNU General Public License [cite:1]."
            ),
            "{text}"
        );
        assert!(!text.contains("[cite:2]") && !text.contains("zoo"), "{text}");
        assert_eq!(text.matches("General Public License").count(), 1, "no sentence twice: {text}");
        assert_eq!(text, ask(MESSAGE), "the same prompt has the same answer");
    }

    #[test]
    fn it_says_plainly_when_nothing_fits() {
        let message = MESSAGE.replace("Under which licence is bash distributed?", "Who won the chess match?");
        assert_eq!(ask(&message), NOTHING_FITS);
        assert_eq!(ask("General knowledge is fine.\n\nWhy is the sky blue?"), NO_DOCUMENTS);
        assert_eq!(ask(""), NO_QUESTION);
    }

    #[test]
    fn citations_that_stand_in_a_document_are_not_passed_on() {
        let text =
            ask(&MESSAGE.replace("Under which licence is bash distributed?", "When are penguins fed?"));
        assert_eq!(text, "Penguins are fed at noon [cite:2].");
    }

    #[test]
    fn limits_are_kept() {
        let message = MESSAGE.replace("[3]: ", "[3]: The licence of bash allows copies when distributed. ");
        let short = answer(&message, &Wishes { max_tokens: Some(1), stop: Vec::new() });
        assert_eq!(short.finish_reason, "length");
        assert_eq!(short.text.matches("[cite:").count(), 1);
        let stopped =
            answer(&message, &Wishes { max_tokens: None, stop: vec![String::new(), "GNU".to_owned()] });
        assert!(!stopped.text.contains("GNU"));
    }

    #[test]
    fn other_prompts_are_understood_too() {
        let text = ask(
            "[1]: The moon is made of rock.\n[2]: Cheese is made of milk.\n\nQuestion: What is cheese made of?",
        );
        assert_eq!(text, "Cheese is made of milk [cite:2].");
        let tagged = "<<<DOCUMENTS a>>>\n<document source=\"bob/docs\" title=\"x &quot;y&quot;\" relevance=\"N/A\">Tea &amp; milk are sold at five.</document>\n\
            <<<END DOCUMENTS a>>>\n<<<QUESTION a>>>\nWhen is tea sold?\n<<<END QUESTION a>>>";
        assert_eq!(ask(tagged), "Tea & milk are sold at five [bob/docs].");
    }

    proptest::proptest! {
        #[test]
        fn no_prompt_breaks_it_and_pieces_are_the_whole(
            documents in proptest::collection::vec("[a-z .!?\\[\\]:0-9é<>]{0,120}", 0..6),
            question in "[a-z é?]{0,60}",
        ) {
            let list: Vec<String> = documents.iter().enumerate().map(|(n, text)| format!("[{}]: {text}\n", n + 1)).collect();
            let list = list.concat();
            let text = ask(&format!("<<<DOCUMENTS x>>>\n{list}<<<END DOCUMENTS x>>>\n<<<QUESTION x>>>\n{question}\n<<<END QUESTION x>>>"));
            proptest::prop_assert!(!text.is_empty());
            proptest::prop_assert_eq!(pieces(&text).collect::<String>(), text);
        }
    }
}
