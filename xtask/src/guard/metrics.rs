//! Every figure that a service counts is explained to operators, with its kind and its labels, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use super::Repository;

const PAGE: &str = "docs/operations/metrics.md";
const KINDS: &[&str] = &["counter", "gauge", "histogram"];
/// Whose names begin otherwise is made up in a test.
const PREFIXES: &[&str] = &["syfthub_", "http_"];

/// What is known of one figure.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figure {
    kind: String,
    labels: BTreeSet<String>,
}

type Figures = BTreeMap<String, Figure>;

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let mut counted = Figures::new();
    for (path, text) in repository.rust_files() {
        if path.starts_with("crates") && path.components().any(|part| part.as_os_str() == "src") {
            collect(text, &mut counted);
        }
    }
    let page = match repository.text(PAGE) {
        Ok(text) => explained(text),
        Err(error) => return vec![error.to_string()],
    };
    let mut faults = Vec::new();
    for (name, figure) in &counted {
        match page.get(name) {
            None => faults.push(format!("{PAGE} does not explain {name}")),
            Some(said) if said != figure => {
                faults.push(format!("{PAGE} says of {name}: {said:?}; it is {figure:?}"));
            }
            Some(_) => {}
        }
    }
    let gone = page.keys().filter(|name| !counted.contains_key(*name));
    faults.extend(gone.map(|name| format!("{PAGE} explains {name}, which nothing counts")));
    faults
}

/// The calls of `counter!`, `gauge!` and `histogram!`.
fn collect(text: &str, figures: &mut Figures) {
    for kind in KINDS {
        for rest in text.split(&format!("metrics::{kind}!(")).skip(1) {
            let call = rest.split_once(')').map_or(rest, |(call, _)| call);
            let mut quoted = call.split('"').skip(1).step_by(2);
            let Some(name) = quoted.next().filter(|name| is_ours(name)) else { continue };
            let figure = figures.entry(name.to_owned()).or_default();
            (*kind).clone_into(&mut figure.kind);
            figure.labels.extend(labels(call));
            if call.contains("&labels") {
                // They are written before the call.
                figure.labels.extend(["method", "path", "status"].map(str::to_owned));
            }
        }
    }
}

fn is_ours(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What stands before `=>`.
fn labels(call: &str) -> Vec<String> {
    let mut parts: Vec<&str> = call.split("=>").collect();
    parts.pop();
    parts.iter().filter_map(|part| part.rsplit('"').nth(1)).map(str::to_owned).collect()
}

/// The rows of the tables: name, kind, labels, meaning.
fn explained(page: &str) -> Figures {
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut figures = Figures::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells.as_slice() else { continue };
        let Some(name) = words(name).into_iter().next().filter(|name| is_ours(name)) else { continue };
        let labels = words(labels).into_iter().collect();
        figures.insert(name, Figure { kind: (*kind).to_owned(), labels });
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
        metrics::counter!("syfthub_a_total", "to" => to).increment(1);
        metrics::gauge!("syfthub_b").set(1.0);
        metrics::histogram!(
            "syfthub_c_seconds"
        ).record(1.0);
        metrics::counter!("made_up_total").increment(1);
    "#;

    fn faults(page: &str) -> Vec<String> {
        check(&Repository::of(&[("crates/web/src/lib.rs", SOURCE), (PAGE, page)]))
    }

    #[test]
    fn a_page_that_explains_everything_passes() {
        let page =
            "| Name | Kind | Labels | |\n|---|---|---|---|\n| `syfthub_a_total` | counter | `to`: `x` | |\n";
        let rows = "| `syfthub_b` | gauge | | |\n| `syfthub_c_seconds` | histogram | – | |\n";
        let wrong = faults(&format!("{page}{rows}"));
        assert_eq!(wrong.len(), 1, "a value is no label: {wrong:?}");
        assert!(faults(&format!("{}{rows}", page.replace(": `x`", ""))).is_empty());
    }

    #[test]
    fn what_is_missing_wrong_or_gone_is_found() {
        let page = "| `syfthub_a_total` | counter | | |\n| `syfthub_b` | counter | | |\n| `syfthub_d` | gauge | | |\n";
        let faults = faults(page).join("\n");
        for fault in
            ["says of syfthub_a_total", "says of syfthub_b", "not explain syfthub_c_seconds", "syfthub_d"]
        {
            assert!(faults.contains(fault), "{fault} is missing in {faults}");
        }
    }
}
