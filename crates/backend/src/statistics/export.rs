//! The list of users as CSV, for spreadsheets.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use futures::stream;
use syfthub_domain::{Error, Result, Timestamp};
use syfthub_store::Db;
use syfthub_store::statistics::{self, ListedUser};

/// Rows that are read and written at a time.
const STEP: usize = 500;

const HEADER: [&str; 10] = [
    "id",
    "username",
    "email",
    "full_name",
    "role",
    "is_active",
    "is_email_verified",
    "auth_provider",
    "created_at",
    "last_login_at",
];

/// Where the writing stands.
struct Progress {
    db: Db,
    ids: Vec<i64>,
    /// Rows written; `None` before the header.
    done: Option<usize>,
}

/// The users with these ids, in this order. What was deleted since is left out.
pub(super) fn body(db: Db, ids: Vec<i64>) -> Body {
    let start = Progress { db, ids, done: None };
    Body::from_stream(stream::try_unfold(start, async |mut progress| {
        let Some(done) = progress.done else {
            progress.done = Some(0);
            return Ok(Some((written([HEADER.map(Cow::Borrowed)])?, progress)));
        };
        if done >= progress.ids.len() {
            return Ok::<_, Error>(None);
        }
        let next = progress.ids.len().min(done + STEP);
        let rows = statistics::by_ids(&progress.db, &progress.ids[done..next]).await?;
        progress.done = Some(next);
        Ok(Some((written(rows.iter().map(record))?, progress)))
    }))
}

fn written<'a>(rows: impl IntoIterator<Item = [Cow<'a, str>; 10]>) -> Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| cell.as_bytes())).map_err(Error::internal)?;
    }
    Ok(writer.into_inner().map_err(|error| Error::internal(error.to_string()))?.into())
}

fn record(user: &ListedUser) -> [Cow<'_, str>; 10] {
    let truth = |yes: bool| Cow::Borrowed(if yes { "True" } else { "False" });
    [
        Cow::Owned(user.id.to_string()),
        safe(user.username.as_str()),
        safe(user.email.as_str()),
        safe(&user.full_name),
        Cow::Borrowed(user.role.as_str()),
        truth(user.is_active),
        truth(user.is_email_verified),
        Cow::Borrowed(user.auth_provider.as_str()),
        Cow::Owned(time(user.created_at)),
        Cow::Owned(user.last_login_at.map(time).unwrap_or_default()),
    ]
}

/// A cell that no spreadsheet takes for a formula: what starts like one gets an apostrophe in front.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    // The wide forms are what some spreadsheets in East Asia read as the plain ones.
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

/// `2026-01-02T03:04:05.000006+00:00`.
fn time(at: Timestamp) -> String {
    at.to_rfc3339().replace('Z', "+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_like_a_formula_is_a_text() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠A1"]
        {
            assert_eq!(safe(text), format!("'{text}"));
        }
        for text in ["Ada", "a=b", "", " =x", "'=1"] {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn times_name_their_zone_as_an_offset() {
        let at = Timestamp::parse("2026-01-02T03:04:05.000006Z").unwrap();
        assert_eq!(time(at), "2026-01-02T03:04:05.000006+00:00");
    }

    #[test]
    fn cells_with_separators_are_quoted() {
        let row = ["a,b", "c\"d", "e\nf", "", "", "", "", "", "", ""].map(Cow::Borrowed);
        assert_eq!(written([row]).unwrap().as_ref(), b"\"a,b\",\"c\"\"d\",\"e\nf\",,,,,,,\r\n");
    }
}
