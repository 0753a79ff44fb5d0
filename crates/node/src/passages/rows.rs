//! Tables and records: rows are written out with their column names, so that a passage speaks for itself.

use super::Split;
use super::packer::Packer;

/// Rows of CSV as `column: value; column: value`. The first row names the columns.
pub(super) fn split_csv(text: &str, delimiter: u8, max: usize) -> Split {
    let mut packer = Packer::new(max);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut columns: Vec<String> = Vec::new();
    let last_line = u32::try_from(text.split('\n').count()).unwrap_or(u32::MAX);
    for record in reader.records().map_while(Result::ok) {
        if packer.is_full() {
            break;
        }
        let line = record.position().and_then(|at| u32::try_from(at.line()).ok()).unwrap_or(1);
        let line = line.clamp(1, last_line);
        if columns.is_empty() {
            columns = record.iter().map(|name| name.trim().to_owned()).collect();
            packer.line(line, &columns.join("; "));
            continue;
        }
        packer.line(line, &row(&columns, &record));
    }
    packer.done()
}

fn row(columns: &[String], record: &csv::StringRecord) -> String {
    let mut text = String::new();
    for (at, value) in record.iter().enumerate().filter(|(_, value)| !value.trim().is_empty()) {
        if !text.is_empty() {
            text.push_str("; ");
        }
        if let Some(column) = columns.get(at).filter(|column| !column.is_empty()) {
            text.push_str(column);
            text.push_str(": ");
        }
        text.push_str(value.trim());
    }
    text.replace('\n', " ")
}

/// JSON as it stands, by lines. A file without line breaks is laid out first.
pub(super) fn split_json(text: &str, max: usize) -> Split {
    let mut packer = Packer::new(max);
    let on_one_line = text.trim_end().len() > 200 && !text.trim_end().contains('\n');
    let laid_out = on_one_line
        .then(|| serde_json::from_str::<serde_json::Value>(text).ok())
        .flatten()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    for (line, number) in laid_out.as_deref().unwrap_or(text).lines().zip(1_u32..) {
        if packer.is_full() {
            break;
        }
        let number = if laid_out.is_some() { 1 } else { number };
        match line.trim() {
            "" => packer.paragraph(),
            // An element of the outermost list ended: a good place to end a passage.
            "}," if line.starts_with("  }") || line.starts_with('}') => {
                packer.line(number, line);
                packer.paragraph();
            }
            _ => packer.line(number, line),
        }
    }
    packer.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_carry_their_column_names() {
        let split = split_csv("city,mayor\nUlm,\"Ada\nB\"\nBern,Eve,extra\n", b',', 10);
        assert_eq!(split.passages.len(), 1);
        let passage = &split.passages[0];
        assert_eq!(passage.text, "city; mayor\ncity: Ulm; mayor: Ada B\ncity: Bern; mayor: Eve; extra");
        assert_eq!((passage.line_start, passage.line_end), (1, 4));
    }

    #[test]
    fn json_on_one_line_is_laid_out() {
        let items: Vec<String> = (0..100).map(|i| format!("{{\"name\":\"item {i}\"}}")).collect();
        let split = split_json(&format!("[{}]", items.join(",")), 100);
        assert!(split.passages.len() > 1);
        assert!(split.passages.iter().all(|p| p.line_start == 1 && p.line_end == 1));
        assert!(split.passages[0].text.contains("\"name\": \"item 0\""));
    }
}
