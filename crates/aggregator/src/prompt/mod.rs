//! What the model is told: our system text, earlier turns, and one user message in one of four shapes.
//!
//! Retrieved text is untrusted. It stands between fence lines that carry a random marker made for this
//! one request, each document on one line, so no document can end its block or pose as another one.
//! Every block has the form
//!
//! ```text
//! <<<DOCUMENTS 5f0c…>>>
//! [1]: first document, on one line
//! [2]: second document
//! <<<END DOCUMENTS 5f0c…>>>
//! ```
//!
//! and the question stands in a block `QUESTION` of the same form.

mod budget;
mod estimate;
mod fence;
mod texts;

use serde::Serialize;

pub(crate) use budget::{Budget, TooLong};
use budget::{LEAST_DOCUMENT, MESSAGE, Purse};
use estimate::tokens;
pub(crate) use fence::Fence;

/// Longest part of one document that the model sees, in code points.
const MAX_DOCUMENT_CHARS: usize = 8_000;

/// Who says something in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Instructions.
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
}

impl std::str::FromStr for Role {
    type Err = syfthub_domain::UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "system" => Ok(Self::System),
            "user" => Ok(Self::User),
            "assistant" => Ok(Self::Assistant),
            other => Err(syfthub_domain::UnknownName {
                got: other.to_owned(),
                expected: "system, user, assistant".to_owned(),
            }),
        }
    }
}

/// One turn of a conversation, as the model receives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// A document as the prompt needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excerpt<'a> {
    /// `owner/slug` of the source.
    pub path: &'a str,
    /// Title of the document.
    pub title: &'a str,
    /// Its text.
    pub content: &'a str,
    /// Relevance that the source gave, 0 to 1.
    pub score: Option<f64>,
}

/// What the question can be answered from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Material<'a> {
    /// No data source was selected.
    General,
    /// Sources were selected and returned nothing.
    Nothing,
    /// Documents in rank order; number 1 is the first. Cited as `[cite:1]`.
    Ranked(&'a [Excerpt<'a>]),
    /// Documents that could not be ranked together. Cited as `[owner/slug]`.
    Unranked(&'a [Excerpt<'a>]),
}

/// What a model is sent.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// System text, history, question.
    pub messages: Vec<Message>,
    /// How many of the documents are in it, counted from the best.
    pub shown: usize,
    /// How many of the earlier turns are not in it.
    pub dropped_turns: usize,
}

/// Builds the conversation for the model: system text, history, then the question with its material. What
/// does not fit into `budget` is left out: the lesser documents, the end of the last one, the oldest turns.
/// The question and what is said by the system stay whole.
pub(crate) fn build(
    question: &str,
    system: Option<&str>,
    history: &[Message],
    material: Material<'_>,
    fence: &Fence,
    budget: Budget,
) -> Result<Prompt, TooLong> {
    let system = system_message(system);
    let (instruction, documents) = match material {
        Material::General => (texts::GENERAL, None),
        Material::Nothing => (texts::NOTHING_FOUND, None),
        Material::Ranked(documents) => (texts::CITE_BY_NUMBER, Some(documents)),
        Material::Unranked(documents) => (texts::CITE_BY_PATH, Some(documents)),
    };
    let bare = user_message(question, instruction, documents.map(|_| ""), fence);
    let room = room(&bare, &system, history, documents.is_some(), budget)?;
    // Documents may take all that the history does not need, and two thirds of the room at least.
    let wanted: usize = history.iter().filter(|turn| turn.role != Role::System).map(cost).sum();
    let mut purse = Purse(room - wanted.min(room / 3));
    let (list, shown) = match material {
        Material::General | Material::Nothing => (String::new(), 0),
        Material::Ranked(documents) => numbered(documents, &mut purse),
        Material::Unranked(documents) => tagged(documents, &mut purse),
    };
    let spent = if documents.is_some() { tokens(&list) } else { 0 };
    let history = latest(history, room.saturating_sub(spent));
    let dropped_turns = history.1;
    let mut messages = Vec::with_capacity(history.0.len() + 2);
    messages.push(system);
    messages.extend(history.0);
    let content = user_message(question, instruction, documents.map(|_| list.as_str()), fence);
    messages.push(Message { role: Role::User, content });
    Ok(Prompt { messages, shown, dropped_turns })
}

/// Whether a question can be asked at all, to know it before sources are asked and paid.
pub(crate) fn check(
    question: &str,
    system: Option<&str>,
    history: &[Message],
    has_sources: bool,
    budget: Budget,
) -> Result<(), TooLong> {
    let fence = Fence::random();
    let bare = if has_sources {
        user_message(question, texts::CITE_BY_NUMBER, Some(""), &fence)
    } else {
        user_message(question, texts::GENERAL, None, &fence)
    };
    room(&bare, &system_message(system), history, has_sources, budget).map(|_| ())
}

fn system_message(given: Option<&str>) -> Message {
    let text = given.filter(|text| !text.trim().is_empty()).unwrap_or(texts::SYSTEM);
    Message { role: Role::System, content: text.to_owned() }
}

/// What is left for documents and history.
fn room(
    bare: &str,
    system: &Message,
    history: &[Message],
    has_documents: bool,
    budget: Budget,
) -> Result<usize, TooLong> {
    let kept = history.iter().filter(|turn| turn.role == Role::System).map(cost);
    let fixed = tokens(bare) + MESSAGE + cost(system) + kept.sum::<usize>();
    budget.room(fixed, if has_documents { LEAST_DOCUMENT } else { 0 })
}

fn cost(message: &Message) -> usize {
    tokens(&message.content) + MESSAGE
}

/// The latest turns that fit into `room`, with all that the system says, and how many turns are missing.
fn latest(history: &[Message], mut room: usize) -> (Vec<Message>, usize) {
    let (mut kept, mut dropped) = (Vec::with_capacity(history.len()), 0);
    for turn in history.iter().rev() {
        if turn.role == Role::System {
            kept.push(turn.clone());
        } else if let Some(left) = room.checked_sub(cost(turn)).filter(|_| dropped == 0) {
            room = left;
            kept.push(turn.clone());
        } else {
            dropped += 1;
        }
    }
    kept.reverse();
    (kept, dropped)
}

/// Which of these turns fit: the fixed ones and the latest of the others.
pub(crate) fn latest_of(turns: &[(&str, bool)], budget: Budget) -> Result<Vec<bool>, TooLong> {
    let costs: Vec<usize> = turns.iter().map(|(text, _)| tokens(text) + MESSAGE).collect();
    let fixed = turns.iter().zip(&costs).filter(|((_, is_fixed), _)| *is_fixed).map(|(_, cost)| cost).sum();
    let mut room = budget.room(fixed, 0)?;
    let mut is_full = false;
    let mut kept: Vec<bool> = turns
        .iter()
        .zip(&costs)
        .rev()
        .map(|((_, is_fixed), cost)| {
            if *is_fixed {
                return true;
            }
            match room.checked_sub(*cost).filter(|_| !is_full) {
                Some(left) => room = left,
                None => is_full = true,
            }
            !is_full
        })
        .collect();
    kept.reverse();
    Ok(kept)
}

fn user_message(question: &str, instruction: &str, documents: Option<&str>, fence: &Fence) -> String {
    let mut message = format!("{instruction}\n\n");
    if let Some(documents) = documents {
        fence.block(&mut message, "DOCUMENTS", documents);
        message.push('\n');
    }
    fence.block(&mut message, "QUESTION", question);
    message
}

/// `[n]: text`, one line per document; and how many there are.
fn numbered(documents: &[Excerpt<'_>], purse: &mut Purse) -> (String, usize) {
    list(documents, purse, |number, _, text| format!("[{number}]: {text}\n"))
}

fn tagged(documents: &[Excerpt<'_>], purse: &mut Purse) -> (String, usize) {
    list(documents, purse, |_, document, text| {
        let relevance = document.score.map_or_else(|| "N/A".to_owned(), |score| format!("{score:.2}"));
        let (path, title) = (escaped(&one_line(document.path)), escaped(&one_line(document.title)));
        let text = escaped(text);
        format!("<document source=\"{path}\" title=\"{title}\" relevance=\"{relevance}\">{text}</document>\n")
    })
}

/// As many documents as the purse pays for, best first, the last one perhaps cut.
fn list(
    documents: &[Excerpt<'_>],
    purse: &mut Purse,
    render: impl Fn(usize, &Excerpt<'_>, &str) -> String,
) -> (String, usize) {
    let (mut list, mut shown) = (String::new(), 0);
    for document in documents {
        let whole = one_line(document.content);
        let Some(line) = purse.pay_for_start(&whole, |text| render(shown + 1, document, text)) else { break };
        list.push_str(&line);
        shown += 1;
    }
    (list, shown)
}

/// What stands for a blank line where a document has to fit on one line.
const PARAGRAPH: &str = " \u{b6} ";

/// Folds every run of white space and control characters into one blank, or into a pilcrow where it holds
/// a blank line, so that headings and paragraphs stay apart; cuts what is too long. A citation marker of
/// the document's own becomes `(cite:`: a model that quotes it would credit whomever the document chose.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_DOCUMENT_CHARS * 4));
    let (mut blank, mut breaks) = (false, 0);
    let mut length = 0;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            blank = length > 0;
            breaks += usize::from(character == '\n');
            continue;
        }
        if length >= MAX_DOCUMENT_CHARS {
            line.push_str(" …");
            break;
        }
        if std::mem::take(&mut blank) {
            let gap = if breaks > 1 { PARAGRAPH } else { " " };
            line.push_str(gap);
            length += gap.chars().count();
        }
        breaks = 0;
        if character == ':' {
            disarm(&mut line);
        }
        line.push(character);
        length += 1;
    }
    line
}

/// Turns a `[cite` at the end of `line`, in any case, into `(cite`.
fn disarm(line: &mut String) {
    let Some(start) = line.len().checked_sub(MARKER.len()) else { return };
    if line.as_bytes()[start..].eq_ignore_ascii_case(MARKER.as_bytes()) {
        line.replace_range(start..=start, "(");
    }
}

/// What a citation begins with, before its colon.
const MARKER: &str = "[cite";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
