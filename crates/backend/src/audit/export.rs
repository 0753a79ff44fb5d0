//! The audit log as a file, a page at a time: however long it is, a few hundred rows are in memory.

use axum::body::{Body, Bytes};
use futures::stream;
use syfthub_domain::{Error, Result};
use syfthub_store::Db;
use syfthub_store::audit::{self, AuditRow, Cursor, Filter};

use super::wire::AuditEntry;
use crate::statistics::export::safe;

/// Rows that are read and written at a time.
const STEP: u32 = 500;

const HEADER: [&str; 13] = [
    "id",
    "at",
    "actor_id",
    "actor",
    "address",
    "correlation_id",
    "action",
    "target_kind",
    "target",
    "outcome",
    "before",
    "after",
    "seal",
];

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object per line.
    Ndjson,
    /// For spreadsheets.
    Csv,
}

impl Form {
    /// Its name, and the ending of the file.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// Its media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

struct Progress {
    db: Db,
    filter: Filter,
    form: Form,
    after: Option<Cursor>,
    has_begun: bool,
    is_done: bool,
}

/// The log under a filter, newest first.
pub(super) fn body(db: Db, filter: Filter, form: Form) -> Body {
    let start = Progress { db, filter, form, after: None, has_begun: false, is_done: false };
    Body::from_stream(stream::try_unfold(start, async |mut progress| {
        if progress.is_done {
            return Ok::<_, Error>(None);
        }
        let rows = audit::list(&progress.db, &progress.filter, progress.after.as_ref(), STEP).await?;
        progress.is_done = rows.len() < STEP as usize;
        progress.after = rows.last().map(|row| Cursor { occurred_at: row.occurred_at, id: row.id.clone() });
        let bytes = match progress.form {
            Form::Ndjson => lines(rows)?,
            Form::Csv => records(&rows, !progress.has_begun)?,
        };
        progress.has_begun = true;
        Ok(Some((bytes, progress)))
    }))
}

fn lines(rows: Vec<AuditRow>) -> Result<Bytes> {
    let mut bytes = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut bytes, &AuditEntry::from(row)).map_err(Error::internal)?;
        bytes.push(b'\n');
    }
    Ok(bytes.into())
}

fn records(rows: &[AuditRow], with_header: bool) -> Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if with_header {
        writer.write_record(HEADER).map_err(Error::internal)?;
    }
    for row in rows {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let record = [
            row.id.clone(),
            row.occurred_at.to_rfc3339(),
            number(row.actor_id),
            row.actor_name.clone(),
            text(&row.actor_address),
            text(&row.correlation_id),
            row.action.clone(),
            row.target_kind.clone(),
            row.target.clone(),
            row.outcome.clone(),
            text(&row.before_json),
            text(&row.after_json),
            number(row.seal_number),
        ];
        writer
            .write_record(record.iter().map(|field| safe(field).as_bytes().to_vec()))
            .map_err(Error::internal)?;
    }
    Ok(writer.into_inner().map_err(|error| Error::internal(error.to_string()))?.into())
}
