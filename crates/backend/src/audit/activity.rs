//! Facts that come too often for the audit log, written in batches behind the requests.
//!
//! A request only puts its fact into a queue. What is in the queue when the process is killed is lost, at most a
//! second's worth; what does not fit into it is counted and dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use syfthub_domain::{SharedClock, UserId};
use syfthub_logging::correlation;
use syfthub_store::activity::{self, NewActivity};
use syfthub_store::{Db, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Facts that may wait; some megabytes.
const QUEUE: usize = 20_000;
/// Facts of one batch.
const BATCH: usize = 500;
/// Longest wait of a fact for others to be written with.
const LINGER: Duration = Duration::from_millis(250);
/// Longest wait for the last batch when the process stops.
const FLUSH: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Somebody signed in.
    LoginSuccess,
    /// Somebody tried to.
    LoginFailed,
    /// A session was refreshed.
    TokenRefreshed,
    /// A refresh token was used twice.
    TokenReused,
    /// Somebody signed out.
    Logout,
    /// A personal access token was used.
    AccessTokenUsed,
    /// A satellite token was made.
    SatelliteTokenMinted,
    /// A tool was called through MCP.
    ToolCalled,
    /// An OAuth client began a grant without asking anybody: for itself, or in exchange for a credential.
    GrantBegun,
}

impl Kind {
    /// As it is kept and shown.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::LoginSuccess => "login.success",
            Self::LoginFailed => "login.failed",
            Self::TokenRefreshed => "token.refreshed",
            Self::TokenReused => "token.reused",
            Self::Logout => "logout",
            Self::AccessTokenUsed => "access_token.used",
            Self::SatelliteTokenMinted => "satellite_token.minted",
            Self::ToolCalled => "tool.called",
            Self::GrantBegun => "grant.begun",
        }
    }

    /// Whether equal facts of one batch become one row with a count.
    const fn is_counted(kind: &str) -> bool {
        // Comparing constants of ours; `match` on text needs no allocation.
        matches!(kind.as_bytes(), b"satellite_token.minted" | b"access_token.used")
    }
}

/// Whose account a fact is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose<'a> {
    /// This one's.
    User(UserId),
    /// That of this name or mail address, if there is one.
    Claimed(&'a str),
    /// Nobody's.
    Guest,
}

enum Message {
    Fact(NewActivity),
    Flush(oneshot::Sender<()>),
}

/// Takes facts. A clone leads to the same queue.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    queue: mpsc::Sender<Message>,
    clock: SharedClock,
}

/// The other end of the queue.
pub(crate) struct Facts(mpsc::Receiver<Message>);

impl Activity {
    /// A queue, and what empties it.
    pub(crate) fn new(clock: SharedClock) -> (Self, Facts) {
        let (queue, facts) = mpsc::channel(QUEUE);
        (Self { queue, clock }, Facts(facts))
    }

    /// Notes a fact. Never waits.
    pub(crate) fn note(&self, kind: Kind, whose: Whose<'_>, address: Option<IpAddr>, detail: Option<String>) {
        let (user_id, claimed) = match whose {
            Whose::User(id) => (Some(id), None),
            Whose::Claimed(name) => (None, Some(name.trim().to_lowercase())),
            Whose::Guest => (None, None),
        };
        let fact = NewActivity {
            at: self.clock.now(),
            user_id,
            claimed,
            kind: kind.as_str(),
            address: address.map(|address| address.to_string()),
            correlation_id: correlation::current().map(|id| id.to_string()),
            detail,
        };
        self.put(fact);
    }

    /// Takes a fact that another service noted. Never waits.
    pub(crate) fn put(&self, fact: NewActivity) {
        if self.queue.try_send(Message::Fact(fact)).is_err() {
            metrics::counter!("syfthub_activity_dropped_total").increment(1);
        }
    }

    /// Waits until everything noted so far is written, at most a second.
    pub(crate) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        let flushed = async {
            if self.queue.send(Message::Flush(done)).await.is_ok() {
                // Without a writer there is nothing to wait for.
                let _ = written.await;
            }
        };
        if tokio::time::timeout(FLUSH, flushed).await.is_err() {
            tracing::warn!("activity.flush.overdue");
        }
    }
}

impl Facts {
    /// Writes batches until the last sender is gone.
    pub(crate) async fn write_forever(mut self, db: Db) {
        loop {
            let mut messages = Vec::new();
            if self.0.recv_many(&mut messages, BATCH).await == 0 {
                return;
            }
            self.gather(&mut messages).await;
            write(&db, messages).await;
        }
    }

    /// Waits a little for more facts, so that a lonely one costs no transaction of its own under load.
    async fn gather(&mut self, messages: &mut Vec<Message>) {
        let until = Instant::now() + LINGER;
        while messages.len() < BATCH && !matches!(messages.last(), Some(Message::Flush(_))) {
            match tokio::time::timeout_at(until, self.0.recv()).await {
                Ok(Some(message)) => messages.push(message),
                Ok(None) | Err(_) => return,
            }
        }
    }
}

async fn write(db: &Db, messages: Vec<Message>) {
    let (mut facts, mut waiting) = (Vec::new(), Vec::new());
    for message in messages {
        match message {
            Message::Fact(fact) => facts.push(fact),
            Message::Flush(done) => waiting.push(done),
        }
    }
    let facts = counted(facts);
    let rows = facts.len() as u64;
    if let Err(error) = store(db, &facts).await {
        metrics::counter!("syfthub_activity_dropped_total").increment(rows);
        tracing::warn!(%error, rows, "activity.write.failed");
    }
    for done in waiting {
        // Whoever waited may have given up.
        let _ = done.send(());
    }
}

async fn store(db: &Db, facts: &[NewActivity]) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    activity::insert_batch(&mut tx, facts).await?;
    tx.commit().await
}

/// What equal facts have in common: account, kind, address and detail.
type Same = (Option<UserId>, &'static str, Option<String>, Option<String>);

/// Makes one row of equal facts that come by the thousand, with their number.
fn counted(facts: Vec<NewActivity>) -> Vec<NewActivity> {
    let mut counts: HashMap<Same, usize> = HashMap::new();
    let mut kept = Vec::with_capacity(facts.len());
    let key =
        |fact: &NewActivity| -> Same { (fact.user_id, fact.kind, fact.address.clone(), fact.detail.clone()) };
    for fact in facts {
        if !Kind::is_counted(fact.kind) {
            kept.push(fact);
            continue;
        }
        let count = counts.entry(key(&fact)).or_default();
        *count += 1;
        if *count == 1 {
            kept.push(fact);
        }
    }
    for fact in &mut kept {
        let count = counts.get(&key(fact)).copied().unwrap_or_default();
        if count > 1 {
            let detail = fact.detail.take().unwrap_or_default();
            fact.detail = Some(format!("{detail} ×{count}").trim().to_owned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use syfthub_domain::{FixedClock, Timestamp};

    use super::*;

    #[test]
    fn a_full_queue_drops_and_never_waits() {
        let (activity, facts) = Activity::new(FixedClock::new(Timestamp::from_secs(1)));
        for _ in 0..QUEUE + 10 {
            activity.note(Kind::TokenRefreshed, Whose::Guest, None, None);
        }
        assert_eq!(facts.0.len(), QUEUE);
    }

    #[test]
    fn tokens_of_one_audience_become_one_row() {
        let fact = |kind: Kind, user: i64, detail: &str| NewActivity {
            at: Timestamp::from_secs(1),
            user_id: Some(UserId(user)),
            claimed: None,
            kind: kind.as_str(),
            address: None,
            correlation_id: None,
            detail: Some(detail.to_owned()),
        };
        let facts = vec![
            fact(Kind::SatelliteTokenMinted, 1, "bob"),
            fact(Kind::SatelliteTokenMinted, 1, "bob"),
            fact(Kind::SatelliteTokenMinted, 1, "eve"),
            fact(Kind::SatelliteTokenMinted, 2, "bob"),
            fact(Kind::LoginSuccess, 1, "x"),
            fact(Kind::LoginSuccess, 1, "x"),
        ];
        let details: Vec<_> = counted(facts).into_iter().filter_map(|fact| fact.detail).collect();
        assert_eq!(details, ["bob ×2", "eve", "bob", "x", "x"]);
    }
}
