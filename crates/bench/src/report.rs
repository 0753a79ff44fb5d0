//! The table that is printed at the end.

use std::io::{self, Write as _};

/// Says on standard error what runs now.
pub(crate) fn progress(name: &str) -> io::Result<()> {
    writeln!(io::stderr(), "measuring {name} …")
}

/// Rows of figures, each with its goal where it has one.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    figure: String,
    goal: String,
    reached: Option<bool>,
}

impl Report {
    /// A figure without a goal.
    pub(crate) fn note(&mut self, name: &str, figure: String) {
        self.rows.push(Row { name: name.to_owned(), figure, goal: String::new(), reached: None });
    }

    /// A figure that should be at most `goal`.
    pub(crate) fn at_most(&mut self, name: &str, value: f64, goal: f64, unit: &str) {
        self.rows.push(Row {
            name: name.to_owned(),
            figure: format!("{value:.2} {unit}"),
            goal: format!("≤ {goal} {unit}"),
            reached: Some(value <= goal),
        });
    }

    /// A ratio in percent that should be at least `goal`.
    pub(crate) fn at_least(&mut self, name: &str, percent: f64, goal: f64) {
        self.rows.push(Row {
            name: name.to_owned(),
            figure: format!("{percent:.1} %"),
            goal: format!("≥ {goal} %"),
            reached: Some(percent >= goal),
        });
    }

    /// A rate that should be at least `goal` a second.
    pub(crate) fn at_least_per_second(&mut self, name: &str, rate: f64, goal: f64) {
        self.rows.push(Row {
            name: name.to_owned(),
            figure: format!("{rate:.0}/s"),
            goal: format!("≥ {goal}/s"),
            reached: Some(rate >= goal),
        });
    }

    /// Prints the table to standard output.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut out = io::stdout().lock();
        for row in &self.rows {
            let verdict = match row.reached {
                Some(true) => "reached",
                Some(false) => "MISSED",
                None => "",
            };
            writeln!(out, "{:width$}  {:>32}  {:>12}  {verdict}", row.name, row.figure, row.goal)?;
        }
        Ok(())
    }
}
