//! `cargo xtask eval`: how good the answers of a running hub are, on questions whose answers are known.
//!
//! Two sets: a made-up town of five publishers whose documents are full of look-alikes, asked all at once; and this
//! repository's own documentation, asked in the words of people who have not read it.

mod handbook;
mod hub;
mod town;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::counts::Counts;
use crate::workspace::{self, Profile};
use hub::Hub;

/// A question whose answer is known.
pub(crate) struct Question {
    text: String,
    /// Beginnings of the titles that hold the answer; any of them will do.
    titles: Vec<String>,
    /// What the answer has to say, where that is one expression.
    says: Option<String>,
}

/// Somebody who publishes a folder.
pub(crate) struct Publisher {
    name: String,
    folder: std::path::PathBuf,
}

/// What must not be undercut, a little below what was seen when it was set.
struct Floors {
    recall: f64,
    reciprocal_rank: f64,
    precision: f64,
    said: f64,
}

const TOWN: Floors = Floors { recall: 0.98, reciprocal_rank: 0.97, precision: 0.8, said: 0.8 };
const HANDBOOK: Floors = Floors { recall: 0.8, reciprocal_rank: 0.53, precision: 0.33, said: 0.0 };

/// Sums over the questions of a set.
#[derive(Default)]
struct Scores {
    questions: usize,
    found: usize,
    reciprocal_ranks: f64,
    markers: usize,
    right_markers: usize,
    to_say: usize,
    said: usize,
}

impl Scores {
    fn add(&mut self, question: &Question, answer: &Value) {
        let is_right = |title: &str| question.titles.iter().any(|right| title.starts_with(right.as_str()));
        let title = |number: usize| answer["citations"][number.to_string()]["title"].as_str();
        self.questions += 1;
        if let Some(rank) = (1..=5).find(|number| title(*number).is_some_and(is_right)) {
            self.found += 1;
            self.reciprocal_ranks += 1.0 / rank as f64;
        }
        let text = answer["response"].as_str().unwrap_or_default();
        for number in markers(text) {
            self.markers += 1;
            self.right_markers += usize::from(title(number).is_some_and(is_right));
        }
        if let Some(words) = &question.says {
            self.to_say += 1;
            self.said += usize::from(text.contains(words.as_str()));
        }
    }

    /// Name, figure and floor of each measure that the set has something for.
    fn figures(&self, floors: &Floors) -> Vec<(&'static str, f64, f64)> {
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let mut figures = vec![
            ("recall@5", share(self.found, self.questions), floors.recall),
            ("MRR", self.reciprocal_ranks / self.questions.max(1) as f64, floors.reciprocal_rank),
            ("citation precision", share(self.right_markers, self.markers), floors.precision),
        ];
        if self.to_say > 0 {
            figures.push(("answers that say it", share(self.said, self.to_say), floors.said));
        }
        figures
    }
}

/// The numbers of the markers in an answer, `[cite:1,2-0:17]`.
fn markers(text: &str) -> impl Iterator<Item = usize> {
    text.split("[cite:").skip(1).flat_map(|rest| {
        let numbers = rest.split([']', '-']).next().unwrap_or_default();
        numbers.split(',').filter_map(|number| number.trim().parse().ok())
    })
}

/// Asks all questions of a hub that it starts, prints the figures, and counts each as a test.
pub(crate) fn run(show_misses: bool) -> Result<Counts> {
    let folder = tempfile::Builder::new().prefix("syfthub-eval-").tempdir()?;
    let mut hub = Hub::start(folder.path())?;
    let mut counts = Counts::default();
    for (name, (publishers, questions), floors) in [
        ("a town of look-alikes", town::write(&folder.path().join("town"))?, &TOWN),
        ("the hub's own documentation", handbook::set(), &HANDBOOK),
    ] {
        let names: Vec<String> = publishers.iter().map(|publisher| publisher.name.clone()).collect();
        for publisher in &publishers {
            hub.publish(publisher)?;
        }
        let mut scores = Scores::default();
        for question in &questions {
            let answer = hub.ask(&question.text, &names)?;
            let found_before = scores.found;
            scores.add(question, &answer);
            if show_misses && scores.found == found_before {
                println!(
                    "missed: {} (expected {:?})\n    {}",
                    question.text, question.titles, answer["citations"]
                );
            }
        }
        println!("{name}: {} questions to {} publishers", questions.len(), names.len());
        for (measure, figure, floor) in scores.figures(floors) {
            let is_well = figure >= floor;
            counts.add(is_well);
            println!(
                "  {measure:<20} {figure:.3}  (at least {floor:.2}) {}",
                if is_well { "ok" } else { "FAILED" }
            );
        }
    }
    Ok(counts)
}

/// The command: builds the hub, then asks.
pub(crate) fn command(show_misses: bool) -> Result<bool> {
    workspace::build(Profile::Dev, &["syfthub"])?;
    let counts = run(show_misses).context("the evaluation")?;
    Ok(counts.failed == 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn markers_are_read_as_the_hub_writes_them() {
        let text = "One [cite:2-0:3]. Two [cite:1,3-5:9]. Three [cite:x].";
        assert_eq!(markers(text).collect::<Vec<_>>(), [2, 1, 3]);
    }

    fn shown(scores: &Scores) -> Vec<String> {
        scores.figures(&TOWN).iter().map(|(_, figure, _)| format!("{figure:.2}")).collect()
    }

    #[test]
    fn a_wrong_answer_lowers_every_figure() {
        let question =
            Question { text: String::new(), titles: vec!["Right".into()], says: Some("1893".into()) };
        let answer = json!({
            "response": "Built in 1893 [cite:2-0:13]. By nobody [cite:1-15:24].",
            "citations": {"1": {"title": "Wrong"}, "2": {"title": "Right: part"}},
        });
        let mut scores = Scores::default();
        scores.add(&question, &answer);
        let figures = shown(&scores);
        assert_eq!(figures, ["1.00", "0.50", "0.50", "1.00"]);
        scores.add(&question, &json!({"response": "I do not know.", "citations": {}}));
        let figures = shown(&scores);
        assert_eq!(figures, ["0.50", "0.25", "0.50", "0.50"]);
    }
}
