//! What the suite reports, and which of its scenarios are tests of ours.

use std::collections::BTreeSet;

use crate::counts::Counts;

/// The scenarios of an optional extension that we do not offer.
const EXTENSION: &str = "tasks-";

/// What a server need not pass, by a file of the suite's own form: `- scenario`, or `- scenario:check` for one check of it.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    scenarios: BTreeSet<String>,
    checks: BTreeSet<String>,
}

impl Baseline {
    /// Reads the file; lines that are no entries say nothing.
    pub(super) fn parse(text: &str) -> Self {
        let mut baseline = Self::default();
        for entry in text.lines().filter_map(|line| line.trim().strip_prefix("- ")) {
            match entry.split_once(':') {
                Some((scenario, _)) => baseline.checks.insert(scenario.to_owned()),
                None => baseline.scenarios.insert(entry.to_owned()),
            };
        }
        baseline
    }
}

/// A scenario that is a test of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) passed: bool,
}

/// The summary of a run.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) scenarios: Vec<Scenario>,
}

impl Report {
    /// Reads lines such as `✓ ping: 2 passed, 0 failed`, and behind them the failures that the baseline does not excuse,
    /// warnings among them.
    pub(super) fn parse(text: &str, baseline: &Baseline) -> Self {
        let (summary, rest) = text.split_once("Unexpected failures (not in baseline)").unwrap_or((text, ""));
        let unexpected: BTreeSet<&str> = rest
            .lines()
            .filter_map(|line| line.trim().strip_prefix('✗'))
            .map(|name| name.trim().split(':').next().unwrap_or_default())
            .collect();
        let scenarios = summary
            .lines()
            .filter_map(|line| {
                let (passed, line) = match line.strip_prefix('✓') {
                    Some(rest) => (true, rest),
                    None => (false, line.strip_prefix('✗')?),
                };
                let (name, counts) = line.trim().split_once(": ")?;
                // A scenario without a check was skipped by the suite itself.
                let ran = counts.ends_with(" failed") && counts != "0 passed, 0 failed";
                let ours = !name.starts_with(EXTENSION) && !baseline.scenarios.contains(name);
                let excused = baseline.checks.contains(name);
                let passed = (passed || excused) && !unexpected.contains(name);
                (ran && ours).then(|| Scenario { name: name.to_owned(), passed })
            })
            .collect();
        Self { scenarios }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.scenarios.iter().any(|scenario| !scenario.passed)
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for scenario in &self.scenarios {
            counts.add(scenario.passed);
            println!("scenario {} ... {}", scenario.name, if scenario.passed { "ok" } else { "FAILED" });
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "=== SUMMARY ===\n✓ ping: 2 passed, 0 failed\n✗ caching: 1 passed, 1 failed\n\
        ✗ tasks-lifecycle: 1 passed, 8 failed\n✓ polling: 0 passed, 0 failed\n✗ stateless: 9 passed, 1 failed\n\
        ✓ streams: 1 passed, 0 failed\n✗ tools-call: 1 passed, 1 failed\n\nTotal: 14 passed, 11 failed\n\n\
        Expected failures (in baseline):\n  ~ tools-call\n  ~ stateless:log\n\n\
        \u{1b}[31mUnexpected failures (not in baseline):\u{1b}[0m\n  ✗ caching\n  ✗ streams\n";

    #[test]
    fn the_summary_is_read_with_what_a_baseline_excuses() {
        let baseline = Baseline::parse("# words\nserver:\n  - tools-call\n  - stateless:log\n");
        let report = Report::parse(TEXT, &baseline);
        let names: Vec<(&str, bool)> = report.scenarios.iter().map(|s| (s.name.as_str(), s.passed)).collect();
        assert_eq!(names, [("ping", true), ("caching", false), ("stateless", true), ("streams", false)]);
        assert!(report.has_failed());
        assert_eq!(report.counts(), Counts { passed: 2, failed: 2, skipped: 0 });
    }

    #[test]
    fn without_a_baseline_nothing_is_excused() {
        let report = Report::parse(TEXT, &Baseline::default());
        assert_eq!(report.counts(), Counts { passed: 1, failed: 4, skipped: 0 });
    }
}
