//! Checking that nothing in the log was changed, removed or put in between.

use super::chain::{self, GENESIS, SealRow, checkpoint, digest, row_hash, seal_hash};
use super::read::{self, Filter};
use super::{PRUNED, count_unsealed};
use crate::{Db, Result};

/// Seals read at once.
const STEP: i64 = 100;
/// Times that a check starts again because rows were pruned under it.
const TRIES: usize = 5;

/// The first thing that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The seal, if one is concerned.
    pub seal: Option<i64>,
    /// Id of the row, if one can be named.
    pub row: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Seals that were checked.
    pub seals: i64,
    /// Sealed rows that were checked.
    pub rows: i64,
    /// Rows too new to have a seal.
    pub unsealed: i64,
    /// The seal up to which everything was pruned.
    pub checkpoint: Option<i64>,
    /// Number and hash of the last seal. Kept elsewhere, they prove later that the end was not cut off.
    pub head: Option<(i64, String)>,
    /// Whether the hash that the caller knew was met on the way; only when they gave one.
    pub met: Option<bool>,
    /// The first fault.
    pub fault: Option<Fault>,
}

/// Recomputes the whole chain. `known` is the hash of a seal that the caller kept elsewhere.
pub async fn verify(db: &Db, known: Option<&str>) -> Result<Report> {
    let mut report = Report::default();
    for _ in 0..TRIES {
        let start = checkpoint(db).await?;
        report = Check::new(db, known, start.as_ref()).run().await?;
        // Pruning removes rows between two reads of a check; that is no fault of the log.
        let now = checkpoint(db).await?;
        if report.fault.is_none() || now.map(|seal| seal.number) == start.map(|seal| seal.number) {
            break;
        }
    }
    report.unsealed = count_unsealed(db).await?;
    Ok(report)
}

struct Check<'a> {
    db: &'a Db,
    known: Option<&'a str>,
    start: Option<&'a SealRow>,
    report: Report,
}

impl<'a> Check<'a> {
    fn new(db: &'a Db, known: Option<&'a str>, start: Option<&'a SealRow>) -> Self {
        let report = Report {
            checkpoint: start.map(|seal| seal.number),
            met: known.map(|_| false),
            ..Report::default()
        };
        Self { db, known, start, report }
    }

    async fn run(mut self) -> Result<Report> {
        let fault = match self.checkpoint().await? {
            Some(fault) => Some(fault),
            None => self.chain().await?,
        };
        self.report.fault = fault;
        if self.report.fault.is_none() && self.report.met == Some(false) {
            let reason =
                "no seal has the hash that was given: the end of the log was cut off, or it is another log";
            self.report.fault = Some(Fault { seal: None, row: None, reason: reason.to_owned() });
        }
        Ok(self.report)
    }

    /// The checkpoint is a good seal, and its pruning is in the log: rows that somebody removed by marking a
    /// seal as pruned have no such entry.
    async fn checkpoint(&mut self) -> Result<Option<Fault>> {
        let Some(seal) = self.start else { return Ok(None) };
        if seal_hash(seal) != seal.hash {
            return Ok(fault(seal, None, "the checkpoint's own hash does not fit its contents"));
        }
        self.meet(seal);
        self.report.head = Some((seal.number, seal.hash.clone()));
        let filter = Filter {
            target_kind: Some("audit_seal".to_owned()),
            target: Some(seal.number.to_string()),
            action: Some(PRUNED.to_owned()),
            ..Filter::default()
        };
        if read::list(self.db, &filter, None, 1).await?.is_empty() {
            return Ok(fault(
                seal,
                None,
                "rows up to this seal are gone and no entry says that they were pruned",
            ));
        }
        Ok(None)
    }

    async fn chain(&mut self) -> Result<Option<Fault>> {
        let pruned = self.start.map_or(0, |seal| seal.number);
        let mut previous = self.start.map_or_else(|| GENESIS.to_owned(), |seal| seal.hash.clone());
        let mut next = pruned + 1;
        loop {
            let seals = chain::seals_from(self.db, next, STEP).await?;
            for seal in &seals {
                if let Some(fault) = self.seal(seal, next, &previous).await? {
                    return Ok(Some(fault));
                }
                next = seal.number + 1;
                previous.clone_from(&seal.hash);
            }
            if seals.is_empty() {
                break;
            }
        }
        let stray = read::stray(self.db, pruned, next - 1).await?;
        // A seal made during the check looks like one after the end.
        if let Some(row) = stray
            && chain::seals_from(self.db, next, 1).await?.is_empty()
        {
            let reason = "the row belongs to a seal that does not exist".to_owned();
            return Ok(Some(Fault { seal: None, row: Some(row), reason }));
        }
        Ok(None)
    }

    async fn seal(&mut self, seal: &SealRow, number: i64, previous: &str) -> Result<Option<Fault>> {
        if seal.number != number {
            return Ok(fault(seal, None, &format!("seal {number} is missing before it")));
        }
        if seal.previous_hash != previous {
            return Ok(fault(seal, None, "it does not follow the seal before it"));
        }
        if seal_hash(seal) != seal.hash {
            return Ok(fault(seal, None, "its hash does not fit its contents"));
        }
        let rows = read::of_seal(self.db, seal.number).await?;
        for row in &rows {
            if row.row_hash.as_deref() != Some(row_hash(row).as_str()) {
                return Ok(fault(seal, Some(&row.id), "the row was changed after it was sealed"));
            }
        }
        let found = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if found != seal.row_count {
            let gap = (0_i64..).zip(&rows).find(|(place, row)| row.seal_position != Some(*place));
            let place = gap.map_or(found, |(place, _)| place);
            let reason = format!(
                "it has {found} rows instead of {}; the first gap is at place {place}",
                seal.row_count
            );
            let missing = if place == 0 {
                Some(seal.first_row.as_str())
            } else if place + 1 == seal.row_count {
                Some(seal.last_row.as_str())
            } else {
                None
            };
            return Ok(fault(seal, missing, &reason));
        }
        if digest(rows.iter().filter_map(|row| row.row_hash.as_deref())) != seal.rows_digest {
            return Ok(fault(seal, None, "its rows are not those that were sealed"));
        }
        self.meet(seal);
        self.report.seals += 1;
        self.report.rows += found;
        self.report.head = Some((seal.number, seal.hash.clone()));
        Ok(None)
    }

    fn meet(&mut self, seal: &SealRow) {
        if self.known == Some(seal.hash.as_str()) {
            self.report.met = Some(true);
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every caller answers with an option")]
fn fault(seal: &SealRow, row: Option<&str>, reason: &str) -> Option<Fault> {
    Some(Fault { seal: Some(seal.number), row: row.map(str::to_owned), reason: reason.to_owned() })
}
