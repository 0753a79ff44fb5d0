//! Citation markers in the text for a language model: `[cite:1,2-0:15]` becomes the names of the sources.

use std::collections::BTreeMap;

/// Replaces every marker by the paths behind its numbers; a marker with unknown numbers only goes away.
pub(super) fn name(text: &str, sources: &BTreeMap<u32, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[cite:") {
        let Some(length) = rest[start..].find(']') else { break };
        let marker = &rest[start + "[cite:".len()..start + length];
        out.push_str(&rest[..start]);
        let names = names(marker, sources);
        if names.is_empty() {
            // The blank before a marker that goes away would stand alone before a full stop.
            out.truncate(out.trim_end_matches(' ').len());
        } else {
            out.push('[');
            out.push_str(&names.join("; "));
            out.push(']');
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}

/// `1,2-0:15`: numbers, then optionally the span of the sentence.
fn names<'s>(marker: &str, sources: &'s BTreeMap<u32, String>) -> Vec<&'s str> {
    let numbers = marker.split_once('-').map_or(marker, |(numbers, _)| numbers);
    let mut names: Vec<&str> = Vec::new();
    for name in numbers.split(',').filter_map(|n| sources.get(&n.trim().parse().ok()?)) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> String {
        let sources = BTreeMap::from([
            (1, "bob/docs".to_owned()),
            (2, "eve/wiki".to_owned()),
            (3, "bob/docs".to_owned()),
        ]);
        name(text, &sources)
    }

    #[test]
    fn markers_become_names_or_go_away() {
        assert_eq!(named("Margins rose [cite:1-0:12]."), "Margins rose [bob/docs].");
        assert_eq!(named("Both [cite:1,2,3-0:4] agree"), "Both [bob/docs; eve/wiki] agree");
        assert_eq!(named("Unknown [cite:9]. Next."), "Unknown. Next.");
        assert_eq!(named("No marker [1], open [cite:1"), "No marker [1], open [cite:1");
    }
}
