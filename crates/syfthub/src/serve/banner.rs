//! What an operator reads when the hub starts. It goes to standard error, because standard output
//! carries log lines only.

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::DEFAULT_HUB;

/// What there is to say.
#[derive(Debug)]
pub(super) struct Banner<'a> {
    pub(super) address: &'a str,
    pub(super) data_dir: &'a Path,
    /// What this start created, in words; empty on later starts.
    pub(super) created: &'a [String],
    /// The one-time link, only when this start made it.
    pub(super) setup_link: Option<&'a str>,
    /// Paths of the sample node, when it runs and this is the first start.
    pub(super) samples: &'a [String],
}

impl Banner<'_> {
    /// The text: three lines, more on the first start.
    pub(super) fn text(&self) -> String {
        let mut text = format!("SyftHub {}\n", env!("CARGO_PKG_VERSION"));
        let mut row = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {name:<12} {value}");
        };
        row("address", self.address);
        row("data", &self.data_dir.display().to_string());
        if !self.created.is_empty() {
            row("created", &self.created.join(", "));
        }
        if let Some(link) = self.setup_link {
            row("set up", link);
            row(
                "",
                "(creates the first administrator, once; also in the file setup-url of the data directory)",
            );
        }
        if !self.samples.is_empty() {
            row("samples", &self.samples.join(", "));
            let hub =
                if self.address == DEFAULT_HUB { String::new() } else { format!(" --hub {}", self.address) };
            row("try", &format!("bin/syfthub ask \"How do I restore a backup?\"{hub}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_try_names_a_hub_that_is_elsewhere() {
        let samples = ["samples/extract".to_owned()];
        let banner = |address| Banner {
            address,
            data_dir: Path::new("./data"),
            created: &[],
            setup_link: None,
            samples: &samples,
        };
        assert!(!banner("http://localhost:8080").text().contains("--hub"));
        assert!(banner("http://localhost:9000").text().contains("--hub http://localhost:9000"));
    }

    #[test]
    fn later_starts_take_three_lines() {
        let banner = Banner {
            address: "http://localhost:8080",
            data_dir: Path::new("./data"),
            created: &[],
            setup_link: None,
            samples: &[],
        };
        assert_eq!(banner.text().lines().count(), 3);
    }
}
